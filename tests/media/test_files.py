"""likeness add with archives and documents: what people have, what is broken, and what is made to do harm.
The files are made here, to the descriptions named in docs/FORMATS.md."""
import gzip
import io
import os
import sys
import tarfile
import zipfile
import zlib

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli"))
from harness import Sandbox, check, main, same, test  # noqa: E402

CHAT = ("[02/03/2019, 21:14:00] Ann: Did you feed the goats?\n[02/03/2019, 21:15:10] Bob: All of them\n"
        "[02/03/2019, 21:16:00] Ann: The ferry leaves at nine.\n")
JPEG = b"\xff\xd8\xff\xe0" + bytes(2000)


def zipped(*entries, method=zipfile.ZIP_DEFLATED):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as z:
        for name, data in entries:
            z.writestr(zipfile.ZipInfo(name, (2019, 3, 2, 21, 14, 0)), data, method)
    return out.getvalue()


def tarred(*entries, mode="w"):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as t:
        for name, data in entries:
            info = tarfile.TarInfo(name)
            info.mtime, info.size = 1551561240, len(data)
            t.addfile(info, io.BytesIO(data))
    return out.getvalue()


def docx(*paragraphs, author="Ann", created="2019-03-02T21:14:00Z"):
    w = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
    body = "".join(f"<w:p><w:r><w:t>{p}</w:t></w:r></w:p>" for p in paragraphs)
    core = ('<cp:coreProperties xmlns:cp="http://schemas.openxmlformats.org/package/2006/metadata/core-properties" '
            'xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:dcterms="http://purl.org/dc/terms/">'
            f"<dc:creator>{author}</dc:creator><dcterms:created>{created}</dcterms:created></cp:coreProperties>")
    return zipped(("[Content_Types].xml", "<Types/>"), ("docProps/core.xml", core),
                  ("word/document.xml", f'<w:document xmlns:w="{w}"><w:body>{body}</w:body></w:document>'))


def odt(text):
    o, t = "urn:oasis:names:tc:opendocument:xmlns:office:1.0", "urn:oasis:names:tc:opendocument:xmlns:text:1.0"
    return zipped(("mimetype", "application/vnd.oasis.opendocument.text"),
                  ("content.xml", f'<office:document-content xmlns:office="{o}" xmlns:text="{t}"><office:body>'
                   f"<office:text><text:p>{text}</text:p></office:text></office:body></office:document-content>"))


def epub(text):
    return zipped(("mimetype", "application/epub+zip"),
                  ("META-INF/container.xml", '<container><rootfiles><rootfile full-path="b.opf"/></rootfiles></container>'),
                  ("b.opf", '<package><metadata xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>The Ferry</dc:title>'
                   '<dc:creator>Ann</dc:creator></metadata><manifest><item id="a" href="a.xhtml"/></manifest>'
                   '<spine><itemref idref="a"/></spine></package>'),
                  ("a.xhtml", f"<html><body><p>{text}</p></body></html>"))


def pptx(text):
    rel = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    return zipped(("ppt/presentation.xml", f'<p:presentation xmlns:p="p" xmlns:r="{rel}"><p:sldIdLst><p:sldId id="256" '
                   'r:id="rId1"/></p:sldIdLst></p:presentation>'),
                  ("ppt/_rels/presentation.xml.rels", f'<Relationships><Relationship Id="rId1" Type="{rel}/slide" '
                   'Target="slides/slide1.xml"/></Relationships>'),
                  ("ppt/slides/slide1.xml", f'<p:sld xmlns:p="p" xmlns:a="a"><a:p><a:r><a:t>{text}</a:t></a:r></a:p></p:sld>'))


def pdf(text, packed=True):
    """One page, with a table of objects that is right; its content compressed or not."""
    content = f"BT /F1 12 Tf 72 700 Td ({text}) Tj ET".encode()
    data = zlib.compress(content) if packed else content
    how = b" /Filter /FlateDecode" if packed else b""
    objects = [b"<< /Type /Catalog /Pages 2 0 R >>", b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
               b"<< /Type /Page /Parent 2 0 R /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>",
               b"<< /Length %d%s >>\nstream\n%s\nendstream" % (len(data), how, data),
               b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>"]
    out, at = b"%PDF-1.4\n", []
    for i, o in enumerate(objects, 1):
        at.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (i, o)
    table = b"xref\n0 6\n0000000000 65535 f \n" + b"".join(b"%010d 00000 n \n" % a for a in at)
    return out + table + b"trailer\n<< /Size 6 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % len(out)


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
