#!/usr/bin/env python3
"""BERT-type encoders in float64 numpy: the executable specification that src/model/encoder.c is
tested against. A development tool (numpy, tokenizers).

    tools/encoder_reference.py MINILM_FOLDER tests/model/encoders/minilm.vec

reads a Hugging Face folder (model.safetensors, tokenizer.json) and writes 200 texts with their
vectors: "LKEV", u32 texts, u32 dim, then for each u32 bytes, the text, f32 scale, dim x i16, where
vector = scale x i16. Little-endian. The texts are written for this project."""
import json
import math
import struct
import sys

import numpy as np

try:
    from scipy.special import erf
except ImportError:
    erf = np.vectorize(math.erf)


def layer_norm(x, w, b, eps):
    y = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + eps)
    return y * w if b is None else y * w + b


def softmax(x):
    y = np.exp(x - x.max(-1, keepdims=True))
    return y / y.sum(-1, keepdims=True)


def gelu(x):
    return 0.5 * x * (1 + erf(x / math.sqrt(2)))


def silu(x):
    return x / (1 + np.exp(-x))


def rope(x, base):
    """x: [n, heads, d]; pairs (i, i + d/2)."""
    n, _, d = x.shape
    a = np.arange(n)[:, None] * base ** (-np.arange(0, d, 2) / d)[None]
    c, s = np.cos(a)[:, None], np.sin(a)[:, None]
    l, r = x[..., :d // 2], x[..., d // 2:]
    return np.concatenate([l * c - r * s, r * c + l * s], -1)


def bert(w, f, ids):
    """Last layer's rows of one sequence. w: arrays by the names of GGUF; f: facts."""
    n, heads, eps = len(ids), f["heads"], f["eps"]
    get = w.get

    def linear(x, name):
        y = x @ w[name + ".weight"].T
        return y if get(name + ".bias") is None else y + w[name + ".bias"]

    x = w["token_embd.weight"][ids]
    if "position_embd.weight" in w:
        x = x + w["position_embd.weight"][f.get("offset", 0):][:n]
    if "token_types.weight" in w:
        x = x + w["token_types.weight"][0]
    x = layer_norm(x, w["token_embd_norm.weight"], get("token_embd_norm.bias"), eps)
    for i in range(f["layers"]):
        b = f"blk.{i}."
        if b + "attn_qkv.weight" in w:
            q, k, v = np.split(linear(x, b + "attn_qkv"), 3, -1)
        else:
            q, k, v = (linear(x, b + "attn_" + c) for c in "qkv")
        q, k, v = (y.reshape(n, heads, -1) for y in (q, k, v))
        if "rope_base" in f:
            q, k = rope(q, f["rope_base"]), rope(k, f["rope_base"])
        p = softmax(np.einsum("ihd,jhd->hij", q, k) / math.sqrt(q.shape[-1]))
        a = np.einsum("hij,jhd->ihd", p, v).reshape(n, -1)
        x = layer_norm(x + linear(a, b + "attn_output"), w[b + "attn_output_norm.weight"],
                       get(b + "attn_output_norm.bias"), eps)
        h = linear(x, b + "ffn_up")
        h = silu(linear(x, b + "ffn_gate")) * h if b + "ffn_gate.weight" in w else gelu(h)
        x = layer_norm(x + linear(h, b + "ffn_down"), w[b + "layer_output_norm.weight"],
                       get(b + "layer_output_norm.bias"), eps)
    return x


def unit(v):
    return v / np.linalg.norm(v)


def windows(n, most):
    """(from, length) of the windows of n tokens: as many as share an eighth, all of one length."""
    if n <= most:
        return [(0, n)]
    shared = most // 8
    count = -(-(n - shared) // (most - shared))
    return [((n - most) * i // (count - 1), most) for i in range(count)]


def embed(w, f, ids):
    """ids: without [CLS] and [SEP]."""
    total = 0
    for at, n in windows(len(ids), f["context"] - 2):
        x = bert(w, f, [f["cls"], *ids[at:at + n], f["sep"]])
        total = total + (n + 2) * unit(x[0] if f["pooling"] == 2 else x.mean(0))
    return unit(total)


def write_vectors(path, texts, vectors):
    with open(path, "wb") as out:
        out.write(b"LKEV" + struct.pack("<II", len(texts), len(vectors[0])))
        for text, v in zip(texts, vectors):
            b = text.encode()
            scale = np.float32(np.abs(v).max() / 32767)
            q = np.clip(np.round(v / scale), -32767, 32767).astype("<i2")
            out.write(struct.pack("<I", len(b)) + b + struct.pack("<f", scale) + q.tobytes())


# ---- all-MiniLM-L6-v2 from its folder ----

def read_safetensors(path):
    with open(path, "rb") as f:
        n, = struct.unpack("<Q", f.read(8))
        head, data = json.loads(f.read(n)), f.read()
    for name, t in head.items():
        if name != "__metadata__" and t["dtype"] == "F32":
            a, b = t["data_offsets"]
            yield name, np.frombuffer(data[a:b], "<f4").reshape(t["shape"]).astype(np.float64)


NAMES = {"embeddings.word_embeddings": "token_embd", "embeddings.position_embeddings":
         "position_embd", "embeddings.token_type_embeddings": "token_types",
         "embeddings.LayerNorm": "token_embd_norm"}
LAYER = {"attention.self.query": "attn_q", "attention.self.key": "attn_k",
         "attention.self.value": "attn_v", "attention.output.dense": "attn_output",
         "attention.output.LayerNorm": "attn_output_norm", "intermediate.dense": "ffn_up",
         "output.dense": "ffn_down", "output.LayerNorm": "layer_output_norm"}


def gguf_name(name):
    stem, kind = name.removeprefix("bert.").rsplit(".", 1)
    if stem.startswith("encoder.layer."):
        _, _, i, rest = stem.split(".", 3)
        return f"blk.{i}.{LAYER[rest]}.{kind}"
    return f"{NAMES[stem]}.{kind}" if stem in NAMES else None


def load(folder):
    w = {gguf_name(k): v for k, v in read_safetensors(folder + "/model.safetensors")}
    c = json.load(open(folder + "/config.json"))
    f = {"layers": c["num_hidden_layers"], "heads": c["num_attention_heads"],
         "eps": c["layer_norm_eps"], "context": c["max_position_embeddings"], "pooling": 1,
         "cls": 101, "sep": 102}
    return w, f


def texts():
    """200 texts: short, long, empty and odd."""
    t = ["", " ", "\n\t", "a", "I", "?", "...", "!!!???", "0", "3.14159", "1,234,567.89", "\u00e9",
         "na\u00efve caf\u00e9 cr\u00e8me br\u00fbl\u00e9e", "\u00c5ngstr\u00f6m \u00dcber \u0130stanbul stra\u00dfe",
         "\u4f60\u597d\u4e16\u754c", "\u3053\u3093\u306b\u3061\u306f", "\uc548\ub155\ud558\uc138\uc694", "\u041f\u0440\u0438\u0432\u0435\u0442, \u043a\u0430\u043a \u0434\u0435\u043b\u0430?",
         "\u0645\u0631\u062d\u0628\u0627", "\u0928\u092e\u0938\u094d\u0924\u0947", "\U0001f600", "See you \U0001f44b\U0001f3fd at 7 \U0001f389\U0001f389",
         "zero\u200bwidth\u00a0space\ufeff", "tab\tand\r\nnewline", "UPPER lower MiXeD", "[CLS] [SEP] [MASK] [UNK]",
         "<s></s>", "user@example.org", "https://example.org/a/b?c=d&e=f#g", "C:\\Users\\me\\file.txt",
         "don't can't won't it's we'll I'd've", "e.g. i.e. etc. Dr. Mr. Mrs.", "re-read co-operate self-made",
         "snake_case camelCase kebab-case", "for (int i = 0; i < n; i++) sum += a[i];",
         "x" * 99, "x" * 101, "ab" * 300, "supercalifragilisticexpialidocious", "aaa " * 40, "$100 \u20ac50 \u00a325 \u00a51000",
         "2 + 2 = 4", "50% off", "#hashtag @mention", "\u201cquoted\u201d \u2018single\u2019 \u2014 dash \u2013 en\u2026",
         "\u00bd \u00bc \u00b2 \u00b3 \u2122 \u00ae \u00a9", "\u0301combining first", "e\u0301 decomposed", "null\u0001control",
         "the the the the", "The doctor", "the hospital"]
    who = ["My father", "The neighbour's dog", "Our old teacher", "Anna", "The engineer on the ferry"]
    did = ["repaired the bicycle before breakfast", "never wrote back after the storm",
           "planted beans along the southern wall", "lost the keys somewhere in Lisbon",
           "taught me to read a tide table", "sang in the church choir on Sundays"]
    t += [f"{a} {b}." for a in who for b in did]
    ask = ["What do you think about", "When did you first hear of", "Why would anybody want"]
    about = ["working from home?", "a garden in the city?", "growing old?", "the price of bread?",
             "learning the violin at forty?", "the sea in winter?", "forgiveness?", "self-driving cars?"]
    t += [f"{a} {b}" for a in ask for b in about]
    base = [s for s in t if len(s.split()) >= 3 and s.isascii()]
    k = 7
    while len(t) < 193:  # passages of growing length
        n = 2 + len(t) % 17
        t.append(" ".join(base[(len(t) * k + 13 * j) % len(base)] for j in range(n)))
    for n in (55, 65, 75, 85, 100, 130, 170):  # up to many windows
        t.append(" ".join(base[(n * 3 + 11 * j) % len(base)] for j in range(n)))
    return t[:200]


def main():
    from tokenizers import Tokenizer
    folder, out = sys.argv[1:]
    w, f = load(folder)
    tok = Tokenizer.from_file(folder + "/tokenizer.json")
    tok.no_truncation()
    tok.no_padding()
    # "[CLS]" typed by somebody is text: our tokenizer never makes it a special token.
    special = {s for s in ("[CLS]", "[SEP]", "[MASK]", "[UNK]", "[PAD]")}
    vectors, kept = [], []
    for s in texts():
        if any(x in s for x in special):
            s = s.replace("[", "(").replace("]", ")")
        ids = tok.encode(s, add_special_tokens=False).ids
        kept.append(s)
        vectors.append(embed(w, f, ids))
        print(len(kept), len(ids), file=sys.stderr, end="\r")
    write_vectors(out, kept, vectors)


if __name__ == "__main__":
    main()
