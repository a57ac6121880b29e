/* Answers by a schema: whatever is chosen through the masks, jansson parses it and a small
 * validator accepts it, also when tokens run out; and what cannot be done is refused by name. */
#include "base/clock.h"
#include "check.h"
#include "model/schema.h"
#include "tiny_tok.h"

#include <jansson.h>
#include <time.h>

static uint64_t rnd_state = 1;
static uint32_t rnd(uint32_t n)
{
    rnd_state = rnd_state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((rnd_state >> 33) % n);
}

/* ---- a validator of what schema.h says is done ---- */

static size_t characters(const char *s)
{
    size_t n = 0;
    for (; *s; s++) n += ((unsigned char)*s & 0xC0) != 0x80;
    return n;
}

static json_t *target(json_t *root, const char *ref)
{
    if (!strncmp(ref, "#/$defs/", 8))
        return json_object_get(json_object_get(root, "$defs"), ref + 8);
    if (!strncmp(ref, "#/definitions/", 14))
        return json_object_get(json_object_get(root, "definitions"), ref + 14);
    return root;
}

static bool has_type(json_t *v, const char *t)
{
    return (!strcmp(t, "object") && json_is_object(v)) ||
           (!strcmp(t, "array") && json_is_array(v)) ||
           (!strcmp(t, "string") && json_is_string(v)) || (!strcmp(t, "null") && json_is_null(v)) ||
           (!strcmp(t, "integer") && json_is_integer(v)) ||
           (!strcmp(t, "number") && json_is_number(v)) ||
           (!strcmp(t, "boolean") && json_is_boolean(v));
}

static double num(json_t *s, const char *key, double def)
{
    json_t *v = json_object_get(s, key);
    return v ? json_number_value(v) : def;
}

static bool valid(json_t *root, json_t *s, json_t *v);

static bool valid_object(json_t *root, json_t *s, json_t *v)
{
    json_t *props = json_object_get(s, "properties"),
           *more = json_object_get(s, "additionalProperties");
    json_t *one;
    const char *name;
    size_t i;
    json_array_foreach(json_object_get(s, "required"), i,
                       one) if (!json_object_get(v, json_string_value(one))) return false;
    json_object_foreach(v, name, one)
    {
        json_t *p = json_object_get(props, name);
        if (p && !valid(root, p, one)) return false;
        if (!p && json_is_false(more)) return false;
        if (!p && json_is_object(more) && !valid(root, more, one)) return false;
    }
    return true;
}

static bool valid(json_t *root, json_t *s, json_t *v)
{
    json_t *t = json_object_get(s, "type"), *one, *list;
    size_t i;
    bool some = !t || (json_is_string(t) && has_type(v, json_string_value(t)));
    if (!json_is_object(s)) return true;
    json_array_foreach(t, i, one) some |= has_type(v, json_string_value(one));
    if (!some) return false;
    if ((one = json_object_get(s, "$ref")))
        return valid(root, target(root, json_string_value(one)), v);
    if ((list = json_object_get(s, "anyOf"))) {
        some = false;
        json_array_foreach(list, i, one) some |= valid(root, one, v);
        if (!some) return false;
    }
    if ((list = json_object_get(s, "enum"))) {
        some = false;
        json_array_foreach(list, i, one) some |= json_equal(one, v);
        if (!some) return false;
    }
    if ((one = json_object_get(s, "const")) && !json_equal(one, v)) return false;
    if (json_is_object(v) && !valid_object(root, s, v)) return false;
    if (json_is_array(v)) {
        size_t n = json_array_size(v);
        if ((double)n < num(s, "minItems", 0) || (double)n > num(s, "maxItems", 1e9)) return false;
        if ((t = json_object_get(s, "items")))
            json_array_foreach(v, i, one) if (!valid(root, t, one)) return false;
    }
    if (json_is_string(v)) {
        double n = (double)characters(json_string_value(v));
        if (n < num(s, "minLength", 0) || n > num(s, "maxLength", 1e9)) return false;
    }
    if (json_is_number(v)) {
        double x = json_number_value(v);
        if (x < num(s, "minimum", -1e300) || x > num(s, "maximum", 1e300)) return false;
        if (x <= num(s, "exclusiveMinimum", -1e300) || x >= num(s, "exclusiveMaximum", 1e300))
            return false;
    }
    return true;
}

/* ---- walks ---- */

static const char *const schemas[] = {
    "{\"type\":\"object\",\"properties\":{\"name\":{\"type\":\"string\"},\"age\":{\"type\":"
    "\"integer\"}},"
    "\"required\":[\"name\",\"age\"],\"additionalProperties\":false}",
    "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"boolean\"},\"b\":{\"type\":\"null\"},"
    "\"c\":{\"type\":\"number\"},\"d \\\"q\\\" "
    "\\u00e9\":{\"enum\":[1,\"two\",[3],{\"x\":null}]}},\"required\":[\"b\"]}",
    "{\"type\":\"array\",\"items\":{\"type\":\"string\",\"minLength\":2,\"maxLength\":5},"
    "\"minItems\":1,"
    "\"maxItems\":4}",
    "{\"type\":\"array\",\"items\":{\"type\":\"array\",\"items\":{\"type\":\"integer\"},"
    "\"maxItems\":2},"
    "\"minItems\":2}",
    "{\"anyOf\":[{\"type\":\"string\",\"maxLength\":3},{\"type\":\"integer\",\"minimum\":5,"
    "\"maximum\":7},"
    "{\"type\":\"array\",\"maxItems\":0},{\"const\":{\"k\":[true,false]}}]}",
    "{\"type\":\"integer\",\"minimum\":-120,\"maximum\":37}",
    "{\"type\":\"integer\",\"exclusiveMinimum\":99,\"exclusiveMaximum\":1001}",
    "{\"type\":\"number\",\"minimum\":0,\"maximum\":1}",
    "{\"type\":\"number\",\"minimum\":-2.5,\"exclusiveMaximum\":-0.001}",
    "{\"type\":\"number\",\"exclusiveMinimum\":0.25,\"maximum\":0.3}",
    "{\"type\":[\"string\",\"null\",\"integer\"],\"maxLength\":4,\"minimum\":0}",
    "{\"$ref\":\"#/$defs/"
    "tree\",\"$defs\":{\"tree\":{\"type\":\"object\",\"properties\":{\"v\":{\"type\":"
    "\"integer\"},\"kids\":{\"type\":\"array\",\"items\":{\"$ref\":\"#/$defs/"
    "tree\"}}},\"required\":[\"v\",\"kids\"],"
    "\"additionalProperties\":false}}}",
    "{\"type\":\"object\",\"properties\":{\"next\":{\"anyOf\":[{\"$ref\":\"#\"},{\"type\":\"null\"}"
    "]},"
    "\"s\":{\"type\":\"string\",\"maxLength\":300}},\"required\":[\"next\"]}",
    "{\"type\":\"object\",\"additionalProperties\":{\"type\":\"integer\"}}",
    "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"null\"},\"ab\":{\"type\":\"null\"}},"
    "\"required\":[\"zz\",\"a\"],\"additionalProperties\":{\"type\":\"boolean\"}}",
    "{}",
    "true",
    "{\"title\":\"t\",\"description\":\"d\",\"type\":\"object\"}",
    "{\"enum\":[\"red\",\"green\",\"blue\",null,1.5]}",
    "{\"properties\":{\"list\":{\"type\":\"array\",\"minItems\":3,\"items\":{\"type\":\"string\","
    "\"minLength\":1}}},"
    "\"required\":[\"list\"]}",
};
enum { N_SCHEMAS = sizeof schemas / sizeof *schemas };

/* A token of the mask: any, or one of a single byte, so that walks get somewhere. */
static int32_t choose(const struct tokenizer *k, const uint32_t *mask, int style)
{
    int32_t some[4096];
    int n = 0, size = tokenizer_size(k);
    for (int32_t id = 0; id < size && n < 4096; id++) {
        if (!(mask[id / 32] >> id % 32 & 1)) continue;
        struct span s = tokenizer_bytes(k, id);
        bool structure = s.n && strchr("\",:]}0123.-[{", s.p[0]);
        if (style == 1 && !structure && rnd(50)) continue;
        if (style == 2 && s.n > 1 && rnd(4)) continue;
        some[n++] = id;
    }
    return n ? some[rnd((uint32_t)n)] : style ? choose(k, mask, 0) : -1;
}

static void walk(const struct schema_vocab *v, const struct tokenizer *k, const char *text, int max,
                 int style)
{
    struct schema *s;
    struct err err;
    struct buf doc = BUF_INIT(0);
    check_ok(schema_open(v, text, strlen(text), &s, &err), err);
    if (schema_start(s, max, &err)) {
        check_int(err.code, ERR_LIMIT);
        assert_true(schema_shortest(s) > max);
        schema_free(s);
        return;
    }
    for (int left = max; left > 0 && !schema_done(s); left--) {
        const uint32_t *mask = schema_mask(s, left);
        assert_non_null(mask);
        int32_t id = choose(k, mask, style);
        if (id < 0) fail_msg("%s: nothing may follow %s", text, buf_str(&doc));
        if (tokenizer_ends(k, id)) break;
        struct span b = tokenizer_bytes(k, id);
        int rc = schema_take(s, id);
        if (rc) fail_msg("%s: %s cannot be followed by %.*s", text, buf_str(&doc), (int)b.n, b.p);
        buf_add(&doc, b.p, b.n);
    }
    json_error_t bad;
    json_t *schema = json_loads(text, JSON_DECODE_ANY, NULL);
    json_t *got = json_loadb(buf_str(&doc), doc.n, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &bad);
    if (!got) fail_msg("%s: %s in %s", text, bad.text, buf_str(&doc));
    if (!valid(schema, schema, got)) fail_msg("%s: not valid: %s", text, buf_str(&doc));
    json_decref(got);
    json_decref(schema);
    schema_free(s);
    buf_free(&doc);
}

static void walk_all(struct tokenizer *k, int rounds)
{
    struct schema_vocab *v;
    struct err err;
    check_ok(schema_vocab_new(k, &v, &err), err);
    for (int i = 0; i < N_SCHEMAS; i++)
        for (int r = 0; r < rounds; r++)
            walk(v, k, schemas[i], 3 + (int)rnd(r % 3 ? 60 : 400), r % 3);
    schema_vocab_free(v);
    tokenizer_close(k);
}

static void bytes_only(void **state) { walk_all(tiny_tok_open(), 60); }

static struct tokenizer *tokenizer_of(const char *path)
{
    struct gguf *g;
    struct tokenizer *k;
    struct err err;
    check_ok(gguf_open(path, &g, &err), err);
    check_ok(tokenizer_open(g, &k, &err), err);
    gguf_close(g);
    return k;
}

static void words_and_bytes(void **state)
{
    walk_all(tokenizer_of("tests/model/tiny/llama.gguf"), 60);
}

static void a_real_vocabulary(void **state)
{
    char path[300];
    if (!check_data_dir()) skip();
    snprintf(path, sizeof path, "%s/tokenizers/llama2/ggml-vocab-llama-spm.gguf", check_data_dir());
    walk_all(tokenizer_of(path), 6);
}

/* The document that is closed when nothing else is left. */
static void closes_as_short_as_possible(void **state)
{
    static const struct {
        const char *schema;
        int shortest;
    } t[] = {
        { "{\"type\":\"string\",\"minLength\":3}", 5 },
        { "{\"type\":\"array\",\"minItems\":2,\"items\":{\"enum\":[10,7]}}", 5 },
        { "{\"properties\":{\"a\":{\"type\":\"null\"},\"b\":{}},\"required\":[\"a\"]}", 10 },
        { "{\"type\":\"integer\",\"minimum\":120}", 3 },
        { "{\"type\":\"number\",\"minimum\":0.5,\"maximum\":0.75}", 3 },
        { "{}", 1 },
    };
    struct tokenizer *k = tiny_tok_open();
    struct schema_vocab *v;
    struct schema *s;
    struct err err;
    check_ok(schema_vocab_new(k, &v, &err), err);
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        check_ok(schema_open(v, t[i].schema, strlen(t[i].schema), &s, &err), err);
        check_int(schema_shortest(s), t[i].shortest);
        check_int(schema_start(s, t[i].shortest - 1, &err), ERR_LIMIT);
        schema_free(s);
        for (int r = 0; r < 20; r++) walk(v, k, t[i].schema, t[i].shortest, r % 3);
    }
    schema_vocab_free(v);
    tokenizer_close(k);
}

static void what_is_not_done_is_named(void **state)
{
    static const struct {
        const char *schema, *says;
    } t[] = {
        { "{\"type\":\"string\",\"pattern\":\"a+\"}", "\"pattern\"" },
        { "{\"type\":\"string\",\"format\":\"date\"}", "\"format\"" },
        { "{\"oneOf\":[{}]}", "\"oneOf\"" },
        { "{\"type\":\"array\",\"uniqueItems\":true}", "\"uniqueItems\"" },
        { "{\"type\":\"integer\",\"multipleOf\":3}", "\"multipleOf\"" },
        { "{\"properties\":{\"a\":{\"not\":{}}}}", "\"not\"" },
        { "{\"type\":\"object\",\"anyOf\":[{}]}", "\"anyOf\"" },
        { "{\"$ref\":\"#/$defs/x\",\"minimum\":3}", "$ref" },
        { "{\"$ref\":\"#/$defs/x\"}", "leads nowhere" },
        { "{\"$ref\":\"http://x/y\"}", "leads nowhere" },
        { "{\"type\":\"text\"}", "\"text\"" },
        { "{\"type\":\"string\",\"minLength\":-1}", "minLength" },
        { "{\"type\":\"string\",\"minLength\":4,\"maxLength\":3}", "minLength" },
        { "{\"type\":\"integer\",\"minimum\":4,\"maximum\":3}", "minimum" },
        { "{\"type\":\"number\",\"exclusiveMinimum\":1,\"exclusiveMaximum\":1}", "minimum" },
        { "{\"$ref\":\"#\"}", "no finite" },
        { "{\"anyOf\":[{\"$ref\":\"#\"},{\"type\":\"null\"}]}", "refers to itself" },
        { "{\"properties\":{\"n\":{\"$ref\":\"#\"}},\"required\":[\"n\"]}", "no finite" },
        { "{\"required\":[\"n\"],\"additionalProperties\":false}", "\"n\"" },
        { "{\"enum\":[]}", "enum" },
        { "{\"enum\":[1],\"type\":\"string\"}", "enum" },
        { "{\"enum\":[1],\"minimum\":0}", "\"enum\" beside \"minimum\"" },
        { "false", "false" },
        { "3", "not an object" },
        { "{", "not JSON" },
        { "{\"type\":\"null\",\"type\":\"null\"}", "not JSON" },
    };
    struct tokenizer *k = tiny_tok_open();
    struct schema_vocab *v;
    struct schema *s;
    struct err err;
    check_ok(schema_vocab_new(k, &v, &err), err);
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        int rc = schema_open(v, t[i].schema, strlen(t[i].schema), &s, &err);
        if (rc != ERR_INVAL) fail_msg("%s: %d", t[i].schema, rc);
        check_has(err.msg, t[i].says);
        assert_null(s);
    }
    schema_vocab_free(v);
    tokenizer_close(k);
}

static void masks_are_exact(void **state)
{
    struct tokenizer *k = tiny_tok_open();
    struct schema_vocab *v;
    struct schema *s;
    struct err err;
    const char *text = "{\"properties\":{\"a\":{\"type\":\"integer\"}},\"required\":[\"a\"]}";
    check_ok(schema_vocab_new(k, &v, &err), err);
    check_ok(schema_open(v, text, strlen(text), &s, &err), err);
    check_ok(schema_start(s, 100, &err), err);
    const struct {
        char take;
        const char *then; /* what may come after it; '$' stands for the end */
    } t[] = { { '{', "\"" },
              { '"', "a" },
              { 'a', "\"" },
              { '"', ":" },
              { ':', " -0123456789" },
              { ' ', "-0123456789" },
              { '-', "123456789" },
              { '4', "0123456789}" },
              { '}', "$" } };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        char got[300];
        int n = 0;
        int32_t id;
        check_int(tokenizer_encode(k, &t[i].take, 1, 0, &id, 1), 1);
        check_ok(schema_take(s, id), err);
        const uint32_t *mask = schema_mask(s, 50);
        for (int b = 0; b < 128; b++) {
            char c = (char)b;
            tokenizer_encode(k, &c, 1, 0, &id, 1);
            if (mask[id / 32] >> id % 32 & 1) got[n++] = c;
        }
        id = tokenizer_eos(k);
        if (mask[id / 32] >> id % 32 & 1) got[n++] = '$';
        got[n] = 0;
        check_str(got, t[i].then);
    }
    assert_true(schema_done(s));
    schema_free(s);
    schema_vocab_free(v);
    tokenizer_close(k);
}

static void a_large_vocabulary_takes_milliseconds(void **state)
{
    char path[300];
    struct schema_vocab *v;
    struct schema *s;
    struct err err;
    int32_t id;
    if (!check_data_dir()) skip();
    snprintf(path, sizeof path, "%s/tokenizers/llama2/ggml-vocab-llama-spm.gguf", check_data_dir());
    struct tokenizer *k = tokenizer_of(path);
    double t0 = clock_mono();
    check_ok(schema_vocab_new(k, &v, &err), err);
    double t1 = clock_mono();
    const char *text = "{\"type\":\"string\",\"maxLength\":1000}";
    check_ok(schema_open(v, text, strlen(text), &s, &err), err);
    check_ok(schema_start(s, 2000, &err), err);
    schema_mask(s, 2000);
    for (id = 0; schema_take(s, id); id++) {} /* the quote */
    double t2 = clock_mono();
    schema_mask(s, 1999);
    double t3 = clock_mono();
    clock_t began = clock(); /* of the processor: others may have it meanwhile */
    for (int i = 0; i < 100; i++) {
        for (id = 300; schema_take(s, id); id++) {}
        assert_non_null(schema_mask(s, 1900 - i));
    }
    double t4 = clock_mono();
    print_message("# trie %.1f ms, first mask in a string %.2f ms, later ones %.4f ms\n",
                  (t1 - t0) * 1e3, (t3 - t2) * 1e3, (t4 - t3) * 10);
    assert_true((double)(clock() - began) / CLOCKS_PER_SEC < 5);
    schema_free(s);
    schema_vocab_free(v);
    tokenizer_close(k);
}

int main(void)
{
    const struct CMUnitTest t[] = {
        cmocka_unit_test(bytes_only),
        cmocka_unit_test(words_and_bytes),
        cmocka_unit_test(a_real_vocabulary),
        cmocka_unit_test(closes_as_short_as_possible),
        cmocka_unit_test(what_is_not_done_is_named),
        cmocka_unit_test(masks_are_exact),
        cmocka_unit_test(a_large_vocabulary_takes_milliseconds),
    };
    return check_run("model/schema", t);
}
