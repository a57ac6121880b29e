/* make_model SHAPE TYPE OUT.gguf: see make_model.h. */
#include "make_model.h"

#include <stdio.h>

int main(int argc, char **argv)
{
    struct err err = { 0 };
    if (argc != 4) {
        fprintf(stderr, "usage: make_model SHAPE TYPE OUT.gguf\nshapes:");
        for (const char *const *s = make_model_shapes; *s; s++) fprintf(stderr, " %s", *s);
        fprintf(stderr, "\ntypes: f32 f16 bf16 q8_0 q6_k q5_k_m q4_k_m q4_0\n");
        return 2;
    }
    if (!make_model(argv[1], argv[2], argv[3], &err)) return 0;
    fprintf(stderr, "make_model: %s\n", err.msg);
    return 1;
}
