/* Who copies a database of a program that runs (Apple's Messages does) copies three files: the
 * database, its journal NAME-wal, in which the newest pages still are, and the journal's index
 * NAME-shm, of which nothing is needed. wal.c puts the first two together in the helper. */
#include "media/pairs.h"

#include "base/str.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define PATH_BYTES 4096

static const char database[16] = "SQLite format 3";

/* "x/chat.db" of "x/chat.db-wal"; false when the name does not end so. */
static bool base_of(const char *path, char out[PATH_BYTES])
{
    size_t n = strlen(path);
    if (n < 5 || n >= PATH_BYTES || !(str_ends(path, "-wal") || str_ends(path, "-shm")))
        return false;
    memcpy(out, path, n - 4);
    out[n - 4] = 0;
    return true;
}

static bool begins(const char *path, const void *magic, size_t n)
{
    char head[16];
    FILE *f = fopen(path, "rbe");
    bool is = f && fread(head, 1, n, f) == n && !memcmp(head, magic, n);
    if (f) fclose(f);
    return is;
}

bool pairs_beside(const char *path)
{
    char base[PATH_BYTES];
    struct stat st;
    return base_of(path, base) && !stat(base, &st) && S_ISREG(st.st_mode) &&
           begins(base, database, sizeof database);
}

FILE *pairs_journal(const char *path)
{
    char name[PATH_BYTES];
    struct stat st;
    int n = snprintf(name, sizeof name, "%s-wal", path);
    if (n >= (int)sizeof name || stat(name, &st) || !S_ISREG(st.st_mode) || !st.st_size)
        return NULL;
    return fopen(name, "rbe");
}

bool pairs_wants(const struct format_in *in)
{
    return in->head_n >= 100 && !memcmp(in->head, database, sizeof database) && in->head[18] == 2;
}

static bool heads(FILE *f, uint32_t *word)
{
    uint8_t head[4];
    bool got = fread(head, 1, 4, f) == 4;
    rewind(f);
    if (got) *word = (uint32_t)head[0] << 24 | (uint32_t)head[1] << 16 | head[2] << 8 | head[3];
    return got;
}

bool pairs_is_journal(FILE *f, const char *path)
{
    uint32_t word;
    return str_ends(path, "-wal") && heads(f, &word) && (word & ~1u) == 0x377F0682;
}

bool pairs_is_index(FILE *f, const char *path)
{
    uint32_t word;
    return str_ends(path, "-shm") && heads(f, &word) &&
           (word == 3007000 || word == __builtin_bswap32(3007000));
}

bool pairs_keep(struct pairs *p, const char *path, struct format_in *in, FILE *f)
{
    if (p->n == PAIRS_MOST) return false;
    struct pair *one = &p->p[p->n];
    *one = (struct pair){ .path = str_dup(path), .journal = f };
    if (!one->path) return false;
    if (in) {
        one->in = *in;
        one->in.path = one->path;
        in->f = NULL;
        in->head = NULL;
    }
    p->n++;
    return true;
}

static struct pair *journal_of(struct pairs *p, const char *path)
{
    char base[PATH_BYTES];
    for (size_t i = 0; i < p->n; i++)
        if (p->p[i].journal && base_of(p->p[i].path, base) && !strcmp(base, path)) return &p->p[i];
    return NULL;
}

struct pair *pairs_next(struct pairs *p, FILE **journal)
{
    *journal = NULL;
    for (size_t i = 0; i < p->n; i++) {
        struct pair *one = &p->p[i];
        if (one->told || one->journal) continue;
        one->told = true;
        struct pair *j = journal_of(p, one->path);
        if (j) {
            j->told = true;
            *journal = j->journal;
        }
        return one;
    }
    return NULL;
}

const char *pairs_lonely(struct pairs *p)
{
    for (size_t i = 0; i < p->n; i++) {
        if (p->p[i].told) continue;
        p->p[i].told = true;
        return p->p[i].path;
    }
    return NULL;
}

void pairs_clear(struct pairs *p)
{
    for (size_t i = 0; i < p->n; i++) {
        format_close(&p->p[i].in);
        if (p->p[i].journal) fclose(p->p[i].journal);
        free(p->p[i].path);
    }
    p->n = 0;
}
