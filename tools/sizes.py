#!/usr/bin/env python3
"""Checks the files named: at most 700 lines, at most 100 columns (characters, not bytes), UTF-8, no
trailing space. Exit 1 and a line for each that is over."""
import sys

LINES, COLUMNS = 700, 100
bad = 0
if not sys.argv[1:]:
    sys.exit("sizes.py: name the files to look at")
for path in sys.argv[1:]:
    with open(path, encoding="utf-8", newline="\n") as f:
        lines = f.read().split("\n")
    for number, line in enumerate(lines, 1):
        if len(line) > COLUMNS:
            print(f"{path}:{number}: {len(line)} columns")
            bad = 1
        if line != line.rstrip():
            print(f"{path}:{number}: space at the end")
            bad = 1
    if len(lines) - 1 > LINES:
        print(f"{path}: {len(lines) - 1} lines")
        bad = 1
sys.exit(bad)
