/* Routes of a persona as a file: a job writes it under a passphrase of its own, whoever asked
 * fetches it within a day. The file is sealed as it stands (vault/stream.h), so it is sent as it
 * stands. */
#include "http/shown.h"

#include "persona/work.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

extern const struct route routes_export[];

static int export(struct call *c, struct err *err)
{
    char name[SPOOL_NAME + 1];
    world_spool_new(name);
    json_t *args =
        json_pack("{s:s, s:s, s:b}", "spool", name, "passphrase", call_str(c, "passphrase"),
                  "mask_others", call_bool(c, "mask_others", true));
    return job_accepted(c, "export", args, false, err);
}

struct made {
    struct call *c;
    char name[SPOOL_NAME + 1];
    bool ready;
};

static int look(void *ud, const struct row_job *r)
{
    struct made *m = ud;
    if (r->account != m->c->who.account || strcmp(r->kind, "export") != 0 || r->state != JOB_DONE)
        return 0;
    json_t *j = json_loadb(r->result ? r->result : "", r->result_n, 0, NULL);
    const char *s = json_string_value(json_object_get(j, "spool"));
    m->ready = s != NULL;
    memcpy(m->c->persona, r->persona, VAULT_UID); /* for the audit log */
    if (s) snprintf(m->name, sizeof m->name, "%s", s);
    json_decref(j);
    return 0;
}

static int file(struct call *c, struct err *err)
{
    struct made m = { .c = c };
    char path[4096];
    struct stat st;
    int rc = service_job_get(c->world->service, c->id, look, &m, err);
    if (!rc && (!m.ready || world_spool(c->world, m.name, path, NULL))) rc = ERR_NOTFOUND;
    if (rc == ERR_NOTFOUND) return err_set(err, rc, "this job has no file");
    if (rc) return rc;
    FILE *f = fopen(path, "rbe");
    if (!f || fstat(fileno(f), &st)) {
        if (f) fclose(f);
        return err_set(err, ERR_NOTFOUND, "the file is not here any more: export again");
    }
    char hex[33];
    c->file.f = f;
    c->file.n = (uint64_t)st.st_size;
    c->file.tag = arena_printf(c->mem, "\"export-%lld\"", (long long)c->id);
    c->type = "application/octet-stream";
    char *name = arena_printf(c->mem, "attachment; filename=\"persona-%.8s.likeness\"",
                              uid_hex(c->persona, hex));
    if (!name || !c->file.tag) return err_nomem(err);
    call_reply_header(c, "Content-Disposition", name);
    return 0;
}

static const struct field EXPORT[] = {
    { "passphrase", FIELD_TEXT, FIELD_REQUIRED, 8, 1024,
      "opens the file; nobody can read it without", NULL, NULL },
    { "mask_others", FIELD_BOOL, 0, 0, 0,
      "true: other people become pseudonyms, and there is nothing in "
      "it but texts; false, for a backup: all as it is",
      NULL, NULL },
    FIELD_END
};

const struct route routes_export[] = {
    { "POST", "/api/personas/{persona}/export", ACCESS_OWNER, ROUTE_AUDIT, .body = EXPORT,
      .reply = SHOWN_JOB, .status = 202, .run = export, .name = "persona.export",
      .summary = "Write a persona into one sealed file",
      .about = "When the job is done, GET /api/jobs/{id}/file within a day." },
    { "GET", "/api/jobs/{id}/file", ACCESS_ACCOUNT, ROUTE_AUDIT, .status = 200, .run = file,
      .name = "job.file", .summary = "The file that an export made",
      .about = "A part of it, to go on with a download, by `Range`." },
    ROUTE_END
};
