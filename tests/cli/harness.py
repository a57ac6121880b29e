"""What the end-to-end tests share: a sandbox for the program, a terminal to drive it, TAP output.

    from harness import test, Sandbox, main
    @test("init makes a home")
    def _():
        box = Sandbox()
        r = box.run("init")
        r.ok().has("Key file:")
    main()

The program is LIKENESS_BIN, else build/src/cli/likeness. Each Sandbox has a HOME of its own; nothing of
the user's is read or written."""
import json
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import termios
import time
import traceback

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BIN = os.path.abspath(os.environ.get("LIKENESS_BIN")
                      or os.path.join(ROOT, "build", "src", "cli", "likeness"))
PERSON = os.path.join(ROOT, "examples", "person")
ME = ("Marit Penhallow,marit@penhallow.example.org,m.penhallow@tollickferries.example.com,"
      "shop@secondwind.example.org,Marit at Second Wind,Marit P,Marit")
# Limits are for what hangs: a machine that is busy with other things may take many times as long.
SLOW = 10 if "san" in os.path.dirname(BIN) or "build-" in BIN else 5
tests = []


class Skip(Exception):
    pass


def test(name):
    def add(fn):
        tests.append((name, fn))
        return fn
    return add


def check(condition, message):
    if not condition:
        raise AssertionError(message)


def same(got, want, what="value"):
    check(got == want, f"{what}: got {got!r}, want {want!r}")


class Result:
    def __init__(self, argv, status, out, err):
        self.argv, self.status, self.out, self.err = argv, status, out, err

    def tell(self):
        return f"likeness {' '.join(self.argv)}\n--- status {self.status}\n{self.out}\n--- stderr\n{self.err}"

    def ok(self):
        return self.exits(0)

    def exits(self, status):
        check(self.status == status, f"exit status {self.status}, want {status}: {self.tell()}")
        return self

    def has(self, *texts):
        for t in texts:
            check(t in self.out, f"stdout lacks {t!r}: {self.tell()}")
        return self

    def hasnt(self, *texts):
        for t in texts:
            check(t not in self.out + self.err, f"output has {t!r}: {self.tell()}")
        return self

    def says(self, *texts):
        for t in texts:
            check(t in self.err, f"stderr lacks {t!r}: {self.tell()}")
        return self

    def json(self):
        try:
            return json.loads(self.out)
        except ValueError as e:
            raise AssertionError(f"not one JSON document ({e}): {self.tell()}")

    def error(self, code, status):
        self.exits(status)
        doc = self.json()
        check(doc.get("error", {}).get("code") == code, f"error code, want {code}: {self.tell()}")
        return doc["error"]["message"]


class Sandbox:
    def __init__(self, copy_of=None):
        self.dir = tempfile.mkdtemp(prefix="likeness-cli-")
        if copy_of:
            shutil.rmtree(self.dir)
            shutil.copytree(copy_of.dir, self.dir)
        self.home = os.path.join(self.dir, "data", "likeness")
        self.config = os.path.join(self.dir, "config", "likeness")
        self.work = os.path.join(self.dir, "work")
        os.makedirs(self.work, exist_ok=True)
        self.env = {k: v for k, v in os.environ.items()
                    if not (k.startswith("LIKENESS_") or k.startswith("XDG_"))}
        self.env.update(HOME=self.dir, XDG_DATA_HOME=os.path.join(self.dir, "data"),
                        XDG_CONFIG_HOME=os.path.join(self.dir, "config"), LIKENESS_KDF="fast",
                        LC_ALL="C.UTF-8", TERM="xterm", COLUMNS="80", NO_COLOR="1")

    def file(self, name, text):
        path = os.path.join(self.work, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as f:
            f.write(text if isinstance(text, bytes) else text.encode())
        return path

    def key(self):
        keys = [f for f in os.listdir(self.config) if f.endswith(".key")]
        same(len(keys), 1, "key files")
        return os.path.join(self.config, keys[0])

    def run(self, *argv, input=None, env=None, timeout=120):
        e = dict(self.env, **(env or {}))
        p = subprocess.run([BIN, *argv], cwd=self.work, env=e, timeout=timeout * SLOW,
                           input=input.encode() if isinstance(input, str) else (input or b""),
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)
        return Result(argv, p.returncode, p.stdout.decode(), p.stderr.decode())

    def start(self, *argv):
        return subprocess.Popen([BIN, *argv], cwd=self.work, env=self.env, stdin=subprocess.PIPE,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)

    def terminal(self, *argv, env=None):
        return Terminal(argv, dict(self.env, **(env or {})), self.work)

    def persona(self, name="Ann"):
        self.run("init").ok()
        self.run("new", name, "--kind", "self", "--consent-by", name).ok()
        return self

    def counts(self):
        return self.run("doctor", "--check", "--json").ok().json()["counts"]


class Terminal:
    """The program on a pseudo-terminal of its own: send keys, expect texts."""

    def __init__(self, argv, env, cwd, program=None):
        program = program or BIN
        self.argv, self.text, self.at, self.status = argv, "", 0, None
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            try:
                os.chdir(cwd)
                os.execve(program, [program, *argv], env)
            finally:
                os._exit(127)  # else the child would go on as a second run of the tests

    def _read(self, wait):
        if not select.select([self.fd], [], [], wait)[0]:
            return False
        try:
            data = os.read(self.fd, 65536)
        except OSError:
            data = b""
        self.text += data.decode(errors="replace")
        return bool(data)

    def expect(self, pattern, timeout=30):
        end = time.monotonic() + timeout * SLOW
        while True:
            m = re.search(pattern, self.text[self.at:])
            if m:
                self.at += m.end()
                return m
            left = end - time.monotonic()
            if left <= 0 or (not self._read(min(left, 1)) and self._gone()):
                m = re.search(pattern, self.text[self.at:])
                check(m, f"terminal lacks {pattern!r}: {self.text[self.at:]!r} after {self.text[:self.at][-600:]!r}")

    def prompt(self, timeout=30):
        """Wait for the chat's prompt and for the line editor behind it: it draws the prompt first and
        takes over the keys a moment later."""
        self.expect("> ", timeout)
        end = time.monotonic() + timeout * SLOW
        while termios.tcgetattr(self.fd)[3] & termios.ICANON:
            check(time.monotonic() < end and not self._gone(), "the line editor does not start")
            self._read(0.01)

    def _gone(self):
        if self.status is None:
            pid, st = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.status = os.waitstatus_to_exitcode(st)
        return self.status is not None

    def send(self, text):
        os.write(self.fd, text.encode())
        return self

    def line(self, text):
        return self.send(text + "\r")

    def end(self, status=0, timeout=60):
        limit = time.monotonic() + timeout * SLOW
        while not self._gone() and time.monotonic() < limit:
            self._read(0.2)
        while self._read(0.05):
            pass
        if not self._gone():
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            raise AssertionError(f"did not end: {self.text!r}")
        os.close(self.fd)
        check(self.status == status, f"exit status {self.status}, want {status}: {self.text!r}")
        return self.text


_marit = None


def marit():
    """A copy of a home that holds the sample person; made once."""
    global _marit
    if not _marit:
        _marit = Sandbox()
        _marit.persona("Marit")
        _marit.run("add", PERSON, "--me", ME).ok()
    return Sandbox(copy_of=_marit)


def main():
    tmp = tempfile.mkdtemp(prefix="likeness-cli-tests-")
    tempfile.tempdir = tmp
    failed = 0
    only = sys.argv[1:]
    chosen = [t for t in tests if not only or any(o in t[0] for o in only)]
    try:
        for i, (name, fn) in enumerate(chosen, 1):
            try:
                fn()
                print(f"ok {i} - {name}", flush=True)
            except Skip as e:
                print(f"ok {i} - {name} # SKIP {e}", flush=True)
            except Exception as e:
                failed += 1
                print(f"not ok {i} - {name}", flush=True)
                text = str(e) if isinstance(e, AssertionError) else traceback.format_exc()
                print("\n".join("# " + line for line in text.splitlines()), flush=True)
    finally:
        shutil.rmtree(tmp, ignore_errors=True)
    print(f"1..{len(chosen)}")
    sys.exit(1 if failed else 0)
