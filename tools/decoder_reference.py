#!/usr/bin/env python3
"""Reference forward pass of decoders in float64 numpy, straight from a GGUF file: what src/model/decoder.c
must compute, written for the eye. docs/MODELS.md has the same as equations.

    python3 tools/decoder_reference.py MODEL.gguf 1 17 42         logits after the last id, the ten largest

make_tiny_models.py uses it to write the expected logits of tests/model/tiny. Needs numpy."""
import struct
import sys

import numpy as np

TYPES = {0: ("f32", 1, 4), 1: ("f16", 1, 2), 2: ("q4_0", 32, 18), 6: ("q5_0", 32, 22), 7: ("q5_1", 32, 24),
         8: ("q8_0", 32, 34), 12: ("q4_k", 256, 144), 13: ("q5_k", 256, 176), 14: ("q6_k", 256, 210), 30: ("bf16", 1, 2)}


def f16(raw):
    """Columns of two bytes as a column of float64."""
    return np.ascontiguousarray(raw).view("<f2").astype(np.float64)


def k_scales(raw):
    """The 12 bytes of Q4_K and Q5_K: eight scales and eight minima of six bits."""
    r = raw.astype(np.int64)
    scale = np.concatenate([r[:, 0:4] & 63, (r[:, 8:12] & 15) | (r[:, 0:4] >> 6 << 4)], 1)
    least = np.concatenate([r[:, 4:8] & 63, (r[:, 8:12] >> 4) | (r[:, 4:8] >> 6 << 4)], 1)
    return scale.astype(np.float64), least.astype(np.float64)


def dequantise(name, raw):
    """Blocks of bytes [n, bytes a block] as float64 [n, numbers a block]."""
    if name == "f32":
        return raw.reshape(-1, 4).copy().view("<f4").astype(np.float64)
    if name == "f16":
        return f16(raw.reshape(-1, 2))
    if name == "bf16":
        return (raw.reshape(-1, 2).copy().view("<u2").astype(np.uint32) << 16).view("<f4").astype(np.float64)
    if name == "q8_0":
        return f16(raw[:, :2]) * np.ascontiguousarray(raw[:, 2:]).view(np.int8).astype(np.float64)
    if name == "q4_0":
        q = np.concatenate([raw[:, 2:] & 15, raw[:, 2:] >> 4], 1).astype(np.float64)
        return f16(raw[:, :2]) * (q - 8)
    if name in ("q5_0", "q5_1"):
        q = np.concatenate([raw[:, -16:] & 15, raw[:, -16:] >> 4], 1) + (np.unpackbits(
            raw[:, -20:-16], axis=1, bitorder="little") << 4).astype(np.float64)
        return f16(raw[:, :2]) * (q - 16) if name == "q5_0" else f16(raw[:, :2]) * q + f16(raw[:, 2:4])
    if name in ("q4_k", "q5_k"):
        d, dmin = f16(raw[:, 0:2]), f16(raw[:, 2:4])
        scale, least = k_scales(raw[:, 4:16])
        low = raw[:, -128:].reshape(-1, 4, 1, 32)  # four runs of 32 bytes: low halves are a group, high halves the next
        q = np.concatenate([low & 15, low >> 4], 2).reshape(-1, 8, 32).astype(np.float64)
        if name == "q5_k":
            high = raw[:, 16:48].reshape(-1, 1, 32) >> np.arange(8).reshape(1, 8, 1) & 1
            q = q + 16 * high
        return ((d * scale)[:, :, None] * q - (dmin * least)[:, :, None]).reshape(-1, 256)
    if name == "q6_k":
        low, high = raw[:, :128].reshape(-1, 2, 64), raw[:, 128:192].reshape(-1, 2, 32)
        scale = np.ascontiguousarray(raw[:, 192:208]).view(np.int8).astype(np.float64)
        q = np.stack([low[:, :, :32] & 15 | (high & 3) << 4, low[:, :, 32:] & 15 | (high >> 2 & 3) << 4,
                      low[:, :, :32] >> 4 | (high >> 4 & 3) << 4, low[:, :, 32:] >> 4 | (high >> 6) << 4], 2)
        q = q.reshape(-1, 16, 16).astype(np.float64) - 32
        return (f16(raw[:, 208:210])[:, :, None] * scale[:, :, None] * q).reshape(-1, 256)
    raise ValueError(name)


class Gguf:
    """keys: {name: value}; tensors: {name: float64 array, rows first}."""

    def __init__(self, path):
        self.raw, self.at, self.keys, self.tensors = open(path, "rb").read(), 4, {}, {}
        _, n_tensors, n_keys = self.get("<IQQ")
        for _ in range(n_keys):
            name = self.string()
            self.keys[name] = self.value(self.get("<I")[0])
        infos = []
        for _ in range(n_tensors):
            name, (n_dims,) = self.string(), self.get("<I")
            infos.append((name, self.get(f"<{n_dims}Q"), *self.get("<IQ")))
        align = self.keys.get("general.alignment", 32)
        data = -(-self.at // align) * align
        for name, dims, kind, offset in infos:
            kind, numbers, size = TYPES[kind]
            n = int(np.prod(dims)) // numbers * size
            blocks = np.frombuffer(self.raw, np.uint8, n, data + offset).reshape(-1, size)
            self.tensors[name] = dequantise(kind, blocks).reshape(dims[::-1])

    def get(self, form):
        out = struct.unpack_from(form, self.raw, self.at)
        self.at += struct.calcsize(form)
        return out

    def string(self):
        (n,) = self.get("<Q")
        self.at += n
        return self.raw[self.at - n:self.at].decode()

    def value(self, kind):
        if kind == 8:
            return self.string()
        if kind == 9:
            of, n = self.get("<IQ")
            return [self.value(of) for _ in range(n)]
        return self.get("<" + "BbHhIif?__QqD"[kind].replace("D", "d"))[0]


def rope_angles(g, h, window_layer):
    """Frequencies [n_rot / 2] of one layer, and what scores are multiplied by."""
    n, arch = h["n_rot"], h["arch"]
    key = lambda name, default: g.keys.get(f"{arch}.rope.{name}", default)
    base, scale, temper = key("freq_base", 10000.0), 1.0, 1.0
    i = np.arange(n // 2)
    if window_layer and arch == "gemma3":
        return key("freq_base_swa", 10000.0) ** (-2.0 * i / n), 1.0
    freq = base ** (-2.0 * i / n)
    kind, factor = key("scaling.type", "linear"), key("scaling.factor", 1.0)
    if "rope_freqs.weight" in g.tensors:
        freq = freq / g.tensors["rope_freqs.weight"].reshape(-1)
    elif kind == "llama3":
        turns = key("scaling.original_context_length", 8192) * freq / (2 * np.pi)
        low, high = key("scaling.low_freq_factor", 1.0), key("scaling.high_freq_factor", 4.0)
        keep = np.clip((turns - low) / (high - low), 0, 1)
        freq = freq * ((1 - keep) / factor + keep)
    elif kind == "yarn":
        old = key("scaling.original_context_length", 0)
        dim_of = lambda turns: n * np.log(old / (turns * 2 * np.pi)) / (2 * np.log(base))
        first, last = max(0, np.floor(dim_of(32))), min(n - 1, np.ceil(dim_of(1)))
        ramp = np.clip((i - first) / max(0.001, last - first), 0, 1)
        freq = freq * (ramp / factor + 1 - ramp)
        temper = (1 + 0.1 * np.log(factor)) ** 2
    if kind == "linear":
        scale = 1 / factor
    return freq * scale, temper


def rotate(x, freq, pairs):
    """x: [tokens, heads, head_dim]. pairs: (2i, 2i + 1), else (i, i + n_rot / 2)."""
    half = len(freq)
    a = np.arange(x.shape[0])[:, None, None] * freq
    first, second = (x[..., 0:2 * half:2], x[..., 1:2 * half:2]) if pairs else (x[..., :half], x[..., half:2 * half])
    u, v = first * np.cos(a) - second * np.sin(a), second * np.cos(a) + first * np.sin(a)
    turned = np.stack([u, v], -1).reshape(*u.shape[:-1], -1) if pairs else np.concatenate([u, v], -1)
    return np.concatenate([turned, x[..., 2 * half:]], -1)


def forward(g, ids):
    """Logits [tokens, vocabulary] of the model in g for the sequence ids."""
    arch = g.keys["general.architecture"]
    key = lambda name, default=None: g.keys.get(f"{arch}.{name}", default)
    gemma, T = arch.startswith("gemma"), len(ids)
    heads, dim = key("attention.head_count"), key("embedding_length")
    heads_kv = key("attention.head_count_kv", heads)
    head_dim = key("attention.key_length", dim // heads)
    h = {"arch": arch, "n_rot": key("rope.dimension_count", head_dim)}
    eps, window = key("attention.layer_norm_rms_epsilon"), key("attention.sliding_window", 0)
    every = {"gemma2": 2, "gemma3": 6}.get(arch, 1)
    cap_attn = key("attn_logit_softcapping", 50.0 if arch == "gemma2" else 0.0)
    cap_logits = key("final_logit_softcapping", 30.0 if arch == "gemma2" else 0.0)
    norm = lambda x, name: x / np.sqrt((x * x).mean(-1, keepdims=True) + eps) * g.tensors[name]
    cap = lambda x, c: c * np.tanh(x / c) if c else x
    bias = lambda x, name: x + g.tensors[name] if name in g.tensors else x
    act = (lambda x: 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x ** 3)))) if gemma \
        else (lambda x: x / (1 + np.exp(-x)))
    distance = np.arange(T)[:, None] - np.arange(T)[None, :]

    x = g.tensors["token_embd.weight"][ids] * (np.sqrt(dim) if gemma else 1)
    for l in range(key("block_count")):
        w = f"blk.{l}."
        local = window > 0 and not (every > 1 and l % every == every - 1)
        freq, temper = rope_angles(g, h, local)
        y = norm(x, w + "attn_norm.weight")
        q, k, v = (bias(y @ g.tensors[w + f"attn_{n}.weight"].T, w + f"attn_{n}.bias").reshape(T, -1, head_dim)
                   for n in "qkv")
        if w + "attn_q_norm.weight" in g.tensors:
            q, k = norm(q, w + "attn_q_norm.weight"), norm(k, w + "attn_k_norm.weight")
        q, k = rotate(q, freq, arch == "llama"), rotate(k, freq, arch == "llama")
        k, v = np.repeat(k, heads // heads_kv, 1), np.repeat(v, heads // heads_kv, 1)
        score = np.einsum("ihd,jhd->hij", q, k) * temper * key("attention.scale", 1 / np.sqrt(head_dim))
        score = cap(score, cap_attn)
        hidden = (distance < 0) | (distance >= window if local else False)
        score[:, hidden] = -np.inf
        p = np.exp(score - score.max(-1, keepdims=True))
        z = np.einsum("hij,jhd->ihd", p / p.sum(-1, keepdims=True), v).reshape(T, -1)
        z = bias(z @ g.tensors[w + "attn_output.weight"].T, w + "attn_output.bias")
        x = x + (norm(z, w + "post_attention_norm.weight") if gemma else z)
        y = norm(x, w + "ffn_norm.weight")
        y = act(y @ g.tensors[w + "ffn_gate.weight"].T) * (y @ g.tensors[w + "ffn_up.weight"].T)
        y = y @ g.tensors[w + "ffn_down.weight"].T
        x = x + (norm(y, w + "post_ffw_norm.weight") if gemma else y)
    head = g.tensors.get("output.weight", g.tensors["token_embd.weight"])
    return cap(norm(x, "output_norm.weight") @ head.T, cap_logits)


if __name__ == "__main__":
    logits = forward(Gguf(sys.argv[1]), [int(a) for a in sys.argv[2:]])[-1]
    for i in np.argsort(-logits)[:10]:
        print(f"{i:7d} {logits[i]:.6f}")
