/* The table of commands. Help, the man page and the completions of three shells are made from it,
 * so a command or option is described here and nowhere else. */
#include "cli/cli.h"

#include <string.h>

#define END                                                                                        \
    {                                                                                              \
        NULL, 0, NULL, NULL, NULL                                                                  \
    }

const struct option global_options[] = {
    { "home", 'H', "DIR", "the home to use", NULL },
    { "persona", 'p', "NAME", "the persona to use, by name or id", NULL },
    { "key-file", 0, "FILE", "key file of the home", NULL },
    { "passphrase-file", 0, "FILE", "file whose first line is the home's passphrase", NULL },
    { "json", 'j', NULL, "print one JSON document on standard output, errors included", NULL },
    { "quiet", 'q', NULL, "no notes and no progress on standard error", NULL },
    { "color", 0, "WHEN", "auto, always or never", "auto always never" },
    { "threads", 0, "N", "threads that search together; 0: one per core", NULL },
    { "cpu", 0, "NAME", "highest instruction set to use", "auto generic avx2 avx512" },
    { "models", 0, "DIR", "folder of language models", NULL },
    { "config", 0, "FILE", "read settings from this file instead of the user's", NULL },
    { "help", 'h', NULL, "explain the command", NULL },
    { "version", 'V', NULL, "print the version", NULL },
    END,
};

static const struct option o_init[] = {
    { "passphrase", 0, NULL, "lock the home with a passphrase, asked twice, instead of a key file",
      NULL },
    { "key-file", 0, "FILE", "make the key file here", NULL },
    { "passphrase-file", 0, "FILE", "take the passphrase from the first line of this file", NULL },
    END,
};
static const struct option o_passphrase[] = {
    { "to-key-file", 0, "FILE", "lock with a new key file, made here, instead of a passphrase",
      NULL },
    { "new-passphrase-file", 0, "FILE", "take the new passphrase from the first line of this file",
      NULL },
    END,
};
static const struct option o_new[] = {
    { "kind", 'k', "KIND", "self, consented, legacy or fictional",
      "self consented legacy fictional" },
    { "consent-by", 0, "WHO", "who agreed to this persona", NULL },
    { "consent-to", 0, "WHAT", "to what they agreed", NULL },
    { "me", 'm', "LIST", "names, mail addresses and phone numbers it writes under, comma-separated",
      NULL },
    { "chunk-tokens", 0, "N", "tokens in a chunk", NULL },
    { "chunk-overlap", 0, "N", "tokens that neighbouring chunks share", NULL },
    { "chunk-tokenizer", 0, "MODEL", "let this model's tokenizer count; words: count words", NULL },
    { "yes", 'y', NULL, "agree for yourself (kind self) without being asked", NULL },
    END,
};
static const struct option o_add[] = {
    { "me", 'm', "LIST", "names, addresses and numbers the persona writes under; once is enough",
      NULL },
    { "as", 0, "FORMAT", "read the files in this format instead of recognising it",
      "text markdown html mbox eml whatsapp telegram csv jsonl meta discord chatgpt claude x "
      "mastodon keep dayone docx odt epub pptx rtf pdf zip tar gz slack matrix gchat signal reddit "
      "vcard ics notion imessage facebook" },
    { "map", 0, "MAP", "columns of CSV or JSONL: text=body,author=from,date=when,title=subject",
      NULL },
    { "by", 0, "AUTHOR", "author of texts that name none", NULL },
    { "day-first", 0, NULL, "read 03/04/2019 as 3 April", NULL },
    { "month-first", 0, NULL, "read 03/04/2019 as March 4", NULL },
    { "tz", 0, "+HH:MM", "zone of local times that name none; UTC if not given", NULL },
    { "dry-run", 'n', NULL, "look, count and report; store nothing", NULL },
    { "keep-secrets", 0, NULL, "keep card numbers, passwords and keys, which are else left out",
      NULL },
    { "who", 0, NULL, "list who writes in the files, likeliest owner first; store nothing", NULL },
    END,
};
#define FILTERS                                                                                    \
    { "k", 'k', "N", "rest on at most N passages", NULL },                                         \
        { "adaptive", 0, NULL, "only passages above the floor, unless fewer than 3 remain",        \
          NULL },                                                                                  \
        { "floor", 0, "COSINE", "the floor: 0.7, say; 0: what the embedder needs", NULL },         \
        { "fixed", 0, NULL, "always the best k", NULL },                                           \
        { "from", 0, "DATE", "written on or after DATE (2019, 2019-03, 2019-03-02)", NULL },       \
        { "to", 0, "DATE", "written up to and with DATE", NULL },                                  \
        { "source", 's', "N", "from source N only", NULL },                                        \
        { "topic", 't', "N", "of topic N only", NULL },                                            \
    {                                                                                              \
        "mode", 0, "MODE", "how to search", "hybrid vector keyword"                                \
    }

#define VOICE_OPTIONS                                                                              \
    { "voice", 0, "VOICE", "which voice answers: quote, native, remote", "quote native remote" },  \
        { "model", 0, "MODEL", "language model of the native voice", NULL },                       \
        { "remote-model", 0, "MODEL", "model of the remote voice", NULL },                         \
        { "temperature", 0, "X", "how freely it chooses words; 0: the likeliest always", NULL },   \
        { "max-tokens", 0, "N", "tokens in its answer", NULL },                                    \
        { "seed", 0, "N", "makes its answer repeatable", NULL },                                   \
        { "strict", 0, NULL, "leave out its sentences that no source supports", NULL },            \
        { "mask-others", 0, NULL,                                                                  \
          "give other people pseudonyms: in the answer and its sources, and in what a server is "  \
          "sent",                                                                                  \
          NULL },                                                                                  \
    {                                                                                              \
        "no-mask-others", 0, NULL, "do not, even where the server is another machine", NULL        \
    }

static const struct option o_ask[] = {
    FILTERS,
    VOICE_OPTIONS,
    { "why", 'w', NULL, "show what each sentence rests on", NULL },
    END,
};
static const struct option o_chat[] = {
    FILTERS,
    VOICE_OPTIONS,
    { "conversation", 'c', "N", "go on with conversation N", NULL },
    { "no-save", 0, NULL, "keep nothing of this conversation", NULL },
    END,
};
static const struct option o_search[] = { FILTERS, END };
static const struct option o_jobs[] = {
    { "follow", 0, NULL, "show progress until the job, or every job, is over", NULL },
    { "cancel", 0, "ID", "stop this job", NULL },
    { "open", 0, NULL, "list only those that wait or run", NULL },
    { "limit", 'n', "N", "list at most so many; 20 if not given", NULL },
    END,
};
static const struct option o_serve[] = {
    { "listen", 'l', "ADDRESS", "listen on this address", NULL },
    { "port", 'P', "PORT", "listen on this port; 0: any free one", NULL },
    { "tls-cert", 0, "FILE", "certificate with its chain (PEM)", NULL },
    { "tls-key", 0, "FILE", "its key (PEM)", NULL },
    { "plain", 0, "YES", "without TLS on other addresses than loopback, too", "yes no" },
    { "registration", 0, "YES", "may anybody make an account?", "yes no" },
    { "origins", 0, "LIST", "web origins whose pages may use it", NULL },
    { "trust-proxy", 0, "YES", "take addresses from X-Forwarded-For", "yes no" },
    { "metrics", 0, "WHO", "may read /metrics: open, loopback or off", "open loopback off" },
    { "log", 0, "FORM", "text, json or none", "text json none" },
    { "workers", 0, "N", "requests worked on at a time; 0: two per core", NULL },
    { "memory", 0, "MIB", "of indexes kept open; 0: a quarter of the machine's", NULL },
    { "upload-quota", 0, "MIB", "that uploads of one account may take up", NULL },
    { "rate-account", 0, "N", "requests a second of one account; 0: any", NULL },
    { "rate-address", 0, "N", "requests a second from one address; 0: any", NULL },
    { "rate-login", 0, "N", "logins a second from one address; 0: any", NULL },
    { "access-seconds", 0, "N", "that an access token is good for", NULL },
    { "idle-seconds", 0, "N", "until a quiet connection is closed", NULL },
    { "voice", 0, "VOICE", "which voice answers when none is asked for", "quote native remote" },
    { "model", 0, "MODEL", "language model of the native voice and of /v1", NULL },
    END,
};
static const struct option o_sources[] = {
    { "delete", 0, "N", "delete source N and all that came from it", NULL },
    { "yes", 'y', NULL, "delete without asking", NULL },
    END,
};
static const struct option o_people[] = {
    { "merge", 0, NULL, "these two are one person: --merge NAME NAME", NULL },
    { "split", 0, NULL, "this address is somebody else's: --split NAME ADDRESS", NULL },
    { "confirm", 0, NULL, "what is likely is so: --confirm NAME", NULL },
    { "reveal", 0, NULL, "who a pseudonym stands for: --reveal \"Person 482113\"", NULL },
    { "likely", 0, NULL, "list only who is joined by the name alone", NULL },
    { "limit", 'n', "N", "list at most so many; 30 if not given, 0: all", NULL },
    END,
};
static const struct option o_prompt[] = {
    FILTERS,
    { "voice", 0, "VOICE", "the voice it is for", "quote native remote" },
    { "template", 0, "WHICH", "show or change a template: system or user", "system user" },
    { "set", 0, "FILE", "take the template from FILE (- is standard input)", NULL },
    { "reset", 0, NULL, "go back to the built-in template", NULL },
    { "print", 0, NULL, "print the template; what happens anyway", NULL },
    END,
};
static const struct option o_conversations[] = {
    { "delete", 0, "N", "delete conversation N", NULL },
    { "yes", 'y', NULL, "delete without asking", NULL },
    END,
};
static const struct option o_show[] = {
    { "style", 0, NULL, "how they write, at length: style, tone, phrases, vocabulary, sentences",
      NULL },
    END,
};
static const struct option o_export[] = {
    { "passphrase-file", 0, "FILE", "passphrase of the exported file, on the first line of FILE",
      NULL },
    { "key-file", 0, "FILE", "key of the exported file; made when it is not there", NULL },
    { "force", 'f', NULL, "replace the file if it is there", NULL },
    { "mask-others", 0, NULL, "give other people pseudonyms, leave conversations out; the default",
      NULL },
    { "no-mask-others", 0, NULL, "write everything as it is: a backup", NULL },
    END,
};
static const struct option o_import[] = {
    { "passphrase-file", 0, "FILE", "passphrase of the exported file, on the first line of FILE",
      NULL },
    { "key-file", 0, "FILE", "key of the exported file", NULL },
    { "name", 0, "NAME", "call the persona so instead", NULL },
    END,
};
static const struct option o_forget[] = {
    { "yes", 'y', NULL, "forget without asking for the name", NULL },
    END,
};
static const struct option o_config[] = {
    { "unset", 0, "NAME", "remove the setting from the config file", NULL },
    END,
};
static const struct option o_doctor[] = {
    { "check", 0, NULL, "only look; repair nothing", NULL },
    { "reembed", 0, "NAME",
      "make all vectors anew with embedder NAME first: static, hash or a model", NULL },
    END,
};
static const struct option o_help[] = {
    { "man", 0, NULL, "print the manual page as scdoc source", NULL },
    { "completion", 0, "SHELL", "print a completion script", "bash zsh fish" },
    { "api", 0, "FORM", "print what the server's routes are: markdown (docs/API.md) or openapi",
      "markdown openapi" },
    END,
};
static const struct option o_me[] = {
    { "remove", 0, NULL, "take the names back: their messages become context", NULL },
    END,
};
static const struct option o_none[] = { END };

static const struct option o_model_pull[] = {
    { "name", 0, "NAME", "call the model so", NULL },
    { "sha256", 0, "HEX", "what the SHA-256 of the file must be", NULL },
    { "force", 'f', NULL, "replace a model of the same name", NULL },
    { "use", 0, NULL, "use it from now on, as `likeness model use` does", NULL },
    END,
};
static const struct option o_model_import[] = {
    { "name", 0, "NAME", "call the model so", NULL },
    { "type", 0, "TYPE", "type of the weights; as they are, if not given",
      "f32 f16 bf16 q8_0 q4_0 q4_k_m q5_k_m q6_k" },
    { "force", 'f', NULL, "replace a model of the same name", NULL },
    END,
};
static const struct option o_model_quantize[] = {
    { "name", 0, "NAME", "call the result so; MODEL-TYPE if not given", NULL },
    { "force", 'f', NULL, "replace a model of the same name", NULL },
    END,
};
static const struct option o_model_show[] = {
    { "keys", 0, NULL, "all key-values of the file", NULL },
    { "tensors", 0, NULL, "all tensors of the file", NULL },
    END,
};
static const struct option o_account_password[] = {
    { "password-file", 0, "FILE", "take the account's password from the first line of this file",
      NULL },
    END,
};
static const struct option o_account_rm[] = {
    { "yes", 'y', NULL, "remove without asking", NULL },
    END,
};
static const struct option o_account_give[] = {
    { "level", 'l', "LEVEL",
      "chat: ask; read: its texts, too; manage: change them; owner (when left out)",
      "chat read manage owner" },
    END,
};
static const struct option o_model_rm[] = {
    { "yes", 'y', NULL, "remove without asking", NULL },
    END,
};
static const struct option o_model_use[] = {
    { "none", 0, NULL, "use no model any more: the quote voice answers", NULL },
    END,
};
static const struct option o_remote_use[] = {
    { "none", 0, NULL, "ask no server any more: the quote voice answers", NULL },
    END,
};
static const struct option o_remote_key[] = {
    { "file", 0, "FILE", "take the key from the first line of this file", NULL },
    END,
};
static const struct option o_model_bench[] = {
    { "embed", 0, NULL, "compare embedders on the persona's own texts instead", NULL },
    { "prompt", 0, "N", "tokens of the prompt to read; 512 if not given", NULL },
    { "generate", 0, "N", "tokens to make; 64 if not given", NULL },
    { "text", 0, "FILE", "also the perplexity of this text", NULL },
    END,
};
static const struct option o_model_distill[] = {
    { "corpus", 0, "FILE", "texts to fit the table on, a passage a line; required", NULL },
    { "held", 0, "FILE", "other texts, to see how well it agrees with its encoder", NULL },
    { "cache", 0, "FILE", "keep what the encoder said here, so that a second run is quick", NULL },
    { "name", 0, "NAME", "call the result so; ENCODER-static if not given", NULL },
    { "dim", 0, "N", "numbers a token, a multiple of 32; 256 if not given", NULL },
    { "force", 'f', NULL, "replace a model of the same name", NULL },
    END,
};

const struct command commands[] = {
    { "init", "make a home: the sealed folder that everything is kept in", "",
      "Makes the folder, its keys and an empty store. The key goes into a key file (the default; "
      "the command says where) or is made from a passphrase. Whoever loses the key file or forgets "
      "the passphrase loses everything in the home; there is no way round it. Keep a copy of the "
      "key file in another place than the home.",
      o_init, 0, 0, NEEDS_NOTHING, cmd_init, "likeness init\nlikeness init --passphrase" },
    { "new", "make a persona, with a record of consent", "NAME",
      "A persona has a kind and a consent record: who agreed, when, to what. kind self is "
      "yourself; consented a living person who agreed; legacy a person who died (say who decides "
      "for them); fictional an invented person (say who wrote it). On a terminal what is missing "
      "is asked.",
      o_new, 1, 1, NEEDS_WRITE, cmd_new,
      "likeness new Ann --kind self --consent-by Ann\n"
      "likeness new Grandpa --kind legacy --consent-by \"Ann Lee, his daughter\" --consent-to "
      "\"use in the family\"" },
    { "me", "say under which names, addresses and numbers the persona writes", "LIST",
      "Messages by these authors are the persona's own voice; everybody else's are context and are "
      "never quoted as the persona. Messages that are stored already are looked at again.",
      o_me, 1, 1, NEEDS_WRITE | NEEDS_PERSONA, cmd_me,
      "likeness me \"Ann Lee,ann@example.org,+44 20 7946 0000\"\n"
      "likeness me --remove \"Bob\"" },
    { "add", "bring in files and folders: mail, chats, journals, notes", "PATH...",
      "Reads plain text, Markdown, HTML, mbox and eml, WhatsApp text exports, Telegram JSON, CSV "
      "and JSONL; a folder means all files in it; - is standard input. The same file twice adds "
      "nothing; a longer export of a known chat adds what is new. One file comes in whole or not "
      "at all.",
      o_add, 1, -1, NEEDS_OR_JOB | NEEDS_WRITE | NEEDS_PERSONA, cmd_add,
      "likeness add --me \"Ann Lee,ann@example.org\" \"WhatsApp Chat with Bob.txt\"\n"
      "likeness add ~/journal mail.mbox\n"
      "likeness add letters.csv --map text=body,date=sent --by \"Ann Lee\"" },
    { "ask", "ask the persona one question", "QUESTION",
      "Prints the answer, then the sources it rests on with title, date and cosine similarity, and "
      "the time it took. Nothing is kept; likeness chat keeps a conversation.",
      o_ask, 1, -1, NEEDS_READ | NEEDS_PERSONA, cmd_ask,
      "likeness ask \"Where do you want to live?\"\nlikeness ask --from 2020 --why \"Do you eat "
      "meat?\"" },
    { "chat", "talk with the persona", "",
      "Questions and answers that remember the turns before; the turns are kept, sealed. Lines "
      "that begin with / are commands: /help lists them. What you type is remembered for the arrow "
      "keys until you leave, and never written to disk.",
      o_chat, 0, 0, NEEDS_NOTHING, cmd_chat,
      "likeness chat\nlikeness chat --no-save --persona Ann" },
    { "search", "search what the persona wrote", "QUERY",
      "Prints passages, best first, with their cosine similarity.", o_search, 1, -1,
      NEEDS_READ | NEEDS_PERSONA, cmd_search,
      "likeness search boats\nlikeness search --mode keyword --to 2019 -k 20 choir" },
    { "sources", "list or delete what came in", "",
      "Deleting a source deletes its pieces, chunks and vectors and the conversation turns that "
      "rest on it, and says what went.",
      o_sources, 0, 0, NEEDS_OR_JOB, cmd_sources, "likeness sources\nlikeness sources --delete 3" },
    { "people", "list whom the persona writes with, and say who is who", "[NAME [NAME]]",
      "Who wrote, how much, how much the persona wrote in the same chats and threads, and from "
      "when to when; most messages first. The same mail address, phone number or account is the "
      "same "
      "person; the same full name is only likely to be, until you confirm it. NAME is a name, an "
      "address, a number, or the id that the list shows. --reveal takes a text with pseudonyms, of "
      "an export or of somebody whom the persona is shared with, and puts the names in.",
      o_people, 0, 2, NEEDS_NOTHING, cmd_people,
      "likeness people\nlikeness people --confirm \"Ann Lee\"\n"
      "likeness people --merge \"Ann Lee\" ann.l@example.org\n"
      "likeness people --split \"Ann Lee\" ann@work.example.com\n"
      "likeness people --reveal \"Person 482113\"" },
    { "jobs", "list, follow or stop the jobs of a server", "[ID]",
      "Uploads, deletions, exports and the like are jobs of `likeness serve`. They are kept in the "
      "home, so this works beside a running server and without one; a job that waits begins when a "
      "server runs. Exits with 1 when a job that was followed failed.",
      o_jobs, 0, 1, NEEDS_NOTHING, cmd_jobs,
      "likeness jobs\nlikeness jobs --follow 12\nlikeness jobs --cancel 12" },
    { "topics", "list what the persona writes about", "",
      "Themes found in the text, largest first.", o_none, 0, 0, NEEDS_READ | NEEDS_PERSONA,
      cmd_topics, "likeness topics" },
    { "prompt", "show the prompt a language model would get", "[QUESTION]",
      "With a question: system and user text, composed from profile, examples and question. With "
      "--template: the text it is made from, which --set replaces for this persona.",
      o_prompt, 0, -1, NEEDS_NOTHING, cmd_prompt,
      "likeness prompt \"Do you like boats?\"\nlikeness prompt --template system > system.txt\n"
      "likeness prompt --template system --set system.txt" },
    { "personas", "list the personas of this home", "", "", o_none, 0, 0, NEEDS_READ, cmd_personas,
      "likeness personas" },
    { "show", "show a persona: consent, names, counts, topics, style", "[PERSONA]",
      "Without --style: how they write in two sentences.", o_show, 0, 1, NEEDS_READ, cmd_show,
      "likeness show Ann" },
    { "rename", "give a persona another name", "PERSONA NAME", "", o_none, 2, 2, NEEDS_WRITE,
      cmd_rename, "likeness rename Ann \"Ann Lee\"" },
    { "set", "change a setting of a persona", "PERSONA SETTING VALUE",
      "There is one: mask_shares, on unless it is set off. Then those whom the persona is shared "
      "with on a server, by a key too, get pseudonyms for other people in answers, sources and "
      "lists; its owner and who may manage it see the names.",
      o_none, 3, 3, NEEDS_WRITE, cmd_set, "likeness set Ann mask_shares off" },
    { "conversations", "list, show or delete kept conversations", "[N]", "", o_conversations, 0, 1,
      NEEDS_NOTHING, cmd_conversations, "likeness conversations\nlikeness conversations 2" },
    { "export", "write a persona into one sealed file", "PERSONA FILE",
      "The file is locked with its own passphrase or key file, not with the home's. It holds the "
      "persona's key, so forgetting the persona here does not reach it. Options before the word "
      "export are about the home, those after it about the file. Unless --no-mask-others is said, "
      "other people are masked in it: it is for others to have, and no backup.",
      o_export, 2, 2, NEEDS_WRITE, cmd_export,
      "likeness export Ann ann.likeness --no-mask-others" },
    { "import", "bring in a persona from such a file", "FILE", "All of it comes in, or nothing.",
      o_import, 1, 1, NEEDS_WRITE, cmd_import,
      "likeness import ann.likeness --name \"Ann (2024)\"" },
    { "forget", "destroy a persona: its key first, then all that is stored", "PERSONA",
      "Cannot be undone. Files exported before are not touched.", o_forget, 1, 1,
      NEEDS_OR_JOB | NEEDS_WRITE, cmd_forget, "likeness forget Ann" },
    { "model catalogue", "list models worth having, with size, licence and memory", "",
      "These models are made and published by others. Nothing is fetched before you ask for it.",
      o_none, 0, 0, NEEDS_NOTHING, cmd_model_catalogue, "likeness model catalogue" },
    { "model pull", "fetch a model from the network", "WHAT",
      "WHAT is a name of the catalogue, hf:OWNER/REPO, hf:OWNER/REPO/FILE or the https address of "
      "a "
      "GGUF file. What came is kept when the line breaks or you stop it, and the same command goes "
      "on from there. The file's SHA-256 is checked against the one the server promises. HF_TOKEN "
      "is sent to the hub when it is set, for models whose licence wants an agreement. This is the "
      "only command that uses the network.",
      o_model_pull, 1, 1, NEEDS_NOTHING, cmd_model_pull,
      "likeness model pull smollm2-135m --use\n"
      "likeness model pull hf:bartowski/Llama-3.2-1B-Instruct-GGUF" },
    { "model use", "answer with a language model from now on", "[MODEL]",
      "MODEL is a name of `likeness model ls` or a GGUF file. Sets model, and voice to native. "
      "Without MODEL: says which is used.",
      o_model_use, 0, 1, NEEDS_NOTHING, cmd_model_use,
      "likeness model use llama-3.2-1b\nlikeness model use --none" },
    { "model ls", "list the models on this machine", "", "", o_none, 0, 0, NEEDS_NOTHING,
      cmd_model_ls, "likeness model ls" },
    { "model show", "describe a model: shape, type, template, memory", "MODEL", "", o_model_show, 1,
      1, NEEDS_NOTHING, cmd_model_show, "likeness model show llama-3.2-1b" },
    { "model rm", "remove a model from this machine", "MODEL", "", o_model_rm, 1, 1, NEEDS_NOTHING,
      cmd_model_rm, "likeness model rm smollm2-135m" },
    { "model import", "make a GGUF file of another kind of model, on the shelf", "PATH",
      "PATH is a folder as Hugging Face has them (config.json, tokenizer.json, safetensors), a "
      "llama2.c .bin file with its tokenizer.bin beside it, or a GGUF file, which is copied.",
      o_model_import, 1, 1, NEEDS_NOTHING, cmd_model_import,
      "likeness model import ~/SmolLM2-135M-Instruct --type q8_0" },
    { "model quantize", "make a smaller copy of a model", "MODEL TYPE",
      "TYPE is f16, bf16, q8_0, q6_k, q5_k_m, q4_k_m or q4_0, from large and exact to small and "
      "coarse. Begin with f16, bf16 or f32: what was coarse does not get better.",
      o_model_quantize, 2, 2, NEEDS_NOTHING, cmd_model_quantize,
      "likeness model quantize my-model q4_k_m" },
    { "model bench", "measure a model on this machine", "[MODEL...]",
      "Tokens a second for reading a prompt and for answering, and the memory it takes. With "
      "--embed: compares embedders (all that are there, or those named) on the persona's own "
      "texts: speed, memory, and how far their ten nearest passages agree.",
      o_model_bench, 0, -1, NEEDS_NOTHING, cmd_model_bench,
      "likeness model bench\nlikeness model bench --embed hash static all-minilm-l6-v2" },
    { "model distill", "make a small table of token vectors out of an encoder", "ENCODER",
      "The table embeds hundreds of times as fast as its encoder, and nearly as well on texts like "
      "those of the corpus: as many passages as you have, of 1 to 120 words. The built-in `static` "
      "embedder is such a table. Takes from minutes to an hour.",
      o_model_distill, 1, 1, NEEDS_NOTHING, cmd_model_distill,
      "likeness model distill all-minilm-l6-v2 --corpus texts.txt --held others.txt" },
    { "remote use", "answer with a model behind a server from now on", "[URL [MODEL]]",
      "URL is the address of a server that speaks the OpenAI API, up to and with /v1: Ollama, "
      "llama-server, vLLM, another Likeness, a hosted one. Sets remote_url, remote_model, and "
      "voice "
      "to remote. When it is another machine, questions and the passages found for them go there.",
      o_remote_use, 0, 2, NEEDS_NOTHING, cmd_remote_use,
      "likeness remote use http://127.0.0.1:11434/v1 llama3.2\nlikeness remote use --none" },
    { "remote show", "show the server's settings, and try it", "", "Lists the models that it has.",
      o_none, 0, 0, NEEDS_READ, cmd_remote_show, "likeness remote show" },
    { "remote set-key", "keep the key of the server, sealed, in the home", "",
      "Asks for the key on the terminal, or takes it from a file. LIKENESS_REMOTE_KEY, when it is "
      "set, goes before the kept one.",
      o_remote_key, 0, 0, NEEDS_READ, cmd_remote_set_key, "likeness remote set-key" },
    { "remote forget-key", "remove the key of the server from the home", "", "", o_none, 0, 0,
      NEEDS_READ, cmd_remote_forget_key, "likeness remote forget-key" },
    { "account ls", "list the accounts of the server", "", "", o_none, 0, 0, NEEDS_READ,
      cmd_account_ls, "likeness account ls" },
    { "account new", "make an account", "ADDRESS",
      "For people who use this home through `likeness serve`. The account has no persona until it "
      "is given one. All account commands work while the server runs.",
      o_account_password, 1, 1, NEEDS_READ, cmd_account_new,
      "likeness account new ann@example.org" },
    { "account passwd", "set an account's password", "ADDRESS",
      "All its logins and keys are over then.", o_account_password, 1, 1, NEEDS_READ,
      cmd_account_passwd, "likeness account passwd ann@example.org" },
    { "account disable", "switch an account off", "ADDRESS", "Its logins are over at once.", o_none,
      1, 1, NEEDS_READ, cmd_account_disable, "likeness account disable ann@example.org" },
    { "account enable", "switch an account on again", "ADDRESS", "", o_none, 1, 1, NEEDS_READ,
      cmd_account_enable, "likeness account enable ann@example.org" },
    { "account rm", "remove an account", "ADDRESS",
      "With its logins, keys and rights. Personas that it owns stay in the home.", o_account_rm, 1,
      1, NEEDS_READ, cmd_account_rm, "likeness account rm ann@example.org" },
    { "account import", "take accounts over from another system", "FILE",
      "FILE has lines of address and password hash, with a comma between: bcrypt ($2a$, $2b$, "
      "$2y$) or Argon2id. A hash is made anew at the first login. Addresses that are there already "
      "are "
      "left as they are.",
      o_none, 1, 1, NEEDS_READ, cmd_account_import, "likeness account import users.csv" },
    { "account give", "give an account a right on a persona", "PERSONA ADDRESS",
      "A persona has one owner at most. The first one that an account owns is the one that routes "
      "without an id are about.",
      o_account_give, 2, 2, NEEDS_READ, cmd_account_give,
      "likeness account give Ann ann@example.org\n"
      "likeness account give Ann ben@example.org --level chat" },
    { "account take", "take an account's right on a persona away", "PERSONA ADDRESS", "", o_none, 2,
      2, NEEDS_READ, cmd_account_take, "likeness account take Ann ben@example.org" },
    { "serve", "serve the personas of this home over HTTP", "",
      "Accounts, personas, uploads, chat and an OpenAI-compatible API under /v1; /openapi.json and "
      "docs/API.md list every route. Runs until Ctrl-C or SIGTERM, and then lets requests and jobs "
      "under way end. Without a certificate it listens on this machine only. Every option is also "
      "a "
      "setting: see `likeness config`.",
      o_serve, 0, 0, NEEDS_WRITE, cmd_serve,
      "likeness serve\nlikeness serve --listen 0.0.0.0 --tls-cert chain.pem --tls-key key.pem" },
    { "passphrase", "change how the home is locked", "",
      "Asks for the new passphrase, or makes a new key file. Nothing that is stored is sealed "
      "anew, so it takes a moment only. A copy of the home made earlier still opens with the old "
      "one.",
      o_passphrase, 0, 0, NEEDS_WRITE, cmd_passphrase,
      "likeness passphrase\nlikeness passphrase --to-key-file ~/usb/home.key" },
    { "config", "show or change settings", "[NAME [VALUE]]",
      "Without arguments: every setting, its value and where it comes from. Settings come from "
      "options, else the environment (LIKENESS_NAME), else ~/.config/likeness/config, else a "
      "default.",
      o_config, 0, 2, NEEDS_NOTHING, cmd_config,
      "likeness config\nlikeness config k 8\nlikeness config --unset k" },
    { "doctor", "check keys, store and versions; repair what loses nothing", "",
      "Exits with 0 when all is well, with 1 when something remains to be done.", o_doctor, 0, 0,
      NEEDS_NOTHING, cmd_doctor,
      "likeness doctor\nlikeness doctor --check\nlikeness doctor --reembed static" },
    { "version", "print the version", "", "", o_none, 0, 0, NEEDS_NOTHING, cmd_version, "" },
    { "help", "explain a command", "[COMMAND]", "", o_help, 0, 2, NEEDS_NOTHING, cmd_help,
      "likeness help add" },
    { NULL, NULL, NULL, NULL, NULL, 0, 0, 0, NULL, NULL },
};

bool command_group(const char *word, size_t n)
{
    for (const struct command *k = commands; k->name; k++)
        if (!strncmp(k->name, word, n) && k->name[n] == ' ') return true;
    return false;
}

const struct command *command_by_name(const char *name)
{
    for (const struct command *k = commands; k->name; k++)
        if (!strcmp(k->name, name)) return k;
    return NULL;
}

const struct exit_status exit_statuses[] = {
    { 0, "it worked; also when a search found nothing, or the persona never wrote about it" },
    { 1, "it did not work, or the doctor found something to do" },
    { 2, "the command line or a setting is not usable" },
    { 3, "there is no such file, home, persona, source or conversation" },
    { 4, "wrong or missing key or passphrase; consent is missing" },
    { 5, "the input could not be read: damaged, too large, not in the format it should be" },
    { 6, "reading or writing failed: the disk is full or read-only; or another server is away" },
    { 7, "another process is using the home" },
    { 8, "made by a newer version of likeness" },
    { 130, "stopped with Ctrl-C" },
    { 0, NULL },
};

int exit_status_of(int code)
{
    switch (code) {
    case ERR_OK: return 0;
    case ERR_INVAL: return 2;
    case ERR_NOTFOUND: return 3;
    case ERR_KEY:
    case ERR_CONSENT: return 4;
    case ERR_PARSE:
    case ERR_SEAL:
    case ERR_LIMIT: return 5;
    case ERR_IO:
    case ERR_AWAY:
    case ERR_FULL: return 6;
    case ERR_BUSY: return 7;
    case ERR_VERSION: return 8;
    case ERR_CANCEL: return 130;
    default: return 1;
    }
}
