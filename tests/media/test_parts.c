/* The parsers of the helper, called without it: what text they make of documents that follow the
 * descriptions, and that no cut, change or trick brings them down. */
#include "made.h"

#include "base/io.h"
#include "base/str.h"
#include "media/parts.h"

#include <stdlib.h>

static enum fault office(const uint8_t *p, size_t n, struct doctext *d)
{
    struct members m;
    struct supply s = supply_of(p, n);
    const char *kind = zip_kind(&s);
    enum fault f = members_read(&s, ".xml .rels .opf .xhtml .html .htm", &m);
    if (!kind) f = FAULT_OTHER;
    else if (!f && !strcmp(kind, "docx")) f = docx_text(&m, d);
    else if (!f && !strcmp(kind, "pptx")) f = pptx_text(&m, d);
    else if (!f && !strcmp(kind, "odt")) f = odt_text(&m, d);
    else if (!f && !strcmp(kind, "epub")) f = epub_text(&m, d);
    else if (!f) f = FAULT_KIND;
    members_free(&m);
    return f;
}

/* Reads b and frees it; checks the text. */
static void reads(enum fault (*parse)(const uint8_t *, size_t, struct doctext *), struct buf b,
                  const char *want, struct doctext *d)
{
    doctext_init(d);
    check_int(parse((const uint8_t *)b.p, b.n, d), FAULT_NONE);
    check_str(buf_str(&d->text), want);
    buf_free(&b);
}

static void about_ann(struct doctext *d, const char *title, int64_t date)
{
    check_str(buf_str(&d->title), title);
    check_str(buf_str(&d->author), "Ann Lee");
    check_int(d->date, date);
    check_int(d->partial, false);
    doctext_clear(d);
}

static void word(void **state)
{
    struct doctext d;
    reads(
        office,
        made_docx("<w:p><w:pPr><w:tabs><w:tab w:val=\"left\"/></w:tabs></w:pPr><w:r><w:t>I keep "
                  "</w:t></w:r><w:ins><w:r><w:t>goats</w:t></w:r></w:ins><w:del><w:r><w:delText>"
                  "cows</w:delText><w:t>no</w:t></w:r></w:del><w:r><w:t>.</w:t><w:br/><w:t>Two "
                  "&lt;of&gt; them</w:t><w:tab/><w:t>here</w:t></w:r></w:p><w:p/><w:p><w:r><w:rPr>"
                  "<w:vanish/></w:rPr><w:t>secret</w:t></w:r><w:r><w:t>Seen.</w:t></w:r></w:p>"
                  "<w:tbl><w:tr><w:tc><w:p><w:r><w:t>a</w:t></w:r></w:p></w:tc><w:tc><w:p><w:r>"
                  "<w:t>b</w:t></w:r></w:p></w:tc></w:tr></w:tbl><mc:AlternateContent "
                  "xmlns:mc=\"x\"><mc:Choice><w:p><w:r><w:t>once</w:t></w:r></w:p></mc:Choice>"
                  "<mc:Fallback><w:p><w:r><w:t>twice</w:t></w:r></w:p></mc:Fallback>"
                  "</mc:AlternateContent>"),
        "I keep goats.\nTwo <of> them\there\n\nSeen.\n\na\nb\n\nonce", &d);
    about_ann(&d, "On boats & goats", MADE_TIME);
}

static void open_document(void **state)
{
    struct doctext d;
    reads(
        office,
        made_odt("<text:tracked-changes><text:p>gone</text:p></text:tracked-changes><text:h>Goats"
                 "</text:h><text:p>I  keep\n <text:span>two</text:span><text:s text:c=\"2\"/>goats"
                 "<text:tab/>here<text:line-break/>and<office:annotation "
                 "xmlns:office=\"o\"><text:p>a remark</text:p></office:annotation> there.</text:p>"
                 "<text:p/><text:list><text:list-item><text:p>one</text:p></text:list-item>"
                 "</text:list>"),
        "Goats\n\nI keep two  goats\there\nand there.\n\none", &d);
    about_ann(&d, "Goats", MADE_TIME);
}

static void slides(void **state)
{
    struct doctext d;
    reads(office, made_pptx(), "Shown first\n\nSay hello.\n\nShown last", &d);
    about_ann(&d, "On boats & goats", MADE_TIME);
}

static void book(void **state)
{
    struct doctext d;
    reads(office, made_epub(false), "One\n\nFirst page.\n\nSecond\xC2\xA0page.", &d);
    about_ann(&d, "The Ferry", 1551484800);
    struct buf b = made_epub(true);
    doctext_init(&d);
    check_int(office((const uint8_t *)b.p, b.n, &d), FAULT_ENCRYPTED);
    doctext_clear(&d);
    buf_free(&b);
}

static void rich_text(void **state)
{
    struct doctext d;
    struct buf b = BUF_INIT(0);
    rtf_prepare();
    buf_add(&b, made_rtf, sizeof made_rtf - 1);
    reads(rtf_text, b,
          "I keep goats, caf\xC3\xA9 \xE2\x80\x93"
          "dash \xF0\x9F\x90\x80.\n\n\xD0\x9F\xD1\x80\xD0\xB8\xD0\xB2\xD0\xB5\xD1\x82 "
          "\xE6\x97\xA5\xE6\x9C\xAC\nnext line\t{x}link",
          &d);
    about_ann(&d, "Goats", MADE_TIME);
}

/* ---- PDF ---- */

static void pdf_lines(void **state)
{
    struct doctext d;
    reads(pdf_text,
          made_pdf(
              "BT /F1 12 Tf 14 TL 72 700 Td (I keep two goats, and they are fond of the sea and "
              "the ex-) Tj T* (ample of one long line is this line, which is long and goes on.) Tj "
              "0 -40 Td (New paragraph: caf\\351 \\(\\200 5\\)) Tj T* [(To) -20 (ge) -400 "
              "(ther)] TJ ET BT 1 0 0 1 300 500 Tm <41> Tj 1 0 0 1 330 500 Tm (b) Tj ET",
              MADE_FONT),
          "I keep two goats, and they are fond of the sea and the example of one long line is this "
          "line, which is long and goes on.\n\nNew paragraph: caf\xC3\xA9 (\xE2\x82\xAC 5)\n\nToge "
          "ther\n\n"
          "A b",
          &d);
    check_str(buf_str(&d.title), "Boats (1)");
    check_str(buf_str(&d.author), "Ann");
    check_int(d.date, MADE_TIME);
    doctext_clear(&d);
}

static void pdf_fonts(void **state)
{
    struct doctext d;
    reads(pdf_text,
          made_pdf("BT /F1 12 Tf 72 700 Td (\\001\\002 \\003) Tj ET",
                   "<< /Type /Font /Subtype /Type1 /Encoding << /Differences [1 /uni0416 /ccaron "
                   "/fi.alt 32 /space] >> >>"),
          "\xD0\x96\xC4\x8D fi", &d);
    doctext_clear(&d);
    reads(pdf_text,
          made_pdf(
              "BT /F1 12 Tf 72 700 Td <000100020003000A> Tj ET",
              "<< /Type /Font /Subtype /Type0 /Encoding /Identity-H /DescendantFonts [<< /DW 500 "
              "/W [1 [600 600]] >>] /ToUnicode 7 0 R >>\nendobj\n7 0 obj\n<< >>\nstream\n"
              "1 begincodespacerange <0000> <FFFF> endcodespacerange 1 beginbfrange <0001> "
              "<0002> <0041> endbfrange 1 beginbfrange <0003> <0003> [<00660069>] endbfrange "
              "1 beginbfchar <000A> <D83DDC10> endbfchar\nendstream"),
          "AB"
          "fi\xF0\x9F\x90\x90",
          &d);
    doctext_clear(&d);
}

/* Seeds of the fuzzer, which qpdf 11 encrypted: an owner's password, and an empty one for the user.
 * test_pdf.py makes more of them. */
static struct buf pdf_seed(const char *name)
{
    const char *root = getenv("LIKENESS_ROOT");
    char path[4096];
    struct err err;
    struct buf b = BUF_INIT(0);
    snprintf(path, sizeof path, "%s/fuzz/corpus/media_pdf/%s", root ? root : ".", name);
    check_ok(io_read_file(path, 1 << 20, &b, &err), err);
    return b;
}

static void pdf_encrypted(void **state)
{
    static const char *const seed[] = { "encrypted-rc4", "encrypted-aes128", "encrypted-aes256" };
    struct doctext d;
    for (size_t i = 0; i < COUNT_OF(seed); i++) {
        reads(pdf_text, pdf_seed(seed[i]), "I keep goats, says the bank.", &d);
        check_str(buf_str(&d.title), "Goats (1)");
        check_str(buf_str(&d.author), "Ann");
        check_int(d.date, MADE_TIME);
        doctext_clear(&d);
        struct buf b = pdf_seed(seed[i]);
        char *u = memmem(b.p, b.n, "/U ", 3), *v = u ? strpbrk(u, "(<") : NULL;
        assert_non_null(v);
        v[1] ^= 1; /* as of a file with another password */
        doctext_init(&d);
        check_int(pdf_text((const uint8_t *)b.p, b.n, &d), FAULT_ENCRYPTED);
        doctext_clear(&d);
        buf_free(&b);
    }
}

static enum fault pdf_of(const char *text, struct doctext *d)
{
    doctext_init(d);
    return pdf_text((const uint8_t *)text, strlen(text), d);
}

/* Keys of impossible lengths; a trailer in which each next one begins, so that each would be read
 * to the end of the file. */
static void pdf_hostile(void **state)
{
    static const char *const length[] = { "-1000000000", "-1", "0", "1000000000", "1e9", "9" };
    struct doctext d;
    for (size_t i = 0; i < COUNT_OF(length); i++) {
        struct buf b = BUF_INIT(0);
        buf_printf(&b,
                   "%%PDF-1.4\n1 0 obj <</Filter /Standard /V 2 /R 3 /P -4 /Length %s /O <%064d> "
                   "/U <%064d>>> endobj trailer << /Encrypt 1 0 R /Root 2 0 R >>",
                   length[i], 0, 0);
        check_int(pdf_of(buf_str(&b), &d), FAULT_ENCRYPTED);
        doctext_clear(&d);
        buf_free(&b);
    }
    struct buf b = BUF_INIT(8 << 20);
    buf_adds(&b, "%PDF-1.4\n");
    for (int i = 0; i < 300000; i++) buf_adds(&b, "trailer <</Root ");
    check_int(pdf_of(buf_str(&b), &d), FAULT_CUT);
    doctext_clear(&d);
    buf_free(&b);
}

static void pdf_refuses(void **state)
{
    struct doctext d;
    check_int(pdf_of("no pdf", &d), FAULT_KIND);
    doctext_clear(&d);
    check_int(pdf_of("%PDF-1.4 and nothing", &d), FAULT_CUT);
    doctext_clear(&d);
    check_int(
        pdf_of("%PDF-1.4\n1 0 obj <</Pages 2 0 R>> endobj trailer << /Root 1 0 R /Encrypt 9 0 R "
               ">>",
               &d),
        FAULT_ENCRYPTED);
    doctext_clear(&d);
    struct buf b = made_pdf("q 100 0 0 100 0 0 cm /Im1 Do Q", MADE_FONT);
    doctext_init(&d);
    check_int(pdf_text((const uint8_t *)b.p, b.n, &d), FAULT_SCANNED);
    doctext_clear(&d);
    buf_free(&b);
}

/* Trees, references, forms and object streams that lead back to themselves. */
static void pdf_cycles(void **state)
{
    static const char cyclic[] =
        "%PDF-1.4\n1 0 obj << /Pages 2 0 R >> endobj\n"
        "2 0 obj << /Kids [2 0 R 3 0 R 3 0 R 1 0 R] /Resources 6 0 R >> endobj\n"
        "3 0 obj << /Type /Page /Contents [4 0 R] >> endobj\n"
        "4 0 obj << /Length 4 0 R >> stream\nBT /F1 9 Tf (seen) Tj /F2 9 Tf <0001> Tj ET /X "
        "Do\nendstream endobj\n"
        "5 0 obj << /Subtype /Form /Resources 6 0 R >> stream\n/X Do /X Do\nendstream endobj\n"
        "6 0 obj << /Font << /F1 7 0 R /F2 13 0 R >> /XObject << /X 5 0 R >> >> endobj\n"
        "7 0 obj << /Subtype /TrueType /ToUnicode 7 0 R /Widths 8 0 R >> endobj\n8 0 obj 8 0 R "
        "endobj\n"
        "9 0 obj << /Type /ObjStm /N 3 /First 9 /Filter 9 0 R >> stream\n9 0 9 0 9 0\nendstream "
        "endobj\n"
        "10 0 obj << /Type /ObjStm /N 1 /First 5 /Extends 10 0 R >> stream\n11 0 << /Type /ObjStm "
        "/N 1 /First 5 /Extends 10 0 R >>\nendstream endobj\n"
        "12 0 obj << /Type /XRef /Prev 12 0 R /Size 12 0 R /W 12 0 R >> stream\n\nendstream "
        "endobj\n"
        "13 0 obj << /Subtype /Type0 /DescendantFonts [13 0 R] /Encoding 13 0 R /W 13 0 R >> "
        "endobj\n"
        "xref\n0 0\ntrailer << /Root 1 0 R /Info 8 0 R /Prev 0 /XRefStm 0 >>\nstartxref\n0\n%%EOF";
    struct doctext d;
    check_int(pdf_of(cyclic, &d), FAULT_NONE);
    check_str(buf_str(&d.text), "seen");
    doctext_clear(&d);
}

/* ---- truncation and change ---- */

struct sample {
    enum fault (*parse)(const uint8_t *, size_t, struct doctext *);
    struct buf b;
};

#define SAMPLES 9

static void samples(struct sample s[SAMPLES])
{
    s[0] = (struct sample){ office, made_docx("<w:p><w:r><w:t>I keep goats.</w:t></w:r></w:p>") };
    s[1] = (struct sample){ office, made_odt("<text:p>I keep goats.</text:p>") };
    s[2] = (struct sample){ office, made_epub(false) };
    s[3] = (struct sample){ office, made_pptx() };
    s[4] = (struct sample){ pdf_text, made_pdf("BT /F1 9 Tf (I keep goats.) Tj ET", MADE_FONT) };
    s[5] = (struct sample){ rtf_text, BUF_INIT(0) };
    buf_add(&s[5].b, made_rtf, sizeof made_rtf - 1);
    rtf_prepare();
    s[6] = (struct sample){ pdf_text, pdf_seed("encrypted-rc4") };
    s[7] = (struct sample){ pdf_text, pdf_seed("encrypted-aes128") };
    s[8] = (struct sample){ pdf_text, pdf_seed("encrypted-aes256") };
}

/* A copy of exactly so many bytes, so that a sanitizer sees one read too many. */
static void try(const struct sample *s, const char *p, size_t n)
{
    struct doctext d;
    uint8_t *copy = malloc(n ? n : 1);
    assert_non_null(copy);
    memcpy(copy, p, n);
    doctext_init(&d);
    enum fault f = s->parse(copy, n, &d);
    assert_true(f < FAULT_COUNT);
    assert_true(utf8_valid(buf_str(&d.text), d.text.n));
    if (!f) assert_true(d.text.n > 0);
    doctext_clear(&d);
    free(copy);
}

static void cut_everywhere(void **state)
{
    struct sample s[SAMPLES];
    samples(s);
    for (int i = 0; i < SAMPLES; i++) {
        for (size_t n = 0; n < s[i].b.n; n++) try(&s[i], s[i].b.p, n);
        buf_free(&s[i].b);
    }
}

static void changed_everywhere(void **state)
{
    struct sample s[SAMPLES];
    uint32_t r = 1;
    samples(s);
    for (int i = 0; i < SAMPLES; i++) {
        for (size_t n = 0; n < s[i].b.n; n++) {
            char was = s[i].b.p[n];
            r = r * 1664525 + 1013904223;
            s[i].b.p[n] = (char)(r >> 24);
            try(&s[i], s[i].b.p, s[i].b.n);
            s[i].b.p[n] = was;
        }
        buf_free(&s[i].b);
    }
}

/* ---- bombs ---- */

#define LAUGHS                                                                                     \
    "<?xml version=\"1.0\"?><!DOCTYPE l [<!ENTITY a \"ha ha ha ha ha ha ha ha\">"                  \
    "<!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;\"><!ENTITY c "                                    \
    "\"&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;\">"                                                          \
    "<!ENTITY d \"&c;&c;&c;&c;&c;&c;&c;&c;&c;&c;\"><!ENTITY e SYSTEM \"file:///etc/passwd\">"      \
    "<!ENTITY % p SYSTEM \"file:///etc/passwd\">%p;]>"

static void no_laughs(const struct made_entry *e, size_t n, bool partial)
{
    struct buf b = made_archive("stored", e, n);
    struct doctext d;
    doctext_init(&d);
    enum fault f = office((const uint8_t *)b.p, b.n, &d);
    assert_true(f == FAULT_NONE || f == FAULT_EMPTY);
    check_hasnt(buf_str(&d.text), "ha ha");
    check_hasnt(buf_str(&d.text), "root:");
    check_hasnt(buf_str(&d.title), "ha ha");
    if (partial) check_int(d.partial, true);
    doctext_clear(&d);
    buf_free(&b);
}

static void entities(void **state)
{
    static const struct made_entry word[] = {
        { .name = "word/document.xml",
          .text = LAUGHS "<w:document " MADE_W "><w:body><w:p><w:r><w:t>kept &d;&e; &amp; more"
                         "</w:t></w:r></w:p></w:body></w:document>" }
    };
    static const struct made_entry open[] = {
        { .name = "mimetype", .text = "application/vnd.oasis.opendocument.text" },
        { .name = "content.xml",
          .text = LAUGHS "<o:document-content xmlns:o=\"urn:oasis:names:tc:opendocument:xmlns:"
                         "office:1.0\" xmlns:t=\"urn:oasis:names:tc:opendocument:xmlns:text:1.0\">"
                         "<o:body><o:text><t:p>kept &d;&e; more</t:p></o:text></o:body>"
                         "</o:document-content>" }
    };
    static const struct made_entry book[] = {
        { .name = "mimetype", .text = "application/epub+zip" },
        { .name = "META-INF/container.xml",
          .text = LAUGHS "<container><rootfiles><rootfile full-path=\"b.opf\"/></rootfiles>"
                         "</container>" },
        { .name = "b.opf",
          .text = LAUGHS "<package><metadata xmlns:dc=\"http://purl.org/dc/elements/1.1/\">"
                         "<dc:title>A &d;&e; title</dc:title></metadata><manifest><item id=\"a\" "
                         "href=\"a.xhtml\"/></manifest><spine><itemref idref=\"a\"/></spine>"
                         "</package>" },
        { .name = "a.xhtml", .text = LAUGHS "<html><body><p>kept &d;&e; more</p></body></html>" }
    };
    no_laughs(word, 1, true);
    no_laughs(open, 2, true);
    no_laughs(book, 4, false);
}

static void deep(void **state)
{
    struct buf b = BUF_INIT(64 << 20);
    struct doctext d;
    for (int i = 0; i < 200000; i++) buf_adds(&b, "<w:tbl>");
    struct buf x = made_docx(buf_str(&b));
    doctext_init(&d);
    check_int(office((const uint8_t *)x.p, x.n, &d), FAULT_EMPTY);
    doctext_clear(&d);
    buf_clear(&b);
    buf_adds(&b, "{\\rtf1 ");
    for (int i = 0; i < 200000; i++) buf_adds(&b, "{\\b ");
    buf_adds(&b, "deep");
    doctext_init(&d);
    check_int(rtf_text((const uint8_t *)b.p, b.n, &d), FAULT_NONE);
    check_str(buf_str(&d.text), "deep");
    check_int(d.partial, true);
    doctext_clear(&d);
    buf_clear(&b);
    buf_adds(&b, "%PDF-1.4\n1 0 obj ");
    for (int i = 0; i < 200000; i++) buf_adds(&b, "[<<");
    doctext_init(&d);
    check_int(pdf_text((const uint8_t *)b.p, b.n, &d), FAULT_CUT);
    doctext_clear(&d);
    buf_free(&b);
    buf_free(&x);
}

/* ---- archives ---- */

static int gather(void *ud, const void *p, size_t n) { return buf_add(ud, p, n); }

/* What the helper would write of such an archive: in order, and no more than went in. */
static void walk(const char *p, size_t n, size_t most)
{
    static struct wire_out out;
    struct buf wire = BUF_INIT(1 << 20);
    uint8_t *copy = malloc(n ? n : 1);
    size_t bytes = 0;
    bool open = false, done = false;
    assert_non_null(copy);
    memcpy(copy, p, n);
    out = (struct wire_out){ .put = gather, .ud = &wire };
    struct supply s = supply_of(copy, n);
    archive_walk(&s, &out);
    check_int(wire_done(&out), 0);
    for (size_t i = 0; i + 5 <= wire.n;) {
        const uint8_t *r = (const uint8_t *)wire.p + i;
        size_t k = (size_t)r[1] | (size_t)r[2] << 8 | (size_t)r[3] << 16 | (size_t)r[4] << 24;
        assert_false(done);
        if (r[0] == WIRE_BEGIN) assert_false(open);
        if (r[0] == WIRE_DATA || r[0] == WIRE_END) assert_true(open);
        if (r[0] == WIRE_BEGIN) open = true;
        if (r[0] == WIRE_END) open = false;
        if (r[0] == WIRE_DATA) bytes += k;
        done = r[0] == WIRE_DONE;
        i += 5 + k;
    }
    assert_true(done && !open);
    assert_true(bytes <= most);
    buf_free(&wire);
    free(copy);
}

static void archives_cut_and_changed(void **state)
{
    static const struct made_entry e[] = { { .name = "a.txt", .text = "I keep goats on the hill." },
                                           { .name = "users.json", .text = "[]" },
                                           { .name = "d/b.md", .text = "# Boats\n\nAnd goats." } };
    static const char *const how[] = { "zip", "stored", "tar", "tar.gz", "gz" };
    uint32_t r = 7;
    for (size_t k = 0; k < COUNT_OF(how); k++) {
        struct buf b = made_archive(how[k], e, k == 4 ? 1 : 3);
        size_t step = b.n > 4000 ? 17 : 1;
        for (size_t n = 0; n <= b.n; n += step) walk(b.p, n, 1000);
        for (size_t n = 0; n < b.n; n += step) {
            char was = b.p[n];
            r = r * 1664525 + 1013904223;
            b.p[n] = (char)(r >> 24);
            walk(b.p, b.n, 100000);
            b.p[n] = was;
        }
        buf_free(&b);
    }
}

static const char *kind_of(const struct buf *b)
{
    struct supply s = supply_of(b->p, b->n);
    return zip_kind(&s);
}

static void other_kinds(void **state)
{
    const struct made_entry sheet[] = { { .name = "xl/workbook.xml", .text = "<workbook/>" } };
    const struct made_entry ods[] = {
        { .name = "mimetype", .text = "application/vnd.oasis.opendocument.spreadsheet" }
    };
    const struct made_entry plain[] = { { .name = "a.txt", .text = "a" } };
    struct buf b = made_archive("zip", sheet, 1);
    assert_null(kind_of(&b));
    buf_free(&b);
    b = made_archive("stored", ods, 1);
    assert_null(kind_of(&b));
    buf_free(&b);
    b = made_archive("zip", plain, 1);
    check_str(kind_of(&b), "zip");
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest t[] = {
        cmocka_unit_test(word),
        cmocka_unit_test(open_document),
        cmocka_unit_test(slides),
        cmocka_unit_test(book),
        cmocka_unit_test(rich_text),
        cmocka_unit_test(pdf_lines),
        cmocka_unit_test(pdf_fonts),
        cmocka_unit_test(pdf_encrypted),
        cmocka_unit_test(pdf_hostile),
        cmocka_unit_test(pdf_refuses),
        cmocka_unit_test(pdf_cycles),
        cmocka_unit_test(cut_everywhere),
        cmocka_unit_test(changed_everywhere),
        cmocka_unit_test(entities),
        cmocka_unit_test(deep),
        cmocka_unit_test(archives_cut_and_changed),
        cmocka_unit_test(other_kinds),
    };
    return check_run("media/parts", t);
}
