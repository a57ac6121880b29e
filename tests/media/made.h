/* Archives and documents that the tests make themselves, by libarchive's writer or by hand. */
#ifndef LK_TESTS_MADE_H
#define LK_TESTS_MADE_H

#include "check.h"

#include "base/buf.h"

#include <archive.h>
#include <archive_entry.h>
#include <stdbool.h>

struct made_entry {
    const char *name, *text;
    size_t n;         /* 0: strlen(text) */
    const char *link; /* a symbolic link to there instead */
    int64_t mtime;    /* 0: 2019-03-02T21:14:00Z */
};

#define MADE_TIME 1551561240

/* how: "zip", "stored" (a zip that compresses nothing), "tar", "tar.gz", "gz". buf_free it. */
static inline struct buf made_archive(const char *how, const struct made_entry *e, size_t n)
{
    struct buf out = BUF_INIT(256 << 20);
    size_t used = 0, cap = 64 << 10;
    for (size_t i = 0; i < n; i++)
        cap += 1024 + (e[i].n ? e[i].n : strlen(e[i].text ? e[i].text : ""));
    assert_int_equal(buf_reserve(&out, cap), 0);
    struct archive *a = archive_write_new();
    if (!strcmp(how, "zip") || !strcmp(how, "stored")) archive_write_set_format_zip(a);
    else if (!strcmp(how, "gz")) archive_write_set_format_raw(a);
    else archive_write_set_format_pax_restricted(a);
    if (!strcmp(how, "stored")) archive_write_zip_set_compression_store(a);
    if (strstr(how, "gz")) archive_write_add_filter_gzip(a);
    archive_write_set_bytes_per_block(a, 0);
    assert_int_equal(archive_write_open_memory(a, out.p, cap, &used), ARCHIVE_OK);
    for (size_t i = 0; i < n; i++) {
        size_t k = e[i].n ? e[i].n : strlen(e[i].text ? e[i].text : "");
        struct archive_entry *x = archive_entry_new();
        archive_entry_set_pathname(x, e[i].name);
        archive_entry_set_filetype(x, e[i].link ? AE_IFLNK : AE_IFREG);
        archive_entry_set_perm(x, 0644);
        archive_entry_set_mtime(x, e[i].mtime ? e[i].mtime : MADE_TIME, 0);
        if (e[i].link) archive_entry_set_symlink(x, e[i].link);
        else archive_entry_set_size(x, (int64_t)k);
        assert_int_equal(archive_write_header(a, x), ARCHIVE_OK);
        if (k && !e[i].link) assert_int_equal(archive_write_data(a, e[i].text, k), k);
        archive_entry_free(x);
    }
    assert_int_equal(archive_write_close(a), ARCHIVE_OK);
    archive_write_free(a);
    out.n = used;
    out.p[used] = 0;
    return out;
}

#define COUNT_OF(a) (sizeof(a) / sizeof *(a))

/* ---- documents ---- */

#define MADE_RELS(target)                                                                          \
    "<?xml version=\"1.0\"?><Relationships "                                                       \
    "xmlns=\"http://schemas.openxmlformats.org/package/2006/relationships\"><Relationship "        \
    "Id=\"rId1\" Type=\"http://schemas.openxmlformats.org/officeDocument/2006/relationships/"      \
    "officeDocument\" Target=\"" target "\"/></Relationships>"
#define MADE_CORE                                                                                  \
    "<?xml version=\"1.0\"?><cp:coreProperties "                                                   \
    "xmlns:cp=\"http://schemas.openxmlformats.org/package/2006/metadata/core-properties\" "        \
    "xmlns:dc=\"http://purl.org/dc/elements/1.1/\" xmlns:dcterms=\"http://purl.org/dc/terms/\">"   \
    "<dc:title>On boats &amp; goats</dc:title><dc:creator>Ann Lee</dc:creator>"                    \
    "<dcterms:created>2019-03-02T21:14:00Z</dcterms:created></cp:coreProperties>"
#define MADE_W "xmlns:w=\"http://schemas.openxmlformats.org/wordprocessingml/2006/main\""

static inline struct buf made_docx(const char *body)
{
    struct buf doc = BUF_INIT(0);
    buf_printf(&doc,
               "<?xml version=\"1.0\"?><w:document " MADE_W "><w:body>%s</w:body></w:document>",
               body);
    const struct made_entry e[] = {
        { .name = "[Content_Types].xml", .text = "<Types/>" },
        { .name = "_rels/.rels", .text = MADE_RELS("word/document.xml") },
        { .name = "word/document.xml", .text = buf_str(&doc), .n = doc.n },
        { .name = "docProps/core.xml", .text = MADE_CORE },
    };
    struct buf out = made_archive("zip", e, COUNT_OF(e));
    buf_free(&doc);
    return out;
}

static inline struct buf made_odt(const char *body)
{
    struct buf doc = BUF_INIT(0);
    buf_printf(&doc,
               "<?xml version=\"1.0\"?><office:document-content "
               "xmlns:office=\"urn:oasis:names:tc:opendocument:xmlns:office:1.0\" "
               "xmlns:text=\"urn:oasis:names:tc:opendocument:xmlns:text:1.0\"><office:body>"
               "<office:text>%s</office:text></office:body></office:document-content>",
               body);
    const struct made_entry e[] = {
        { .name = "mimetype", .text = "application/vnd.oasis.opendocument.text" },
        { .name = "content.xml", .text = buf_str(&doc), .n = doc.n },
        { .name = "meta.xml",
          .text = "<m xmlns:meta=\"urn:oasis:names:tc:opendocument:xmlns:meta:1.0\" "
                  "xmlns:dc=\"http://purl.org/dc/elements/1.1/\"><meta:initial-creator>Ann Lee"
                  "</meta:initial-creator><dc:title>Goats</dc:title><meta:creation-date>"
                  "2019-03-02T21:14:00.123456789</meta:creation-date></m>" },
    };
    struct buf out = made_archive("stored", e, COUNT_OF(e));
    buf_free(&doc);
    return out;
}

static inline struct buf made_epub(bool locked)
{
    const struct made_entry e[] = {
        { .name = "mimetype", .text = "application/epub+zip" },
        { .name = "META-INF/container.xml",
          .text = "<container xmlns=\"urn:oasis:names:tc:opendocument:xmlns:container\"><rootfiles>"
                  "<rootfile full-path=\"OEBPS/book.opf\"/></rootfiles></container>" },
        { .name = "OEBPS/book.opf",
          .text =
              "<package xmlns=\"http://www.idpf.org/2007/opf\"><metadata "
              "xmlns:dc=\"http://purl.org/dc/elements/1.1/\"><dc:title>The Ferry</dc:title>"
              "<dc:creator>Ann Lee</dc:creator><dc:date>2019-03-02</dc:date></metadata><manifest>"
              "<item id=\"b\" href=\"two%20b.xhtml\"/><item id=\"a\" href=\"./x/../one.xhtml\"/>"
              "</manifest><spine><itemref idref=\"a\"/><itemref idref=\"b\"/></spine></package>" },
        { .name = "OEBPS/two b.xhtml",
          .text = "<html><body><p>Second&nbsp;page.</p><script>no()</script></body></html>" },
        { .name = "OEBPS/one.xhtml",
          .text = "<html><body><h1>One</h1><p>First page.</p></body></html>" },
        { .name = locked ? "META-INF/encryption.xml" : "META-INF/other.xml",
          .text = "<encryption><CipherReference URI=\"OEBPS/one.xhtml\"/></encryption>" },
    };
    return made_archive("zip", e, COUNT_OF(e));
}

static inline struct buf made_pptx(void)
{
#define P                                                                                          \
    "xmlns:a=\"http://schemas.openxmlformats.org/drawingml/2006/main\" "                           \
    "xmlns:r=\"http://schemas.openxmlformats.org/officeDocument/2006/relationships\" "             \
    "xmlns:p=\"http://schemas.openxmlformats.org/presentationml/2006/main\""
#define REL "http://schemas.openxmlformats.org/officeDocument/2006/relationships/"
    const struct made_entry e[] = {
        { .name = "_rels/.rels", .text = MADE_RELS("ppt/presentation.xml") },
        { .name = "ppt/presentation.xml",
          .text = "<p:presentation " P "><p:sldIdLst><p:sldId id=\"256\" r:id=\"rId7\"/>"
                  "<p:sldId id=\"257\" r:id=\"rId6\"/></p:sldIdLst></p:presentation>" },
        { .name = "ppt/_rels/presentation.xml.rels",
          .text = "<Relationships><Relationship Id=\"rId6\" Type=\"" REL "slide\" "
                  "Target=\"slides/slide1.xml\"/><Relationship Id=\"rId7\" Type=\"" REL "slide\" "
                  "Target=\"/ppt/slides/slide2.xml\"/></Relationships>" },
        { .name = "ppt/slides/slide1.xml",
          .text = "<p:sld " P "><p:sp><a:p><a:r><a:t>Shown last</a:t></a:r><a:fld "
                  "type=\"slidenum\"><a:t>7</a:t></a:fld></a:p></p:sp></p:sld>" },
        { .name = "ppt/slides/slide2.xml",
          .text = "<p:sld " P "><p:sp><a:p><a:r><a:t>Shown </a:t></a:r><a:r><a:t>first</a:t></a:r>"
                  "</a:p></p:sp></p:sld>" },
        { .name = "ppt/slides/_rels/slide2.xml.rels",
          .text = "<Relationships><Relationship Id=\"rId1\" Type=\"" REL "notesSlide\" "
                  "Target=\"../notesSlides/notesSlide1.xml\"/></Relationships>" },
        { .name = "ppt/notesSlides/notesSlide1.xml",
          .text =
              "<p:notes " P "><p:sp><a:p><a:r><a:t>Say hello.</a:t></a:r></a:p></p:sp></p:notes>" },
        { .name = "docProps/core.xml", .text = MADE_CORE },
    };
    return made_archive("zip", e, COUNT_OF(e));
#undef P
#undef REL
}

/* A PDF of one page with this content stream, its table of objects left out but for the trailer. */
static inline struct buf made_pdf(const char *content, const char *font)
{
    struct buf b = BUF_INIT(0);
    buf_adds(&b,
             "%PDF-1.4\n1 0 obj\n<< /Type /Catalog /Pages 2 0 R >>\nendobj\n"
             "2 0 obj\n<< /Type /Pages /Kids [3 0 R] /Count 1 /Resources << /Font << /F1 5 0 R >> "
             ">> >>\nendobj\n"
             "3 0 obj\n<< /Type /Page /Parent 2 0 R /Contents 4 0 R >>\nendobj\n");
    buf_printf(&b,
               "4 0 obj\n<< /Length %zu >>\nstream\n%s\nendstream\nendobj\n5 0 obj\n%s\nendobj\n",
               strlen(content), content, font);
    buf_adds(&b, "6 0 obj\n<< /Title (Microsoft Word - Boats \\(1\\)) /Author <FEFF0041006E006E> "
                 "/CreationDate (D:20190302221400+01'00') >>\nendobj\n"
                 "trailer\n<< /Size 7 /Root 1 0 R /Info 6 0 R >>\nstartxref\n0\n%%EOF\n");
    return b;
}

#define MADE_FONT                                                                                  \
    "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>"

static const char made_rtf[] =
    "{\\rtf1\\ansi\\ansicpg1252\\deff0{\\fonttbl{\\f0\\fnil\\fcharset0 "
    "Arial;}{\\f1\\fnil\\fcharset204 "
    "Arial Cyr;}{\\f2\\fnil\\fcharset128 MS Gothic;}}{\\colortbl;\\red0\\green0\\blue0;}"
    "{\\*\\generator Riched20 10.0;}{\\info{\\title Goats}{\\author Ann Lee}{\\creatim\\yr2019\\mo3"
    "\\dy2\\hr21\\min14}}\\viewkind4\\uc1\\pard\\f0\\fs22 I keep \\b goats\\b0 , "
    "caf\\'e9 \\u8211?dash \\u-10179?\\u-9216?.\\par\n"
    "{\\f1 \\'cf\\'f0\\'e8\\'e2\\'e5\\'f2} {\\f2 \\'93\\'fa\\'96\\'7b}\\line next {\\v hidden}line"
    "\\tab\\{x\\}{\\field{\\*\\fldinst HYPERLINK \"http://x\"}{\\fldrslt link}}\\par"
    "{\\pict\\bin3 \x01}}0102}{\\header Page}}";

#endif
