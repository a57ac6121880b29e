"""likeness add with archives and documents: what people have, what is broken, and what is made to do harm.
The files are made here, to the descriptions named in docs/FORMATS.md."""
import gzip
import os
import sys
import zipfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli"))
from harness import Sandbox, check, main, same, test  # noqa: E402
from made import docx, epub, odt, pdf, pptx, tarred, zipped  # noqa: E402

CHAT = ("[02/03/2019, 21:14:00] Ann: Did you feed the goats?\n[02/03/2019, 21:15:10] Bob: All of them\n"
        "[02/03/2019, 21:16:00] Ann: The ferry leaves at nine.\n")
JPEG = b"\xff\xd8\xff\xe0" + bytes(2000)


def files(result):
    return {f["path"]: f for f in result["files"]}


@test("a WhatsApp export as the iPhone packs it is a chat, named after the zip")
def _():
    box = Sandbox().persona()
    path = box.file("WhatsApp Chat - Bob.zip", zipped(("_chat.txt", CHAT), ("00000012-PHOTO.jpg", JPEG)))
    r = box.run("add", path).ok()
    r.has("WhatsApp Chat - Bob.zip/_chat.txt (whatsapp): 3 pieces, 2 own", "picture")
    same(box.run("sources", "--json").ok().json()["sources"][0]["title"], "Bob", "title")
    box.run("add", path).ok().has("nothing new, 3 pieces known already")


@test("one of each kind in a folder becomes one persona with one command")
def _():
    box = Sandbox().persona()
    made = {"a.docx": docx("I keep goats on the hill."), "b.odt": odt("The ferry leaves at nine."),
            "c.epub": epub("Boats are patient animals."), "d.pptx": pptx("Slides are for strangers."),
            "e.pdf": pdf("Paper remembers the harbour."), "f.rtf": rb"{\rtf1\ansi Rain on the caf\'e9 roof.\par}",
            "g.zip": zipped(("in/h.txt", "A note about lighthouses.\n"), ("i.docx", docx("Letters are slow."))),
            "j.tar.gz": tarred(("k.md", b"# 2019-03-02\nThe gulls came back.\n"), mode="w:gz"),
            "l.txt.gz": gzip.compress(b"A page about nets.\n"), "m.txt": b"A page about knots.\n"}
    for name, data in made.items():
        box.file("mixed/" + name, data)
    r = box.run("add", "mixed", "--json").ok().json()
    same(r["totals"]["failed"], 0, "failed")
    same(r["totals"]["voice"], 11, "own pieces")
    got = {p: f["format"] for p, f in files(r).items()}
    same(got, {"mixed/a.docx": "docx", "mixed/b.odt": "odt", "mixed/c.epub": "epub", "mixed/d.pptx": "pptx",
               "mixed/e.pdf": "pdf", "mixed/f.rtf": "rtf", "mixed/g.zip/in/h.txt": "text",
               "mixed/g.zip/i.docx": "docx", "mixed/j.tar.gz/k.md": "markdown",
               "mixed/l.txt.gz/l.txt": "text", "mixed/m.txt": "text"}, "formats")
    same(files(r)["mixed/a.docx"]["from"][:10], "2019-03-02", "date of the document")
    for word in ("goats", "ferry", "patient", "strangers", "harbour", "café", "lighthouses", "slow", "gulls", "nets"):
        box.run("search", word).ok().has(word)
    box.run("doctor", "--check").ok()


@test("a diary in Word is split at its dates")
def _():
    box = Sandbox().persona()
    path = box.file("diary.docx", docx("2 March 2019", "I fed the goats.", "5 March 2019", "I fed them again."))
    r = box.run("add", path, "--json").ok().json()
    same(r["totals"]["added"], 2, "entries")
    same((r["files"][0]["from"][:10], r["files"][0]["to"][:10]), ("2019-03-02", "2019-03-05"), "dates")


@test("a document by somebody else is context, and said to be")
def _():
    box = Sandbox().persona()
    r = box.run("add", box.file("x.docx", docx("I keep cows.", author="Bob Marsh"))).ok()
    r.has("1 piece, 0 own", "nobody in it is the persona")
    box.run("add", box.file("y.docx", docx("I keep sheep.", author="Microsoft Office User"))).ok().has("1 own")


@test("--as names what to read an archive as, and what is in one")
def _():
    box = Sandbox().persona()
    z = box.file("x.zip", zipped(("a", "name,age\n1,2\n")))
    box.run("add", z, "--as", "text").ok().has("x.zip/a (text)")
    box.run("add", z, "--as", "docx").exits(5).says("--as")
    box.run("add", box.file("n.txt", "text"), "--as", "pdf").exits(5).says("n.txt")
    box.run("add", "--as", "zip", "-", input=open(z, "rb").read()).ok()


@test("dry runs and --who look into archives and store nothing")
def _():
    box = Sandbox().persona("Nora")
    path = box.file("WhatsApp Chat - Bob.zip", zipped(("_chat.txt", CHAT)))
    box.run("add", "--who", path).ok().has("Ann", "Bob")
    box.run("add", path).exits(2).says("--me")
    box.run("add", "--dry-run", "--me", "Ann", path).ok().has("2 own")
    same(box.counts()["pieces"], 0, "pieces")


@test("broken and hostile files: what is wrong, and the rest comes in")
def _():
    box = Sandbox().persona()
    bomb = zipped(("a.txt", b"a" * (300 << 20)))
    locked = bytearray(zipped(("a.txt", b"secret"), method=zipfile.ZIP_STORED))
    locked[6] |= 1
    locked[bytes(locked).index(b"PK\1\2") + 8] |= 1
    cases = {"bomb.zip": (bomb, "times its size"), "locked.zip": (bytes(locked), "password"),
             "cut.docx": (docx("I keep goats.")[:300], "cut.docx"), "cut.pdf": (pdf("x")[:200], "cut.pdf"),
             "sheet.xlsx": (zipped(("xl/workbook.xml", "<w/>")), "cannot be read here"),
             "scan.pdf": (pdf("").replace(b"Tj", b"  "), "OCR"), "empty.zip": (zipped(), "no files"),
             "pictures.zip": (zipped(("a.jpg", JPEG)), None), "cut.zip": (zipped(("a.txt", "text"))[:40], "a.txt is damaged")}
    for name, (data, says) in cases.items():
        path = box.file("bad/" + name, data)
        r = box.run("add", path)
        check(r.status == 5 if says else r.status == 0, r.tell())
        if says:
            r.says(says)
    box.file("bad/good.txt", "I keep goats on the hill.\n")
    r = box.run("add", "bad", "--json").ok().json()
    same(r["totals"]["added"], 1, "pieces")
    same(r["totals"]["failed"], len(cases), "files not read")  # of the cut zip both the entry and the end
    names = zipped(("../../../tmp/likeness-evil.txt", "Up and away."), ("/abs.txt", "From the root."))
    box.run("add", box.file("names.zip", names)).ok().has("names.zip/tmp/likeness-evil.txt", "names.zip/abs.txt")
    check(not os.path.exists("/tmp/likeness-evil.txt"), "nothing is written")
    box.run("doctor", "--check").ok()


@test("a helper that crashes costs the file alone")
def _():
    box = Sandbox().persona()
    helper = box.file("helper", "#!/bin/sh\nkill -SEGV $$\n")
    os.chmod(helper, 0o755)
    box.file("d/a.zip", zipped(("x.txt", "Inside.")))
    box.file("d/b.txt", "Outside.\n")
    r = box.run("add", "d", env={"LIKENESS_MEDIA": helper}).ok()
    r.has("b.txt (text): 1 piece", "a.zip: not read", "stopped on it")
    box.run("add", "d").ok().has("a.zip/x.txt (text): 1 piece", "1 piece known already")


main()
