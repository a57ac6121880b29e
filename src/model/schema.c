/* JSON schemas: the automaton comes next; until then every schema is refused. */
#include "model/schema.h"

int schema_vocab_new(const struct tokenizer *k, struct schema_vocab **out, struct err *err)
{
    *out = NULL;
    return err_set(err, ERR_INVAL, "answers by a schema are not there yet");
}
void schema_vocab_free(struct schema_vocab *v) {}
int schema_open(const struct schema_vocab *v, const char *json, size_t n, struct schema **out,
                struct err *err)
{
    *out = NULL;
    return err_set(err, ERR_INVAL, "answers by a schema are not there yet");
}
void schema_free(struct schema *s) {}
int schema_start(struct schema *s, int max_tokens, struct err *err) { return ERR_INVAL; }
const uint32_t *schema_mask(struct schema *s, int left) { return NULL; }
int schema_take(struct schema *s, int32_t id) { return ERR_INVAL; }
bool schema_whole(const struct schema *s) { return false; }
bool schema_done(const struct schema *s) { return false; }
