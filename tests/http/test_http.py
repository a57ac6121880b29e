"""A real server before clients that behave, that do not, and that come by TLS. The life of a request is
tried byte by byte in test_server.c; this is about the program around it."""
import json
import os
import signal
import socket
import ssl
import subprocess
import time

from serving import SLOW, Sandbox, Server, check, main, same, test


def certificate(box, name="server"):
    """A key and a certificate for localhost, both PEM."""
    cert, key = (os.path.join(box.work, f"{name}.{x}.pem") for x in ("cert", "key"))
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                    "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext",
                    "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", key, "-out", cert],
                   check=True, capture_output=True)
    return cert, key


def replies(data):
    """The status of each reply among these bytes."""
    return [int(part[:3]) for part in data.split(b"HTTP/1.1 ")[1:]]


@test("over TLS, with a certificate that a client verifies")
def _():
    box = Sandbox()
    cert, key = certificate(box)
    with Server(box, tls_cert=cert, tls_key=key) as s:
        check(s.tls, "it says https")
        context = ssl.create_default_context(cafile=cert)
        with socket.create_connection(("127.0.0.1", s.port), 30 * SLOW) as plain:
            with context.wrap_socket(plain, server_hostname="localhost") as c:
                c.sendall(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                data = b""
                while part := c.recv(4096):
                    data += part
        same(replies(data), [200], "status")
        who = s.register()
        who.get("/api/me").is_(200)
        # Somebody who speaks plain HTTP to it gets nothing, and hurts nobody.
        check(b"200" not in s.raw("GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n"), "plain HTTP on a TLS port")
        who.get("/api/me").is_(200)


@test("what cannot be served is said before it is tried")
def _():
    box = Sandbox()
    box.run("init").ok()
    cert, _key = certificate(box)
    _other, key = certificate(box, "other")
    box.run("serve", "--listen", "0.0.0.0", "--port", "0").exits(2).says("--tls-cert")
    r = box.run("serve", "--port", "0", "--tls-cert", cert, "--tls-key", key)
    check(r.status != 0, r.tell())
    r.says("belong together")
    r = box.run("serve", "--port", "0", "--tls-cert", "/nowhere.pem", "--tls-key", key)
    check(r.status != 0, r.tell())
    r.says("/nowhere.pem")
    r = box.run("serve", "--port", "0", "--tls-cert", cert)
    check(r.status != 0, r.tell())
    r.says("key")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        r = box.run("serve", "--port", str(taken.getsockname()[1]))
        check(r.status != 0, r.tell())
        r.says("in use")


@test("health, readiness, counters and the page that says what this is")
def _():
    with Server() as s:
        same(s.nobody.get("/healthz").is_(200).json, {"status": "ok"})
        same(s.nobody.get("/readyz/").is_(200).json, {"status": "ready"})
        same(s.nobody.get("/").is_(200).json["openapi"], "/openapi.json")
        r = s.nobody.get("/metrics").is_(200)
        check(r.headers["Content-Type"].startswith("text/plain; version=0.0.4"), r.headers["Content-Type"])
        for line in r.text.splitlines():
            check(line.startswith("# ") or len(line.rsplit(" ", 1)) == 2, line)
            if not line.startswith("#"):
                float(line.rsplit(" ", 1)[1])
        for name in ("http_requests_total", "jobs", "pool_desks", "workers_waiting", "process_resident_bytes"):
            check(f"# TYPE likeness_{name} " in r.text, f"{name} is missing")


@test("a preflight leaves the connection open")
def _():
    with Server(origins="https://app.example.org") as s:
        c = s.connection(30 * SLOW)
        ask = {"Origin": "https://app.example.org", "Access-Control-Request-Method": "POST"}
        for _ in range(2):
            c.request("OPTIONS", "/api/prompt/", headers=ask)
            r = c.getresponse()
            same((r.status, r.read(), r.headers["Connection"]), (204, b"", None))
            port = c.sock.getsockname()
            c.request("GET", "/healthz")
            same((c.getresponse().read(), c.sock.getsockname()), (b'{"status":"ok"}', port))
        c.close()


@test("who may read the metrics is a setting")
def _():
    from_afar = {"X-Forwarded-For": "203.0.113.7"}
    for word, here, afar in ((None, 200, 403), ("open", 200, 200), ("off", 404, 404)):
        with Server(trust_proxy="yes", **({"metrics": word} if word else {})) as s:
            s.nobody.get("/metrics").is_(here)
            s.nobody.get("/metrics", headers=from_afar).is_(afar)
    with Server() as s:  # a proxy that nobody told it to trust is no reader on this machine either
        s.nobody.get("/metrics").is_(200)
        s.nobody.get("/metrics", headers=from_afar).is_(403)


@test("a client that half closes still gets its reply")
def _():
    with Server() as s:
        data = s.raw("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        same(replies(data), [200], "status")
        check(b'"name":"likeness"' in data, data)


@test("a client's half close is seen though it comes together with its last bytes")
def _():
    with Server(idle_seconds=3600) as s, s.socket() as c:
        one = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
        c.sendall(one)
        same(replies(c.recv(4096)), [200], "status")
        s.process.send_signal(signal.SIGSTOP)  # so that it finds both at once
        os.waitid(os.P_PID, s.process.pid, os.WSTOPPED)
        c.sendall(one)
        c.shutdown(socket.SHUT_WR)
        s.process.send_signal(signal.SIGCONT)
        data = b""
        while part := c.recv(4096):
            data += part
        same(replies(data), [200], "status")


@test("many requests in one breath are answered in order")
def _():
    with Server() as s:
        one = "GET /api/me HTTP/1.1\r\nHost: x\r\n\r\n" + "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
        last = "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        with s.socket() as c:
            c.sendall((one * 20 + last).encode())
            data = b""
            while part := c.recv(65536):
                data += part
        same(replies(data), [401, 200] * 20 + [200], "statuses")


@test("it stops when told: who is connected does not hold it up")
def _():
    s = Server()
    idle = [s.socket() for _ in range(20)]
    idle[0].sendall(b"GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n")
    check(b"200" in idle[0].recv(4096), "ready")
    idle[1].sendall(b"GET /readyz HTT")
    idle[2].sendall(b"POST /api/token HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
    s.stop(signal.SIGTERM)
    for c in idle:
        c.close()


@test("the log has a line of JSON for each request, with its id and no more")
def _():
    with Server(log="json") as s:
        who = s.register("someone-private@example.org")
        who.post("/api/prompt/", {"prompt": "a very private question"}).is_(200)
        who.get("/api/me", headers={"X-Request-Id": "mine-4711"}).is_(200)
        s.nobody.get("/no/such/page?secret=hidden").is_(404)
        end = time.monotonic() + 30 * SLOW
        while "mine-4711" not in s.log_text() or '"status":404' not in s.log_text():
            check(time.monotonic() < end, f"the log lacks lines: {s.log_text()}")
            time.sleep(0.05)  # between two looks
        lines = [json.loads(x) for x in s.log_text().splitlines() if x.startswith("{")]
        mine = [x for x in lines if x["request"] == "mine-4711"]
        same(len(mine), 1, "lines of one request")
        same(mine[0]["route"], "account.me", "route")
        same(mine[0]["status"], 200, "status")
        for secret in ("private", "hidden", "such/page", who.token, "127.0.0.1"):
            check(secret not in "".join(map(json.dumps, lines)), f"the log tells {secret}")


@test("too many requests: 429 with Retry-After, for the account alone")
def _():
    with Server(rate_account="0.01") as s:
        ann, bob = s.register(), s.register()
        statuses = [ann.get("/api/me").status for _ in range(15)]
        same(statuses[:5], [200] * 5, "statuses")
        same(statuses[-1], 429, "status")
        r = ann.get("/api/me").is_(429)
        check(1 <= int(r.headers["Retry-After"]) <= 3600, r.headers["Retry-After"])
        bob.get("/api/me").is_(200)
        s.nobody.get("/healthz").is_(200)


main()
