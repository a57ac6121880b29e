/* Formats whose bytes are not read in this process: archives and documents, known by their first
 * bytes alone. What is in them is taken out by media/, in a process that is locked in; what comes
 * back of a document is plain text, and is parsed as such.
 *
 * Word, PowerPoint, OpenDocument and EPUB files are zips: which of them a zip is, is found out
 * there as well. Their rows are for --as and for the list in the help. */
#include "base/str.h"
#include "text/fmt.h"

#include <string.h>

static bool begins(const struct format_in *in, const char *magic)
{
    return span_starts((struct span){ (const char *)in->head, in->head_n }, magic);
}

static int never(const struct format_in *in) { return 0; }

static int zip_score(const struct format_in *in)
{
    return begins(in, "PK\3\4") || begins(in, "PK\5\6") ? 96 : 0;
}

static int tar_score(const struct format_in *in)
{
    return in->head_n >= 512 && !memcmp(in->head + 257, "ustar", 5) ? 96 : 0;
}

static int gz_score(const struct format_in *in)
{
    return begins(in, "\x1F\x8B\x08") || begins(in, "BZh") || begins(in, "\xFD\x37zXZ") ||
                   begins(in, "\x28\xB5\x2F\xFD")
               ? 96
               : 0;
}

static int rtf_score(const struct format_in *in) { return begins(in, "{\\rtf") ? 96 : 0; }

/* Some programs put bytes of their own before the mark. */
static int pdf_score(const struct format_in *in)
{
    size_t n = in->head_n < 1024 ? in->head_n : 1024;
    if (begins(in, "%PDF-")) return 97;
    return fmt_named(in, ".pdf") && memmem(in->head, n, "%PDF-", 5) ? 97 : 0;
}

static int parse(struct format_in *in, const struct format_opts *o, const struct piece_sink *sink,
                 struct err *err)
{
    return format_plain.parse(in, o, sink, err);
}

#define DOCUMENT(id, text, how)                                                                    \
    const struct format format_##id = {                                                            \
        .name = #id, .help = text, .packed = FORMAT_DOCUMENT, .score = how, .parse = parse         \
    }
#define ARCHIVE(id, text, how)                                                                     \
    const struct format format_##id = {                                                            \
        .name = #id, .help = text, .packed = FORMAT_ARCHIVE, .score = how, .parse = parse          \
    }

DOCUMENT(docx, "a Word document", never);
DOCUMENT(odt, "an OpenDocument text or presentation (LibreOffice)", never);
DOCUMENT(epub, "a book (EPUB)", never);
DOCUMENT(pptx, "a PowerPoint presentation: its slides and notes", never);
DOCUMENT(rtf, "rich text (RTF)", rtf_score);
DOCUMENT(pdf, "a PDF that holds text", pdf_score);
ARCHIVE(zip, "a zip archive: every file in it", zip_score);
ARCHIVE(tar, "a tar archive, compressed or not: every file in it", tar_score);
ARCHIVE(gz, "a compressed file (gz, bz2, xz, zst), or a tar so compressed", gz_score);
