#!/usr/bin/env python3
"""Writes the tiny random-weight GGUF files of tests/model/tiny, one for each architecture and each type of
weights, with the logits that decoder_reference.py computes inside (keys test.*; see the README there).

    python3 tools/make_tiny_models.py tests/model/tiny

The same numpy gives the same bytes. Weights of quantised types are random blocks, so nothing is quantised
here and nothing is lost: the reference reads what the file says."""
import os
import struct
import sys

import numpy as np

from decoder_reference import Gguf, TYPES, forward

NUMBER = {name: (i, n, size) for i, (name, n, size) in TYPES.items()}
VOCAB, PROMPT = 288, 48


def string(s):
    b = s.encode()
    return struct.pack("<Q", len(b)) + b


def value(v):
    """Kind and bytes of a key's value."""
    if isinstance(v, bool):
        return struct.pack("<IB", 7, v)
    if isinstance(v, int):
        return struct.pack("<II", 4, v)
    if isinstance(v, float):
        return struct.pack("<If", 6, v)
    if isinstance(v, str):
        return struct.pack("<I", 8) + string(v)
    if isinstance(v, np.ndarray):
        kind = {"i": 5, "f": 6}[v.dtype.kind]
        return struct.pack("<IIQ", 9, kind, v.size) + v.astype("<i4" if kind == 5 else "<f4").tobytes()
    return struct.pack("<IIQ", 9, 8, len(v)) + b"".join(string(s) for s in v)


def write(path, keys, tensors):
    """tensors: {name: (type name, shape rows first, bytes)}"""
    out = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(keys))
    out += b"".join(string(k) + value(v) for k, v in keys.items())
    data = b""
    for name, (kind, shape, raw) in tensors.items():
        data += bytes(-len(data) % 32)
        out += string(name) + struct.pack("<I", len(shape)) + struct.pack(f"<{len(shape)}Q", *shape[::-1])
        out += struct.pack("<IQ", NUMBER[kind][0], len(data))
        data += raw
    out += bytes(-len(out) % 32) + data
    with open(path, "wb") as f:
        f.write(out)


def blocks(rng, kind, n, spread):
    """n random numbers of about that spread, as the type stores them."""
    _, numbers, size = NUMBER[kind]
    if kind in ("f32", "f16", "bf16"):
        x = (rng.standard_normal(n) * spread).astype("<f4")
        if kind == "bf16":
            return (x.view("<u4") >> 16).astype("<u2").tobytes()
        return x.astype("<f2").tobytes() if kind == "f16" else x.tobytes()
    n //= numbers
    raw = rng.integers(0, 256, (n, size)).astype(np.uint8)
    half = lambda x: x.astype("<f2").reshape(-1, 1).view(np.uint8)
    unit = spread * rng.uniform(0.7, 1.3, n)
    if kind == "q8_0":
        raw[:, :2] = half(unit / 74)
    elif kind == "q4_0":
        raw[:, :2] = half(unit / 4.6)
    elif kind in ("q5_0", "q5_1"):
        raw[:, :2] = half(unit / 9.2)
        if kind == "q5_1":
            raw[:, 2:4] = half(-unit / 9.2 * 15.5)
    elif kind == "q6_k":
        raw[:, 192:208] = rng.integers(-64, 64, (n, 16)).astype(np.int8).view(np.uint8)
        raw[:, 208:210] = half(unit / (18.5 * 37))
    else:  # scales and minima nearly equal, so that the mean is about zero
        top = 15 if kind == "q4_k" else 31
        d = unit / (0.3 * top * 32)
        raw[:, 0:2], raw[:, 2:4] = half(d), half(d * top / 2)
        s = rng.integers(20, 44, (n, 8))
        m = np.clip(s + rng.integers(-2, 3, (n, 8)), 0, 63)
        raw[:, 4:8] = s[:, :4] | s[:, 4:] >> 4 << 6
        raw[:, 8:12] = m[:, :4] | m[:, 4:] >> 4 << 6
        raw[:, 12:16] = s[:, 4:] & 15 | (m[:, 4:] & 15) << 4
    return raw.tobytes()


def tokenizer(vocab):
    """SentencePiece-type: <unk>, <s>, </s>, the bytes, and some pieces."""
    words = ["▁", "e", "t", "a", "o", "n", "h", "s", "▁t", "he", "▁the", "▁a", "in", "er", "▁b", "on", "re", "▁s"]
    words += [chr(c) for c in b"bcdfgijklmpqruvwxyz"]
    tokens = (["<unk>", "<s>", "</s>"] + [f"<0x{i:02X}>" for i in range(256)] + words)[:vocab]
    kinds = np.array(([2, 3, 3] + [6] * 256 + [1] * len(words))[:vocab], np.int32)
    scores = np.array(([0.0] * 259 + [-float(i) for i in range(len(words))])[:vocab], np.float32)
    return {"tokenizer.ggml.model": "llama", "tokenizer.ggml.tokens": tokens, "tokenizer.ggml.scores": scores,
            "tokenizer.ggml.token_type": kinds, "tokenizer.ggml.bos_token_id": 1, "tokenizer.ggml.eos_token_id": 2,
            "tokenizer.ggml.unknown_token_id": 0}


def make(path, arch, kind="f32", layers=2, dim=64, heads=4, heads_kv=2, head_dim=None, ff=96, vocab=VOCAB, tied=True,
         kinds=(), extra=None, biases="", factors=None, seed=1):
    """kinds: {end of a tensor's name: type} where it is not `kind`."""
    rng, kinds = np.random.default_rng(seed), dict(kinds)
    head_dim = head_dim or dim // heads
    q, kv = heads * head_dim, heads_kv * head_dim
    gemma = arch.startswith("gemma")
    keys = {"general.architecture": arch, "general.name": os.path.basename(path)[:-5], f"{arch}.block_count": layers,
            f"{arch}.context_length": 256, f"{arch}.embedding_length": dim, f"{arch}.feed_forward_length": ff,
            f"{arch}.attention.head_count": heads, f"{arch}.attention.head_count_kv": heads_kv,
            f"{arch}.attention.layer_norm_rms_epsilon": 1e-6}
    if head_dim * heads != dim:
        keys |= {f"{arch}.attention.key_length": head_dim, f"{arch}.attention.value_length": head_dim}
    keys |= {f"{arch}.{k}": v for k, v in (extra or {}).items()}
    tensors = {}

    def matrix(name, rows, cols, gain=1.0):
        t = kinds.get(name.split(".", 2)[-1], kind)
        tensors[name] = (t, (rows, cols), blocks(rng, t, rows * cols, gain / np.sqrt(cols)))

    def vector(name, n, mean, spread):
        tensors[name] = ("f32", (n,), (mean + spread * rng.standard_normal(n)).astype("<f4").tobytes())

    matrix("token_embd.weight", vocab, dim, 4.0 if not gemma else 1.0)
    if not tied:
        matrix("output.weight", vocab, dim, 3.0)
    vector("output_norm.weight", dim, 1, 0.2)
    if factors is not None:
        tensors["rope_freqs.weight"] = ("f32", (len(factors),), np.array(factors, "<f4").tobytes())
    for l in range(layers):
        w = f"blk.{l}."
        vector(w + "attn_norm.weight", dim, 1, 0.2)
        matrix(w + "attn_q.weight", q, dim, 2.0)
        matrix(w + "attn_k.weight", kv, dim, 2.0)
        matrix(w + "attn_v.weight", kv, dim)
        matrix(w + "attn_output.weight", dim, q)
        for n in biases:
            vector(w + f"attn_{'output' if n == 'o' else n}.bias", {"q": q, "o": dim}.get(n, kv), 0, 0.5)
        if arch in ("qwen3", "gemma3"):
            vector(w + "attn_q_norm.weight", head_dim, 1.5, 0.3)
            vector(w + "attn_k_norm.weight", head_dim, 1.5, 0.3)
        if gemma:
            vector(w + "post_attention_norm.weight", dim, 0.7, 0.2)
            vector(w + "post_ffw_norm.weight", dim, 0.7, 0.2)
        vector(w + "ffn_norm.weight", dim, 1, 0.2)
        matrix(w + "ffn_gate.weight", ff, dim, 1.5)
        matrix(w + "ffn_up.weight", ff, dim)
        matrix(w + "ffn_down.weight", dim, ff)
    if vocab >= 259:
        keys |= tokenizer(vocab)
    ids = [1] + list(rng.integers(3, vocab, PROMPT - 1))
    write(path, keys, tensors)
    logits = forward(Gguf(path), [int(i) for i in ids])
    last = [PROMPT // 2, PROMPT - 1]  # logits whole at these positions, the best id at all
    keys |= {"test.ids": np.array(ids, np.int32), "test.best": logits.argmax(-1).astype(np.int32),
             "test.at": np.array(last, np.int32), "test.logits": logits[last].astype(np.float32).reshape(-1)}
    write(path, keys, tensors)
    top = np.sort(logits, -1)
    print(f"{os.path.basename(path):24} {os.path.getsize(path):8} bytes, logits {logits.std():.2f} +-, "
          f"best ahead by {np.median(top[:, -1] - top[:, -2]):.2f}, {len(set(logits.argmax(-1)))} different")


def main(folder):
    os.makedirs(folder, exist_ok=True)
    at = lambda name: os.path.join(folder, name + ".gguf")
    make(at("llama"), "llama", heads=8, ff=64, tied=False, factors=1 + np.arange(4) ** 2, extra={"rope.freq_base": 5e5})
    make(at("llama-scaled"), "llama", dim=32, heads_kv=1, head_dim=16, ff=64, biases="qkvo", seed=2, extra={
        "rope.scaling.type": "llama3", "rope.scaling.factor": 8.0, "rope.scaling.original_context_length": 64,
        "rope.dimension_count": 16, "attention.sliding_window": 20})
    make(at("llama-linear"), "llama", dim=32, heads_kv=4, ff=64, layers=1, seed=3, extra={
        "rope.scaling.type": "linear", "rope.scaling.factor": 4.0})
    make(at("qwen2"), "qwen2", dim=64, ff=64, biases="qkv", seed=4, extra={"rope.freq_base": 1e6})
    make(at("qwen2-yarn"), "qwen2", dim=32, ff=64, heads=2, heads_kv=1, layers=1, biases="qkv", seed=5, extra={
        "rope.freq_base": 1e4, "rope.scaling.type": "yarn", "rope.scaling.factor": 4.0,
        "rope.scaling.original_context_length": 64})
    make(at("qwen3"), "qwen3", dim=32, head_dim=32, seed=6, ff=64, tied=False, extra={"rope.freq_base": 1e6})
    make(at("gemma2"), "gemma2", dim=32, head_dim=32, seed=7, layers=3, ff=64, extra={
        "attention.sliding_window": 12, "attn_logit_softcapping": 5.0, "final_logit_softcapping": 3.0,
        "attention.scale": 0.25})
    make(at("gemma3"), "gemma3", dim=32, heads=2, heads_kv=1, head_dim=32, seed=8, layers=7, ff=32, extra={
        "attention.sliding_window": 12, "rope.freq_base": 1e6, "rope.scaling.type": "linear",
        "rope.scaling.factor": 8.0})
    for i, kind in enumerate(("f16", "bf16", "q8_0", "q4_0")):
        make(at(kind), "llama", kind=kind, dim=64 if "q" in kind else 32, head_dim=32, heads=2, heads_kv=1, seed=20 + i)
    for i, kind in enumerate(("q5_0", "q5_1")):  # beside Q8_0, as files have them
        make(at(kind), "llama", kind=kind, head_dim=32, heads=2, heads_kv=1, tied=i == 0, seed=26 + 15 * i, vocab=64,
             kinds={"ffn_down.weight": "q8_0"})
    for i, kind in enumerate(("q4_k", "q5_k", "q6_k")):
        mixed = {"attn_v.weight": "q6_k", "ffn_down.weight": "q6_k"} if kind == "q4_k" else {}
        make(at(kind), "llama", kind=kind, dim=256, heads=4, heads_kv=1, head_dim=64, ff=256, layers=1, vocab=64,
             kinds=mixed, seed=30 + i)


if __name__ == "__main__":
    main(sys.argv[1])
