/* The text of a page: its content stream is run for what it draws as text, and where (ISO 32000-1,
 * chapter 9; operators in annex A).
 *
 * A PDF knows no words, lines or paragraphs, only glyphs at places. They are taken in the order in
 * which they are drawn, which is the reading order in nearly all files that have one at all, and
 * joined by where they stand: a gap of a fifth of the type size is a space; another baseline is
 * another line; a wider step, an indent, a change of type size or a line that ends short after a
 * full stop begins a paragraph; other lines go on in the same one, with a hyphen at the end of the
 * line taken out. Positions are measured along and across the direction of writing, so turned pages
 * read as well.
 *
 * Forms may draw forms: FORM_DEPTH deep, FORMS in all. */
#include "media/pdf.h"

#include "base/str.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define OPERANDS   64
#define FORM_DEPTH 12
#define FORMS      4000
#define SAVED      64
#define FONTS      2000

struct matrix {
    double a, b, c, d, e, f;
};

struct gstate {
    struct matrix ctm;
    const struct pdf_font *font;
    double size, spacing, word_spacing, scale, leading, rise;
};

struct page {
    struct pdf *d;
    struct doctext *out;
    struct gstate g, saved[SAVED];
    int n_saved, depth, forms;
    struct matrix tm, line;
    bool any;
    /* where the last text ended: along and across, its type size, the step of the line before it */
    double dx, dy, end, across, size, step, left, right, start;
    bool placed;
};

static struct matrix times(const struct matrix *m, const struct matrix *n)
{
    return (struct matrix){ m->a * n->a + m->b * n->c,        m->a * n->b + m->b * n->d,
                            m->c * n->a + m->d * n->c,        m->c * n->b + m->d * n->d,
                            m->e * n->a + m->f * n->c + n->e, m->e * n->b + m->f * n->d + n->f };
}

/* ---- from places to lines ---- */

static char last_char(const struct page *p)
{
    return p->out->text.n && !p->out->breaks ? p->out->text.p[p->out->text.n - 1] : '\n';
}

static bool ends_sentence(char c) { return c && strchr(".!?:;\"')", c); }

/* The next line goes on where this one ended. */
static void join(struct page *p, const char *s)
{
    struct buf *b = &p->out->text;
    bool lower = (*s >= 'a' && *s <= 'z') || (unsigned char)*s >= 0xC3;
    if (b->n > 2 && b->p[b->n - 1] == '-' && b->p[b->n - 2] >= 'a' && b->p[b->n - 2] <= 'z' &&
        lower)
        b->p[--b->n] = 0;
    else if (last_char(p) != ' ' && last_char(p) != '\n') doctext_add(p->out, " ", 1);
}

static void new_line(struct page *p, double along, double across, double size, const char *s)
{
    double step = p->across - across, height = size > p->size ? size : p->size;
    bool down = step > 0, other_size = fabs(size - p->size) > 0.12 * height;
    bool wide =
        down && (p->step > 0 ? step > 1.35 * p->step && step > 1.25 * height : step > 2.2 * height);
    bool indent = down && along > p->left + 0.8 * size && p->start < p->left + 0.8 * size;
    bool is_short = p->end < p->left + 0.75 * (p->right - p->left);
    bool sentence = ends_sentence(last_char(p));
    bool column = !down;
    if (column) {
        if (sentence || other_size) doctext_para(p->out);
        else join(p, s);
        p->left = along;
        p->right = along;
    } else if (wide || other_size || indent || (is_short && sentence)) {
        doctext_para(p->out);
        if (other_size || wide) p->left = along;
    } else if (is_short) doctext_line(p->out);
    else join(p, s);
    p->step = column || wide ? 0 : step;
    p->start = along;
}

/* A run of text that begins at along, across and ends at end. */
static void place(struct page *p, const char *s, size_t n, double along, double across, double end,
                  double size)
{
    if (!p->placed) {
        doctext_para(p->out);
        p->left = p->right = p->start = along;
        p->step = 0;
    } else if (fabs(across - p->across) > 0.5 * (size < p->size ? size : p->size)) {
        new_line(p, along, across, size, s);
    } else {
        double gap = along - p->end;
        if (gap < -2 * size) doctext_line(p->out);
        else if (gap > 0.18 * size && last_char(p) != ' ' && *s != ' ') doctext_add(p->out, " ", 1);
    }
    if (along < p->left) p->left = along;
    if (end > p->right) p->right = end;
    doctext_add(p->out, s, n);
    p->placed = p->any = true;
    p->end = end;
    p->across = across;
    p->size = size;
}

/* ---- showing text ---- */

static void show(struct page *p, struct pdf_value string)
{
    struct gstate *g = &p->g;
    struct buf raw = BUF_INIT(1 << 20), text = BUF_INIT(4 << 20);
    struct matrix m = times(&p->tm, &g->ctm);
    double size = g->size * hypot(m.c, m.d), across_x = hypot(m.a, m.b), moved = 0;
    pdf_string(string, &raw);
    const uint8_t *s = (const uint8_t *)buf_str(&raw);
    for (size_t i = 0, k; g->font && i < raw.n; i += k) {
        char one[33];
        double width;
        k = pdf_font_char(g->font, s + i, raw.n - i, one, &width);
        buf_adds(&text, one);
        moved +=
            (width / 1000 * g->size + g->spacing + (k == 1 && s[i] == ' ' ? g->word_spacing : 0)) *
            g->scale;
        if (!k) break;
    }
    bool sane = isfinite(m.e) && isfinite(m.f) && isfinite(moved) && isfinite(size) && across_x > 0;
    if (text.n && sane) {
        double dx = m.a / across_x, dy = m.b / across_x;
        if (p->placed && fabs(dx * p->dx + dy * p->dy - 1) > 0.01) p->placed = false;
        p->dx = dx, p->dy = dy;
        double along = m.e * dx + m.f * dy, across = m.f * dx - m.e * dy;
        if (m.a * m.d - m.b * m.c < 0) across = -across;
        if (size < 0) size = -size;
        place(p, buf_str(&text), text.n, along, across, along + moved * across_x, size);
    }
    p->tm = times(&(struct matrix){ 1, 0, 0, 1, moved, 0 }, &p->tm);
    buf_free(&raw);
    buf_free(&text);
}

static void show_list(struct page *p, struct pdf_value list)
{
    struct pdf_value in = pdf_inside(list), v;
    while (pdf_next(&in, &v)) {
        if (pdf_is_string(v)) show(p, v);
        else {
            double t = -pdf_number(v, 0) / 1000 * p->g.size * p->g.scale;
            p->tm = times(&(struct matrix){ 1, 0, 0, 1, t, 0 }, &p->tm);
        }
    }
}

static void move(struct page *p, double x, double y)
{
    p->tm = p->line = times(&(struct matrix){ 1, 0, 0, 1, x, y }, &p->line);
}

/* ---- resources ---- */

static struct pdf_font *font_at(struct pdf *d, struct pdf_value dict)
{
    for (size_t i = 0; i < d->n_fonts; i++)
        if (d->fonts[i].p == dict.p) return d->fonts[i].font;
    if (!d->fonts) d->fonts = calloc(FONTS, sizeof *d->fonts);
    if (!d->fonts || d->n_fonts == FONTS) return NULL;
    struct pdf_font *f = pdf_font_new(d, dict);
    if (f) d->fonts[d->n_fonts++] = (struct pdf_font_at){ dict.p, f };
    return f;
}

static void set_font(struct page *p, struct pdf_value resources, struct span name)
{
    char key[128];
    if (name.n >= sizeof key) return;
    memcpy(key, name.p, name.n);
    key[name.n] = 0;
    struct pdf_value dict = pdf_get(p->d, pdf_get(p->d, resources, "Font"), key);
    p->g.font = pdf_is_dict(dict) ? font_at(p->d, dict) : NULL;
}

static void run(struct page *p, const struct buf *content, struct pdf_value resources);

static void draw(struct page *p, struct pdf_value resources, struct span name)
{
    char key[128];
    if (name.n >= sizeof key || p->depth == FORM_DEPTH || p->forms++ > FORMS) return;
    memcpy(key, name.p, name.n);
    key[name.n] = 0;
    struct pdf_value form = pdf_get(p->d, pdf_get(p->d, resources, "XObject"), key), v;
    if (!pdf_is_name(pdf_get(p->d, form, "Subtype"), "Form")) return;
    struct buf content = BUF_INIT(64 << 20);
    struct gstate before = p->g;
    struct matrix tm = p->tm, line = p->line;
    struct pdf_value own = pdf_get(p->d, form, "Resources"),
                     at = pdf_inside(pdf_get(p->d, form, "Matrix"));
    double m[6] = { 1, 0, 0, 1, 0, 0 };
    for (int i = 0; i < 6 && pdf_next(&at, &v); i++) m[i] = pdf_number(pdf_resolve(p->d, v), m[i]);
    p->g.ctm = times(&(struct matrix){ m[0], m[1], m[2], m[3], m[4], m[5] }, &p->g.ctm);
    p->depth++;
    if (pdf_stream(p->d, form, &content)) run(p, &content, own.p ? own : resources);
    p->depth--;
    p->g = before;
    p->tm = tm;
    p->line = line;
    buf_free(&content);
}

/* ---- operators ---- */

static bool text_state(struct page *p, const char *op, const double *v, int n)
{
    struct gstate *g = &p->g;
    if (!strcmp(op, "Tc")) g->spacing = v[0];
    else if (!strcmp(op, "Tw")) g->word_spacing = v[0];
    else if (!strcmp(op, "Tz")) g->scale = v[0] / 100;
    else if (!strcmp(op, "TL")) g->leading = v[0];
    else if (!strcmp(op, "Ts")) g->rise = v[0];
    else if (!strcmp(op, "Td")) move(p, v[0], v[1]);
    else if (!strcmp(op, "TD")) {
        g->leading = -v[1];
        move(p, v[0], v[1]);
    } else if (!strcmp(op, "T*")) move(p, 0, -g->leading);
    else if (!strcmp(op, "Tm"))
        p->tm = p->line = (struct matrix){ v[0], v[1], v[2], v[3], v[4], v[5] };
    else if (!strcmp(op, "BT")) p->tm = p->line = (struct matrix){ 1, 0, 0, 1, 0, 0 };
    else if (!strcmp(op, "cm"))
        g->ctm = times(&(struct matrix){ v[0], v[1], v[2], v[3], v[4], v[5] }, &g->ctm);
    else if (!strcmp(op, "q")) {
        if (p->n_saved < SAVED) p->saved[p->n_saved] = *g;
        p->n_saved++;
    } else if (!strcmp(op, "Q")) {
        if (p->n_saved > 0 && --p->n_saved < SAVED) *g = p->saved[p->n_saved];
    } else return false;
    return true;
}

static void operate(struct page *p, const char *op, const struct pdf_value *v, int n,
                    struct pdf_value resources)
{
    double num[6] = { 0 };
    for (int i = 0; i < n && i < 6; i++) num[i] = pdf_number(v[i], 0);
    if (text_state(p, op, num, n)) return;
    if (!strcmp(op, "Tj") && n > 0) show(p, v[n - 1]);
    else if (!strcmp(op, "TJ") && n > 0) show_list(p, v[n - 1]);
    else if (!strcmp(op, "'") && n > 0) {
        move(p, 0, -p->g.leading);
        show(p, v[n - 1]);
    } else if (!strcmp(op, "\"") && n > 2) {
        p->g.word_spacing = num[0];
        p->g.spacing = num[1];
        move(p, 0, -p->g.leading);
        show(p, v[2]);
    } else if (!strcmp(op, "Tf") && n > 1) {
        set_font(p, resources, pdf_name(v[0]));
        p->g.size = num[1];
    } else if (!strcmp(op, "Do") && n > 0) draw(p, resources, pdf_name(v[n - 1]));
}

/* Behind the picture that stands in the content itself, from its "ID" on. */
static void skip_picture(struct pdf_value *at)
{
    const uint8_t *p = at->p;
    while (p && (p = memmem(p, (size_t)(at->end - p), "EI", 2))) {
        bool before = p > at->p && strchr(" \n\r\t", p[-1]),
             after = p + 2 == at->end || strchr(" \n\r\t", p[2]);
        p += 2;
        if (before && after) break;
    }
    at->p = p ? p : at->end;
}

static void run(struct page *p, const struct buf *content, struct pdf_value resources)
{
    const uint8_t *s = (const uint8_t *)buf_str(content);
    struct pdf_value at = { s, s + content->n }, v[OPERANDS], one;
    int n = 0, kind, base = p->n_saved;
    while ((kind = pdf_token(&at, &one)) && !p->out->text.failed) {
        if (kind == 1) {
            if (n < OPERANDS) v[n++] = one;
            continue;
        }
        char op[8] = "";
        size_t k = (size_t)(one.end - one.p);
        if (k < sizeof op) memcpy(op, one.p, k);
        if (!strcmp(op, "ID")) skip_picture(&at);
        else operate(p, op, v, n, resources);
        n = 0;
    }
    p->n_saved = base;
}

bool pdf_page(struct pdf *d, struct pdf_value page, struct pdf_value resources, struct doctext *out)
{
    struct page *p = calloc(1, sizeof *p);
    struct buf content = BUF_INIT(64 << 20);
    struct pdf_value contents = pdf_get(d, page, "Contents"), in = pdf_inside(contents), v;
    if (!p) return false;
    *p = (struct page){ .d = d, .out = out, .g = { .ctm = { 1, 0, 0, 1, 0, 0 }, .scale = 1 } };
    if (pdf_is_array(contents)) {
        while (pdf_next(&in, &v) && !content.failed) {
            pdf_stream(d, v, &content);
            buf_addc(&content, '\n');
        }
    } else {
        pdf_stream(d, contents, &content);
    }
    run(p, &content, resources);
    bool any = p->any;
    buf_free(&content);
    free(p);
    return any;
}
