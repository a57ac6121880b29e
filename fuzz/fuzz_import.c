/* What an import reads of a folder: config.json ('c' in front), tokenizer.json ('t') and
 * SentencePiece models ('s'): refused with a message, or read so that it can be written. */
#include "model/hf_impl.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void config(const uint8_t *data, size_t n)
{
    struct err err = { 0 };
    struct hf_config c;
    json_t *root = json_loadb((const char *)data, n, JSON_REJECT_DUPLICATES, NULL);
    if (!root) return;
    if (hf_config_read(root, "config.json", &c, &err)) {
        if (!err.code || !err.msg[0]) abort();
    } else if (c.layers < 1 || c.dim < 1 || c.heads < 1 || c.vocab < 1) abort();
    json_decref(root);
}

static void vocab(const uint8_t *data, size_t n, bool spm)
{
    struct err err = { 0 };
    struct hf_vocab v;
    json_t *root = spm ? NULL : json_loadb((const char *)data, n, JSON_REJECT_DUPLICATES, NULL);
    if (hf_vocab_init(&v, &err)) abort();
    int rc = ERR_PARSE;
    if (spm) rc = hf_vocab_spm(&v, data, n, "tokenizer.model", &err);
    else if (root) rc = hf_vocab_json(&v, root, "tokenizer.json", &err);
    if (!rc) {
        if (hf_vocab_fill(&v, &err)) abort();
        for (size_t i = 0; i < v.n; i++)
            if (!v.tokens[i].p || v.types[i] < HF_NORMAL || v.types[i] > HF_BYTE) abort();
        for (size_t i = 0; i < v.n_merges; i++)
            if (!memchr(v.merges[i].p, ' ', v.merges[i].n)) abort();
        if (v.bos >= (int)v.n || v.eos >= (int)v.n || v.unk >= (int)v.n) abort();
    } else if ((spm || root) && (!err.code || !err.msg[0])) abort();
    json_decref(root);
    hf_vocab_clear(&v);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (!n) return 0;
    if (*data == 'c') config(data + 1, n - 1);
    if (*data == 't') vocab(data + 1, n - 1, false);
    if (*data == 's') vocab(data + 1, n - 1, true);
    return 0;
}
