/* Embed a persona in your program: make a home, tell it a few texts, ask, forget.
 *
 *     cc embed.c $(pkg-config --cflags --libs likeness) && ./a.out /tmp/home */
#include <likeness.h>

#include <stdio.h>
#include <string.h>
#include <time.h>

static const char *const letters[][2] = {
    { "Boats", "I bought the boat in spring. She leaks at the stern, but I love her. A boat "
               "teaches you patience." },
    { "Bread", "I bake on Saturdays. The secret of good bread is time: I let the dough rest for a "
               "whole night." },
    { "The city",
      "I moved to the city for the work, and I stayed because of the people on my stairs." },
};

static int failed(const char *what, const lk_error *err)
{
    fprintf(stderr, "%s: %s (%s)\n", what, err->message, lk_code_name(err->code));
    return 1;
}

int main(int argc, char **argv)
{
    lk_error err;
    lk_home *home;
    lk_persona *p;
    lk_secret secret = { .passphrase = "only for this example" };
    const char *path = argc > 1 ? argv[1] : "example-home";

    if (lk_home_create(path, &secret, &err)) return failed("create", &err);
    if (lk_home_open(path, &secret, LK_WRITE, &home, &err)) return failed("open", &err);
    if (lk_persona_create(home, "Ann", "fictional", "the author of this example", "a demonstration",
                          &p, &err))
        return failed("persona", &err);

    for (size_t i = 0; i < sizeof letters / sizeof letters[0]; i++)
        if (lk_add_text(p, letters[i][0], letters[i][1], strlen(letters[i][1]), time(NULL), &err))
            return failed("add", &err);
    if (lk_settle(p, &err)) return failed("settle", &err);

    lk_answer *a;
    if (lk_ask(p, "What is the secret of good bread?", NULL, &a, &err)) return failed("ask", &err);
    printf("%s\n", lk_answer_text(a));
    for (size_t i = 0; i < lk_answer_sources(a); i++) {
        const lk_source *s = lk_answer_source(a, i);
        printf("  [%zu] %s, similarity %.2f\n", i + 1, s->title, s->similarity);
    }
    lk_answer_free(a);
    lk_persona_close(p);
    if (lk_persona_forget(home, "Ann", &err)) return failed("forget", &err);
    lk_home_close(home);
    return 0;
}
