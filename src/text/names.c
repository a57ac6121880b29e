/* A table from (kind, id) to a name, made while files are read and gone after the run.
 *
 * Numbers are kept by their last nine digits: country code and trunk zero differ between an address
 * book and a chat program. Mail addresses are kept without case. */
#include "text/names.h"

#include "base/arena.h"
#include "base/map.h"
#include "base/str.h"

#include <stdlib.h>
#include <string.h>

#define NAMES_MAX   1000000
#define NAME_BYTES  65536
#define PHONE_LEAST 7
#define PHONE_KEPT  9
#define PHONE_MOST  15 /* E.164 */

struct names {
    struct arena *mem;
    struct map at; /* hash of kind and id -> struct name, the last of that hash */
    size_t n;
};

struct name {
    struct name *next;
    const char *kind, *id, *name;
};

struct names *names_new(void)
{
    struct names *n = calloc(1, sizeof *n);
    if (n && !(n->mem = arena_new(0))) {
        free(n);
        n = NULL;
    }
    return n;
}

void names_free(struct names *n)
{
    if (!n) return;
    arena_free(n->mem);
    map_free(&n->at);
    free(n);
}

static uint64_t key_of(const char *kind, const char *id)
{
    return hash64(id, strlen(id), hash64(kind, strlen(kind), 17));
}

static struct name *find(const struct names *n, const char *kind, const char *id)
{
    const uint64_t *slot = n ? map_get(&n->at, key_of(kind, id)) : NULL;
    struct name *s = slot ? (struct name *)(uintptr_t)*slot : NULL;
    while (s && (strcmp(s->id, id) != 0 || strcmp(s->kind, kind) != 0)) s = s->next;
    return s;
}

const char *names_get(const struct names *n, const char *kind, const char *id)
{
    const struct name *s = id && *id ? find(n, kind, id) : NULL;
    return s ? s->name : NULL;
}

int names_put(struct names *n, const char *kind, const char *id, const char *name)
{
    if (!n || !*id || !*name || strlen(id) > NAME_BYTES || strlen(name) > NAME_BYTES) return 0;
    struct name *s = find(n, kind, id);
    if (s && !strcmp(s->name, name)) return 0;
    if (s) return (s->name = arena_strdup(n->mem, name)) ? 0 : ERR_NOMEM;
    if (n->n == NAMES_MAX) return 0;
    uint64_t *slot = map_slot(&n->at, key_of(kind, id));
    s = arena_alloc(n->mem, sizeof *s);
    if (!slot || !s) return ERR_NOMEM;
    *s = (struct name){ .next = (struct name *)(uintptr_t)*slot,
                        .kind = arena_strdup(n->mem, kind),
                        .id = arena_strdup(n->mem, id),
                        .name = arena_strdup(n->mem, name) };
    if (!s->kind || !s->id || !s->name) return ERR_NOMEM;
    *slot = (uint64_t)(uintptr_t)s;
    n->n++;
    return 0;
}

/* ---- the address book ---- */

/* What an address is kept by; false when it is neither a number nor a mail address. */
static bool address_key(const char *s, char key[256])
{
    char digits[PHONE_MOST + 1];
    size_t n = 0, k = 0;
    struct span t = span_trim(span_of(s));
    if (!t.n || t.n > 200) return false;
    if (memchr(t.p, '@', t.n) && !memchr(t.p, ' ', t.n)) {
        for (; n < t.n; n++) key[n] = (char)(t.p[n] >= 'A' && t.p[n] <= 'Z' ? t.p[n] + 32 : t.p[n]);
        key[n] = 0;
        return true;
    }
    for (const char *p = t.p, *end = t.p + t.n; p < end;) {
        uint32_t c = utf8_next(&p, end);
        bool digit = c >= '0' && c <= '9';
        bool filler = c < 0x80 ? c && strchr(" +-()./", (int)c) != NULL
                               : c == 0xA0 || (c >= 0x2000 && c <= 0x206F);
        if (!digit && !filler) return false;
        if (digit && k == PHONE_MOST) return false;
        if (digit) digits[k++] = (char)c;
    }
    if (k < PHONE_LEAST) return false;
    digits[k] = 0;
    const char *from = digits + (k > PHONE_KEPT ? k - PHONE_KEPT : 0);
    memcpy(key, from, strlen(from) + 1);
    return true;
}

int names_contact_put(struct names *n, const char *address, const char *name)
{
    char key[256];
    return n && address_key(address, key) ? names_put(n, "contact", key, name) : 0;
}

const char *names_author(const struct names *n, const struct piece *p)
{
    char key[256];
    if (!n || (!*p->author && !*p->author_id)) return NULL;
    if (*p->author && address_key(p->author, key)) return names_get(n, "contact", key);
    if (*p->author || !address_key(p->author_id, key)) return NULL;
    return names_get(n, "contact", key);
}

bool names_first(const char *path)
{
    static const char *const files[] = { "users.json",      "channels.json",  "groups.json",
                                         "dms.json",        "mpims.json",     "org_users.json",
                                         "group_info.json", "user_info.json", "channel.json",
                                         "index.json",      "account.js",     "tweets.js",
                                         "tweet.js" };
    const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
    if (str_ends(base, ".vcf") || str_ends(base, ".vcard")) return true;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        if (!strcmp(base, files[i])) return true;
    return false;
}
