/* Batch questions: reads one question a line from standard input, writes one answer a line,
 * tab-separated: kind, seconds, number of sources, answer.
 *
 *     ./batch HOME KEYFILE PERSONA < questions.txt */
#include <likeness.h>

#include <stdio.h>
#include <string.h>
#include <time.h>

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void print_line(const lk_answer *a, double seconds)
{
    static const char *const kind[] = { "found", "changed", "none" };
    printf("%s\t%.4f\t%zu\t", kind[lk_answer_kind(a)], seconds, lk_answer_sources(a));
    for (const char *s = lk_answer_text(a); *s; s++) putchar(*s == '\n' || *s == '\t' ? ' ' : *s);
    putchar('\n');
}

int main(int argc, char **argv)
{
    lk_error err;
    lk_home *home = NULL;
    lk_persona *p = NULL;
    char line[4096];
    int rc = 1;
    if (argc < 3) {
        fprintf(stderr, "usage: %s HOME KEYFILE [PERSONA] < questions\n", argv[0]);
        return 2;
    }
    if (lk_home_open(argv[1], &(lk_secret){ .key_file = argv[2] }, LK_READ, &home, &err)) goto out;
    if (lk_persona_open(home, argc > 3 ? argv[3] : NULL, &p, &err)) goto out;
    while (fgets(line, sizeof line, stdin)) {
        lk_answer *a;
        line[strcspn(line, "\n")] = 0;
        if (!*line) continue;
        double start = now();
        if (lk_ask(p, line, NULL, &a, &err)) goto out;
        print_line(a, now() - start);
        lk_answer_free(a);
    }
    rc = 0;
out:
    if (rc) fprintf(stderr, "batch: %s (%s)\n", err.message, lk_code_name(err.code));
    lk_persona_close(p);
    lk_home_close(home);
    return rc;
}
