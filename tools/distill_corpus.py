#!/usr/bin/env python3
"""Gathers the texts that `likeness model distill` fits its table on: one passage a line.

    apt-get download wordnet-base fortunes dict-jargon bible-kjv-text manpages
    git clone each of REPOS into CLONES/OWNER+NAME
    tools/distill_corpus.py --corpora ../shared/data/corpora --debs DEBS --clones CLONES OUT

OUT/train.txt is fitted on; OUT/held.txt is one document in fifty, OUT/walden.txt a whole book, and
OUT/person.txt the sample person: none of their documents is in train.txt. What is missing is passed
over, with a line on stderr. None of the texts is part of the project; what each may be used for:

  corpora          Pepys, Franklin, Emerson, Walden         public domain
  wordnet-base     glosses and examples                     WordNet licence (permissive)
  fortunes, dict-jargon, bible-kjv-text                     public domain
  manpages         one paragraph in four                    free licences of Debian main
  descriptions of Debian's packages (apt-cache dumpavail)   free licences of Debian main
  mozilla/common-voice, sentences in English                CC0
  monologg/GoEmotions-pytorch (Google's GoEmotions)         Apache-2.0 / CC BY 4.0
  alexa/Topical-Chat                                        CDLA-Sharing (results are free)
  google-research-datasets/Taskmaster                       CC BY 4.0
  jkkummerfeld/irc-disentanglement                          CC BY 4.0
  PolyAI-LDN/task-specific-datasets                         CC BY 4.0
  clinc/oos-eval                                            CC BY 3.0
  openai/grade-school-math                                  MIT
  gunthercox/chatterbot-corpus                              BSD
  nltk/nltk_data: product_reviews, sentence_polarity, subjectivity, movie_reviews, pros_cons,
    comparative_sentences (CC BY 4.0), state_union, inaugural (public domain)
"""
import argparse
import csv
import glob
import gzip
import hashlib
import io
import json
import os
import random
import re
import subprocess
import sys
import zipfile

MAX_WORDS = 90
SENTENCE = re.compile(r"(?<=[.!?])[\"')\]]*\s+(?=[\"'(\[]*[A-Z0-9])")


class Repo:
    """A clone, bare or not: its files by git show."""

    def __init__(self, clones, name):
        base = os.path.join(clones, name.replace("/", "+"))
        found = [d for d in (base + "/repo/.git", base + "/repo", base + "/.git", base)
                 if os.path.exists(os.path.join(d, "HEAD"))]
        self.dir = found[0] if found else None
        if not self.dir:
            print(f"missing: {name}", file=sys.stderr)

    def git(self, *args):
        r = subprocess.run(["git", "--git-dir", self.dir, *args], capture_output=True)
        return r.stdout if r.returncode == 0 else b""

    def names(self, pattern):
        if not self.dir:
            return []
        listed = self.git("ls-tree", "-r", "--name-only", "HEAD").decode().split("\n")
        return [n for n in listed if re.search(pattern, n)]

    def read(self, name):
        return self.git("show", "HEAD:" + name).decode("utf-8", "replace")

    def bytes(self, name):
        return self.git("show", "HEAD:" + name) if self.dir else b""


def tidy(s):
    return re.sub(r"\s+", " ", s).strip()


def untokenise(s):
    """'it's a good , long film .' as people write it."""
    s = re.sub(r" ([.,;:!?)\]%])", r"\1", s)
    s = re.sub(r"([(\[$]) ", r"\1", s)
    return re.sub(r" (n't|'s|'re|'ve|'ll|'d|'m)\b", r"\1", s)


def sentences(text):
    return [x for x in (tidy(p) for p in SENTENCE.split(text)) if x]


def paragraphs(text):
    return [tidy(p) for p in re.split(r"\n\s*\n", text) if tidy(p)]


# Each source yields documents: lists of sentences or utterances that follow one another.

def from_corpora(folder, name):
    for path in glob.glob(os.path.join(folder, name + "*.jsonl")):
        for line in open(path, encoding="utf-8"):
            j = json.loads(line)
            text = j.get("text") or j.get("body") or ""
            for p in paragraphs(text):
                yield sentences(p)


def from_wordnet(root):
    for path in glob.glob(root + "/usr/share/wordnet/data.*"):
        for line in open(path, encoding="latin-1"):
            if line.startswith("  ") or " | " not in line:
                continue
            head, gloss = line.split(" | ", 1)
            words = head.split()
            word = words[4].replace("_", " ")
            parts = [p.strip().strip('"') for p in re.split(r';\s*(?=")', gloss.strip())]
            yield [word + ": " + parts[0]]
            for p in parts[1:]:
                yield [p]


def from_fortunes(root):
    for path in glob.glob(root + "/usr/share/games/fortunes/*"):
        if path.endswith((".dat", ".u8")):
            continue
        for f in open(path, encoding="utf-8", errors="replace").read().split("\n%\n"):
            yield sentences(tidy(f))


def from_jargon(root):
    for path in glob.glob(root + "/usr/share/dictd/jargon.dict.dz"):
        for p in paragraphs(gzip.open(path).read().decode("utf-8", "replace")):
            yield sentences(p)


def from_bible(root):
    for path in glob.glob(root + "/usr/share/**/bible*.txt*", recursive=True):
        data = gzip.open(path).read() if path.endswith(".gz") else open(path, "rb").read()
        for line in data.decode("utf-8", "replace").split("\n"):
            yield [tidy(re.sub(r"^\W*\w+\d+:\d+\s*", "", line))]


def from_manpages(root):
    for path in glob.glob(root + "/usr/share/man/man*/*.gz"):
        text = gzip.open(path).read().decode("utf-8", "replace")
        text = re.sub(r"^\.(PP|P|TP|SH.*|IP.*|LP|RS.*|RE.*|br|sp)\s*$", "", text, flags=re.M)
        text = re.sub(r"^['.].*$", "", text, flags=re.M)
        text = re.sub(r"\\f[A-Z]|\\&|\\-", lambda m: "-" if m[0] == "\\-" else "", text)
        for p in paragraphs(text):
            if len(p.split()) > 5 and "\\" not in p and stable(p, 4) == 0:
                yield sentences(p)


def from_descriptions():
    r = subprocess.run(["apt-cache", "dumpavail"], capture_output=True, text=True)
    for block in r.stdout.split("\n\n"):
        m = re.search(r"^Description(?:-en)?: (.*(?:\n .*)*)", block, re.M)
        if m and stable(m[1], 6) == 0:
            text = re.sub(r"\n \.\n", "\n\n", m[1])
            for p in paragraphs(text):
                yield sentences(p)


def from_common_voice(r):
    for name in r.names(r"^server/data/en/[^/]*\.txt$"):
        for line in r.read(name).split("\n"):
            yield [tidy(line)]


def from_goemotions(r):
    for name in r.names(r"^data/original/(train|dev|test)\.tsv$"):
        for line in r.read(name).split("\n"):
            yield [tidy(line.split("\t")[0])]


def from_topical(r):
    for name in r.names(r"^conversations/.*\.json$"):
        for talk in json.loads(r.read(name) or "{}").values():
            yield [tidy(t["message"]) for t in talk["content"]]


def from_taskmaster(r):
    for name in r.names(r"^TM-.*/data.*\.json$"):
        try:
            talks = json.loads(r.read(name) or "[]")
        except ValueError:
            continue
        for talk in talks:
            yield [tidy(str(u.get("text", ""))) for u in talk.get("utterances", [])]


def from_irc(r):
    for name in r.names(r"^data/.*\.ascii\.txt$"):
        lines = re.findall(r"^\[[\d:]+\] <[^>]*> (.*)$", r.read(name), re.M)
        for i in range(0, len(lines), 4):
            yield [tidy(x) for x in lines[i:i + 4]]


def from_tasks(r):
    for name in r.names(r"\.csv$"):
        for row in csv.reader(io.StringIO(r.read(name))):
            if row and len(row[0].split()) > 2:
                yield [tidy(row[0])]
    for name in r.names(r"\.json$"):
        for s in re.findall(r'"userInput":\s*\{\s*"text":\s*"([^"]+)"', r.read(name)):
            yield [tidy(s)]


def from_clinc(r):
    for name in r.names(r"data_full\.json$"):
        for part in json.loads(r.read(name) or "{}").values():
            for text, _ in part:
                yield [tidy(text)]


def from_gsm(r):
    for name in r.names(r"data/(train|test)\.jsonl$"):
        for line in r.read(name).split("\n"):
            if line.strip():
                yield sentences(json.loads(line)["question"])


def from_chatterbot(r):
    for name in r.names(r"data/english/.*\.yml$"):
        for line in re.findall(r"^\s*-?\s+- (.*)$", r.read(name), re.M):
            yield [tidy(line.strip("'\""))]


def from_nltk(r):
    for pack in ("product_reviews_1", "product_reviews_2", "sentence_polarity", "subjectivity",
                 "movie_reviews", "pros_cons", "comparative_sentences", "state_union",
                 "inaugural"):
        data = r.bytes(f"packages/corpora/{pack}.zip")
        if not data:
            continue
        z = zipfile.ZipFile(io.BytesIO(data))
        for name in z.namelist():
            if name.endswith("/") or "README" in name or "listOf" in name:
                continue
            text = z.read(name).decode("latin-1")
            if pack in ("state_union", "inaugural"):
                for p in paragraphs(text):
                    yield sentences(p)
                continue
            lines = [untokenise(tidy(re.sub(r"^.*##|<[^>]*>|^\[t\]|\*{3,}.*", "", x)))
                     for x in text.split("\n")]
            for i in range(0, len(lines), 5 if pack == "movie_reviews" else 1):
                yield [x for x in lines[i:i + (5 if pack == "movie_reviews" else 1)] if x]


def from_person(folder):
    for path in sorted(glob.glob(folder + "/**/*", recursive=True)):
        if path.endswith((".md", ".txt")):
            text = open(path, encoding="utf-8", errors="replace").read()
            text = re.sub(r"^\u200e?\[?\d[^\]\n]{5,30}[\]-] ?[^:\n]{1,30}: ", "", text, flags=re.M)
            for p in text.split("\n"):
                yield sentences(p)


def stable(s, n):
    return int.from_bytes(hashlib.blake2b(s.encode(), digest_size=8).digest(), "little") % n


def usable(s):
    words = s.split()
    letters = sum(c.isalpha() for c in s)
    return 1 <= len(words) <= MAX_WORDS and letters >= 0.6 * len(s) and len(s) >= 2


def passages(doc, rng):
    """Runs of a document's sentences, of random length."""
    i = 0
    while i < len(doc):
        most, run, words = rng.choice((12, 25, 50, MAX_WORDS)), [], 0
        while i < len(doc) and (not run or words + len(doc[i].split()) <= most):
            run.append(doc[i])
            words += len(doc[i].split())
            i += 1
        if len(run) > 1 and words <= MAX_WORDS:
            yield " ".join(run)


def recombined(lines, n, rng):
    """Windows of words, pairs of sentences, words alone: what a mean must also get right."""
    for _ in range(n):
        a = rng.choice(lines)
        kind = rng.random()
        words = a.split()
        if kind < 0.45 and len(words) > 4:
            k = rng.randint(2, min(len(words) - 1, 24))
            at = rng.randint(0, len(words) - k)
            yield " ".join(words[at:at + k])
        elif kind < 0.8:
            b = rng.choice(lines)
            if len(words) + len(b.split()) <= MAX_WORDS:
                yield a + " " + b
        else:
            yield rng.choice(words).strip(".,;:!?\"'()")


def main():
    ap = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    ap.add_argument("--corpora")
    ap.add_argument("--debs", help="folder with unpacked packages (dpkg -x)")
    ap.add_argument("--clones")
    ap.add_argument("--person", help="the sample person's folder: held out")
    ap.add_argument("--extra", type=int, default=60000, help="recombined texts")
    ap.add_argument("out")
    o = ap.parse_args()
    rng = random.Random(1)
    sources = []
    if o.corpora:
        sources += [("pepys", from_corpora(o.corpora, "pepys"), 25000),
                    ("franklin", from_corpora(o.corpora, "franklin"), 4000),
                    ("emerson", from_corpora(o.corpora, "emerson"), 8000)]
    if o.debs:
        sources += [("wordnet", from_wordnet(o.debs), 70000),
                    ("fortunes", from_fortunes(o.debs), 40000),
                    ("jargon", from_jargon(o.debs), 8000), ("bible", from_bible(o.debs), 4000),
                    ("manpages", from_manpages(o.debs), 8000),
                    ("descriptions", from_descriptions(), 15000)]
    if o.clones:
        for name, read, most in (
                ("mozilla/common-voice", from_common_voice, 60000),
                ("monologg/GoEmotions-pytorch", from_goemotions, 60000),
                ("alexa/Topical-Chat", from_topical, 60000),
                ("google-research-datasets/Taskmaster", from_taskmaster, 20000),
                ("jkkummerfeld/irc-disentanglement", from_irc, 25000),
                ("PolyAI-LDN/task-specific-datasets", from_tasks, 20000),
                ("clinc/oos-eval", from_clinc, 15000),
                ("openai/grade-school-math", from_gsm, 10000),
                ("gunthercox/chatterbot-corpus", from_chatterbot, 5000),
                ("nltk/nltk_data", from_nltk, 60000)):
            sources.append((name, read(Repo(o.clones, name)), most))
    os.makedirs(o.out, exist_ok=True)
    train, held, seen = [], [], set()
    for name, docs, most in sources:
        docs = [[s for s in d if usable(s)] for d in docs]
        rng.shuffle(docs)
        kept = 0
        for doc in docs:
            if not doc or kept >= most:
                continue
            to = held if stable(doc[0], 50) == 0 else train
            for s in doc + list(passages(doc, rng)):
                if s not in seen:
                    seen.add(s)
                    to.append(s)
                    kept += 1
        print(f"{name}: {kept}", file=sys.stderr)
    held_set = set(held)
    train += [s for s in recombined(train, o.extra, rng) if usable(s) and s not in held_set]
    rng.shuffle(train)
    rng.shuffle(held)
    books = from_corpora(o.corpora, "thoreau") if o.corpora else []
    walden = [s for d in books for s in d if usable(s)]
    person = [s for d in from_person(o.person) for s in d if usable(s)] if o.person else []
    for name, lines in (("train", train), ("held", held), ("walden", walden), ("person", person)):
        with open(os.path.join(o.out, name + ".txt"), "w", encoding="utf-8") as f:
            f.writelines(s + "\n" for s in lines)
        words = sum(len(s.split()) for s in lines)
        print(f"{name}.txt: {len(lines)} lines, {words} words", file=sys.stderr)


main()
