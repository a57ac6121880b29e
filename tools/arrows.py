#!/usr/bin/env python3
"""Checks that dependencies point one way: reads every #include "room/..." below src/ and compares it
with the rooms that each room may use; SQL stays in store/, and the choice of a machine in kernels/
(no #if above it but header guards, and how a core waits in base/threads.c). Exit 1 and a line for each that breaks a rule."""
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
CORE = {"base", "net", "kernels", "text", "model", "shelf", "vault", "store", "index"}
MAY = {
    "base": set(),
    "kernels": {"base"},
    "text": {"base"},
    "model": {"base", "kernels", "text"},
    "net": {"base"},
    "shelf": {"base", "kernels", "text", "model", "net"},
    "vault": {"base"},
    "store": {"base", "vault"},
    "index": {"base", "kernels", "text"},
    "jobs": {"base", "vault", "store"},
    "media": {"base", "text", "vault"},
    "persona": CORE | {"jobs", "media"},
    "account": {"base", "vault", "store"},
    "http": CORE | {"jobs", "persona", "account"},
    "api": CORE | {"persona"},
    "cli": CORE | {"jobs", "persona", "account", "http"},
}


def faults(room, name, line):
    """What is wrong with one line of a file of room."""
    m = re.match(r'\s*#\s*include\s+"([a-z]+)/', line)
    if m and m.group(1) != room and m.group(1) not in MAY[room]:
        yield f"{room} may not include {m.group(1)}/"
    if room != "store" and (room, name) != ("media", "imessage.c") and re.match(r"\s*#\s*include\s+[<\"]sqlite3\.h", line):
        yield "SQL lives in store/"  # but for databases that are exports, read in the helper
    if room != "kernels" and (room, name) != ("base", "threads.c") and re.match(r"\s*#\s*(if|ifdef|ifndef|elif)\b", line) \
            and not re.match(r"#ifndef LK_\w+_H$", line):
        yield "#if belongs into kernels/ only"


def main():
    bad = 0
    src = os.path.join(ROOT, "src")
    for folder, _, files in sorted(os.walk(src)):
        for name in sorted(f for f in files if f.endswith((".c", ".h"))):
            path = os.path.join(folder, name)
            room = os.path.relpath(path, src).split(os.sep)[0]
            if room not in MAY:
                print(f"{os.path.relpath(path, ROOT)}: no rule for the room {room}/")
                bad = 1
                continue
            with open(path, encoding="utf-8") as f:
                for number, line in enumerate(f, 1):
                    for fault in faults(room, name, line.rstrip("\n")):
                        print(f"{os.path.relpath(path, ROOT)}:{number}: {fault}")
                        bad = 1
    return bad


sys.exit(main())
