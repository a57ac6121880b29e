/* Files that are not text as they lie: archives and documents, opened where they can do no harm.
 *
 *     struct media_visit v = { .file = one_file, .bad = one_failure, .ud = &job };
 *     rc = media_each("export.zip", NULL, &v, err);     one_file: for each in it
 *
 * One call for every path: a text file is visited as it is; a document (DOCX, ODT, EPUB, PPTX, RTF,
 * PDF) as the text that was taken out of it; an archive (zip, tar, gz, ...) entry by entry, and so
 * are archives and documents inside it, FILES_DEPTH deep. Nothing is ever written to disk in the
 * clear: an entry lies in memory while it is visited, a large one in a sealed file without a name.
 *
 * This process reads none of these formats. It starts `likeness-media` (helper.c), hands it the
 * open file and a pipe, and the helper locks itself in (sandbox.h) before it looks at the first
 * byte. What comes through the pipe is checked (wire.h) and counted against the limits below. A
 * helper that crashes, breaks a rule or takes too long costs the file it was given and nothing
 * else. */
#ifndef LK_MEDIA_MEDIA_H
#define LK_MEDIA_MEDIA_H

#include "text/format.h"

#include <stddef.h>
#include <stdint.h>

struct media_limits {
    uint64_t entry;      /* bytes of one entry of an archive, or of a document's text */
    uint64_t kept;       /* ... of which so much is kept in memory */
    uint64_t inner;      /* bytes of an archive or document that lies in an archive */
    uint64_t total;      /* bytes of all that comes out of one file, at any depth */
    uint64_t free_bytes; /* so much may come out whatever went in; beyond it ... */
    uint32_t ratio;      /* ... at most so many bytes for each of the file */
    uint32_t entries;    /* entries of one file, at any depth */
    uint32_t depth;      /* archives in archives; a document in an archive counts too */
    uint32_t idle_s;     /* a helper that says nothing for so long is ended */
    uint32_t cpu_s;      /* processor time of one helper, and one second more for each MiB */
    size_t memory;       /* address space of one helper, beside the file itself */
};
extern const struct media_limits media_limits_default;

struct media_visit {
    /* A file that can be parsed: `in` is open, at its beginning, and closed after the call.
     * in->path is "export.zip/Chats/x.txt" for an entry. Non-zero ends the walk and is returned. */
    int (*file)(void *ud, const struct format *f, struct format_in *in, struct err *err);
    /* Something that cannot be read, and why: the path given, or an entry below it. format: NULL
     * when it was not recognised. Non-zero ends the walk. */
    int (*bad)(void *ud, const char *path, const char *format, const struct err *why);
    /* An entry was passed over: of which archive, what ("picture", "link"). May be NULL. */
    void (*skipped)(void *ud, const char *archive, const char *format, const char *what);
    /* Bytes read of the path that was given, or UINT64_MAX while waiting; non-zero cancels. May be
     * NULL. */
    int (*consumed)(void *ud, uint64_t bytes);
    const struct media_limits *limits; /* NULL: the default */
    void *ud;
};

/* path: a file, or "-". as: a format by name, or NULL; a text format named for an archive holds for
 * what is in it. 0, also when `bad` was called; what a callback returned; ERR_NOMEM, ERR_CANCEL. */
int media_each(const char *path, const char *as, const struct media_visit *v, struct err *err);
/* The same for a file that is open, which is taken; as format_open_file. */
int media_each_file(FILE *f, const char *path, int64_t mtime, const char *as,
                    const struct media_visit *v, struct err *err);

#endif
