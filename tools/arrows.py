#!/usr/bin/env python3
"""Checks that dependencies point one way: reads every #include "room/..." below src/ and compares it with
the rooms that each room may use. Exit 1 and a line for each arrow that points back."""
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
MAY = {
    "base": set(),
    "kernels": {"base"},
    "text": {"base"},
    "model": {"base", "kernels", "text"},
    "vault": {"base"},
    "store": {"base", "vault"},
    "index": {"base", "kernels", "text"},
    "persona": {"base", "kernels", "text", "model", "vault", "store", "index"},
    "api": {"base", "kernels", "text", "model", "vault", "store", "index", "persona"},
    "cli": {"base", "kernels", "text", "model", "vault", "store", "index", "persona"},
}
bad = 0
for folder, _, files in os.walk(os.path.join(ROOT, "src")):
    for f in sorted(files):
        path = os.path.join(folder, f)
        room = os.path.relpath(path, os.path.join(ROOT, "src")).split(os.sep)[0]
        for number, line in enumerate(open(path, encoding="utf-8"), 1):
            m = re.match(r'\s*#\s*include\s+"([a-z]+)/', line)
            if not m or m.group(1) == room:
                continue
            if m.group(1) not in MAY.get(room, set()):
                print(f"{os.path.relpath(path, ROOT)}:{number}: {room} may not include {m.group(1)}/")
                bad = 1
            if re.search(r"\bsqlite3\.h", line):
                bad = 1
    for f in files:
        text = open(os.path.join(folder, f), encoding="utf-8").read()
        if "sqlite3.h" in text and os.path.basename(folder) != "store":
            print(f"{os.path.join(folder, f)}: SQL lives in store/")
            bad = 1
sys.exit(bad)
