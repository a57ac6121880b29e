/* Notion, as "Export > Markdown & CSV" (or HTML) writes it: a zip, often with zips inside, of a
 * file for each page. Every name ends in a blank and the page's id, 32 hexadecimal digits. Pages of
 * a database carry its columns as "Key: value" lines under their title.
 *
 * Pages are Markdown or HTML and read as such, with the id taken off titles (fmt_stem) and those
 * lines out of the text (fmt_markdown.c). A database's CSV repeats what its pages say: its rows are
 * told and passed over. */
#include "text/fmt_csv.h"

#include "base/str.h"

#include <string.h>

static int score(const struct format_in *in)
{
    if (!fmt_notion_name(in->name)) return 0;
    if (fmt_named(in, ".md")) return 78;
    if (fmt_named(in, ".csv")) return 90;
    return fmt_named(in, ".html") ? 90 : 0;
}

static int rows(struct format_in *in, const struct piece_sink *sink, struct err *err)
{
    struct csv *c = csv_new(in, ',', sink, err);
    int rc = c ? csv_next(c, err) : ERR_PARSE;
    while (rc > 0 && (rc = csv_next(c, err)) > 0) fmt_skip(sink, "row of a database", c->line);
    csv_free(c);
    return rc;
}

static int parse(struct format_in *in, const struct format_opts *o, const struct piece_sink *sink,
                 struct err *err)
{
    if (fmt_named(in, ".csv")) return rows(in, sink, err);
    return fmt_named(in, ".html") ? format_html.parse(in, o, sink, err)
                                  : format_markdown.parse(in, o, sink, err);
}

const struct format format_notion = {
    .name = "notion",
    .help = "a page or database of a Notion export (Markdown, HTML, CSV)",
    .score = score,
    .parse = parse,
};
