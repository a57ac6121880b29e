#!/usr/bin/env python3
"""Strangers at the door. For every route of /openapi.json: no token, one that ran out, one that was
revoked, another account's, and shares of every level; then forged tokens, guessing, other origins,
requests that two servers could read differently, slow clients, and bodies and paths made to break
something. Nobody hears more than they may, not even what exists."""
import base64
import hashlib
import hmac
import json
import os
import re
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from serving import PASSWORD, SLOW, Client, Server, check, main, no_uploads, same, test  # noqa: E402

LEVELS = ["chat", "read", "manage", "owner"]
_server = None


def server():
    """One for all tests that change no setting; each test has accounts of its own."""
    global _server
    if not _server:
        _server = Server(rate_address=0, rate_account=0)
    return _server


def operations(s):
    """(method, path, operation) of all routes."""
    doc = s.nobody.get("/openapi.json").is_(200).json
    return [(m.upper(), p, op) for p, ms in doc["paths"].items() for m, op in ms.items() if "operationId" in op]


def fill(path, persona, number="999999"):
    return (path.replace("{persona}", persona).replace("{id}", number).replace("{model}", persona)
            .replace("{email}", "nobody%40example.org"))


def ask(client, method, path):
    """With an empty object where a body may be: rights come before it."""
    return client.request(method, path, None if method in ("GET", "HEAD") else {})


def bare(r):
    """What a reply tells, without what differs from one to the next."""
    heads = sorted((k, v) for k, v in r.headers.items() if k not in ("X-Request-Id", "Date"))
    return r.status, heads, r.body


def all_refused(s, who, status, only=None):
    n = 0
    for method, path, op in operations(s):
        if op["x-access"] == "anyone" or (only and not only(path, op)):
            continue
        r = ask(who, method, fill(path, OWNED["persona"], OWNED["source"]))
        r.is_(status)
        check(set(r.json) == {"error"}, f"{r.what}: {r.body[:300]!r}")
        check(OWNED["secret"] not in r.text and OWNED["email"] not in r.text, f"{r.what}: {r.text}")
        n += 1
    check(n > 10, f"only {n} routes were tried")


OWNED = {}


def owner(s):
    """Ann, with a persona that somebody might want to look into."""
    ann = s.register()
    made = ann.post("/api/", {"text": "My secret is the word hollyhock."}).is_(201).json
    sources = ann.get(f"/api/personas/{ann.persona}/sources").is_(200).json["sources"]
    OWNED.update(persona=ann.persona, email=ann.email, secret="hollyhock", source=str(sources[0]["id"]), text=made["id"])
    return ann


# ---- every route ----

@test("every route without a token, or with what is none: 401")
def _():
    s = server()
    owner(s)
    all_refused(s, s.nobody, 401)
    for token in ("", "x", "lk-" + "A" * 43, "a.b.c", "é".encode().decode("latin-1"), "x" * 5000):
        all_refused(s, Client(s, token), 401, lambda p, op: op["operationId"] in FEW)
    for method, path, op in operations(s):
        if op["x-access"] != "anyone":
            r = ask(s.nobody, method, fill(path, OWNED["persona"]))
            check(r.headers["WWW-Authenticate"].startswith("Bearer"), r.headers)


FEW = {"persona_show", "persona_prompt", "account_me", "persona_search", "job_list", "job_follow", "openai_models",
       "openai_chat", "source_upload", "text_add", "text_prompt", "persona_chat", "share_put", "persona_list"}


@test("every route with a token that ran out, was logged out, or whose account is gone: 401")
def _():
    with Server(rate_address=0, rate_account=0, access_seconds=2) as s:
        ann = s.register()
        OWNED.update(persona=ann.persona, email=ann.email, secret="hollyhock", source="1")
        end = time.monotonic() + 60 * SLOW
        while ann.get("/api/me").status != 401:
            check(time.monotonic() < end, "the token does not run out")
            time.sleep(0.1)  # between two looks
        all_refused(s, ann, 401)
    s = server()
    ann = owner(s)
    ann.post("/api/logout", {"refresh_token": ann.tokens["refresh_token"]}).is_(200, 204)
    all_refused(s, ann, 401)
    ben = s.register()
    ben.delete("/api/me", {"password": PASSWORD}).is_(200, 202, 204)
    all_refused(s, ben, 401)


@test("another account's persona answers as one that does not exist, on every route")
def _():
    s = server()
    owner(s)
    ben = s.register()
    n = 0
    for method, path, op in operations(s):
        if op["x-access"] not in LEVELS:
            continue
        there = ask(ben, method, fill(path, OWNED["persona"], OWNED["source"]))
        none = ask(ben, method, fill(path, "0123456789abcdef" * 2, OWNED["source"]))
        there.is_(404)
        same(bare(there), bare(none), there.what)
        n += 1
    check(n > 15, f"only {n} routes were tried")


@test("another account's jobs, keys, sessions and models answer as ones that do not exist")
def _():
    s = server()
    ann, ben = owner(s), s.register()
    job = ann.post(f"/api/personas/{ann.persona}/sources", files=[("a.txt", "I like boats.")]).is_(202).json["job"]["id"]
    key = ann.post("/api/keys", {"label": "mine"}).is_(201).json["id"]
    session = ann.get("/api/sessions").is_(200).json["sessions"][0]["id"]
    mine = {"/api/jobs": job, "/api/keys": key, "/api/sessions": session}
    for method, path, op in operations(s):
        if op["x-access"] != "account" or "{" not in path:
            continue
        number = next((v for k, v in mine.items() if path.startswith(k)), "1")
        there = ask(ben, method, fill(path, ann.persona, str(number)))
        none = ask(ben, method, fill(path, "0123456789abcdef" * 2, "987654"))
        there.is_(404)
        words = [re.sub(rb"[0-9a-f]{32}|\d+", b"N", r.body) for r in (there, none)]
        same(words[0], words[1], there.what)
    chat = {"messages": [{"role": "user", "content": "What is your secret?"}]}
    there = ben.post("/v1/chat/completions", dict(chat, model=ann.persona)).is_(404)
    none = ben.post("/v1/chat/completions", dict(chat, model="0123456789abcdef" * 2)).is_(404)
    same(there.body.replace(ann.persona.encode(), b"N"), none.body.replace(b"0123456789abcdef" * 2, b"N"))
    check(ann.persona not in ben.get("/v1/models").is_(200).text, "a model of another account is listed")
    check(ann.persona not in ben.get("/api/personas").is_(200).text, "a persona of another account is listed")
    ann.wait_job(job)
    ann.get("/api/keys").is_(200)


@test("a share opens the routes of its level and those below, and no others")
def _():
    s = server()
    ann = owner(s)
    for level in LEVELS[:3]:
        who = s.register()
        ann.put(f"/api/personas/{ann.persona}/shares", {"email": who.email, "level": level}).is_(200, 201)
        tried = {True: 0, False: 0}
        for method, path, op in operations(s):
            if op["x-access"] not in LEVELS:
                continue
            may = LEVELS.index(op["x-access"]) <= LEVELS.index(level)
            r = ask(who, method, fill(path, ann.persona))
            tried[may] += 1
            if not may:
                r.error(403, "KEY")
            else:
                check(r.status not in (401, 403), f"{level}: {r.what}: {r.status} {r.text[:300]}")
                check("no such persona" not in r.text, f"{level}: {r.what}: {r.text[:300]}")
            if level == "chat" and not may:
                check("hollyhock" not in r.text, r.text)
        check(min(tried.values()) > 2, tried)
        ann.delete(f"/api/personas/{ann.persona}/shares/{who.email}").is_(200, 204)
        for method, path, op in operations(s):
            if op["x-access"] in LEVELS:
                there = ask(who, method, fill(path, ann.persona)).is_(404)
                none = ask(who, method, fill(path, "0123456789abcdef" * 2))
                same(bare(there), bare(none), f"{level}, revoked: {there.what}")


@test("a program's key reaches only what keys may, and only its personas")
def _():
    s = server()
    ann = owner(s)
    other = ann.post("/api/personas", {"name": "Other", "kind": "fictional",
                                       "consent": {"by": "the authors", "to": "tests"}}).is_(201).json["id"]
    made = ann.post("/api/keys", {"label": "one", "personas": [other]}).is_(201).json
    key = Client(s, made["key"])
    for method, path, op in operations(s):
        if op["x-access"] == "anyone":
            continue
        keys = any("key" in way for way in op["security"])
        if not keys:
            ask(key, method, fill(path, ann.persona)).error(403, "KEY")
        elif op["x-access"] in LEVELS:
            ask(key, method, fill(path, ann.persona)).is_(404)
    key.get(f"/api/personas/{other}").is_(200)
    ann.delete(f"/api/keys/{made['id']}").is_(204)
    all_refused(s, key, 401, lambda p, op: op["operationId"] in FEW)


# ---- tokens ----

def b64(data):
    data = data if isinstance(data, bytes) else json.dumps(data, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@test("forged tokens: no algorithm, another one, another key, changed claims")
def _():
    s = server()
    ann, ben = owner(s), s.register()
    head, claims, sig = ann.token.split(".")
    told = json.loads(base64.urlsafe_b64decode(claims + "=="))
    of_ben = json.loads(base64.urlsafe_b64decode(ben.token.split(".")[1] + "=="))
    forged = [f"{b64({'alg': alg, 'typ': 'JWT'})}.{claims}." for alg in ("none", "None", "NONE", "nOnE", "")]
    forged += [f"{b64({'alg': 'none'})}.{claims}.{sig}", f"{head}.{claims}", f"{head}.{claims}.", f".{claims}.{sig}",
               f"{head}..{sig}", f"{head}.{claims}.{sig}.x", f"{head}.{claims}.{sig}A", f"{head}.{claims}.{sig[:-2]}"]
    for alg, how in (("HS256", "sha256"), ("HS384", "sha384"), ("HS512", "sha512")):
        for secret in (b"", b"secret", b"\0" * 32, ann.persona.encode()):
            h = b64({"alg": alg, "typ": "JWT"})
            mac = hmac.new(secret, f"{h}.{claims}".encode(), getattr(hashlib, how)).digest()
            forged.append(f"{h}.{claims}.{b64(mac)}")
    for h in ({"alg": "HS256", "typ": "JWT", "crit": ["exp"]}, {"alg": "RS256"}, {"alg": "HS256", "kid": "../../dev/null"},
              {"alg": "HS256", "jwk": {"kty": "oct", "k": ""}}, {"alg": ["HS256"]}, [], "HS256", None):
        forged.append(f"{b64(h)}.{claims}.{sig}")
    for change in ({"exp": told["exp"] + 10 ** 6}, {"sub": of_ben["sub"]}, {"iat": 0}, {"iss": "x"}, {"exp": 1e300},
                   {"exp": "never"}, {"nbf": -1}):
        forged.append(f"{head}.{b64(dict(told, **change))}.{sig}")
    bits = bytearray(base64.urlsafe_b64decode(sig + "=" * (-len(sig) % 4)))
    for i in (0, len(bits) // 2, len(bits) - 1):
        bits[i] ^= 1
        forged.append(f"{head}.{claims}.{b64(bytes(bits))}")
        bits[i] ^= 1
    for token in forged:
        Client(s, token).get("/api/me").error(401, "KEY")
    ann.get("/api/me").is_(200)
    for scheme in ("", "Basic ", "Token ", "bearer", "Bearer\t"):
        r = s.nobody.get("/api/me", headers={"Authorization": scheme + ann.token})
        check(r.status == 401, f"{scheme!r}: {r.status}")
    for where in (f"/api/me?access_token={ann.token}", f"/api/me?token={ann.token}"):
        check(s.nobody.get(where).status in (400, 401), "a token in the address was taken")


@test("a refresh token that is used twice ends its session")
def _():
    s = server()
    ann = owner(s)
    first = ann.tokens["refresh_token"]
    second = s.nobody.post("/api/token/refresh/", {"refresh_token": first}).is_(200).json
    Client(s, second["access_token"]).get("/api/me").is_(200)
    s.nobody.post("/api/token/refresh/", {"refresh_token": first}).error(401, "KEY")
    s.nobody.post("/api/token/refresh/", {"refresh_token": second["refresh_token"]}).error(401, "KEY")
    Client(s, second["access_token"]).get("/api/me").error(401, "KEY")
    s.login(ann.email).get("/api/me").is_(200)


@test("guessing passwords is stopped, and tells nothing about who has an account")
def _():
    with Server(rate_address=0, rate_account=0) as s:
        ann = s.register()
        guess = {"password": "one of many guesses"}
        told = [bare(s.nobody.post("/api/token/", dict(guess, email=email)).is_(401))
                for email in (ann.email, "nobody-at-all@example.org")]
        same(*told)
        for _longer in range(10):  # each wait is twice the one before: one of them outlasts the slowest machine
            for _guess in range(30):
                asked = time.monotonic()
                r = s.nobody.post("/api/token/", dict(guess, email=ann.email)).is_(401, 429)
                if r.status == 429:
                    break
            wait = int(r.error(429, "LIMIT") and r.headers["Retry-After"])
            check(wait > 0, r.headers)
            right = s.nobody.post("/api/token/", {"email": ann.email, "password": PASSWORD}).is_(200, 429)
            if right.status == 429:
                break
            check(time.monotonic() - asked > wait - 1, f"let in although {wait} s were to be waited for")
        right.error(429, "LIMIT")
        ann.get("/api/me").is_(200)  # who is in stays in


@test("a burst of requests from one address is answered with 429 and when to come back")
def _():
    with Server(rate_address=0.1) as s:  # so little comes back that no machine is too slow for the burst to end
        seen = [s.nobody.get("/openapi.json") for _ in range(40)]
        late = [r for r in seen if r.status == 429]
        check(late and seen[0].status == 200, [r.status for r in seen][:10])
        check(int(late[0].headers["Retry-After"]) > 0, late[0].headers)
        s.nobody.get("/healthz").is_(200)


# ---- other origins ----

@test("pages of other origins read nothing, unless their origin is configured")
def _():
    good, evil = "https://app.example.org", "https://evil.example.org"
    with Server(origins=good) as s:
        ann = s.register()
        for path in ("/api/me", f"/api/personas/{ann.persona}"):
            for origin in (good, evil, "null", good + ".evil.org", "http://app.example.org", good + ":8443"):
                ask_for = {"Origin": origin, "Access-Control-Request-Method": "GET",
                           "Access-Control-Request-Headers": "authorization"}
                for r in (ann.get(path, headers={"Origin": origin}), s.nobody.request("OPTIONS", path, headers=ask_for)):
                    allowed = r.headers.get("Access-Control-Allow-Origin")
                    same(allowed, good if origin == good else None, f"{r.what} for {origin}")
                    check("Access-Control-Allow-Credentials" not in r.headers, r.headers)
    s = server()
    ann = owner(s)
    r = ann.get("/api/me", headers={"Origin": evil}).is_(200)
    check(not any(k.startswith("Access-Control") for k in r.headers), r.headers)


@test("no cookies; what a form of another page can send does nothing")
def _():
    s = server()
    ann = owner(s)
    before = ann.get("/api/").is_(200).json["count"]
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
        r = s.nobody.post("/api/", b'{"text": "from another page"}', headers={"Content-Type": kind, "Origin": "https://x.org"})
        r.is_(401)
        r = ann.post("/api/", b'{"text": "from another page"}', headers={"Content-Type": kind})
        r.is_(415)
    same(ann.get("/api/").json["count"], before)
    for r in (ann.get("/api/me"), s.nobody.post("/api/token/", {"email": ann.email, "password": PASSWORD}), s.nobody.get("/")):
        check("Set-Cookie" not in r.headers, r.headers)
        same(r.headers["X-Content-Type-Options"], "nosniff")
        same(r.headers["Cache-Control"], "no-store")


# ---- requests that could be read in two ways ----

def statuses(data):
    return [int(x) for x in re.findall(rb"HTTP/1\.1 (\d{3})", data)]


def refused(out, what):
    """Nothing but a refusal came back: libmicrohttpd's own comes with its head twice."""
    check(len(set(statuses(out))) <= 1 and all(400 <= x < 500 for x in statuses(out)), f"{what!r}: {out[:400]!r}")
    check(b'"ok"' not in out, f"{what!r}: the hidden request was answered: {out[:600]!r}")


HIDDEN = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"


@test("smuggling: two lengths, or two ways to tell one, end the connection")
def _():
    s = server()
    body = f"0\r\n\r\n{HIDDEN}"
    length = f"Content-Length: {len(body)}\r\n"
    for head in (length + "Transfer-Encoding: chunked\r\n", "Transfer-Encoding: chunked\r\n" + length,
                 "Content-Length: 0\r\n" + length, length + "Content-Length: 0\r\n", length + length,
                 "Content-Length: 5, 5\r\n", f"Content-Length: +{len(body)}\r\n", "Content-Length: -1\r\n",
                 "Content-Length: 0x5\r\n", "Content-Length: \r\n", "Content-Length: 99999999999999999999999\r\n",
                 "Transfer-Encoding: gzip, chunked\r\n", "Transfer-Encoding: chunked, gzip\r\n",
                 "Transfer-Encoding: xchunked\r\n", "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
                 "Transfer-Encoding: identity\r\n" + length, "Transfer-Encoding:\x0bchunked\r\n",
                 "Transfer-Encoding : chunked\r\n" + length, " Transfer-Encoding: chunked\r\n" + length,
                 "X: y\r\n Transfer-Encoding: chunked\r\n" + length, "Host: y\r\n" + length,
                 "Content-Length : 3\r\n"):
        out = s.raw(f"POST /api/token/ HTTP/1.1\r\nHost: x\r\n{head}\r\n{body}")
        refused(out, head)


@test("smuggling: chunks that are none")
def _():
    s = server()
    for chunks in ("5\r\nabcdefghij\r\n0\r\n\r\n", "-1\r\nx\r\n0\r\n\r\n", "0x3\r\nabc\r\n0\r\n\r\n",
                   "fffffffffffffffff\r\nabc\r\n0\r\n\r\n", "3 3\r\nabc\r\n0\r\n\r\n", "\r\nabc\r\n0\r\n\r\n",
                   "g\r\nabc\r\n0\r\n\r\n", "3\r\nabc0\r\n\r\n"):
        out = s.raw("POST /api/token/ HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                    f"Transfer-Encoding: chunked\r\n\r\n{chunks}{HIDDEN}")
        refused(out, chunks)


@test("heads that are none are refused, and the server goes on")
def _():
    s = server()
    for data in ("GET / HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "GET /healthz\r\n\r\n",
                 "GET /healthz HTTP/9.9\r\nHost: x\r\n\r\n",
                 "GET /healthz HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n", 
                 "GET /heal\0thz HTTP/1.1\r\nHost: x\r\n\r\n",
                 "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "\0" * 5000,
                 "A" * 100000, "GET /" + "a" * 100000 + " HTTP/1.1\r\nHost: x\r\n\r\n",
                 "GET /healthz HTTP/1.1\r\nHost: x\r\nX: " + "y" * 100000 + "\r\n\r\n",
                 "GET /healthz HTTP/1.1\r\nHost: x\r\n" + "X: y\r\n" * 20000 + "\r\n",
                 "CONNECT evil.example.org:80 HTTP/1.1\r\nHost: x\r\n\r\n", "TRACE /api/me HTTP/1.1\r\nHost: x\r\n\r\n",
                 "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", "get /api/me HTTP/1.1\r\nHost: x\r\n\r\n"):
        out = s.raw(data.encode("latin-1"))
        got = statuses(out)
        check(all(400 <= x < 500 or x in (204, 501, 505) for x in got), f"{data[:80]!r}: {out[:300]!r}")
    s.nobody.get("/healthz").is_(200)


@test("two requests in one packet are two requests, each with its own rights")
def _():
    s = server()
    ann = owner(s)
    one = f"GET /api/me HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {ann.token}\r\n\r\n"
    two = "GET /api/me HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    with s.socket() as c:
        c.sendall((one + two).encode())
        out = b""
        while part := c.recv(65536):
            out += part
    same(statuses(out), [200, 401])


@test("path tricks lead nowhere")
def _():
    s = server()
    ann = owner(s)
    p = ann.persona
    for path in ("/../etc/passwd", "/api/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/api/personas/..%2f..%2fvault",
                 "//api/me", "/api//me", "/api/./me", "/api/me/..", "/api/me%00", "/api/me%2f", "/api%2fme", "/api/me;x=1",
                 "/api/me/x", "/api/personas/" + p + "/", f"/api/personas/{p}%20", f"/api/personas/{p.upper()}x",
                 f"/api/personas/{p[:-1]}", "/api/personas/%ff", "/api/personas/0", "/api/jobs/0", "/api/jobs/-1",
                 "/api/jobs/1e3", "/api/jobs/99999999999999999999", "/api/jobs/0x1", "/api/jobs/1%00", "/v1/models/../../api",
                 "/%", "/%zz", "/.git/config", "/home", "/HOME/vault", "/api/personas/" + "a" * 4000, "/API/ME", "/api\\me"):
        r = ann.request("GET", path)
        r.is_(*((200,) if path.endswith(p + "/") else (400, 404, 414)))
        check("root:" not in r.text and s.box.home not in r.text, r.text)


# ---- bodies ----

@test("bodies made to break a parser: a clear 400, and nothing of the machine in it")
def _():
    s = server()
    ann = owner(s)
    deep = 200000
    before = ann.get("/api/").json["count"]
    for body in (b"", b"{", b"[]", b"null", b'"text"', b"{}{}", b'{"text": "a"} x', b'{"text": "a", "text": "b"}',
                 b"[" * deep, b"[" * deep + b"]" * deep, b'{"a":' * deep + b"1" + b"}" * deep, b'{"text": ' + b"[" * 5000,
                 b'{"text": "\xff\xfe"}', b'{"text": "\xc3\x28"}', b'{"text": "\xed\xa0\x80"}', b'{"text": "\\ud800"}',
                 b'{"text": "\\u0000"}', b'{"text": "a\x00b"}', b'{"text": "a\nb"}', b'{"text": "\\x"}', b"\xef\xbb\xbf{\"text\": \"\"}",
                 b'{"text": 1e999999}', b'{"text": NaN}', b"{'text': 'a'}", b'{"text": "a",}', b'{"text": "a" "b"}',
                 b'\xff\xfe{\x00"\x00', b'{"text": ' + b"9" * 100000 + b"}", b'{"": ""}', b'{"\x00": 1}',
                 b"<?xml version='1.0'?><!DOCTYPE x [<!ENTITY y SYSTEM 'file:///etc/passwd'>]><x>&y;</x>"):
        r = ann.post("/api/", body, headers={"Content-Type": "application/json"})
        r.is_(400)
        check(s.box.home not in r.text and "/work" not in r.text and len(r.text) < 1000, f"{body[:60]!r}: {r.text[:300]}")
    for body in (b"a=%", b"username=%ff&password=x", b"username=a&username=b&password=c", b"&&&&", b"=" * 10000, b"a=b%00"):
        s.nobody.post("/api/token/", body, headers={"Content-Type": "application/x-www-form-urlencoded"}).is_(400)
    same(ann.get("/api/").json["count"], before, "a broken body was taken in")
    try:
        ann.post("/api/", b'{"text": "' + b"x" * (6 << 20) + b'"}', headers={"Content-Type": "application/json"}).error(413)
    except ConnectionError:
        pass  # refused before it had sent it all, and cut off: nothing is owed to a slow one
    r = ann.post("/api/", b"{}", headers={"Content-Type": "application/json; charset=utf-16"})
    r.is_(415)
    r = ann.post("/api/", b"{}", headers={"Content-Type": "application/json", "Content-Encoding": "gzip"})
    r.is_(400, 415)


# ---- slow ----

@test("a client that falls silent is let go; others do not notice")
def _():
    with Server(idle_seconds=1) as s:
        ann = s.register()
        silent = []
        for data in ("", "G", "GET /api/me HT", "GET /api/me HTTP/1.1\r\nHost: x\r\nX: ",
                     f"POST /api/ HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {ann.token}\r\n"
                     "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{\"te",
                     f"POST /api/personas/{ann.persona}/sources?name=x HTTP/1.1\r\nHost: x\r\n"
                     f"Authorization: Bearer {ann.token}\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc"):
            c = s.socket(60)
            c.sendall(data.encode())
            silent.append((data, c))
        s.nobody.get("/healthz").is_(200)
        for data, c in silent:
            got = b""
            try:
                while part := c.recv(4096):
                    got += part
            except ConnectionResetError:
                pass
            check(all(x in (400, 408) for x in statuses(got)), f"{data[:60]!r}: {got[:200]!r}")
            c.close()
        no_uploads(s, "left of a broken upload")
        ann.get("/api/me").is_(200)


@test("nothing of what strangers sent is in the log")
def _():
    s = server()
    ann = owner(s)
    s.nobody.post("/api/token/", {"email": ann.email, "password": "a-very-odd-password"}).is_(401)
    ann.post("/api/prompt/", {"prompt": "What is the oddest-word-of-all?"}).is_(200)
    s.nobody.get("/api/me?token=an-odd-token").is_(400, 401)
    s.nobody.get("/healthz").is_(200)
    log = s.log_text()
    for word in ("hollyhock", "odd-password", "oddest-word", "odd-token", ann.email, ann.token):
        check(word not in log, f"{word!r} is in the log")


main()
