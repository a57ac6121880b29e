#!/usr/bin/env python3
"""WebSockets and event streams through TLS, where libmicrohttpd stands between us and the connection."""
import json
import os
import shutil
import ssl
import struct
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from serving import Sandbox, Server, Skip, check, main, same, test  # noqa: E402

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
TEXT, CLOSE, PING, PONG = 1, 8, 9, 10


def certificate(box):
    """A key and its certificate, as settings."""
    if not shutil.which("openssl"):
        raise Skip("openssl is not installed")
    cert, key = os.path.join(box.work, "cert.pem"), os.path.join(box.work, "key.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-keyout", key, "-out", cert, "-days", "2", "-subj", "/CN=localhost"],
                   check=True, stderr=subprocess.DEVNULL)
    os.chmod(key, 0o600)
    return {"tls_cert": cert, "tls_key": key}


class Talk:
    def __init__(self, who, path, upgrade=True):
        self.s = ssl._create_unverified_context().wrap_socket(who.server.socket())
        more = f"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\n"
        self.s.sendall((f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {who.token}\r\n"
                        + (more if upgrade else "") + "\r\n").encode())
        self.head = b""
        while b"\r\n\r\n" not in self.head:
            self.head += self.take(1)

    def take(self, n):
        out = b""
        while len(out) < n and (part := self.s.recv(n - len(out))):
            out += part
        return out

    def send(self, opcode, data):
        mask, n = b"\1\2\3\4", len(data)
        size = bytes([0x80 | n]) if n < 126 else b"\xfe" + struct.pack(">H", n)
        self.s.sendall(bytes([0x80 | opcode]) + size + mask + bytes(x ^ mask[i % 4] for i, x in enumerate(data)))

    def frame(self):
        """(opcode, data); (0, b"") at the end."""
        head = self.take(2)
        if len(head) < 2:
            return 0, b""
        n = head[1] & 127
        if n > 125:
            n = int.from_bytes(self.take(2 if n == 126 else 8), "big")
        return head[0] & 15, self.take(n)


@test("a chat, its closings, and the end of the server, through TLS")
def _():
    box = Sandbox()
    with Server(box=box, **certificate(box)) as s:
        check(s.tls, "the server does not speak TLS")
        ann = s.register()
        ann.post("/api/", {"text": "I keep my boat in the harbour."}).is_(201)
        chat = f"/api/personas/{ann.persona}/chat"
        t = Talk(ann, chat)
        check(t.head.startswith(b"HTTP/1.1 101 "), t.head)
        for _question in range(3):
            t.send(TEXT, json.dumps({"prompt": "Where is your boat?"}).encode())
            said = {"delta": ""}
            while "delta" in said:
                opcode, data = t.frame()
                same(opcode, TEXT)
                said = json.loads(data)
            check("harbour" in data.decode(), data)
        t.send(PING, b"there?")
        same(t.frame(), (PONG, b"there?"))
        t.send(TEXT, b"\xff")
        same(t.frame(), (CLOSE, struct.pack(">H", 1007)))
        same(t.frame()[0], 0)
        t = Talk(ann, chat)
        t.send(CLOSE, struct.pack(">H", 1000))
        same(t.frame(), (CLOSE, struct.pack(">H", 1000)))
        Talk(ann, chat).s.close()
        waits, events = Talk(ann, chat), Talk(ann, "/api/jobs/events", upgrade=False)
        check(events.head.startswith(b"HTTP/1.1 200 "), events.head)
        s.stop()
        same(waits.frame()[1][:2], struct.pack(">H", 1001))
        rest = b""
        while part := events.s.recv(4096):
            rest += part
        check(rest.endswith(b"0\r\n\r\n"), rest)


@test("a connection ends though libmicrohttpd looks between two of its own steps")
def _():
    slow = os.path.join(os.environ["LIKENESS_BUILD"], "tests", "http", "slow_shutdown.so")
    if not os.path.exists(slow):
        raise Skip("not with sanitizers, which want to be loaded first")
    box = Sandbox()
    with Server(box=box, env={"LD_PRELOAD": slow}, **certificate(box)) as s:
        ann = s.register()
        t = Talk(ann, f"/api/personas/{ann.persona}/chat")
        t.send(CLOSE, struct.pack(">H", 1000))
        same(t.frame(), (CLOSE, struct.pack(">H", 1000)))
        same(t.frame()[0], 0)


main()
