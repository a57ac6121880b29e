"""likeness model pull against a TLS server on this machine that behaves as the hub does, and as badly as
lines and servers do: it drops connections, forgets ranges, changes the file, sends something else."""
import hashlib
import http.server
import json
import os
import re
import signal
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli"))
from harness import SLOW, Sandbox, check, main, same, test  # noqa: E402


def gguf(payload):
    """A GGUF file with one f32 tensor of `payload` numbers."""
    name, arch = b"x", b"llama"
    key = b"general.architecture"
    head = b"GGUF" + struct.pack("<IQQ", 3, 1, 1)
    head += struct.pack("<Q", len(key)) + key + struct.pack("<IQ", 8, len(arch)) + arch
    head += struct.pack("<Q", len(name)) + name + struct.pack("<IQIQ", 1, payload, 0, 0)
    head += b"\0" * (-len(head) % 32)
    return head + b"".join(struct.pack("<f", i % 977) for i in range(payload))


MODEL = gguf(700_000)
SUM = hashlib.sha256(MODEL).hexdigest()


class Hub:
    """State that the handler reads: files by path, and how to misbehave."""

    def __init__(self):
        self.files, self.requests, self.drop_after, self.drops = {}, [], None, 0
        self.ranges, self.etag, self.linked, self.status, self.redirect = True, '"one"', None, {}, False
        self.hold, self.go = None, threading.Event()  # so many bytes of an answer, then nothing until `go`


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *a):
        pass

    def do_GET(self):
        hub = self.server.hub
        path = self.path
        hub.requests.append((path, dict(self.headers)))
        status = hub.status.get(path)
        if isinstance(status, list):
            status = status.pop(0) if status else None
        if status:
            self.send_response(status)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"no")
            return
        if hub.redirect and not path.startswith("/cdn"):
            self.send_response(302)
            self.send_header("Location", "/cdn" + path)
            if hub.linked:
                self.send_header("X-Linked-ETag", f'"{hub.linked}"')
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        body = hub.files.get(path.removeprefix("/cdn"))
        if body is None:
            self.send_response(404)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        start = 0
        wish = re.match(r"bytes=(\d+)-$", self.headers.get("Range", ""))
        if wish and hub.ranges and self.headers.get("If-Range") == hub.etag:
            start = int(wish.group(1))
        if start >= len(body) and start:
            self.send_response(416)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        if hub.etag:
            self.send_header("ETag", hub.etag)
        if hub.linked and not hub.redirect:
            self.send_header("X-Linked-ETag", f'"{hub.linked}"')
        self.send_header("Content-Length", str(len(body) - start))
        self.end_headers()
        rest = body[start:]
        if hub.drop_after is not None and hub.drops > 0 and len(rest) > hub.drop_after:
            hub.drops -= 1
            self.wfile.write(rest[:hub.drop_after])
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
            return
        for i in range(0, len(rest), 65536):
            if hub.hold is not None and i >= hub.hold:
                hub.go.wait()
            try:
                self.wfile.write(rest[i:i + 65536])
            except OSError:
                return


class Quiet(http.server.ThreadingHTTPServer):
    def handle_error(self, request, client_address):
        pass


CERTS = tempfile.mkdtemp(prefix="likeness-pull-")
subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
                "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", f"{CERTS}/key.pem",
                "-out", f"{CERTS}/cert.pem"], check=True, capture_output=True)


def serve():
    server = Quiet(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(f"{CERTS}/cert.pem", f"{CERTS}/key.pem")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.hub = Hub()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    box = Sandbox()
    box.url = f"https://localhost:{server.server_address[1]}"
    box.env.update(SSL_CERT_FILE=f"{CERTS}/cert.pem", HF_ENDPOINT=box.url)
    box.shelf = os.path.join(box.dir, "data", "likeness-models")
    return server.hub, box


def stored(box, name="m"):
    with open(os.path.join(box.shelf, name + ".gguf"), "rb") as f:
        return f.read()


def begun(path, more_than):
    """Waits until so much of a file is there."""
    end = time.monotonic() + 60 * SLOW
    while not (os.path.exists(path) and os.path.getsize(path) > more_than):
        check(time.monotonic() < end, f"{path} does not grow")
        time.sleep(0.02)  # between two looks


def only(box, *names):
    same(sorted(os.listdir(box.shelf)) if os.path.isdir(box.shelf) else [], sorted(names), "files on the shelf")


@test("an address: fetched, checked, on the shelf, listed, removed")
def _():
    hub, box = serve()
    hub.files["/m.gguf"] = MODEL
    r = box.run("model", "pull", f"{box.url}/m.gguf", "--sha256", SUM, "--json").ok().json()
    same((r["name"], r["bytes"], r["sha256"], r["checked"]), ("m", len(MODEL), SUM, True))
    check(stored(box) == MODEL, "the file is another")
    only(box, "m.gguf")
    same([m["name"] for m in box.run("model", "ls", "--json").ok().json()["models"]], ["m"])
    box.run("model", "pull", f"{box.url}/m.gguf").exits(1).says("already")
    box.run("model", "pull", f"{box.url}/m.gguf", "--force").ok().says(SUM)
    box.run("model", "rm", "m").exits(2).says("--yes")
    box.run("model", "rm", "m", "--yes").ok()
    only(box)


@test("a line that drops again and again: goes on where it was")
def _():
    hub, box = serve()
    hub.files["/m.gguf"] = MODEL
    hub.drop_after, hub.drops = len(MODEL) // 6, 4
    box.run("model", "pull", f"{box.url}/m.gguf", "--sha256", SUM).ok()
    check(stored(box) == MODEL, "the file is another")
    starts = [int(h["Range"][6:-1]) for _, h in hub.requests if "Range" in h]
    same(len(starts), 4, "requests that go on")
    check(starts == sorted(starts) and starts[0] > 0, f"ranges {starts}")


@test("stopped and run again: goes on; the part is shown until then")
def _():
    hub, box = serve()
    hub.files["/m.gguf"] = MODEL
    hub.hold = 500_000
    p = box.start("model", "pull", f"{box.url}/m.gguf")
    part = os.path.join(box.shelf, "m.gguf.part")
    begun(part, 300_000)
    p.send_signal(signal.SIGINT)
    same(p.wait(60 * SLOW), 130, "status after Ctrl-C")
    had = os.path.getsize(part)
    check(had > 300_000, "nothing was kept")
    same(box.run("model", "ls", "--json").ok().json()["models"][0].get("unfinished"), True)
    hub.hold = None
    r = box.run("model", "pull", f"{box.url}/m.gguf", "--sha256", SUM, "--json").ok().json()
    same(r["resumed"], had, "bytes gone on from")
    check(stored(box) == MODEL, "the file is another")
    only(box, "m.gguf")


@test("kill -9 in the middle: the part is no model, and the next call finishes it")
def _():
    hub, box = serve()
    hub.files["/m.gguf"] = MODEL
    hub.hold = 500_000
    p = box.start("model", "pull", f"{box.url}/m.gguf")
    part = os.path.join(box.shelf, "m.gguf.part")
    begun(part, 200_000)
    p.kill()
    p.wait()
    check(not os.path.exists(os.path.join(box.shelf, "m.gguf")), "half a model stands there")
    hub.hold = None
    box.run("model", "pull", f"{box.url}/m.gguf", "--sha256", SUM).ok()
    check(stored(box) == MODEL, "the file is another")


@test("the file changed in between: begins anew")
def _():
    hub, box = serve()
    other = gguf(600_000)
    hub.files["/m.gguf"] = other
    hub.drop_after, hub.drops = 500_000, 99
    hub.status["/m.gguf"] = [None]
    first = box.start("model", "pull", f"{box.url}/m.gguf")
    part = os.path.join(box.shelf, "m.gguf.part")
    begun(part, 499_999)
    first.kill()
    first.wait()
    hub.drops, hub.etag, hub.files["/m.gguf"] = 0, '"two"', MODEL
    box.run("model", "pull", f"{box.url}/m.gguf", "--sha256", SUM).ok()
    check(stored(box) == MODEL, "the file is a mixture")


@test("a server without ranges or without an ETag: still whole")
def _():
    for ranges, etag in ((False, '"one"'), (True, None)):
        hub, box = serve()
        hub.files["/m.gguf"] = MODEL
        hub.ranges, hub.etag, hub.drop_after, hub.drops = ranges, etag, 400_000, 2
        box.run("model", "pull", f"{box.url}/m.gguf", "--sha256", SUM).ok()
        check(stored(box) == MODEL, "the file is another")


@test("another file than was promised: refused, nothing stays")
def _():
    hub, box = serve()
    hub.files["/m.gguf"] = MODEL
    box.run("model", "pull", f"{box.url}/m.gguf", "--sha256", "0" * 64).exits(5).says("SHA-256", SUM)
    only(box)
    hub.linked = "1" * 64
    hub.files["/a/b/resolve/main/m.gguf"] = MODEL
    box.run("model", "pull", "hf:a/b/m.gguf").exits(5).says("SHA-256")
    only(box)
    box.run("model", "pull", f"{box.url}/m.gguf", "--sha256", "12").exits(2).says("64 hexadecimal")


@test("a page instead of a model: refused, nothing stays")
def _():
    hub, box = serve()
    hub.files["/m.gguf"] = b"<html>Please log in</html>"
    box.run("model", "pull", f"{box.url}/m.gguf").exits(5).says("no model")
    only(box)


@test("the hub: the usual type is chosen, the server's SHA-256 checked through a redirect, the token sent")
def _():
    hub, box = serve()
    names = ["README.md", "m-F16.gguf", "m-Q4_K_M.gguf", "m-Q8_0.gguf", "big-00001-of-00002.gguf"]
    hub.files["/api/models/a/b"] = json.dumps({"siblings": [{"rfilename": n} for n in names]}).encode()
    hub.files["/a/b/resolve/main/m-Q4_K_M.gguf"] = MODEL
    hub.redirect, hub.linked = True, SUM
    hub.files["/cdn/api/models/a/b"] = hub.files["/api/models/a/b"]
    r = box.run("model", "pull", "hf:a/b", "--json", env={"HF_TOKEN": "sesame"}).ok().json()
    same((r["name"], r["checked"]), ("m-q4_k_m", True))
    check(hub.requests[0][1].get("Authorization") == "Bearer sesame", "the token was not sent")
    check(stored(box, "m-q4_k_m") == MODEL, "the file is another")


@test("a repository that is not there, or wants an agreement; errors of the server")
def _():
    hub, box = serve()
    box.run("model", "pull", "hf:a/none").exits(3).says("no such file")
    hub.status["/a/b/resolve/main/m.gguf"] = 401
    box.run("model", "pull", "hf:a/b/m.gguf").exits(4).says("HF_TOKEN")
    hub.files["/m.gguf"] = MODEL
    hub.status["/m.gguf"] = [503, 429, 500]
    box.run("model", "pull", f"{box.url}/m.gguf", "--sha256", SUM).ok()
    box.run("model", "pull", "nonesuch").exits(3).says("catalogue")
    box.run("model", "pull", "hf:../x").exits(2).says("OWNER/REPO")
    box.run("model", "pull", "hf:a/b/../../m.gguf").exits(2)
    box.run("model", "pull", "http://example.org/m.gguf").exits(2).says("https")
    box.run("model", "pull", f"{box.url}/m.zip").exits(2).says(".gguf")


@test("a server that cannot prove who it is: refused")
def _():
    hub, box = serve()
    hub.files["/m.gguf"] = MODEL
    del box.env["SSL_CERT_FILE"]
    box.run("model", "pull", f"{box.url}/m.gguf").exits(6).says("SSL_CERT_FILE")
    same(hub.requests, [], "requests that got through")


@test("two at once: one fetches, the other says so")
def _():
    hub, box = serve()
    hub.files["/m.gguf"] = MODEL
    hub.hold = 200_000
    p = box.start("model", "pull", f"{box.url}/m.gguf")
    begun(os.path.join(box.shelf, "m.gguf.part"), 0)
    box.run("model", "pull", f"{box.url}/m.gguf").exits(7).says("another process")
    hub.go.set()
    same(p.wait(60 * SLOW), 0, "status of the first")
    check(stored(box) == MODEL, "the file is another")


@test("the catalogue: names, licences, memory; a name that is not here yet says how to get it")
def _():
    box = Sandbox()
    models = box.run("model", "catalogue", "--json").ok().json()["models"]
    check(len(models) >= 15 and {"answers", "embeds"} == {m["use"] for m in models}, "too few models")
    check(all(m["licence"] and m["memory_megabytes"] > 0 for m in models), "a model without licence or memory")
    box.run("model", "use", "smollm2-135m").exits(3).says("likeness model pull smollm2-135m")
    box.run("model", "use", "nonesuch").exits(3).says("likeness model ls")
    box.run("model").exits(2).says("catalogue", "pull")
    box.run("model", "sl").exits(2).says("ls")
    box.run("help", "model").ok().has("pull", "quantize")


main()
