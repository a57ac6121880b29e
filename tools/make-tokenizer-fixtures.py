#!/usr/bin/env python3
"""Makes tests/model/tokenizers: two tiny SentencePiece models as GGUF, and the ids that the Python packages
sentencepiece and tokenizers give for the texts. Needs both packages and the test data; run once,
the results are committed. Usage: make-tokenizer-fixtures.py DATA OUT"""
import json
import os
import random
import struct
import sys
import unicodedata

import sentencepiece
from sentencepiece import sentencepiece_model_pb2
from tokenizers import Tokenizer

DATA, OUT = sys.argv[1], sys.argv[2]
VECTORS = f"{DATA}/tokenizers/bert/ggml-vocab-bert-bge.gguf.inp"
MORE = ["ＦＵＬＬ ｗｉｄｔｈ ①②③ ﬁne ﬂow", "e\u0301te\u0301 cafe\u0301 A\u030a", "\u3000 wide \u00a0space\u2003s  ",
        "\u2581blank \u2581\u2581 blanks", "<tool>call</tool> <s> </s> <unk>", "a\u200db\u00adc\x01d", "\U0001f999\U0001f999 \U0001f680 x",
        "Hast thou seen the Duke of Yorke? Up betimes, and to my office.", "\ud55c\uad6d\uc5b4 \u1112\u1161\u11ab",
        "\u0645\u0631\u062d\u0628\u0627 \u05e9\u05dc\u05d5\u05dd", "x" * 300, "ab " * 120, "\u4f60\u597d" * 40, "naïve Straße ½ ² Ⅷ",
        "\r\n\r\n line \t\t tab", "<0x41> <0xE2>", "  lead and trail  "]


def rules():
    """A part of NFKC, small enough to commit: what the whole table does to these characters."""
    out = {}
    for c in [*range(0xFF01, 0xFF5F), *range(0x2460, 0x2474), *range(0xFB00, 0xFB05), 0xA0, 0x2003, 0x3000, 0xBD, 0xB2, 0x2167]:
        out[chr(c)] = unicodedata.normalize("NFKC", chr(c))
    for c in "aeiouAEIOUcCnN":
        for m in "\u0300\u0301\u0302\u0303\u0308\u0327\u030a":
            n = unicodedata.normalize("NFC", c + m)
            if len(n) == 1:
                out[c + m] = n
    for c in "\t\n\r":
        out[c] = " "
    for c in "\x01\u00ad\u200b":
        out[c] = ""
    out["\u1112\u1161\u11ab"] = "\ud55c"
    return "".join("%s\t%s\n" % (" ".join("%x" % ord(c) for c in k), " ".join("%x" % ord(c) for c in v)) for k, v in sorted(out.items()))


def sentences():
    lines = []
    with open(f"{DATA}/corpora/pepys_diary.jsonl", encoding="utf-8") as f:
        for line in list(f)[:400]:
            d = json.loads(line)
            lines += [x for x in (d.get("text") or d.get("body") or "").split("\n") if x.strip()]
    return lines + ["Füße über Straße, naïve café, déjà vu.", "Привет, мир! Как дела?", "我想在这里工作，今天天气很好。",
                    "ありがとう ございます", "안녕하세요 세계", "مرحبا بالعالم", "Xin chào, Cửa Việt"] * 40


def gguf(path, values):
    def text(s):
        s = s.encode() if isinstance(s, str) else s
        return struct.pack("<Q", len(s)) + s
    out = b"GGUF" + struct.pack("<IQQ", 3, 0, len(values))
    for key, kind, v in values:
        out += text("tokenizer.ggml." + key)
        if kind == "str":
            out += struct.pack("<I", 8) + text(v)
        elif kind == "u32":
            out += struct.pack("<II", 4, v)
        elif kind == "bool":
            out += struct.pack("<IB", 7, v)
        elif kind == "strs":
            out += struct.pack("<IIQ", 9, 8, len(v)) + b"".join(map(text, v))
        else:
            code, letter = {"f32s": (6, "f"), "i32s": (5, "i"), "u8s": (0, "B")}[kind]
            out += struct.pack("<IIQ", 9, code, len(v)) + struct.pack("<%d%s" % (len(v), letter), *v)
    with open(path, "wb") as f:
        f.write(out + b"\0" * (-len(out) % 32))


def train(name, model, n, **how):
    prefix = f"{OUT}/{name}"
    sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(sentences()), model_prefix=prefix, vocab_size=n, minloglevel=2, **how)
    m = sentencepiece_model_pb2.ModelProto()
    with open(prefix + ".model", "rb") as f:
        m.ParseFromString(f.read())
    p, norm = m.pieces, m.normalizer_spec
    values = [("model", "str", model), ("tokens", "strs", [x.piece for x in p]), ("scores", "f32s", [x.score for x in p]),
              ("token_type", "i32s", [x.type for x in p]), ("bos_token_id", "u32", m.trainer_spec.bos_id),
              ("eos_token_id", "u32", m.trainer_spec.eos_id), ("unknown_token_id", "u32", m.trainer_spec.unk_id),
              ("add_bos_token", "bool", True), ("add_eos_token", "bool", model == "t5"),
              ("add_space_prefix", "bool", norm.add_dummy_prefix), ("remove_extra_whitespaces", "bool", norm.remove_extra_whitespaces)]
    if norm.precompiled_charsmap:
        values.append(("precompiled_charsmap", "u8s", list(norm.precompiled_charsmap)))
    gguf(prefix + ".gguf", values)
    sp = sentencepiece.SentencePieceProcessor(model_file=prefix + ".model")
    for rest in (".model", ".vocab"):
        os.remove(prefix + rest)
    return sp.encode


def some_texts(n):
    r = random.Random(5)
    pools = ["abc the", " \t\n", "eéè\u0301\u0300", "Ａｂ①ﬁ", "我想在天", "привет", "안녕세", "مرحبا", "\U0001f680\u200d\ufe0f", "\u2581 x"]
    return ["".join(r.choice(r.choice(pools)) for _ in range(r.choice([2, 9, 40]))) for _ in range(n)]


def write(name, texts, encode):
    with open(f"{OUT}/{name}.ids", "w", encoding="utf-8", newline="\n") as f:
        for t in texts:
            shown = t.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t")
            f.write("%s\t%s\n" % (shown, " ".join(map(str, encode(t)))))


def main():
    os.makedirs(OUT, exist_ok=True)
    with open(VECTORS, encoding="utf-8", newline="") as f:
        vectors = f.read().split("\n__ggml_vocab_test__\n")
    tsv = f"{OUT}/rules.tsv"
    with open(tsv, "w", encoding="utf-8") as f:
        f.write(rules())
    mixed = vectors + MORE + some_texts(100)
    write("unigram", mixed, train("unigram", "t5", 600, model_type="unigram", character_coverage=0.9995, bos_id=0, pad_id=1,
                                  eos_id=2, unk_id=3, user_defined_symbols=["<tool>"], normalization_rule_tsv=tsv))
    write("spm", mixed, train("spm", "llama", 700, model_type="bpe", character_coverage=0.99, byte_fallback=True,
                              normalization_rule_name="identity", remove_extra_whitespaces=False))
    os.remove(tsv)
    for name in ("smollm", "minilm"):
        t = Tokenizer.from_file(f"{DATA}/tokenizers/{name}/tokenizer.json")
        t.no_padding()
        t.no_truncation()
        more = MORE if name == "smollm" else [x for x in MORE if "\u2581" not in x]
        write(name, vectors + more, lambda s, t=t: t.encode(s, add_special_tokens=False).ids)


main()
