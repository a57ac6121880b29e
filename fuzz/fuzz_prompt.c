/* The prompt from hostile parts: a template, a stored text, a name, a title, a question. Whatever
 * they are, the fence word stands in the prompt exactly as often as the program put it there, no
 * line between fences begins without its indent or label, and defusing twice changes nothing more.
 *
 * Input: parts set apart by a byte 0xFF: text, question, author, title, user template. */
#include "base/clock.h"
#include "base/str.h"
#include "persona/prompt_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

#define PARTS 5

static void fail(const char *what)
{
    fprintf(stderr, "fuzz_prompt: %s\n", what);
    abort();
}

static size_t times(const char *s, const char *word)
{
    size_t k = 0;
    for (; (s = strstr(s, word)); s += strlen(word)) k++;
    return k;
}

static void twice(const char *s, enum defuse_how how)
{
    struct buf a = BUF_INIT(0), b = BUF_INIT(0);
    prompt_defuse(s, strlen(s), how, "", &a);
    prompt_defuse(buf_str(&a), a.n, how, "", &b);
    if (strcmp(buf_str(&a), buf_str(&b))) fail("defusing twice changed something");
    if (strstr(buf_str(&a), "<|") || strstr(buf_str(&a), "|>") || strstr(buf_str(&a), "<<"))
        fail("a control mark came through");
    buf_free(&a);
    buf_free(&b);
}

/* Between the fences of the example every line is blank, indented, or a label or head of ours. */
static void indented(const struct prompt *pr)
{
    bool inside = false;
    for (const char *p = pr->user, *nl; *p; p = nl + 1) {
        nl = strchr(p, '\n');
        if (!nl) break;
        size_t n = (size_t)(nl - p);
        bool edge = !strncmp(p, "--- ", 4) && memmem(p, n, pr->fence, strlen(pr->fence));
        if (edge) inside = !inside;
        if (!inside || edge || !n) continue;
        if (!strncmp(p, "  ", 2) || !strncmp(p, "Ann:\n", 5) || !strncmp(p, "[other person", 13) ||
            !strncmp(p, "similarity ", 11) || !strncmp(p, "You were asked:\n", 16) ||
            !strncmp(p, "Ann answered:\n", 14))
            continue;
        fail("a stored line stands at the margin");
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static char name[] = "Ann";
    struct persona persona = { .name = name, .kind = PERSONA_SELF };
    struct buf part[PARTS] = { { 0 } };
    size_t at = 0;
    for (int i = 0; i < PARTS; i++) {
        const uint8_t *end = i + 1 < PARTS && at < n ? memchr(data + at, 0xFF, n - at) : NULL;
        size_t k = at < n ? (end ? (size_t)(end - (data + at)) : n - at) : 0;
        if (k) utf8_clean(&part[i], (const char *)data + at, k);
        at += k + 1;
    }
    for (enum defuse_how how = DEFUSE_LINE; how <= DEFUSE_OWN; how++) twice(buf_str(&part[0]), how);
    struct chunk_seg seg[2] = {
        { .voice = false,
          .author = buf_str(&part[2]),
          .text = buf_str(&part[0]),
          .text_n = part[0].n },
        { .voice = true, .author = "", .text = buf_str(&part[0]), .text_n = part[0].n },
    };
    struct passage p = { .written_at = CLOCK_NONE,
                         .similarity = 0.5f,
                         .score = 0.5f,
                         .text = { .title = buf_str(&part[3]), .seg = seg, .n_seg = 2 } };
    struct passages ps = { .p = &p, .n = 1 };
    struct prompt_turn turn = { buf_str(&part[1]), buf_str(&part[0]) };
    struct prompt_in in = { .persona = &persona,
                            .passages = &ps,
                            .question = buf_str(&part[1]),
                            .turns = &turn,
                            .n_turns = 1,
                            .context_tokens = 8192,
                            .answer_tokens = 512,
                            .fence = n % 2 ? "fence" : NULL };
    struct prompt pr;
    struct err err = { 0 };
    if (part[4].n) in.user_template = buf_str(&part[4]);
    if (!prompt_build(&in, &pr, &err)) {
        size_t want = 1 + 2 + 2 * pr.examples_used + (pr.turns_used ? 2 : 0);
        if (times(pr.system, pr.fence) + times(pr.user, pr.fence) != want)
            fail("a fence word too many");
        if (!in.user_template) indented(&pr);
        if (pr.tokens > 8192 - 512) fail("over the budget");
    } else if (err.code == ERR_INTERNAL) {
        fail("no fence found");
    }
    prompt_clear(&pr);
    for (int i = 0; i < PARTS; i++) buf_free(&part[i]);
    return 0;
}
