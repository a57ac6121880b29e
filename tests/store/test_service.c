/* Notes, accounts, sessions, keys of programs, grants, the audit log. */
#include "place.h"

#include <pthread.h>
#include <sodium.h>

static void made_and_reopened(void **state)
{
    struct place p;
    struct stat s;
    place_make(&p);
    assert_int_equal(stat(p.db, &s), 0);
    check_int(s.st_mode & 0777, 0600);
    check_int(peek(&p, "PRAGMA application_id"), 0x4c6b7376);
    check_int(peek(&p, "PRAGMA user_version"), SERVICE_SCHEMA);
    check_str(service_home(p.sv), p.home);
    assert_ptr_equal(service_vault(p.sv), p.v);
    int64_t id = add_account(p.sv, "ann@example.org");
    place_reopen(&p);
    check_int(peek(&p, "SELECT id FROM account"), id);
    place_done(&p);
}

static void notes(void **state)
{
    struct place p;
    struct buf b = BUF_INIT(0);
    uint8_t k[32], k2[32];
    place_make(&p);
    check_int(service_note_get(p.sv, "remote.voice", &b, &err), ERR_NOTFOUND);
    check_ok(service_note_put(p.sv, "remote.voice", "sk-celandine", 12, &err), err);
    check_ok(service_note_put(p.sv, "remote.voice", "sk-bryony", 9, &err), err);
    check_ok(service_note_get(p.sv, "remote.voice", &b, &err), err);
    check_str(buf_str(&b), "sk-bryony");
    check_int(service_note_key(p.sv, "remote.voice", k, &err), ERR_PARSE);
    check_ok(service_note_put(p.sv, "remote.voice", NULL, 0, &err), err);
    check_int(service_note_get(p.sv, "remote.voice", &b, &err), ERR_NOTFOUND);
    check_ok(service_note_key(p.sv, "token_key", k, &err), err);
    place_reopen(&p);
    check_ok(service_note_key(p.sv, "token_key", k2, &err), err);
    assert_memory_equal(k, k2, 32);
    assert_false(sodium_is_zero(k, 32));
    buf_free(&b);
    place_done(&p);
}

/* ---- accounts ---- */

struct seen_account {
    struct row_account r;
    char body[256];
    int n;
};

static int see_account(void *ud, const struct row_account *r)
{
    struct seen_account *s = ud;
    s->r = *r;
    snprintf(s->body, sizeof s->body, "%s", r->body);
    s->n++;
    return 0;
}

static int stop_at_once(void *ud, const struct row_account *r) { return ERR_CANCEL; }

static void accounts(void **state)
{
    struct place p;
    struct seen_account s = { 0 }, t = { 0 };
    place_make(&p);
    int64_t ann = add_account(p.sv, "ann@example.org"), bob = add_account(p.sv, "bob@example.org");
    struct row_account again = { .body = "{}", .body_n = 2 };
    snprintf((char *)again.mail_digest, 16, "ann@example.org");
    check_int(service_account_put(p.sv, &again, &err), ERR_EXISTS);
    check_hasnt(err.msg, "UNIQUE");
    check_ok(service_account_get(p.sv, ann, NULL, NULL, see_account, &s, &err), err);
    check_str(s.body, "ann@example.org");
    check_ok(service_account_get(p.sv, 0, s.r.uid, NULL, see_account, &t, &err), err);
    check_int(t.r.id, ann);
    check_ok(service_account_get(p.sv, 0, NULL, again.mail_digest, see_account, &t, &err), err);
    check_int(t.r.id, ann);
    check_int(service_account_get(p.sv, 99, NULL, NULL, see_account, &t, &err), ERR_NOTFOUND);
    struct row_account change = { .id = ann, .changed_at = 77, .disabled = true };
    change.body = "{\"v\":2}";
    change.body_n = 7;
    memcpy(change.mail_digest, "anne@example.org", 16);
    check_ok(service_account_put(p.sv, &change, &err), err);
    check_ok(service_account_get(p.sv, 0, s.r.uid, NULL, see_account, &t, &err), err);
    check_int(t.r.created_at, s.r.created_at);
    check_int(t.r.changed_at, 77);
    check_int(t.r.disabled, 1);
    check_str(t.body, "{\"v\":2}");
    change.id = 1234;
    check_int(service_account_put(p.sv, &change, &err), ERR_NOTFOUND);
    t.n = 0;
    check_ok(service_account_each(p.sv, see_account, &t, &err), err);
    check_int(t.n, 2);
    check_int(t.r.id, bob);
    check_int(service_account_each(p.sv, stop_at_once, NULL, &err), ERR_CANCEL);
    place_done(&p);
}

/* ---- sessions ---- */

struct seen_session {
    struct row_session r;
    char body[64];
    int n, revoked;
};

static int see_session(void *ud, const struct row_session *r)
{
    struct seen_session *s = ud;
    s->r = *r;
    snprintf(s->body, sizeof s->body, "%s", r->body);
    s->n++;
    s->revoked += r->revoked;
    return 0;
}

static const uint8_t *token(int n)
{
    static uint8_t t[64][SERVICE_DIGEST];
    memset(t[n], n + 1, SERVICE_DIGEST);
    return t[n];
}

static int64_t login(struct service *sv, int64_t account, int n)
{
    struct row_session r = {
        .account = account, .expires_at = service_now(sv) + 1000, .body = "curl", .body_n = 4
    };
    check_ok(service_session_new(sv, &r, token(n), &err), err);
    return r.id;
}

static enum refresh_result rotate(struct service *sv, int old, int next, int64_t *session)
{
    enum refresh_result what;
    int64_t account;
    check_ok(service_session_rotate(sv, token(old), token(next), service_now(sv) + 1000, &what,
                                    session, &account, &err),
             err);
    return what;
}

static void sessions(void **state)
{
    struct place p;
    struct seen_session s = { 0 };
    struct row_session lost = { .account = 999, .body = "", .expires_at = 5 };
    int64_t id;
    uint64_t n;
    place_make(&p);
    service_clock(p.sv, test_now);
    int64_t ann = add_account(p.sv, "ann@example.org"), one = login(p.sv, ann, 0),
            two = login(p.sv, ann, 1), three = login(p.sv, ann, 2);
    check_int(service_session_new(p.sv, &lost, token(9), &err), ERR_NOTFOUND);
    check_int(rotate(p.sv, 0, 10, &id), REFRESH_OK);
    check_int(id, one);
    check_int(rotate(p.sv, 10, 11, &id), REFRESH_OK);
    check_int(rotate(p.sv, 30, 31, &id), REFRESH_UNKNOWN);
    check_int(rotate(p.sv, 0, 12, &id), REFRESH_REUSED);
    check_int(id, one);
    check_int(rotate(p.sv, 11, 13, &id), REFRESH_OVER);
    check_int(rotate(p.sv, 12, 13, &id), REFRESH_UNKNOWN); /* nothing was added by the reuse */
    check_ok(service_session_get(p.sv, one, NULL, see_session, &s, &err), err);
    check_int(s.r.revoked, 1);
    check_str(s.body, "curl");
    check_ok(service_session_get(p.sv, two, NULL, see_session, &s, &err), err);
    check_ok(service_session_get(p.sv, 0, s.r.uid, see_session, &s, &err), err);
    check_int(s.r.id, two);
    check_int(s.r.revoked, 0);
    check_int(service_session_get(p.sv, 77, NULL, see_session, &s, &err), ERR_NOTFOUND);
    test_time += 100;
    service_session_seen(p.sv, two);
    check_ok(service_session_get(p.sv, two, NULL, see_session, &s, &err), err);
    check_int(s.r.seen_at, test_time);
    check_ok(service_session_revoke(p.sv, ann, 0, three, &n, &err), err);
    check_int(n, 1);
    check_ok(service_session_revoke(p.sv, ann + 1, three, 0, &n, &err), err); /* not theirs */
    check_int(n, 0);
    check_int(rotate(p.sv, 2, 14, &id), REFRESH_OK);
    test_time += 2000;
    check_int(rotate(p.sv, 14, 15, &id), REFRESH_OVER);
    s = (struct seen_session){ 0 };
    check_ok(service_session_each(p.sv, ann, see_session, &s, &err), err);
    check_int(s.n, 3);
    check_int(s.revoked, 2);
    check_ok(service_sessions_tidy(p.sv, test_time, &err), err);
    check_int(peek(&p, "SELECT count(*) FROM session"), 0);
    check_int(peek(&p, "SELECT count(*) FROM refresh"), 0);
    place_done(&p);
}

static void disabled_account_does_not_refresh(void **state)
{
    struct place p;
    int64_t id;
    place_make(&p);
    struct row_account a = { .body = "{}", .body_n = 2 };
    check_ok(service_account_put(p.sv, &a, &err), err);
    login(p.sv, a.id, 0);
    a.disabled = true;
    check_ok(service_account_put(p.sv, &a, &err), err);
    check_int(rotate(p.sv, 0, 1, &id), REFRESH_OVER);
    place_done(&p);
}

/* Two threads, each with its own connection, bring the same token. */
struct racer {
    struct service *sv;
    int next, rc;
    enum refresh_result what;
    pthread_barrier_t *go;
};

static void *race(void *ud)
{
    struct racer *r = ud;
    int64_t session, account;
    pthread_barrier_wait(r->go);
    r->rc = service_session_rotate(r->sv, token(0), token(r->next), service_now(r->sv) + 50,
                                   &r->what, &session, &account, NULL);
    return NULL;
}

static void one_of_two_wins(void **state)
{
    struct place p;
    struct service *other;
    place_make(&p);
    check_ok(service_open(p.home, p.v, &other, &err), err);
    int64_t ann = add_account(p.sv, "ann@example.org");
    for (int i = 0; i < 20; i++) {
        struct racer r[2] = { { .sv = p.sv, .next = 1 },
                              { .sv = i % 2 ? other : p.sv, .next = 2 } };
        pthread_barrier_t go;
        pthread_t t[2];
        int64_t id = login(p.sv, ann, 0);
        token(1), token(2);
        pthread_barrier_init(&go, NULL, 2);
        for (int k = 0; k < 2; k++) {
            r[k].go = &go;
            assert_int_equal(pthread_create(&t[k], NULL, race, &r[k]), 0);
        }
        for (int k = 0; k < 2; k++) pthread_join(t[k], NULL);
        pthread_barrier_destroy(&go);
        check_int(r[0].rc | r[1].rc, 0);
        check_int((r[0].what == REFRESH_OK) + (r[1].what == REFRESH_OK), 1);
        check_int((r[0].what == REFRESH_REUSED) + (r[1].what == REFRESH_REUSED), 1);
        check_int(peek(&p, "SELECT count(*) FROM session WHERE revoked=0"), 0);
        check_int(peek(&p, "SELECT max(id) FROM session"), id);
        meddle(&p, "PRAGMA foreign_keys=ON; DELETE FROM session");
    }
    service_close(other);
    place_done(&p);
}

/* ---- keys of programs, grants ---- */

struct seen_key {
    struct row_apikey r;
    char body[64];
    int n;
};

static int see_key(void *ud, const struct row_apikey *r)
{
    struct seen_key *s = ud;
    s->r = *r;
    snprintf(s->body, sizeof s->body, "%s", r->body);
    s->n++;
    return 0;
}

static void keys_of_programs(void **state)
{
    struct place p;
    struct seen_key s = { 0 };
    place_make(&p);
    int64_t ann = add_account(p.sv, "ann@example.org");
    struct row_apikey k = { .account = ann, .body = "laptop", .body_n = 6 }, k2 = k;
    memcpy(k.digest, token(5), SERVICE_DIGEST);
    memcpy(k2.digest, token(6), SERVICE_DIGEST);
    check_ok(service_apikey_put(p.sv, &k, &err), err);
    check_ok(service_apikey_put(p.sv, &k2, &err), err);
    k.id = 0;
    check_int(service_apikey_put(p.sv, &k, &err), ERR_EXISTS);
    check_ok(service_apikey_get(p.sv, token(5), see_key, &s, &err), err);
    check_str(s.body, "laptop");
    check_int(s.r.used_at, CLOCK_NONE);
    check_ok(service_apikey_get(p.sv, token(5), see_key, &s, &err), err);
    assert_true(s.r.used_at != CLOCK_NONE);
    check_int(service_apikey_get(p.sv, token(7), see_key, &s, &err), ERR_NOTFOUND);
    check_int(service_apikey_revoke(p.sv, ann + 1, s.r.id, &err), ERR_NOTFOUND);
    check_ok(service_apikey_revoke(p.sv, ann, s.r.id, &err), err);
    check_ok(service_apikey_get(p.sv, token(5), see_key, &s, &err), err);
    check_int(s.r.revoked, 1);
    check_ok(service_apikey_revoke(p.sv, ann, 0, &err), err);
    s.n = 0;
    check_ok(service_apikey_each(p.sv, ann, see_key, &s, &err), err);
    check_int(s.n, 2);
    check_int(s.r.revoked, 1);
    place_done(&p);
}

static int count_grant(void *ud, const struct row_grant *r)
{
    *(int *)ud += r->level;
    return 0;
}

static enum level level_of(struct service *sv, const uint8_t *persona, int64_t account)
{
    enum level l;
    check_ok(service_grant_get(sv, persona, account, &l, &err), err);
    return l;
}

static void grants(void **state)
{
    struct place p;
    uint8_t x[VAULT_UID] = { 1 }, y[VAULT_UID] = { 2 };
    int sum = 0;
    place_make(&p);
    int64_t ann = add_account(p.sv, "ann@example.org"), bob = add_account(p.sv, "bob@example.org");
    check_int(level_of(p.sv, x, ann), LEVEL_NONE);
    check_ok(service_grant_put(p.sv, x, ann, LEVEL_OWNER, &err), err);
    check_ok(service_grant_put(p.sv, x, bob, LEVEL_CHAT, &err), err);
    check_ok(service_grant_put(p.sv, y, bob, LEVEL_OWNER, &err), err);
    check_ok(service_grant_put(p.sv, x, bob, LEVEL_READ, &err), err);
    check_int(service_grant_put(p.sv, x, 99, LEVEL_READ, &err), ERR_NOTFOUND);
    check_int(level_of(p.sv, x, ann), LEVEL_OWNER);
    check_int(level_of(p.sv, x, bob), LEVEL_READ);
    check_int(level_of(p.sv, y, ann), LEVEL_NONE);
    check_ok(service_grant_each(p.sv, x, 0, count_grant, &sum, &err), err);
    check_int(sum, LEVEL_OWNER + LEVEL_READ);
    sum = 0;
    check_ok(service_grant_each(p.sv, NULL, bob, count_grant, &sum, &err), err);
    check_int(sum, LEVEL_OWNER + LEVEL_READ);
    /* Who writes a higher level into the file gets none at all, and the doctor says so. */
    meddle(&p, "UPDATE persona_grant SET level=4 WHERE level=2");
    check_int(level_of(p.sv, x, bob), LEVEL_NONE);
    check_ok(service_grant_put(p.sv, x, bob, LEVEL_NONE, &err), err);
    check_int(peek(&p, "SELECT count(*) FROM persona_grant"), 2);
    check_ok(service_grant_drop(p.sv, x, &err), err);
    check_int(level_of(p.sv, x, ann), LEVEL_NONE);
    check_int(level_of(p.sv, y, bob), LEVEL_OWNER);
    place_done(&p);
}

static void deleting_an_account(void **state)
{
    struct place p;
    uint8_t x[VAULT_UID] = { 1 };
    place_make(&p);
    int64_t ann = add_account(p.sv, "ann@example.org"), bob = add_account(p.sv, "bob@example.org");
    login(p.sv, ann, 0);
    login(p.sv, bob, 1);
    struct row_apikey k = { .account = ann, .body = "", .digest = { 3 } };
    check_ok(service_apikey_put(p.sv, &k, &err), err);
    check_ok(service_grant_put(p.sv, x, ann, LEVEL_OWNER, &err), err);
    add_job(p.sv, ann, 1, "ingest", 0);
    int64_t kept = add_job(p.sv, bob, 2, "ingest", 0);
    check_ok(service_account_delete(p.sv, ann, &err), err);
    check_int(service_account_delete(p.sv, ann, &err), ERR_NOTFOUND);
    check_int(peek(&p, "SELECT count(*) FROM apikey"), 0);
    check_int(peek(&p, "SELECT count(*) FROM persona_grant"), 0);
    check_int(peek(&p, "SELECT count(*) FROM refresh"), 1);
    check_int(peek(&p, "SELECT account FROM session"), bob);
    check_int(peek(&p, "SELECT id FROM job"), kept);
    assert_true(add_account(p.sv, "ann@example.org") > bob); /* ids are never given twice */
    place_done(&p);
}

/* ---- audit ---- */

struct seen_audit {
    struct row_audit r;
    char body[64];
    int n;
};

static int see_audit(void *ud, const struct row_audit *r)
{
    struct seen_audit *s = ud;
    if (!s->n) {
        s->r = *r;
        snprintf(s->body, sizeof s->body, "%s", r->body);
    }
    s->n++;
    return 0;
}

static void note_access(struct service *sv, int64_t account, int persona, const char *action,
                        bool now)
{
    struct row_audit r = { .account = account, .status = 200, .body = "{\"address\":\"::1\"}" };
    r.body_n = strlen(r.body);
    r.persona[0] = (uint8_t)persona;
    snprintf(r.action, sizeof r.action, "%s", action);
    check_ok(service_audit_put(sv, &r, now, &err), err);
}

static void audit(void **state)
{
    struct place p;
    struct seen_audit s = { 0 };
    uint8_t x[VAULT_UID] = { 1 };
    place_make(&p);
    note_access(p.sv, 7, 1, "persona.search", false);
    note_access(p.sv, 8, 2, "persona.search", false);
    note_access(p.sv, 7, 1, "source.delete", true); /* writes what waits, too */
    check_int(peek(&p, "SELECT count(*) FROM audit"), 3);
    note_access(p.sv, 8, 1, "persona.prompt", false);
    check_ok(service_audit_each(p.sv, x, -1, 0, 10, see_audit, &s, &err), err);
    check_int(s.n, 3);
    check_str(s.r.action, "persona.prompt");
    check_str(s.body, "{\"address\":\"::1\"}");
    check_int(s.r.status, 200);
    int64_t last = s.r.id;
    s.n = 0;
    check_ok(service_audit_each(p.sv, NULL, 7, last, 1, see_audit, &s, &err), err);
    check_int(s.n, 1);
    check_str(s.r.action, "source.delete");
    s.n = 0;
    check_ok(service_audit_each(p.sv, x, 8, 0, 10, see_audit, &s, &err), err);
    check_int(s.n, 1);
    for (int i = 0; i < 1000; i++) note_access(p.sv, 100 + i, 1, "persona.prompt", false);
    place_reopen(&p); /* closing writes what waits */
    s.n = 0;
    check_ok(service_audit_each(p.sv, NULL, -1, 0, 2000, see_audit, &s, &err), err);
    check_int(s.n, 1004);
    check_int(s.r.account, 1099);
    check_int(peek(&p, "SELECT count(*) FROM audit WHERE account>=100 AND account<>95+id"), 0);
    place_done(&p);
}

/* The buffered entry comes to the file by itself. */
static void audit_is_written_soon(void **state)
{
    struct place p;
    place_make(&p);
    note_access(p.sv, 7, 1, "persona.search", false);
    while (peek(&p, "SELECT count(*) FROM audit") != 1) usleep(20000);
    note_access(p.sv, 7, 1, "persona.search", false);
    while (peek(&p, "SELECT count(*) FROM audit") != 2) usleep(20000);
    place_done(&p);
}

int main(void)
{
    const struct CMUnitTest t[] = {
        cmocka_unit_test(made_and_reopened),
        cmocka_unit_test(notes),
        cmocka_unit_test(accounts),
        cmocka_unit_test(sessions),
        cmocka_unit_test(disabled_account_does_not_refresh),
        cmocka_unit_test(one_of_two_wins),
        cmocka_unit_test(keys_of_programs),
        cmocka_unit_test(grants),
        cmocka_unit_test(deleting_an_account),
        cmocka_unit_test(audit),
        cmocka_unit_test(audit_is_written_soon),
    };
    return check_run("store/service", t);
}
