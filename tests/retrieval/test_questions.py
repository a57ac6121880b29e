#!/usr/bin/env python3
"""The retrieval questions keep their own rules (README.md beside this file): ids, halves, and anchors
that occur exactly as often in their corpus as is said there. TAP; corpora that are absent are skips."""
import html
import json
import mailbox
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
DATA = os.environ.get("LIKENESS_TEST_DATA") or os.path.join(os.path.dirname(ROOT), "shared", "data")
PERSON = os.path.join(ROOT, "examples", "person")
CORPORA = {"S": "person", "P": "pepys_diary", "W": "thoreau_walden", "F": "franklin_autobiography",
           "E": "emerson_essays"}
KINDS = ("other", "same", "keyword")


def fold(text):
    """As bench/bench_retrieval.c folds."""
    for curly, straight in ("\u2018'", "\u2019'", '\u201c"', '\u201d"'):
        text = text.replace(curly, straight)
    text = re.sub(r"[ \t\n\v\f\r\u00a0]+", " ", text)
    return "".join(c.lower() if "A" <= c <= "Z" else c for c in text).strip()


def untagged(text):
    return html.unescape(re.sub(r"<[^>]+>", " ", text))


def mail_texts(path):
    """The text of each mail, its quotation marks taken away; HTML only where there is nothing else."""
    for mail in mailbox.mbox(path):
        parts = [p for p in mail.walk() if p.get_content_maintype() == "text"]
        plain = [p for p in parts if p.get_content_subtype() == "plain"]
        for p in plain or parts:
            text = p.get_payload(decode=True).decode(p.get_content_charset() or "utf-8", "replace")
            yield re.sub(r"(?m)^[> ]+", "", text if plain else untagged(text))


def person_texts():
    for folder, _, files in sorted(os.walk(PERSON)):
        for name in sorted(files):
            path = os.path.join(folder, name)
            if name.endswith(".mbox"):
                yield from mail_texts(path)
                continue
            with open(path, encoding="utf-8") as f:
                text = f.read()
            if name.endswith(".json"):
                for m in json.loads(text)["messages"]:
                    t = m.get("text", "")
                    yield t if isinstance(t, str) else "".join(
                        x if isinstance(x, str) else x["text"] for x in t)
            else:
                yield untagged(text) if name.endswith(".html") else text


def corpus_text(name):
    """The folded text of a corpus, or None where it is not."""
    if name == "person":
        return fold("\n".join(person_texts()))
    path = os.path.join(DATA, "corpora", name + ".jsonl")
    if not os.path.exists(path):
        return None
    with open(path, encoding="utf-8") as f:
        return fold("\n".join(json.loads(line)["text"] for line in f))


def rows():
    with open(os.path.join(HERE, "questions.tsv"), encoding="utf-8") as f:
        lines = f.read().split("\n")
    assert lines.pop() == "", "the file does not end in a line end"
    head = lines[0].split("\t")
    assert head == ["id", "half", "corpus", "kind", "question", "anchors"], f"columns: {head}"
    for i, line in enumerate(lines[1:], 2):
        cells = line.split("\t")
        assert len(cells) == len(head), f"line {i}: {len(cells)} columns"
        yield dict(zip(head, cells))


def anchors(row):
    for a in row["anchors"].split(" || "):
        m = re.fullmatch(r"(.*?)(?: @(\d+))?", a)
        yield m[1], int(m[2] or 1)


def check_form(questions):
    wrong, seen, asked = [], {}, set()
    for q in questions:
        letter, number = q["id"][0], q["id"][1:]
        seen.setdefault(letter, []).append(int(number))
        if CORPORA.get(letter) != q["corpus"] or not re.fullmatch(r"\d{3}", number):
            wrong.append(f"{q['id']}: not an id of {q['corpus']}")
        if q["half"] != ("tune" if int(number) % 2 else "kept"):
            wrong.append(f"{q['id']}: half is {q['half']}")
        if q["kind"] not in KINDS:
            wrong.append(f"{q['id']}: kind is {q['kind']}")
        if (q["corpus"], fold(q["question"])) in asked:
            wrong.append(f"{q['id']}: asked twice")
        asked.add((q["corpus"], fold(q["question"])))
        for a, _ in anchors(q):
            if not 3 <= len(a.split()) <= 16:
                wrong.append(f"{q['id']}: {len(a.split())} words in \"{a}\"")
    for letter, numbers in seen.items():
        if numbers != list(range(1, len(numbers) + 1)):
            wrong.append(f"{letter}: numbers are not 1 to {len(numbers)} in order")
    return wrong


def check_balance(questions):
    wrong = []
    if len(questions) < 240:
        wrong.append(f"{len(questions)} questions; at least 240")
    if sum(q["kind"] == "other" for q in questions) * 2 < len(questions):
        wrong.append("less than half are asked in other words")
    for name in set(q["corpus"] for q in questions):
        halves = [sum(q["half"] == h for q in questions if q["corpus"] == name) for h in ("tune", "kept")]
        if abs(halves[0] - halves[1]) > 1:
            wrong.append(f"{name}: {halves[0]} to tune on, {halves[1]} kept")
    return wrong


def check_anchors(questions, text):
    wrong = []
    for q in questions:
        for a, times in anchors(q):
            n = text.count(fold(a))
            if n != times:
                wrong.append(f"{q['id']}: \"{a}\" occurs {n} times, said to occur {times}")
    return wrong


def main():
    questions, failed = list(rows()), 0
    cases = [("form", lambda: check_form(questions)), ("balance", lambda: check_balance(questions))]
    print(f"1..{len(cases) + len(CORPORA)}")
    for i, (name, fn) in enumerate(cases, 1):
        wrong = fn()
        print("\n".join(f"# {w}" for w in wrong) + ("\n" if wrong else "")
              + f"{'not ok' if wrong else 'ok'} {i} - {name}")
        failed += bool(wrong)
    for i, corpus in enumerate(CORPORA.values(), len(cases) + 1):
        text = corpus_text(corpus)
        if text is None:
            print(f"ok {i} - anchors in {corpus} # SKIP the corpus is not there")
            continue
        wrong = check_anchors([q for q in questions if q["corpus"] == corpus], text)
        print("\n".join(f"# {w}" for w in wrong) + ("\n" if wrong else "")
              + f"{'not ok' if wrong else 'ok'} {i} - anchors in {corpus}")
        failed += bool(wrong)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
