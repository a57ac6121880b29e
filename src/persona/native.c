/* Opening a model for the native voice: file, decoder, template, engine, in this order, and closing
 * them in the reverse one. The weights are the decoder's; the mapping of the file stays for what
 * was not re-laid. */
#include "persona/native.h"

#include "base/str.h"
#include "model/decoder.h"
#include "model/embed.h"
#include "model/gguf.h"
#include "model/template.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONTEXT 8192
#define MOST    8                   /* conversations at once, where memory allows */
#define SPARE   ((size_t)256 << 20) /* beside the first two, whatever is free */

struct native {
    struct gguf *file;
    struct decoder *decoder;
    const struct template *chat;
    struct engine *engine;
    char name[128];
};

static void name_of(struct native *n, const struct native_opts *o)
{
    const char *slash = strrchr(o->path, '/'), *base = slash ? slash + 1 : o->path;
    size_t len = strlen(base);
    if (len > 5 && str_ends(base, ".gguf")) len -= 5;
    if (o->name) snprintf(n->name, sizeof n->name, "%s", o->name);
    else snprintf(n->name, sizeof n->name, "%.*s", (int)(len < 120 ? len : 120), base);
}

static int choose_template(struct native *n, const struct native_opts *o, struct err *err)
{
    if (!o->chat_template || !strcmp(o->chat_template, "auto")) {
        n->chat = template_of(n->file);
        if (!n->chat) n->chat = template_named("plain");
    } else if (!(n->chat = template_named(o->chat_template))) {
        struct buf list = BUF_INIT(400);
        for (int i = 0; template_at(i); i++)
            buf_printf(&list, "%s%s", i ? ", " : "", template_name(template_at(i)));
        err_set(err, ERR_INVAL, "there is no chat template \"%.40s\"; there are: auto, %s",
                o->chat_template, buf_str(&list));
        buf_free(&list);
        return ERR_INVAL;
    }
    return n->chat ? 0
                   : err_set(err, ERR_INVAL,
                             "the chat template of %s is not known: name one with the setting "
                             "chat_template",
                             n->name);
}

/* An encoder, say, has no decoder to open; its message would be about missing tensors. */
static int check_kind(const struct native *n, struct err *err)
{
    if (embed_is_embedder(n->file))
        return err_set(err, ERR_INVAL, "%s embeds texts and cannot answer", n->name);
    return 0;
}

int native_open(const struct native_opts *o, struct native **out, struct err *err)
{
    struct native *n = calloc(1, sizeof *n);
    *out = NULL;
    if (!n) return err_nomem(err);
    name_of(n, o);
    int rc = gguf_open(o->path, &n->file, err);
    if (!rc) rc = check_kind(n, err);
    if (!rc) rc = choose_template(n, o, err);
    if (!rc)
        rc = decoder_open(n->file, &(struct decoder_opts){ .memory = o->memory }, &n->decoder, err);
    if (!rc) {
        const struct decoder_facts *f = decoder_facts(n->decoder);
        struct engine_opts e = { .ctx = o->context ? o->context : CONTEXT,
                                 .kv = o->cache ? o->cache : QUANT_F16 };
        if (f->context && e.ctx > f->context) e.ctx = f->context;
        size_t one = decoder_cache_bytes(n->decoder, e.ctx, e.kv),
               free_now = decoder_memory_free() / 2;
        /* Caches are taken as they fill; the engine has as many as would all fit. */
        e.memory = free_now < MOST * one ? free_now : MOST * one;
        if (e.memory < 2 * one + SPARE) e.memory = 2 * one + SPARE;
        rc = engine_new(n->decoder, n->chat, &e, &n->engine, err);
    }
    if (rc) native_close(n);
    else *out = n;
    return rc;
}

void native_close(struct native *n)
{
    if (!n) return;
    engine_free(n->engine);
    decoder_close(n->decoder);
    gguf_close(n->file);
    free(n);
}

struct engine *native_engine(struct native *n) { return n->engine; }
const struct tokenizer *native_tokenizer(const struct native *n)
{
    return decoder_tokenizer(n->decoder);
}
const struct decoder_facts *native_facts(const struct native *n)
{
    return decoder_facts(n->decoder);
}
const char *native_name(const struct native *n) { return n->name; }
const char *native_template(const struct native *n) { return template_name(n->chat); }
