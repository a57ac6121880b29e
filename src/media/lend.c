/* Lending a file to a helper.
 *
 * A file on disk is handed over as a descriptor, which the helper maps. An upload waits on disk
 * sealed, and so does a large entry of an archive (hold.h): what opens their blocks is a key that
 * the helper must not have, and a copy in the clear would cost as much memory as the file is long.
 * So the helper asks for blocks with WIRE_WANT, through the pipe that its answers come by, and gets
 * them by a pair of sockets whose end is its descriptor 0; it waits meanwhile, so neither side can
 * fill up what the other does not read. An archive is read in the order of its entries, a block or
 * a few each, and held nowhere.
 *
 * A helper is not believed here either. It can ask for bytes of this one file, which are its own to
 * read; how many in all is limited, because opening a block costs more than asking for one. */
#include "media/lend.h"

#include "media/hold.h"
#include "media/wire.h"

#include <errno.h>
#include <string.h>

/* An archive is gone through four times at most, and for the name of a small entry a block is
 * opened. */
#define TIMES 16
#define FREE  ((uint64_t)64 << 20)

static bool is_lent(const char *kind)
{
    static const char *const kinds[] = { "zip", "tar", "gz", "docx", "pptx", "odt", "epub" };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (!strcmp(kind, kinds[i])) return true;
    return false;
}

static int copy_of(FILE *f, const char *name, FILE **copy, int *fd, struct err *err)
{
    char block[65536];
    size_t n;
    if (!(*copy = hold_memory())) return err_nomem(err);
    rewind(f);
    while ((n = fread(block, 1, sizeof block, f)))
        if (fwrite(block, 1, n, *copy) != n) return err_nomem(err);
    explicit_bzero(block, sizeof block);
    if (ferror(f)) return err_errno(err, "cannot read %s", name);
    *fd = fileno(*copy);
    return fflush(*copy) ? err_nomem(err) : 0;
}

int lend_open(struct lent *l, FILE *f, const char *name, FILE *journal, const char *kind,
              struct err *err)
{
    struct helper_input *in = &l->in;
    *l = (struct lent){ .f = f, .name = name, .in = { .fd = fileno(f), .journal_fd = -1 } };
    if (in->fd < 0 && is_lent(kind)) {
        off_t end = fseeko(f, 0, SEEK_END) ? -1 : ftello(f);
        if (end < 0) return err_errno(err, "cannot read %s", name);
        in->size = (uint64_t)end;
        return 0;
    }
    int rc = in->fd < 0 ? copy_of(f, name, &l->copy, &in->fd, err) : 0;
    if (rc || !journal) return rc;
    in->journal_fd = fileno(journal);
    if (in->journal_fd >= 0) return 0;
    return copy_of(journal, name, &l->journal_copy, &in->journal_fd, err);
}

int lend_piece(struct lent *l, struct helper *h, uint64_t at, uint32_t n, struct err *err)
{
    char block[WIRE_MAX];
    uint64_t size = l->in.size;
    if (l->in.fd >= 0 || n > WIRE_MAX || at > size || n > size - at)
        return err_set(err, ERR_PARSE, "the helper's answer: it asks for what it was not lent");
    l->given += n;
    if (l->given > FREE + TIMES * size)
        return err_set(err, ERR_LIMIT, "%s", helper_end_text(HELPER_TOOK_TOO_LONG));
    errno = EIO;
    if (fseeko(l->f, (off_t)at, SEEK_SET) || fread(block, 1, n, l->f) != n)
        return err_errno(err, "cannot read %s", l->name);
    int rc = helper_give(h, block, n, err);
    explicit_bzero(block, n);
    return rc;
}

void lend_close(struct lent *l)
{
    if (l->copy) fclose(l->copy);
    if (l->journal_copy) fclose(l->journal_copy);
    l->copy = l->journal_copy = NULL;
}
