"""What the end-to-end tests of the server share: a real `likeness serve` over a home of its own.

    from serving import Server, test, main, same, check
    @test("anybody can register")
    def _():
        with Server() as s:
            ann = s.register()                         an account, logged in: ann.get, ann.post, ...
            ann.post("/api/", {"text": "I like boats."}).is_(201)
            r = ann.post("/api/prompt/", {"prompt": "Do you like boats?"}).is_(200).json
    main()

Settings are keyword arguments: Server(rate_login=0, access_seconds=1). Requests go over one connection
each, by http.client, so that nothing is mended on the way."""
import atexit
import base64
import glob
import http.client
import json
import os
import re
import select
import signal
import socket
import struct
import subprocess
import sys
import time
import uuid

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "cli"))
from harness import BIN, PERSON, ROOT, SLOW, Sandbox, Skip, check, main, same, test  # noqa: E402,F401

PASSWORD = "boats and more boats"


class Reply:
    def __init__(self, what, status, headers, body):
        self.what, self.status, self.headers, self.body = what, status, headers, body

    @property
    def json(self):
        try:
            return json.loads(self.body)
        except ValueError as e:
            raise AssertionError(f"{self.what}: the body is not JSON ({e}): {self.body[:300]!r}")

    @property
    def text(self):
        return self.body.decode(errors="replace")

    def is_(self, *status):
        check(self.status in status, f"{self.what}: status {self.status}, want {status}: {self.body[:600]!r}")
        return self

    def error(self, status, code=None):
        self.is_(status)
        e = self.json["error"]
        if code:
            same(e["code"], code, f"{self.what}: error code")
        return e["message"]


class Client:
    """Somebody who makes requests; token None: nobody in particular."""

    def __init__(self, server, token=None, **more):
        self.server, self.token = server, token
        self.__dict__.update(more)

    def request(self, method, path, body=None, form=None, files=None, headers=None, timeout=60):
        head = dict(headers or {})
        if self.token is not None:
            head.setdefault("Authorization", f"Bearer {self.token}")
        if files is not None:
            body, head["Content-Type"] = multipart(files, form or {})
        elif form is not None:
            from urllib.parse import urlencode
            body = urlencode(form).encode()
            head.setdefault("Content-Type", "application/x-www-form-urlencoded")
        elif body is not None and not isinstance(body, (bytes, str)):
            body = json.dumps(body).encode()
            head.setdefault("Content-Type", "application/json")
        c = self.server.connection(timeout * SLOW)
        try:
            c.request(method, path, body, head)
            r = c.getresponse()
            return Reply(f"{method} {path}", r.status, r.headers, r.read())
        finally:
            c.close()

    def get(self, path, **more):
        return self.request("GET", path, **more)

    def post(self, path, body=None, **more):
        return self.request("POST", path, body, **more)

    def put(self, path, body=None, **more):
        return self.request("PUT", path, body, **more)

    def patch(self, path, body=None, **more):
        return self.request("PATCH", path, body, **more)

    def delete(self, path, body=None, **more):
        return self.request("DELETE", path, body, **more)

    def job(self, reply, state="done"):
        """Waits for the job that a 202 named; its final row."""
        reply.is_(202)
        return self.wait_job(reply.json["job"]["id"], state)

    def wait_job(self, number, state="done", seconds=60):
        end = time.monotonic() + seconds * SLOW
        while True:
            j = self.get(f"/api/jobs/{number}").is_(200).json
            if j["state"] in ("done", "failed", "cancelled"):
                same(j["state"], state, f"job {number}: {j}")
                return j
            check(time.monotonic() < end, f"job {number} does not end: {j}")
            time.sleep(0.05)  # between two looks

    def events(self, method, path, body=None, seconds=30):
        """Server-sent events as (event, data), until the stream ends."""
        c = self.server.connection(seconds * SLOW)
        head = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        if body is not None:
            body, head["Content-Type"] = json.dumps(body).encode(), "application/json"
        c.request(method, path, body, head)
        r = c.getresponse()
        if r.status != 200:
            raise AssertionError(f"{method} {path}: status {r.status}: {r.read()[:600]!r}")
        check(r.headers["Content-Type"].startswith("text/event-stream"), r.headers["Content-Type"])
        try:
            event, data = None, []
            for line in r:
                line = line.decode().rstrip("\r\n")
                if not line and (data or event):
                    yield event, "\n".join(data)
                    event, data = None, []
                elif line.startswith("event:"):
                    event = line[6:].strip()
                elif line.startswith("data:"):
                    data.append(line[5:].removeprefix(" "))
        finally:
            c.close()


class Socket:
    """A WebSocket, as small as it can be."""

    def __init__(self, server, path, token):
        self.s = server.socket()
        key = base64.b64encode(os.urandom(16)).decode()
        self.s.sendall((f"GET {path} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
                        f"Authorization: Bearer {token}\r\n\r\n").encode())
        self.buf = b""
        while b"\r\n\r\n" not in self.buf:
            part = self.s.recv(4096)
            if not part:
                break
            self.buf += part
        head, _, self.buf = self.buf.partition(b"\r\n\r\n")
        self.status = int(head.split()[1])

    def send(self, obj):
        data = json.dumps(obj).encode()
        mask = os.urandom(4)
        size = bytes([0x80 | len(data)]) if len(data) < 126 else b"\xfe" + struct.pack(">H", len(data))
        self.s.sendall(b"\x81" + size + mask + bytes(b ^ mask[i % 4] for i, b in enumerate(data)))

    def take(self, n):
        while len(self.buf) < n:
            part = self.s.recv(65536)
            check(part, "the socket was closed")
            self.buf += part
        out, self.buf = self.buf[:n], self.buf[n:]
        return out

    def message(self):
        while True:
            a, b = self.take(2)
            n = b & 127
            if n == 126:
                n = struct.unpack(">H", self.take(2))[0]
            elif n == 127:
                n = struct.unpack(">Q", self.take(8))[0]
            data = self.take(n)
            if a & 15 == 1:
                return json.loads(data)

    def answer(self):
        deltas = []
        while True:
            m = self.message()
            if "delta" not in m:
                return "".join(deltas), m
            deltas.append(m["delta"])

    def close(self):
        self.s.close()


def multipart(files, fields):
    mark = uuid.uuid4().hex
    out = []
    for name, value in fields.items():
        out.append(f'--{mark}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode())
    for name, data in files:
        data = data if isinstance(data, bytes) else data.encode()
        out.append(f'--{mark}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
                   "Content-Type: application/octet-stream\r\n\r\n".encode() + data + b"\r\n")
    return b"".join(out) + f"--{mark}--\r\n".encode(), f"multipart/form-data; boundary={mark}"


def endless_model(box):
    """A tiny language model that never ends by itself, as a file of the box; its vocabulary makes many
    tokens of a text, so it has a long context."""
    with open(os.path.join(ROOT, "tests", "model", "tiny", "llama.gguf"), "rb") as f:
        data = bytearray(f.read())
    for key, value in ((b"llama.context_length", 32768), (b"tokenizer.ggml.eos_token_id", 0xFFFFFFFF)):
        struct.pack_into("<I", data, data.index(key) + len(key) + 4, value)
    box.env["LIKENESS_CONTEXT"] = "32768"
    return box.file("tiny.gguf", bytes(data))


def fetched(pattern, what):
    """The folder of something that tools/fetch-clients.sh gets."""
    cache = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "likeness-test")
    found = sorted(glob.glob(os.path.join(cache, pattern)))
    if not found:
        raise Skip(f"{what} is not here: tools/fetch-clients.sh gets it")
    return found[-1]


running = set()


@atexit.register
def end_all():
    """Servers that a whole test file shares end with it."""
    for p in running:
        if p.poll() is None:
            p.kill()
            p.wait()


def no_uploads(s, why="no upload is left"):
    """What was uploaded goes just after the end of its job, or of its request, is told."""
    folder, end = os.path.join(s.box.home, "incoming"), time.monotonic() + 120 * SLOW
    while left := os.listdir(folder):
        check(time.monotonic() < end, f"{why}: {left}")
        time.sleep(0.05)  # between two looks


class Server:
    def __init__(self, box=None, env=None, **settings):
        self.box = box or Sandbox()
        self.extra = {"LIKENESS_" + k.upper(): str(v) for k, v in settings.items()}
        self.extra.update(env or {})
        self.extra.setdefault("LIKENESS_RATE_LOGIN", "0")
        self.process = None
        self.log = b""
        if not os.path.exists(os.path.join(self.box.home, "vault")):
            self.box.run("init").ok()
        self.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process:
            self.stop(signal.SIGTERM)

    def start(self):
        env = dict(self.box.env, **self.extra)
        self.log_path = os.path.join(self.box.work, "server.log")
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen([BIN, "serve", "--port", "0"], cwd=self.box.work, env=env,
                                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log,
                                            start_new_session=True)
        running.add(self.process)
        line, end = b"", time.monotonic() + 60 * SLOW
        while b"\n" not in line:
            ready = select.select([self.process.stdout], [], [], max(0, end - time.monotonic()))[0]
            data = os.read(self.process.stdout.fileno(), 4096) if ready else b""
            check(data, f"the server does not start: {self.log_text()[-2000:]}")
            line += data
        m = re.search(rb"listens on (https?)://(?:[^ ]*):(\d+)", line)
        check(m, f"the server says {line!r}")
        self.tls, self.port = m.group(1) == b"https", int(m.group(2))

    def stop(self, sig=signal.SIGTERM, status=None):
        """status None: 0 after SIGTERM, whatever comes after others."""
        p, self.process = self.process, None
        running.discard(p)
        p.send_signal(sig)
        try:
            got = p.wait(60 * SLOW)
        except subprocess.TimeoutExpired:
            p.kill()
            p.wait()
            raise AssertionError(f"the server does not stop: {self.log_text()[-2000:]}")
        p.stdout.close()
        if sig == signal.SIGTERM:
            same(got, status or 0, f"exit status; log: {self.log_text()[-3000:]}")

    def kill(self):
        self.stop(signal.SIGKILL)

    def log_text(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as f:
            return f.read()

    def connection(self, timeout=60):
        if not self.tls:
            return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        import ssl
        return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=timeout,
                                           context=ssl._create_unverified_context())

    def socket(self, timeout=30):
        return socket.create_connection(("127.0.0.1", self.port), timeout * SLOW)

    def raw(self, data, timeout=30):
        """Sends bytes as they are; all that comes back until the server closes or falls silent."""
        with self.socket(timeout) as s:
            out = b""
            try:
                s.sendall(data if isinstance(data, bytes) else data.encode())
                s.shutdown(socket.SHUT_WR)
            except OSError:
                pass  # the server has had enough; what it said may still be here
            while True:
                try:
                    part = s.recv(65536)
                except (ConnectionResetError, socket.timeout):
                    break
                if not part:
                    break
                out += part
            return out

    @property
    def nobody(self):
        return Client(self)

    def register(self, email=None, password=PASSWORD):
        email = email or f"{uuid.uuid4().hex[:12]}@example.org"
        made = self.nobody.post("/api/createuser/", {"email": email, "password": password}).is_(201).json
        who = self.login(email, password)
        who.account, who.persona = made["id"], made["persona"]
        return who

    def login(self, email, password=PASSWORD):
        t = self.nobody.post("/api/token/", {"email": email, "password": password}).is_(200).json
        return Client(self, t["access_token"], email=email, password=password, tokens=t)

    def rss(self):
        """Resident memory in MiB."""
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as f:
            return int(re.search(r"VmRSS:\s+(\d+) kB", f.read()).group(1)) / 1024
