/* What a person at a terminal sees: wrapped paragraphs, columns, a progress line, questions.
 *
 * Colour and the progress line appear only where the stream is a terminal; into a pipe or a file
 * goes plain text. Everything printed passes through one filter that drops control characters, so
 * that a file name or a message cannot move the cursor or rename the window.
 *
 * Ctrl-C: between ui_progress_begin and ui_progress_end the first one sets a flag that the progress
 * callback turns into ERR_CANCEL, so that the work under way rolls back; a second one ends the
 * process at once (the store is safe against that too). Elsewhere Ctrl-C does what it always
 * does. */
#include "cli/cli.h"

#include "base/clock.h"
#include "base/io.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool color_out, quiet, json, stdin_is_data;
static volatile sig_atomic_t interrupted;

void ui_init(const struct cli *c)
{
    const char *when = set_str(c, SET_COLOR), *no = getenv("NO_COLOR");
    quiet = c->quiet;
    json = c->json;
    color_out = when && !strcmp(when, "always");
    if (when && !strcmp(when, "auto")) color_out = io_on_terminal(stdout) && !(no && *no);
}

bool ui_stdout_terminal(void) { return io_on_terminal(stdout); }

/* ---- text out ---- */

static void put_clean(FILE *f, const char *s, size_t n)
{
    const char *p = s, *end = s + n;
    while (p < end) {
        const char *at = p;
        uint32_t cp = utf8_next(&p, end);
        bool control = (cp < 32 && cp != '\n' && cp != '\t') || (cp >= 127 && cp < 160) ||
                       (cp >= 0x202a && cp <= 0x202e) || (cp >= 0x2066 && cp <= 0x2069);
        if (cp == 0xfffd) fputs("\xef\xbf\xbd", f);
        else if (!control) fwrite(at, 1, (size_t)(p - at), f);
    }
}

static void put_format(FILE *f, const char *fmt, va_list ap)
{
    char *s = NULL;
    int n = vasprintf(&s, fmt, ap);
    if (n > 0) put_clean(f, s, (size_t)n);
    if (n >= 0) {
        explicit_bzero(s, (size_t)n);
        free(s);
    }
}

void ui_printf(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    put_format(stdout, fmt, ap);
    va_end(ap);
}

static void style_on(enum ui_style s)
{
    static const char *const code[] = { "", "1", "2", "32", "33", "31" };
    if (color_out && s) printf("\033[%sm", code[s]);
}

static void style_off(enum ui_style s)
{
    if (color_out && s) printf("\033[0m");
}

void ui_styled(enum ui_style s, const char *fmt, ...)
{
    va_list ap;
    style_on(s);
    va_start(ap, fmt);
    put_format(stdout, fmt, ap);
    va_end(ap);
    style_off(s);
}

/* Width to write in: of the terminal, at most 100 so that paragraphs stay readable; 80
 * elsewhere. */
static int width_of(FILE *f)
{
    int w = io_on_terminal(f) ? io_columns() : 80;
    return w > 100 ? 100 : w < 24 ? 24 : w;
}

int ui_width(void) { return width_of(stdout); }

/* Breaks text at spaces; `table`: several spaces inside a line are columns and stay. Every line
 * ends with a newline, unless the text is empty. */
static void fold(struct buf *out, const char *text, bool table, int first, int rest, int width)
{
    int at = 0, indent = first, gap = 0;
    for (const char *p = text; *p;) {
        if (*p == '\n' || *p == ' ' || *p == '\t') {
            if (*p == '\n') buf_addc(out, '\n');
            gap = *p == '\n' ? 0 : table ? gap + 1 : 1;
            if (*p++ == '\n') at = 0, indent = rest;
            continue;
        }
        size_t n = strcspn(p, " \t\n");
        int w = utf8_width(p, n);
        if (at && at + gap + w > width - indent - 1) {
            buf_addc(out, '\n');
            at = 0, indent = rest;
        }
        buf_printf(out, "%*s", at ? gap : indent, "");
        buf_add(out, p, n);
        at += w + (at ? gap : 0), p += n, gap = 0;
    }
    if (at) buf_addc(out, '\n');
}

/* A line for f: folded where a terminal is read, and whole where a program may be reading. */
static void put_line(FILE *f, int hang, const char *text)
{
    struct buf b = BUF_INIT(0);
    int first = (int)strspn(text, " ");
    if (io_on_terminal(f)) fold(&b, text, true, first, hang, width_of(f));
    if (b.n && !b.failed) put_clean(f, b.p, b.n);
    else {
        put_clean(f, text, strlen(text));
        fputc('\n', f);
    }
    if (b.n) explicit_bzero(b.p, b.n);
    buf_free(&b);
}

void ui_line(enum ui_style s, int hang, const char *fmt, ...)
{
    char *text = NULL;
    va_list ap;
    va_start(ap, fmt);
    if (vasprintf(&text, fmt, ap) < 0) text = NULL;
    va_end(ap);
    if (!text) return;
    style_on(s);
    put_line(stdout, hang, text);
    style_off(s);
    explicit_bzero(text, strlen(text));
    free(text);
}

void ui_note(const char *fmt, ...)
{
    char *text = NULL;
    va_list ap;
    if (quiet) return;
    ui_progress_clear();
    fflush(stdout);
    va_start(ap, fmt);
    if (vasprintf(&text, fmt, ap) < 0) text = NULL;
    va_end(ap);
    if (!text) return;
    put_line(stderr, 2, text);
    explicit_bzero(text, strlen(text));
    free(text);
}

void ui_error(const char *message)
{
    char *text = NULL;
    if (asprintf(&text, "likeness: %s", message) < 0) return;
    put_line(stderr, 2, text);
    free(text);
}

void ui_wrap(const char *text, int indent)
{
    struct buf b = BUF_INIT(0);
    fold(&b, text, false, indent, indent, ui_width());
    if (!b.failed && b.n) put_clean(stdout, b.p, b.n);
    buf_free(&b);
}

void ui_cell(const char *s, int columns)
{
    const char *p = s, *end = s + strlen(s);
    int width = columns < 0 ? -columns : columns;
    int all = utf8_width(s, strlen(s)), w = 0;
    while (p < end && *p != '\n') {
        const char *at = p;
        utf8_next(&p, end);
        int one = utf8_width(at, (size_t)(p - at));
        if (all > width && w + one > width - 1) {
            fputs("\xe2\x80\xa6", stdout);
            w++;
            break;
        }
        put_clean(stdout, at, (size_t)(p - at));
        w += one;
    }
    if (w < columns) printf("%*s", columns - w, "");
}

char *ui_number(uint64_t n, char out[32])
{
    char raw[24], *to = out;
    int len = snprintf(raw, sizeof raw, "%llu", (unsigned long long)n);
    for (int i = 0; i < len; i++) {
        if (i && (len - i) % 3 == 0) *to++ = ',';
        *to++ = raw[i];
    }
    *to = 0;
    return out;
}

char *ui_count(uint64_t n, const char *one, const char *many, char out[64])
{
    char num[32];
    snprintf(out, 64, "%s %s", ui_number(n, num), n == 1 ? one : many);
    return out;
}

char *ui_span(int64_t from, int64_t to, char out[64])
{
    char a[24], b[24];
    if (from == CLOCK_NONE) return strcpy(out, "undated");
    clock_date(from, a);
    clock_date(to, b);
    if (!strcmp(a, b)) snprintf(out, 64, "%s", a);
    else snprintf(out, 64, "%s to %s", a, b);
    return out;
}

/* ---- questions ---- */

void ui_stdin_is_data(void) { stdin_is_data = true; }

bool ui_interactive(void)
{
    if (json || !io_on_terminal(stderr)) return false;
    if (!stdin_is_data) return io_on_terminal(stdin);
    int fd = open("/dev/tty", O_RDWR | O_CLOEXEC);
    if (fd >= 0) close(fd);
    return fd >= 0;
}

int ui_ask(const char *prompt, struct buf *line, struct err *err)
{
    int fd = !stdin_is_data ? 0 : open("/dev/tty", O_RDONLY | O_CLOEXEC), rc = 0;
    if (fd < 0) return err_set(err, ERR_INVAL, "there is no terminal to ask on");
    ui_progress_clear();
    fflush(stdout);
    put_clean(stderr, prompt, strlen(prompt));
    fflush(stderr);
    buf_clear(line);
    for (char c;;) {
        ssize_t n = read(fd, &c, 1);
        if (n == 1 && c == '\n') break;
        if (n == 1) buf_addc(line, c);
        else if (n < 0 && errno == EINTR && !interrupted) continue;
        else {
            fputc('\n', stderr);
            rc = err_set(err, ERR_CANCEL, "stopped: nothing was changed");
            break;
        }
    }
    if (fd) close(fd);
    if (!rc && line->failed) rc = err_nomem(err);
    return rc;
}

int ui_confirm(const char *question, struct err *err)
{
    struct buf line = BUF_INIT(256);
    struct buf prompt = BUF_INIT(4096);
    fold(&prompt, question, false, 0, 0, width_of(stderr) - 6);
    while (prompt.n && prompt.p[prompt.n - 1] == '\n') prompt.n--;
    buf_adds(&prompt, " [y/N] ");
    int rc = ui_ask(buf_str(&prompt), &line, err);
    buf_free(&prompt);
    struct span s = span_trim((struct span){ line.p, line.n });
    if (!rc && !span_ieq(s, "y") && !span_ieq(s, "yes"))
        rc = err_set(err, ERR_CANCEL, "not confirmed: nothing was changed");
    buf_free(&line);
    return rc;
}

/* ---- progress ---- */

static struct {
    bool on, shown;
    char stage[24];
    double began, drawn;
    struct sigaction was_int, was_term;
} bar;

static void on_interrupt(int sig) { interrupted = sig; }

bool ui_interrupted(bool forget)
{
    bool was = interrupted;
    if (forget) interrupted = 0;
    return was;
}

void ui_catch_interrupt(bool on)
{
    struct sigaction now = { .sa_handler = on_interrupt, .sa_flags = (int)SA_RESETHAND };
    if (on) {
        sigaction(SIGINT, &now, &bar.was_int);
        sigaction(SIGTERM, &now, &bar.was_term);
    } else {
        sigaction(SIGINT, &bar.was_int, NULL);
        sigaction(SIGTERM, &bar.was_term, NULL);
    }
}

static void amount(uint64_t n, const char *unit, char *out, size_t cap)
{
    char num[32];
    if (strcmp(unit, "bytes") != 0) snprintf(out, cap, "%s", ui_number(n, num));
    else if (n >= 1000000000) snprintf(out, cap, "%.2f GB", (double)n / 1e9);
    else if (n >= 1000000) snprintf(out, cap, "%.1f MB", (double)n / 1e6);
    else snprintf(out, cap, "%.0f kB", (double)n / 1e3);
}

static void draw(const char *stage, uint64_t done, uint64_t total, const char *unit, double now)
{
    char a[48], t[48], r[48], line[256];
    double sec = now - bar.began, rate = sec > 0.2 ? (double)done / sec : 0;
    const char *name = strcmp(unit, "bytes") != 0 ? unit : "";
    int n;
    amount(done, unit, a, sizeof a);
    amount(total, unit, t, sizeof t);
    amount((uint64_t)rate, unit, r, sizeof r);
    n = total ? snprintf(line, sizeof line, "%-8s %3.0f%%  %s of %s %s", stage,
                         100.0 * (double)done / (double)total, a, t, name)
              : snprintf(line, sizeof line, "%-8s %s %s", stage, a, name);
    if (rate > 0) n += snprintf(line + n, sizeof line - (size_t)n, "  %s/s", r);
    if (rate > 0 && total > done) {
        long left = (long)((double)(total - done) / rate + 0.5);
        snprintf(line + n, sizeof line - (size_t)n, "  %ld:%02ld left", left / 60, left % 60);
    }
    fprintf(stderr, "\r\033[K%.*s", width_of(stderr) - 1, line);
    fflush(stderr);
    bar.shown = true;
}

static int tick(void *ud, const char *stage, uint64_t done, uint64_t total, const char *unit)
{
    double now;
    if (interrupted) return ERR_CANCEL;
    if (quiet || json || !io_on_terminal(stderr)) return 0;
    now = clock_mono();
    if (strcmp(stage, bar.stage) != 0) {
        snprintf(bar.stage, sizeof bar.stage, "%s", stage);
        bar.began = now;
    }
    if (now - bar.drawn < 0.1 && done != total) return 0;
    bar.drawn = now;
    draw(stage, done, total, unit ? unit : "", now);
    return 0;
}

const struct progress *ui_progress_begin(void)
{
    static const struct progress p = { tick, NULL };
    interrupted = 0;
    ui_catch_interrupt(true);
    bar.on = true;
    bar.stage[0] = 0;
    bar.drawn = 0;
    return &p;
}

void ui_progress_clear(void)
{
    if (bar.shown) fputs("\r\033[K", stderr);
    bar.shown = false;
}

void ui_progress_end(void)
{
    ui_progress_clear();
    if (bar.on) ui_catch_interrupt(false);
    bar.on = false;
}
