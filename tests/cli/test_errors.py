#!/usr/bin/env python3
"""What can go wrong, and what the program says and does then: exit status, message, and that the home
stays as it was."""
import os
import random
import shutil
import sqlite3
import subprocess
import time

from harness import ME, PERSON, Sandbox, Skip, check, main, marit, same, test


@test("unknown commands and options are answered with the nearest one")
def _():
    box = Sandbox()
    box.run("serach", "x").exits(2).says('did you mean "search"')
    box.run("frobnicate").exits(2).says("likeness help")
    box.run("ask", "--adaptiv", "x").exits(2).says("--adaptive")
    box.run("ask", "--zzzzzzz", "x").exits(2).says("likeness help ask")
    box.run("--hom", "x").exits(2).says("--home")
    box.run("ask", "-Z", "x").exits(2).says("-Z")
    box.run("ask", "x", "--from").exits(2).says("--from DATE")
    box.run("ask", "x", "--fixed=yes").exits(2).says("takes no value")
    box.run("ask").exits(2).says("QUESTION")
    box.run("rename", "a").exits(2).says("PERSONA NAME")
    box.run("rename", "a", "b", "c").exits(2)
    box.run("topics", "x").exits(2).says("no arguments")
    check("did you mean" in box.run("serach", "--json").error("INVAL", 2), "suggestion in JSON")


@test("option forms: --a=b, --a b, -ab, -a b, joined switches, and -- ")
def _():
    box = Sandbox().persona()
    box.run("add", box.file("-odd.txt", "I like odd names for boats."), "--by=Ann").ok()
    box.run("add", "--by", "Ann", "--", "-odd.txt").ok()
    for form in (["-k3"], ["-k", "3"], ["--k=3"], ["--k", "3"]):
        same(len(box.run("search", "boats", "--json", *form).ok().json()["passages"]), 1)
    box.run("-qj", "personas").ok().json()
    box.run("ask", "--", "--what about boats?").ok()


@test("no home, no persona, no such file")
def _():
    box = Sandbox()
    box.run("personas").exits(3).says("likeness init")
    box.run("doctor").exits(3).says("likeness init")
    check("init" in box.run("ask", "x", "--json").error("NOTFOUND", 3), "remedy in JSON")
    box.run("init").ok()
    box.run("ask", "x").exits(3).says("likeness new")
    box.run("new", "Ann", "--kind", "self", "--consent-by", "Ann").ok()
    box.run("add", "/nonexistent/file").exits(3).says("/nonexistent/file")
    box.run("import", "/nonexistent/file").exits(3)
    box.run("--home", os.path.join(box.dir, "other"), "personas").exits(3)


@test("key file: missing, of another home, damaged")
def _():
    box, other = Sandbox().persona(), Sandbox().persona()
    key = box.key()
    box.run("--key-file", other.key(), "personas").exits(4).says("does not belong")
    shutil.move(key, key + ".away")
    box.run("personas").exits(4).says(key)
    r = box.run("doctor", "--json").exits(4).json()
    same(r["error"]["code"], "KEY")
    with open(key, "w") as f:
        f.write("likeness-key 1 0123\n")
    box.run("personas").exits(4).says("not a whole key file")
    os.remove(key)
    shutil.move(key + ".away", key)
    box.run("personas").ok()


@test("vault: damaged, cut, of a newer version")
def _():
    box = Sandbox().persona()
    vault = os.path.join(box.home, "vault")
    good = open(vault, "rb").read()

    def put(data):
        with open(vault, "wb") as f:
            f.write(data)
    put(good[:-20] + bytes([good[-20] ^ 1]) + good[-19:])
    box.run("personas").exits(5).says("damaged")
    box.run("doctor").exits(5).says("restore")
    put(good[:50])
    box.run("personas").exits(5)
    put(good[:8] + b"\x63" + good[9:])
    box.run("personas").exits(8).says("newer version")
    same(box.run("personas", "--json").error("VERSION", 8) != "", True)
    put(good)
    box.run("personas").ok()


@test("database: of a newer version, damaged, missing")
def _():
    box = Sandbox().persona()
    path = os.path.join(box.home, "likeness.db")
    db = sqlite3.connect(path)
    was = db.execute("PRAGMA user_version").fetchone()[0]
    db.execute("PRAGMA user_version=99")
    db.close()
    for cmd in (["personas"], ["doctor"], ["me", "x"]):
        box.run(*cmd).exits(8).says("newer")
    db = sqlite3.connect(path)
    db.execute(f"PRAGMA user_version={was}")
    db.close()
    box.run("personas").ok()
    good = open(path, "rb").read()
    with open(path, "wb") as f:
        f.write(b"not a database" * 1000)
    r = box.run("personas")
    check(r.status in (5, 6), r.tell())
    os.remove(path)
    for extra in "-wal", "-shm":
        if os.path.exists(path + extra):
            os.remove(path + extra)
    box.run("doctor").exits(3).says("backup")
    with open(path, "wb") as f:
        f.write(good)
    box.run("doctor").ok()


@test("a changed row is found, named and survived")
def _():
    box = Sandbox().persona("Ann")
    box.run("add", box.file("a.txt", "I keep goats on the hill.")).ok()
    db = sqlite3.connect(os.path.join(box.home, "likeness.db"))
    body = bytearray(db.execute("SELECT body FROM piece").fetchone()[0])
    body[-1] ^= 1
    db.execute("UPDATE piece SET body=?", (bytes(body),))
    db.commit()
    db.close()
    doc = box.run("doctor", "--json").exits(1).json()
    check(doc["left"] >= 1, "problems left")
    text = " ".join(f["text"] for f in doc["findings"])
    check("piece" in text and "goats" not in text, text)
    box.run("doctor").exits(1).has("problem")
    box.run("personas").ok()


@test("doctor repairs what loses nothing")
def _():
    box = Sandbox().persona("Ann")
    box.run("add", box.file("a.txt", "I keep goats on the hill.")).ok()
    os.chmod(box.home, 0o755)
    db = sqlite3.connect(os.path.join(box.home, "likeness.db"))
    db.execute("UPDATE source SET n_pieces=77")
    db.execute("UPDATE persona SET stale=1")
    db.commit()
    db.close()
    box.run("doctor", "--check").exits(1).has("problem")
    doc = box.run("doctor", "--json").ok().json()
    check(doc["repaired"] >= 2 and doc["stale_personas"] == 1, str(doc))
    box.run("doctor", "--check").ok().has("all is well")


@test("input: empty, binary, broken JSON, broken CSV, unknown format")
def _():
    box = Sandbox().persona("Ann")
    cases = {"empty.txt": b"", "noise.bin": random.Random(1).randbytes(20000), "spaces.txt": b" \n\t\n",
             "zeros": bytes(5000), "cut.json": b'{"name":"x","type":"personal_chat","messages":[{"id":1',
             "picture.png": b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 20}
    for name, data in cases.items():
        path = box.file(name, data)
        r = box.run("add", path)
        check(r.status in (0, 5), r.tell())
        if name in ("empty.txt", "noise.bin", "zeros", "cut.json", "picture.png"):
            r.exits(5).says(name)
    box.run("add", box.file("a.txt", "hello there"), "--as", "morse").exits(2).says("morse", "whatsapp")
    same(box.counts()["pieces"], 0, "pieces")
    box.run("doctor", "--check").ok()


@test("two processes: the second writer is told, readers go on")
def _():
    box = marit()
    p = box.start("chat")
    try:
        p.stdin.write(b"Do you eat meat?\n")
        p.stdin.flush()
        first = p.stdout.readline()
        check(first, "the chat answers")
        r = box.run("add", box.file("a.txt", "I keep goats."))
        r.exits(7).says(str(p.pid))
        box.run("forget", "Marit", "--yes").exits(7)
        same(box.run("me", "x", "--json").error("BUSY", 7) != "", True)
        box.run("ask", "Do you eat meat?").ok()
        box.run("sources").ok()
        box.run("chat", input="Do you eat meat?\n").ok().says("not kept")
    finally:
        p.communicate(b"/quit\n", timeout=60)
    same(p.returncode, 0, "the chat's exit status")
    box.run("add", box.file("a.txt", "I keep goats.")).ok()


def tmpfs(box, size):
    where = os.path.join(box.dir, "disk")
    os.makedirs(where, exist_ok=True)
    if os.geteuid() or subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", where],
                                      stderr=subprocess.DEVNULL).returncode:
        raise Skip("cannot mount a small disk here")
    return where


@test("a full disk: the file that did not fit is not in, the rest stays")
def _():
    box = Sandbox()
    where = tmpfs(box, "3m")
    try:
        home = os.path.join(where, "home")
        box.run("--home", home, "init").ok()
        box.run("--home", home, "new", "Ann", "--kind", "self", "--consent-by", "Ann").ok()
        small = box.file("small.txt", "I keep goats on the hill above the harbour.")
        box.run("--home", home, "add", small).ok()
        r = random.Random(2)
        words = ["goat", "harbour", "hill", "ferry", "bread", "winter", "engine", "letter", "salt", "rope"]
        big = box.file("big.txt", ". ".join(" ".join(r.choices(words, k=9)).capitalize() + f" {i}"
                                            for i in range(100000)))
        r = box.run("--home", home, "add", big).exits(6)
        r.says("full")
        src = box.run("--home", home, "sources", "--json").ok().json()["sources"]
        same([s["pieces"] for s in src], [1])
        box.run("--home", home, "ask", "Do you keep goats?").ok().has("goats")
        box.run("--home", home, "doctor", "--check").ok()
    finally:
        subprocess.run(["umount", where])


@test("a read-only home: reading works, writing says why not")
def _():
    box = marit()
    where = tmpfs(box, "64m")
    try:
        home = os.path.join(where, "home")
        shutil.copytree(box.home, home)
        subprocess.run(["mount", "-o", "remount,ro", where], check=True)
        box.run("--home", home, "ask", "Do you eat meat?").ok().has("similarity")
        box.run("--home", home, "sources").ok()
        r = box.run("--home", home, "add", box.file("a.txt", "I keep goats."))
        r.exits(6)
        check("read-only" in r.err.lower(), r.tell())
        box.run("--home", home, "chat", input="Do you eat meat?\n").ok().says("not kept")
        box.run("--home", home, "doctor", "--check").ok()
    finally:
        subprocess.run(["umount", where])


@test("kill -9 in the middle of add: what was reported is there, nothing is half there")
def _():
    box = Sandbox().persona("Marit")
    rng = random.Random(3)
    for _i in range(6):
        p = box.start("add", PERSON, "--me", ME)
        time.sleep(rng.uniform(0.02, 0.5))
        p.kill()
        p.communicate()
        box.run("doctor").ok()
        box.run("doctor", "--check").ok()
    box.run("add", PERSON).ok()
    mail = [s for s in box.run("sources", "--json").ok().json()["sources"] if s["format"] == "mbox"]
    same([s["pieces"] for s in mail], [62])


@test("errors hold no personal text")
def _():
    box = marit()
    for argv in (["show", "Davy"], ["ask", "x", "-p", "Anna Whitlock"], ["sources", "--delete", "999", "--yes"],
                 ["add", "/nonexistent"], ["chat", "-c", "99"]):
        r = box.run(*argv)
        check(r.status == 3, r.tell())
        for word in "Marit", "Davy", "Anna", "Penhallow":
            check(word not in r.err, r.tell())


@test("a config file can be named, by option and by environment")
def _():
    box = Sandbox()
    path = box.file("other/config", "k = 9\n")
    box.run("--config", path, "config", "k").ok().has("9")
    box.run("config", "k", env={"LIKENESS_CONFIG": path}).ok().has("9")
    box.run("--config", path, "config", "voice", "quote").ok()
    same(open(path, encoding="utf-8").read(), "k = 9\nvoice = quote\n", "the file named")
    check(not os.path.exists(os.path.join(box.config, "config")), "the usual file was written")
    box.run("--config", os.path.join(box.work, "none"), "config", "k").exits(3).says("cannot be read")


if __name__ == "__main__":
    main()
