"""likeness add with PDFs that a real program made: qpdf (Debian's), which encrypts in every way there is."""
import os
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli"))
from harness import Sandbox, Skip, check, main, same, test  # noqa: E402
from made import pdf  # noqa: E402

WAYS = {"rc4-40": ["40"], "rc4-128": ["128", "--use-aes=n"], "rc4-v4": ["128", "--force-V4"],
        "aes-128": ["128", "--use-aes=y"], "aes-128-meta": ["128", "--use-aes=y", "--cleartext-metadata"],
        "aes-256-r5": ["256", "--force-R5"], "aes-256": ["256", "--print=none"]}


def encrypted(box, password):
    """A folder of files, one for each way, with and without object streams. The number of them."""
    if not shutil.which("qpdf"):
        raise Skip("qpdf is not there")
    for way, how in WAYS.items():
        for streams in ("disable", "generate"):
            name = f"{way}-{streams}.pdf"
            plain = box.file("plain.pdf", pdf(f"The bank says {way} {streams} about the goats."))
            to = os.path.join(os.path.dirname(plain), "in", name)
            os.makedirs(os.path.dirname(to), exist_ok=True)
            r = subprocess.run(["qpdf", "--allow-weak-crypto", "--object-streams=" + streams, "--encrypt", password,
                                "owner", *how, "--", plain, to], capture_output=True, text=True)
            check(r.returncode in (0, 3), r.stderr)
    return 2 * len(WAYS)


@test("PDFs that anybody may read, but not print, come in")
def _():
    box = Sandbox().persona()
    n = encrypted(box, "")
    r = box.run("add", "in", "--json").ok().json()
    same((r["totals"]["added"], r["totals"]["failed"]), (n, 0), "pieces, files not read")
    for way in ("rc4-40", "aes-256"):
        box.run("search", f'"{way}"').ok().has(way)


@test("PDFs with a password say so")
def _():
    box = Sandbox().persona()
    n = encrypted(box, "secret")
    r = box.run("add", "in", "--json").exits(5).json()
    same(r["totals"]["failed"], n, "files not read")
    box.run("add", "in").exits(5).says("protected by a password: save it without one")


main()
