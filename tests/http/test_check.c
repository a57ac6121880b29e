/* JSON, forms and fields by themselves. */
#include "check.h"
#include "http/inside.h"

static struct err err;

static json_t *reads(const char *s)
{
    json_t *j = NULL;
    check_ok(json_read(s, strlen(s), &j, &err), err);
    return j;
}

static void unread(const char *s, size_t n, const char *says)
{
    json_t *j = NULL;
    check_int(json_read(s, n, &j, &err), ERR_PARSE);
    assert_null(j);
    check_has(err.msg, says);
}

static void json(void **state)
{
    char deep[400];
    json_decref(reads("{\"a\": [1, 2.5, null, \"\\u00e9\"]}"));
    /* Brackets in strings are no depth; escaped quotes do not end one. */
    json_decref(
        reads("{\"a\": \"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["
              "\\\"[[[[[[[[\"}"));
    memset(deep, 0, sizeof deep);
    strcpy(deep, "{\"a\":");
    memset(deep + 5, '[', 63);
    memset(deep + 68, ']', 63);
    strcpy(deep + 131, "}");
    json_decref(reads(deep));
    memset(deep + 5, '[', 64);
    memset(deep + 69, ']', 64);
    strcpy(deep + 133, "}");
    unread(deep, strlen(deep), "more than 64 levels");
    unread("", 0, "empty");
    unread("{}\0", 3, "not JSON");
    unread("{\"a\":1,\"a\":2}", 13, "twice");
    unread("{\"a\":{\"b\":1,\"b\":2}}", 19, "twice");
    unread("{\"a\":\"\xc3\"}", 8, "UTF-8");
    unread("\xef\xbb\xbf{}", 5, "not JSON");
    unread("[1]", 3, "object");
    unread("{'a':1}", 7, "line 1");
    unread("{\"a\":NaN}", 9, "not JSON");
    unread("{\"a\":1e999}", 11, "not JSON");
}

static void form(void **state)
{
    json_t *j = NULL;
    static const char one[] = "a=1+2&b=%41%c3%A9&c&d=&&e=x=y";
    check_ok(form_read(one, strlen(one), &j, &err), err);
    check_int(json_object_size(j), 5);
    check_str(json_string_value(json_object_get(j, "a")), "1 2");
    check_str(json_string_value(json_object_get(j, "b")), "Aé");
    check_str(json_string_value(json_object_get(j, "c")), "");
    check_str(json_string_value(json_object_get(j, "d")), "");
    check_str(json_string_value(json_object_get(j, "e")), "x=y");
    json_decref(j);
    check_ok(form_read("", 0, &j, &err), err);
    check_int(json_object_size(j), 0);
    json_decref(j);
    static const char *const bad[] = { "a=1&a=2", "=1",    "a=%",   "a=%4",
                                       "a=%00",   "%00=1", "a=%ff", "%61=1&a=2" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        j = NULL;
        if (form_read(bad[i], strlen(bad[i]), &j, &err) != ERR_PARSE) fail_msg("%s", bad[i]);
        assert_null(j);
    }
}

static const struct field NUMBER = { NULL, FIELD_NUMBER, 0, -1, 1, "", NULL, NULL };
static const struct field LIST_OF = { NULL, FIELD_LIST, 0, 1, 2, "", &NUMBER, NULL };
static const struct field DEEP[] = { { "rows", FIELD_LIST, 0, 0, 0, "", &LIST_OF, NULL },
                                     { "x", FIELD_TEXT, FIELD_REQUIRED, 0, 0, "", NULL, NULL },
                                     FIELD_END };
static const struct field FIELDS[] = { { "text", FIELD_TEXT, 0, 2, 4, "", NULL, NULL },
                                       { "int", FIELD_INT, FIELD_NULL, -5, 5, "", NULL, NULL },
                                       { "any", FIELD_ANY, 0, 0, 0, "", NULL, NULL },
                                       { "free", FIELD_OBJECT, 0, 0, 0, "", NULL, NULL },
                                       { "deep", FIELD_OBJECT, 0, 0, 0, "", DEEP, NULL },
                                       { "flag", FIELD_BOOL, 0, 0, 0, "", NULL, NULL },
                                       { "real", FIELD_NUMBER, 0, 0, 0, "", NULL, NULL },
                                       { "word", FIELD_WORD, 0, 0, 0, "", NULL, "red green blue" },
                                       FIELD_END };

static int checked(const char *s, bool loose)
{
    json_t *j = reads(s);
    int rc = fields_check(FIELDS, j, false, loose, &err);
    json_decref(j);
    return rc;
}

static void fields(void **state)
{
    static const struct {
        const char *doc, *says; /* NULL: it is as it should be */
    } t[] = {
        { "{}", NULL },
        { "{\"text\":\"ab\",\"int\":-5,\"flag\":false,\"real\":1e300,\"word\":\"green\"}", NULL },
        { "{\"int\":null}", NULL },
        { "{\"any\":[{}],\"free\":{\"whatever\":[1]}}", NULL },
        { "{\"deep\":{\"x\":\"\",\"rows\":[[0.5],[1,-1]]}}", NULL },
        { "{\"text\":\"a\"}", "text: should have at least 2 bytes" },
        { "{\"text\":\"\xc3\xa9\xc3\xa9\xc3\xa9\"}", "text: is 6 bytes long, at most 4" },
        { "{\"text\":null}", "text: should be a string" },
        { "{\"int\":6}", "int: should be between -5 and 5" },
        { "{\"int\":1.0}", "int: should be a whole number" },
        { "{\"free\":[]}", "free: should be an object" },
        { "{\"deep\":{}}", "deep.x: is required" },
        { "{\"deep\":{\"x\":\"\",\"rows\":[[0.5],[1,2]]}}", "deep.rows[1][1]: should be between" },
        { "{\"deep\":{\"x\":\"\",\"rows\":[[]]}}", "deep.rows[0]: should have at least 1" },
        { "{\"deep\":{\"x\":\"\",\"y\":1}}", "deep: the field \"y\" is not known" },
        { "{\"flag\":1}", "flag: should be true or false" },
        { "{\"word\":\"re\"}", "word: should be one of: red green blue" },
        { "{\"word\":\"red green\"}", "word: should be one of" },
        { "{\"word\":\"\"}", "word: should be one of" },
        { "{\"More\":1}", "the field \"More\" is not known" },
        { "{\"<b>\":1}", "holds a field that is not known here" },
    };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        int rc = checked(t[i].doc, false);
        if (!t[i].says) check_ok(rc, err);
        else if (rc != ERR_INVAL) fail_msg("%s: got %d", t[i].doc, rc);
        else check_has(err.msg, t[i].says);
    }
    check_ok(checked("{\"more\":1,\"deep\":{\"x\":\"\",\"y\":1}}", true), err);
    check_int(checked("{\"more\":1,\"int\":9}", true), ERR_INVAL);
}

static void texts(void **state)
{
    json_t *j = reads("{\"int\":\"-3\",\"real\":\"2.5\",\"flag\":\"1\",\"text\":\"12\"}");
    check_ok(fields_check(FIELDS, j, true, false, &err), err);
    check_int(json_integer_value(json_object_get(j, "int")), -3);
    check_near(json_real_value(json_object_get(j, "real")), 2.5, 0);
    assert_true(json_is_true(json_object_get(j, "flag")));
    check_str(json_string_value(json_object_get(j, "text")), "12");
    json_decref(j);
    static const char *const bad[] = { "{\"int\":\"\"}",      "{\"int\":\"1.5\"}",
                                       "{\"int\":\"1 \"}",    "{\"real\":\"nan\"}",
                                       "{\"real\":\"inf\"}",  "{\"real\":\"1e999\"}",
                                       "{\"flag\":\"maybe\"}" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        j = reads(bad[i]);
        if (fields_check(FIELDS, j, true, false, &err) != ERR_INVAL) fail_msg("%s", bad[i]);
        json_decref(j);
    }
}

static void replies(void **state)
{
    struct buf b = BUF_INIT(0);
    json_t *j = json_pack("{s:f,s:f,s:s}", "a", 0.1, "b", 1.0 / 3, "c", "é\n\"");
    check_ok(json_into(&b, j, &err), err);
    check_str(buf_str(&b), "{\"a\":0.1,\"b\":0.333333333,\"c\":\"é\\n\\\"\"}");
    json_decref(j);
    buf_free(&b);
    check_int(status_of(ERR_NOTFOUND), 404);
    check_int(status_of(ERR_KEY), 401);
    check_int(status_of(ERR_FULL), 507);
    check_int(status_of(ERR_INTERNAL), 500);
    struct err e = { ERR_IO, "cannot open /home/ann/x" };
    j = error_json(NULL, 500, &e);
    check_hasnt(json_string_value(json_object_get(json_object_get(j, "error"), "message")), "/");
    json_decref(j);
}

int main(void)
{
    const struct CMUnitTest t[] = {
        cmocka_unit_test(json),  cmocka_unit_test(form),    cmocka_unit_test(fields),
        cmocka_unit_test(texts), cmocka_unit_test(replies),
    };
    return check_run("http/check", t);
}
