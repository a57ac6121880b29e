/* Opening decoders: files that are wrong in one place are refused by naming it, models too large
 * are refused before memory is taken, and shapes beyond 32 bits hold. */
#include "tiny.h"

#include "base/io.h"
#include "kernels/kernels.h"

#include <fcntl.h>

/* A GGUF header, written by hand so that it can be wrong or point into a file without data. */
struct header {
    struct buf keys, tensors;
    uint32_t n_keys, n_tensors;
    uint64_t at;       /* offset of the next tensor */
    const char *wrong; /* key or tensor that is given another value */
    uint64_t value;
};

static void put_name(struct buf *b, const char *s)
{
    buf_u64(b, strlen(s));
    buf_adds(b, s);
}

static void put_u32(struct header *h, const char *key, uint32_t v)
{
    if (h->wrong && !strcmp(key, h->wrong)) v = (uint32_t)h->value;
    if (h->wrong && h->wrong[0] == '-' && !strcmp(key, h->wrong + 1)) return;
    put_name(&h->keys, key);
    buf_u32(&h->keys, 4);
    buf_u32(&h->keys, v);
    h->n_keys++;
}

static void put_str(struct header *h, const char *key, const char *s)
{
    put_name(&h->keys, key);
    buf_u32(&h->keys, 8);
    put_name(&h->keys, s);
    h->n_keys++;
}

static void put_f32(struct header *h, const char *key, float f)
{
    uint32_t v;
    if (h->wrong && !strcmp(key, h->wrong)) f = (float)h->value;
    memcpy(&v, &f, 4);
    put_name(&h->keys, key);
    buf_u32(&h->keys, 6);
    buf_u32(&h->keys, v);
    h->n_keys++;
}

static void put_tensor(struct header *h, const char *name, enum quant type, uint64_t cols,
                       uint64_t rows)
{
    if (h->wrong && !strcmp(name, h->wrong)) rows += h->value;
    if (h->wrong && h->wrong[0] == '-' && !strcmp(name, h->wrong + 1)) return;
    put_name(&h->tensors, name);
    buf_u32(&h->tensors, rows > 1 ? 2 : 1);
    buf_u64(&h->tensors, cols);
    if (rows > 1) buf_u64(&h->tensors, rows);
    buf_u32(&h->tensors, type);
    buf_u64(&h->tensors, h->at);
    h->at += (quant_row_bytes(type, cols) * rows + 31) / 32 * 32;
    h->n_tensors++;
}

struct shape {
    const char *arch;
    uint32_t layers, dim, heads, heads_kv, head_dim, ff, vocab;
    enum quant type;
};

static void put_layer(struct header *h, const struct shape *s, uint32_t l)
{
    const struct {
        const char *name;
        uint64_t cols, rows;
    } all[] = { { "attn_norm.weight", s->dim, 1 },
                { "ffn_norm.weight", s->dim, 1 },
                { "attn_q.weight", s->dim, (uint64_t)s->heads * s->head_dim },
                { "attn_k.weight", s->dim, (uint64_t)s->heads_kv * s->head_dim },
                { "attn_v.weight", s->dim, (uint64_t)s->heads_kv * s->head_dim },
                { "attn_output.weight", (uint64_t)s->heads * s->head_dim, s->dim },
                { "ffn_gate.weight", s->dim, s->ff },
                { "ffn_up.weight", s->dim, s->ff },
                { "ffn_down.weight", s->ff, s->dim } };
    for (int i = 0; i < 9; i++) {
        char name[64];
        snprintf(name, sizeof name, "blk.%u.%s", l, all[i].name);
        put_tensor(h, name, all[i].rows == 1 ? QUANT_F32 : s->type, all[i].cols, all[i].rows);
    }
}

static void describe(struct header *h, const struct shape *s)
{
    put_str(h, "general.architecture", s->arch);
    put_u32(h, "llama.block_count", s->layers);
    put_u32(h, "llama.embedding_length", s->dim);
    put_u32(h, "llama.context_length", 131072);
    put_u32(h, "llama.attention.head_count", s->heads);
    put_u32(h, "llama.attention.head_count_kv", s->heads_kv);
    put_u32(h, "llama.attention.key_length", s->head_dim);
    put_u32(h, "llama.attention.value_length", s->head_dim);
    put_u32(h, "llama.rope.dimension_count", s->head_dim);
    put_u32(h, "llama.feed_forward_length", s->ff);
    put_u32(h, "llama.expert_count", 0);
    put_f32(h, "llama.attention.layer_norm_rms_epsilon", 1e-5f);
    put_f32(h, "llama.rope.freq_base", 5e5f);
    put_tensor(h, "token_embd.weight", s->type, s->dim, s->vocab);
    put_tensor(h, "output.weight", s->type, s->dim, s->vocab);
    put_tensor(h, "output_norm.weight", QUANT_F32, s->dim, 1);
    for (uint32_t l = 0; l < s->layers; l++) put_layer(h, s, l);
}

/* Header and, where asked, the zeros of the data. */
static void assemble(struct header *h, struct buf *out, bool data)
{
    buf_add(out, "GGUF", 4);
    buf_u32(out, 3);
    buf_u64(out, h->n_tensors);
    buf_u64(out, h->n_keys);
    buf_add(out, h->keys.p, h->keys.n);
    buf_add(out, h->tensors.p, h->tensors.n);
    while (out->n % 32) buf_u8(out, 0);
    for (uint64_t i = 0; data && i < h->at; i++) buf_u8(out, 0);
    check_int(out->failed, 0);
    buf_free(&h->keys);
    buf_free(&h->tensors);
}

static const struct shape small = { "llama", 2, 32, 2, 1, 16, 32, 40, QUANT_Q8_0 };

/* Opens `small` with one thing wrong; returns what decoder_open says. */
static int open_wrong(const char *wrong, uint64_t value, const char *extra, char *said)
{
    struct err err = { 0 };
    struct header h = { .wrong = wrong, .value = value };
    struct buf file = BUF_INIT(0);
    struct gguf *g;
    struct decoder *d = NULL;
    struct shape s = small;
    if (wrong && !strcmp(wrong, "general.architecture")) s.arch = extra;
    describe(&h, &s);
    if (wrong && !strcmp(wrong, "extra")) put_tensor(&h, extra, QUANT_F32, 32, 1);
    if (wrong && !strcmp(wrong, "llama.rope.scaling.type")) put_str(&h, wrong, extra);
    assemble(&h, &file, true);
    check_ok(gguf_open_mem(file.p, file.n, "small", &g, &err), err);
    int rc = decoder_open(g, &(struct decoder_opts){ 0 }, &d, &err);
    assert_true(rc ? !d : d != NULL);
    snprintf(said, sizeof err.msg, "%s", rc ? err.msg : "");
    decoder_close(d);
    gguf_close(g);
    buf_free(&file);
    return rc;
}

static void what_is_wrong_is_named(void **state)
{
    static const struct {
        const char *wrong;
        uint64_t value;
        const char *extra, *says; /* says NULL: wrong's own name */
    } all[] = {
        { "general.architecture", 0, "mamba", "mamba" },
        { "general.architecture", 0, "", "general.architecture" },
        { "-llama.block_count", 0, NULL, "llama.block_count" },
        { "llama.block_count", 0, NULL, NULL },
        { "llama.block_count", 1, NULL, "blk.1." },
        { "llama.block_count", 3, NULL, "blk.2." },
        { "llama.block_count", 0xffffffff, NULL, NULL },
        { "llama.embedding_length", 64, NULL, "token_embd.weight" },
        { "llama.embedding_length", 0, NULL, NULL },
        { "llama.embedding_length", 0x80000000, NULL, NULL },
        { "llama.attention.head_count", 3, NULL, "attn_q.weight" },
        { "llama.attention.head_count", 0, NULL, NULL },
        { "llama.attention.head_count_kv", 0, NULL, NULL },
        { "llama.attention.head_count_kv", 3, NULL, NULL },
        { "llama.attention.key_length", 1 << 20, NULL, NULL },
        { "llama.attention.key_length", 8, NULL, "value_length" },
        { "llama.attention.value_length", 8, NULL, NULL },
        { "llama.rope.dimension_count", 17, NULL, NULL },
        { "llama.rope.dimension_count", 18, NULL, NULL },
        { "llama.feed_forward_length", 0xfffffff0, NULL, NULL },
        { "llama.feed_forward_length", 64, NULL, "ffn_gate.weight" },
        { "llama.expert_count", 8, NULL, NULL },
        { "llama.rope.freq_base", 0, NULL, NULL },
        { "llama.rope.scaling.type", 0, "longrope", NULL },
        { "-token_embd.weight", 0, NULL, "token_embd.weight" },
        { "-output_norm.weight", 0, NULL, "output_norm.weight" },
        { "-blk.1.attn_v.weight", 0, NULL, "blk.1.attn_v.weight" },
        { "-blk.0.ffn_norm.weight", 0, NULL, "blk.0.ffn_norm.weight" },
        { "blk.0.attn_k.weight", 1, NULL, NULL },
        { "blk.1.ffn_down.weight", 7, NULL, NULL },
        { "blk.1.attn_norm.weight", 1, NULL, NULL },
        { "output.weight", 1, NULL, NULL },
        { "extra", 0, "blk.2.attn_norm.weight", "blk.2.attn_norm.weight" },
        { "extra", 0, "blk.0.attn_q_norm.weight", "attn_q_norm" },
        { "extra", 0, "blk.0.ffn_gate_inp.weight", "ffn_gate_inp" },
        { "extra", 0, "v.patch_embd.weight", "v.patch_embd" },
    };
    char said[sizeof((struct err *)0)->msg];
    check_int(open_wrong(NULL, 0, NULL, said), 0);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        int rc = open_wrong(all[i].wrong, all[i].value, all[i].extra, said);
        if (rc != ERR_PARSE) fail_msg("%s: %d (%s)", all[i].wrong, rc, said);
        check_has(said, "small");
        check_has(said, all[i].says ? all[i].says : all[i].wrong);
    }
}

/* A file of that shape with nothing in it but its header. */
static void open_sparse(const struct shape *s, const char *dir, char *path, struct gguf **g)
{
    struct err err = { 0 };
    struct header h = { 0 };
    struct buf file = BUF_INIT(0);
    describe(&h, s);
    uint64_t data = h.at;
    assemble(&h, &file, false);
    snprintf(path, 300, "%s/sparse.gguf", dir);
    check_ok(io_write_file(path, file.p, file.n, 0600, &err), err);
    check_int(truncate(path, (off_t)(file.n + data)), 0);
    check_ok(gguf_open(path, g, &err), err);
    buf_free(&file);
}

static void large_shapes(void **state)
{
    static const struct {
        struct shape s;
        uint64_t weights; /* without the embedding */
        uint64_t token;   /* of f16 cache */
    } all[] = {
        { { "llama", 32, 4096, 32, 8, 128, 14336, 128256, QUANT_Q4_0 }, 4221829120, 131072 },
        { { "llama", 80, 8192, 64, 8, 128, 28672, 128256, QUANT_F16 }, 139010875392, 327680 },
    };
    const char *dir = check_tmp_dir();
    char path[300];
    struct err err = { 0 };
    for (int i = 0; i < 2; i++) {
        const struct shape *s = &all[i].s;
        struct gguf *g;
        struct decoder_need less, more;
        open_sparse(s, dir, path, &g);
        check_ok(decoder_plan(g, 1000, QUANT_F16, &less, &err), err);
        check_ok(decoder_plan(g, 9000, QUANT_F16, &more, &err), err);
        double per = (double)(more.all - less.all) / 8000, rest = (double)less.all - 1000 * per;
        check_near(per, (double)all[i].token, 0.01 * (double)all[i].token);
        check_int(more.all, more.weights + more.cache + more.rest);
        check_int(more.cache, 9 * (less.cache / 1000) * 1000);
        check_int(more.ctx, 9000);
        check_ok(decoder_plan(g, 1000, QUANT_Q8_0, &less, &err), err);
        check_int(less.cache, more.cache / 9 / 32 * 17);
        check_ok(decoder_plan(g, 1000, QUANT_F16, &less, &err), err);
        check_near(rest, (double)all[i].weights, 0.03 * (double)all[i].weights);
        struct decoder *d = NULL;
        struct decoder_opts o = { .memory = (size_t)2 << 30 };
        check_int(decoder_open(g, &o, &d, &err), ERR_LIMIT);
        assert_null(d);
        check_has(err.msg, i ? "needs 139." : "needs 4.");
        check_has(err.msg, "2.1 GB");
        gguf_close(g);
        remove(path);
    }
    rmdir(dir);
}

static off_t data_begins(const struct gguf *g, const char *base)
{
    uint64_t first = gguf_size(g);
    for (size_t i = 0; i < gguf_tensor_count(g); i++) {
        const struct gguf_tensor *t = gguf_tensor_at(g, i);
        uint64_t end = (uint64_t)((const char *)t->data - base) + t->bytes;
        if (gguf_size(g) - end < first) first = gguf_size(g) - end;
    }
    return (off_t)first;
}

/* Does the key or value of that token differ from zero? */
static bool leaves_a_trace(struct decoder *d, int32_t id)
{
    struct err err = { 0 };
    struct timeline *t;
    struct buf saved = BUF_INIT(0);
    check_ok(timeline_new(d, 4, QUANT_F16, &t, &err), err);
    check_ok(decoder_step(d, &(struct decoder_row){ t, id, 0, false }, 1, NULL, &err), err);
    check_ok(timeline_save(t, 1, &saved, &err), err);
    bool any = false;
    for (size_t i = 32; i < saved.n; i++) any |= saved.p[i] != 0;
    buf_free(&saved);
    timeline_free(t);
    return any;
}

/* An embedding of 4 GiB, all zero but its last row, is read where it is. */
static void offsets_beyond_32_bits(void **state)
{
    const struct shape s = { "llama", 1, 64, 2, 1, 32, 32, 16777216, QUANT_F32 };
    const char *const names[] = { "token_embd.weight", "blk.0.attn_norm.weight",
                                  "blk.0.attn_k.weight" };
    const char *dir = check_tmp_dir();
    char path[300];
    float ones[64];
    struct err err = { 0 };
    struct gguf *g;
    open_sparse(&s, dir, path, &g);
    for (int i = 0; i < 64; i++) ones[i] = 1;
    int fd = open(path, O_WRONLY);
    const char *base = gguf_tensor(g, names[0])->data;
    for (int i = 0; i < 3; i++) {
        const struct gguf_tensor *t = gguf_tensor(g, names[i]);
        off_t at = data_begins(g, base) + ((const char *)t->data - base) + (off_t)t->bytes - 256;
        check_int(pwrite(fd, ones, 256, at), 256);
    }
    close(fd);
    struct decoder *d = NULL;
    struct decoder_opts o = { .memory = (size_t)1 << 40, .keep_mapped = true, .max_batch = 1 };
    check_ok(decoder_open(g, &o, &d, &err), err);
    assert_true(leaves_a_trace(d, (int32_t)s.vocab - 1));
    assert_false(leaves_a_trace(d, (int32_t)s.vocab - 2));
    assert_false(leaves_a_trace(d, 0));
    decoder_close(d);
    gguf_close(g);
    remove(path);
    rmdir(dir);
}

static void facts(void **state)
{
    struct tiny t;
    tiny_open(&t, "gemma3", NULL);
    const struct decoder_facts *f = decoder_facts(t.d);
    check_str(f->arch, "gemma3");
    check_str(f->name, "gemma3");
    check_int(f->layers, 7);
    check_int(f->head_dim, 32);
    check_int(f->vocab, 288);
    check_int(f->context, 256);
    check_int(f->kv_bytes_token, 2 * 32 * 2 * 7);
    assert_non_null(decoder_tokenizer(t.d));
    tiny_close(&t);
    tiny_open(&t, "q4_k", NULL);
    assert_null(decoder_tokenizer(t.d));
    tiny_close(&t);
    decoder_close(NULL);
}

int main(void)
{
    const struct CMUnitTest t[] = {
        cmocka_unit_test(what_is_wrong_is_named),
        cmocka_unit_test(large_shapes),
        cmocka_unit_test(offsets_beyond_32_bits),
        cmocka_unit_test(facts),
    };
    if (kernels_init(NULL, NULL)) return 1;
    return check_run("model/decoder_open", t);
}
