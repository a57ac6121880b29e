/* The table of voices. */
#include "persona/voice.h"

#include "base/arena.h"

#include <string.h>

extern const struct voice voice_quote, voice_native, voice_remote;

const struct voice *const voices[] = { &voice_quote, &voice_native, &voice_remote, NULL };

const struct voice *voice_by_name(const char *name)
{
    for (size_t i = 0; voices[i]; i++)
        if (!strcmp(voices[i]->name, name)) return voices[i];
    return NULL;
}

void answer_clear(struct answer *a)
{
    arena_free(a->mem);
    *a = (struct answer){ 0 };
}
