#!/usr/bin/env python3
"""Accounts over HTTP: register, log in (JSON and OAuth 2.0), refresh, sessions, keys, leave."""
import base64
import concurrent.futures
import hashlib
import hmac
import json
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from serving import PASSWORD, SLOW, Client, Sandbox, Server, check, main, same, test  # noqa: E402

_server = None


def server():
    """One for all tests that change no setting; each test has accounts of its own."""
    global _server
    if not _server:
        _server = Server(rate_address=0, rate_account=0)
    return _server


def parts(token):
    return [json.loads(base64.urlsafe_b64decode(p + "=" * (-len(p) % 4))) for p in token.split(".")[:2]]


def b64(data):
    data = data if isinstance(data, bytes) else json.dumps(data, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@test("anybody registers, with and without the slash, as JSON and as a form")
def _():
    nobody = server().nobody
    r = nobody.post("/api/createuser", {"email": "Ann.Lee@Example.org", "password": PASSWORD}).is_(201)
    same(sorted(r.json), ["created_at", "email", "id", "persona"])
    same(len(r.json["persona"]), 32, "persona")
    same(r.json["email"], "Ann.Lee@Example.org")
    check("password" not in r.text, "the reply holds the password")
    r = nobody.post("/api/createuser/", form={"username": "ben@example.org", "password": PASSWORD, "first": "Ben"})
    ben = r.is_(201).json
    check(ben["id"] != 0 and ben["persona"], ben)
    nobody.post("/api/createuser/", {"email": "ann.lee@example.org", "password": PASSWORD}).error(409, "EXISTS")
    for bad in ({"email": "x@example.org"}, {"password": PASSWORD}, {"email": "x", "password": PASSWORD},
                {"email": "x@example.org", "password": "short"}, {"email": "x@example.org", "password": "password1"},
                {"email": 1, "password": PASSWORD}, {"email": "x@example.org", "password": "x" * 5000},
                {"email": "x@example.org", "password": None}):
        message = nobody.post("/api/createuser/", bad).error(400)
        check("password1" not in message, message)
    nobody.post("/api/token/", {"email": "x@example.org", "password": PASSWORD}).error(401, "KEY")


@test("a server may take no registrations")
def _():
    with Server(registration="no") as s:
        s.nobody.post("/api/createuser/", {"email": "ann@example.org", "password": PASSWORD}).error(403)
        pw = s.box.file("pw", PASSWORD + "\n")
        s.box.run("account", "new", "ann@example.org", "--password-file", pw).ok()
        me = s.login("ann@example.org").get("/api/me").is_(200).json
        same((me["email"], me["persona"]), ("ann@example.org", None))


@test("log in with JSON; the reply has the names of old and new clients")
def _():
    ann = server().register()
    t = ann.tokens
    same((t["token_type"], t["expires_in"]), ("bearer", 900))
    same((t["access"], t["refresh"]), (t["access_token"], t["refresh_token"]))
    head, claims = parts(t["access_token"])
    same(head, {"alg": "HS256", "typ": "JWT"})
    same(sorted(claims), ["aud", "exp", "iat", "iss", "nbf", "sid", "sub"])
    same(claims["exp"] - claims["iat"], 900)
    me = ann.get("/api/me/").is_(200).json
    same((me["id"], me["email"], me["persona"]), (ann.account, ann.email, ann.persona))
    r = server().nobody.post("/api/token", {"username": ann.email.upper(), "password": PASSWORD}).is_(200)
    same(r.headers["Cache-Control"], "no-store")
    server().nobody.post("/api/token/", {"email": ann.email, "password": "boats"}).error(401, "KEY")
    server().nobody.post("/api/token/", {"email": ann.email}).error(400, "INVAL")
    server().nobody.post("/api/token/", {}).error(400, "INVAL")


@test("log in as OAuth 2.0's password and refresh grants have it")
def _():
    ann = server().register()
    nobody = server().nobody
    form = {"grant_type": "password", "username": ann.email, "password": PASSWORD, "client_id": "x", "scope": "all"}
    basic = {"Authorization": "Basic " + base64.b64encode(b"x:y").decode()}
    for path in "/api/token", "/api/token/":
        t = nobody.post(path, form=form, headers=basic).is_(200).json
        Client(server(), t["access_token"]).get("/api/me").is_(200)
    again = nobody.post("/api/token/", form={"grant_type": "refresh_token", "refresh_token": t["refresh_token"]}).is_(200)
    Client(server(), again.json["access_token"]).get("/api/me").is_(200)

    def oauth(change, status, error):
        r = nobody.post("/api/token/", form=change).is_(status).json
        same((sorted(r), r["error"]), (["error", "error_description"], error))

    oauth(dict(form, password="wrong one"), 400, "invalid_grant")
    oauth(dict(form, username="nobody@example.org"), 400, "invalid_grant")
    oauth({"grant_type": "password", "username": ann.email}, 400, "invalid_request")
    oauth({"grant_type": "password", "password": PASSWORD}, 400, "invalid_request")
    oauth({"grant_type": "client_credentials"}, 400, "unsupported_grant_type")
    oauth({"grant_type": "refresh_token"}, 400, "invalid_request")
    oauth({"grant_type": "refresh_token", "refresh_token": "x"}, 400, "invalid_grant")
    oauth({"grant_type": "refresh_token", "refresh_token": t["refresh_token"]}, 400, "invalid_grant")  # used


@test("unknown addresses and wrong passwords are answered alike")
def _():
    ann = server().register()
    a = server().nobody.post("/api/token/", {"email": ann.email, "password": "wrong one"}).is_(401)
    b = server().nobody.post("/api/token/", {"email": "not" + ann.email, "password": "wrong one"}).is_(401)
    same(a.json, b.json)
    check(ann.email not in a.text, a.text)


@test("refresh tokens are good once; reuse ends the session")
def _():
    ann = server().register()
    nobody, first = server().nobody, ann.tokens["refresh_token"]
    second = nobody.post("/api/token/refresh/", {"refresh": first}).is_(200).json
    third = nobody.post("/api/token/refresh", {"refresh_token": second["refresh"]}).is_(200).json
    Client(server(), third["access"]).get("/api/me").is_(200)
    nobody.post("/api/token/refresh/", {"refresh": first}).error(401, "KEY")
    Client(server(), third["access"]).get("/api/me").error(401, "KEY")
    nobody.post("/api/token/refresh/", {"refresh": third["refresh"]}).error(401, "KEY")
    for bad in ({}, {"refresh": ""}, {"refresh": "x" * 43}, {"refresh": third["access"]}):
        nobody.post("/api/token/refresh/", bad).error(400 if not bad else 401)
    ann.tokens = None
    server().login(ann.email).get("/api/me").is_(200)


@test("of many who bring one refresh token at once, one at most is served")
def _():
    ann = server().register()
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        got = list(pool.map(lambda _: server().nobody.post("/api/token/refresh/", {
            "refresh": ann.tokens["refresh"]}).status, range(8)))
    same(sorted(got), [200] + [401] * 7)
    ann.get("/api/me").error(401)


@test("forged tokens are refused, and nothing says why")
def _():
    ann = server().register()
    head, claims = parts(ann.token)
    mine, sig = ann.token.split("."), ann.token.split(".")[2]

    def signed(h, c, key=b"k" * 32, digest=hashlib.sha256):
        text = f"{b64(h)}.{b64(c)}"
        return text + "." + b64(hmac.new(key, text.encode(), digest).digest())

    bad = ["", "x", "..", ".".join(mine[:2]), ".".join(mine[:2]) + ".", ann.token + "=", ann.token + ".x",
           f"{b64({'alg': 'none', 'typ': 'JWT'})}.{mine[1]}.", f"{b64({'alg': 'none', 'typ': 'JWT'})}.{mine[1]}.{sig}",
           f"{b64(dict(head, kid='x'))}.{mine[1]}.{sig}", f"{mine[0]}.{b64(dict(claims, exp=claims['exp'] + 9999))}.{sig}",
           f"{mine[0]}.{b64(dict(claims, sub='00' * 16))}.{sig}", signed(head, claims), signed(head, claims, b""),
           signed({"alg": "HS512", "typ": "JWT"}, claims, digest=hashlib.sha512), ann.tokens["refresh"],
           "lk-" + "A" * 43, "A" * 6000, ann.token[:-1] + ("A" if ann.token[-1] != "A" else "E")]
    words = set()
    for token in bad:
        r = Client(server(), token).get("/api/me")
        r.is_(401)
        words.add(r.json["error"]["message"])
        check("WWW-Authenticate" in r.headers, "no WWW-Authenticate")
    check(len(words) <= 3, words)  # no token, no valid token, no valid key
    server().nobody.get("/api/me").error(401)
    server().nobody.get("/api/me", headers={"Authorization": f"Basic {ann.token}"}).error(401)
    ann.get("/api/me").is_(200)


@test("access tokens are over when they say so")
def _():
    with Server(access_seconds=1, rate_address=0, rate_account=0) as s:
        ann = s.register()
        same(ann.tokens["expires_in"], 1)
        r = ann.get("/api/me")
        while r.status == 200:
            r = ann.get("/api/me")
        check("expired" in r.error(401, "KEY"), r.text)
        t = s.nobody.post("/api/token/refresh/", {"refresh": ann.tokens["refresh"]}).is_(200).json
        check(t["access"] != ann.token, "the same token")


@test("guessing is met with 429 and Retry-After, and costs others nothing")
def _():
    with Server() as s:
        ann, ben = s.register(), s.register()
        for _ in range(10):
            s.nobody.post("/api/token/", {"email": ann.email, "password": "a guess"}).error(401)

        def more(*body, **form):
            for _ in range(12):  # on a slow machine a wait may be over; the next is twice as long
                r = s.nobody.post("/api/token/", *body, **form).is_(401, 429)
                if r.status == 429:
                    break
            return r

        r = more({"email": ann.email, "password": "a guess"})
        check(r.is_(429).headers["Retry-After"].isdigit(), r.headers)
        r = more(form={"username": ann.email, "password": "a guess"})
        check(int(r.is_(429).headers["Retry-After"]) >= 1 and r.json["error"], r.text)
        ben.get("/api/me").is_(200)
        ann.get("/api/me").is_(200)


@test("sessions are listed and ended")
def _():
    ann, ben = server().register(), server().register()
    other = server().login(ann.email)
    r = server().nobody.post("/api/token/", {"email": ann.email, "password": PASSWORD},
                             headers={"User-Agent": "Toaster/3 \u00e9"}).is_(200)
    listed = ann.get("/api/sessions").is_(200).json["sessions"]
    same(len(listed), 3)
    same([s["current"] for s in listed].count(True), 1)
    check(any(s["client"].startswith("Toaster/3") for s in listed), listed)
    same({s["address"] for s in listed}, {"127.0.0.1"})
    mine = next(s["id"] for s in other.get("/api/sessions").json["sessions"] if s["current"])
    ben.delete(f"/api/sessions/{mine}").error(404)
    other.get("/api/me").is_(200)
    ann.delete(f"/api/sessions/{mine}").is_(204)
    other.get("/api/me").error(401)
    ann.delete(f"/api/sessions/{mine}").error(404)
    ann.delete("/api/sessions/999999999").error(404)
    same(len(ann.get("/api/sessions").json["sessions"]), 2)
    ann.post("/api/logout").is_(204)
    ann.get("/api/me").error(401)
    server().nobody.post("/api/token/refresh/", {"refresh": ann.tokens["refresh"]}).error(401)
    Client(server(), r.json["access"]).get("/api/me").is_(200)


@test("a new password ends all other logins and keys")
def _():
    ann = server().register()
    other = server().login(ann.email)
    key = ann.post("/api/keys", {"label": "laptop"}).is_(201).json["key"]
    ann.post("/api/me/password", {"password": "not it", "new_password": "other boats"}).error(403)
    ann.post("/api/me/password", {"password": PASSWORD, "new_password": "12345678"}).error(400)
    ann.post("/api/me/password", {"password": PASSWORD, "new_password": PASSWORD}).error(400)
    ann.post("/api/me/password", {"password": PASSWORD}).error(400)
    other.get("/api/me").is_(200)
    ann.post("/api/me/password", {"password": PASSWORD, "new_password": "other boats"}).is_(204)
    ann.get("/api/me").is_(200)
    other.get("/api/me").error(401)
    Client(server(), key).get("/api/me").error(401)
    server().nobody.post("/api/token/", {"email": ann.email, "password": PASSWORD}).error(401)
    server().login(ann.email, "other boats")


@test("keys are made, listed without their secret, and revoked")
def _():
    ann, ben = server().register(), server().register()
    made = ann.post("/api/keys", {"label": "laptop", "personas": [ann.persona]}).is_(201).json
    check(made["key"].startswith("lk-") and len(made["key"]) == 46, made)
    program = Client(server(), made["key"])
    same(program.get("/api/me").is_(200).json["id"], ann.account)
    for method, path in (("GET", "/api/keys"), ("POST", "/api/keys"), ("GET", "/api/sessions"),
                         ("POST", "/api/logout"), ("DELETE", "/api/me"), ("POST", "/api/me/password")):
        program.request(method, path).error(403)
    listed = ann.get("/api/keys").is_(200)
    check(made["key"] not in listed.text and made["key"][3:] not in listed.text, listed.text)
    k = listed.json["keys"][0]
    same((k["label"], k["personas"], k["begins"][:8]), ("laptop", [ann.persona], made["key"][:8]))
    check(k["used_at"], k)
    for bad in ({}, {"label": ""}, {"label": "x", "personas": []}, {"label": "x", "personas": ["y"]},
                {"label": "x", "personas": [ann.persona] * 9}, {"label": "x", "more": 1}):
        ann.post("/api/keys", bad).error(400)
    ann.post("/api/keys", {"label": "x", "personas": [ben.persona]}).error(404)
    ann.post("/api/keys", {"label": "x", "personas": ["0" * 32]}).error(404)
    ben.delete(f"/api/keys/{made['id']}").error(404)
    program.get("/api/me").is_(200)
    ann.delete(f"/api/keys/{made['id']}").is_(204)
    program.get("/api/me").error(401)
    same(ann.get("/api/keys").json, {"keys": []})


def ids(s):
    return [p["id"] for p in s.box.run("personas", "--json").ok().json()["personas"]]


@test("who leaves is gone, and so are their personas")
def _():
    with Server() as s:
        ann, ben = s.register(), s.register()
        same(sorted(ids(s)), sorted([ann.persona[:8], ben.persona[:8]]), "personas")
        ann.delete("/api/me", {"password": "not it"}).error(403)
        ann.delete("/api/me").error(400)
        same(ann.delete("/api/me", {"password": PASSWORD}).is_(200).json, {"deleted": True, "personas": 1})
        ann.get("/api/me").error(401)
        s.nobody.post("/api/token/", {"email": ann.email, "password": PASSWORD}).error(401)
        s.nobody.post("/api/token/refresh/", {"refresh": ann.tokens["refresh"]}).error(401)
        s.stop()
        s.start()  # the job ends, before or after the restart
        end = time.monotonic() + 60 * SLOW
        while ids(s) != [ben.persona[:8]]:
            check(time.monotonic() < end, f"personas: {ids(s)}")
            time.sleep(0.05)  # between two looks
        check(not os.path.exists(os.path.join(s.box.home, "keys", ann.persona + ".key")), "the key is there")
        ben.get("/api/me").is_(200)
        s.register(ann.email)


@test("accounts of another system come in and log in")
def _():
    box = Sandbox()
    box.run("init").ok()
    users = box.file("users.csv", "old@example.org,$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW\n")
    with Server(box) as s:
        box.run("account", "import", users).ok()  # beside the server
        who = s.login("old@example.org", "U*U")
        who.get("/api/me").is_(200)
        s.login("old@example.org", "U*U")
        box.run("account", "disable", "old@example.org").ok()
        who.get("/api/me").error(401)
        s.nobody.post("/api/token/", {"email": "old@example.org", "password": "U*U"}).error(401)


@test("no address, password or token is in the log")
def _():
    with Server(log="json") as s:
        ann = s.register("zebulon@example.org")
        s.nobody.post("/api/token/", {"email": "zebulon@example.org", "password": "a wrong zebra"})
        key = ann.post("/api/keys", {"label": "zebracorn"}).json["key"]
        s.stop()
        for secret in ("zebulon", "zebra", PASSWORD, ann.token, ann.tokens["refresh"], key[3:], "eyJhb"):
            check(secret not in s.log_text(), f"{secret!r} is in the log")


@test("the server that all of this asked ends in order")
def _():
    server().stop()


try:
    main()
finally:
    if _server and _server.process:
        _server.kill()
