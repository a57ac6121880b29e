#!/usr/bin/env python3
"""Tiny encoders of random weights with their vectors, for tests/model/test_encoder.c:

    tools/make_tiny_encoders.py tests/model/encoders

writes NAME.gguf and NAME.vec (see encoder_reference.py) for bert-mean, bert-cls, nomic and xlmr.
The texts are whole words of the vocabulary, so that only the forward pass is tested. Same seed, same
bytes."""
import os
import struct
import sys

import numpy as np

from encoder_reference import embed, write_vectors

U32, F32, BOOL, STR, ARRAY, I32 = 4, 6, 7, 8, 9, 5
DIM, FF, LAYERS, HEADS, CONTEXT = 32, 64, 2, 2, 24
WORDS = "the a sea wind house bread dog old red walks sings rains under over never always".split()


def packed(kind, v):
    if kind == STR:
        b = v.encode()
        return struct.pack("<Q", len(b)) + b
    if kind == ARRAY:
        of, items = v
        return struct.pack("<IQ", of, len(items)) + b"".join(packed(of, i) for i in items)
    return struct.pack({U32: "<I", F32: "<f", BOOL: "<?", I32: "<i"}[kind], v)


def write_gguf(path, keys, tensors):
    with open(path, "wb") as f:
        f.write(b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(keys)))
        for k, kind, v in keys:
            f.write(packed(STR, k) + struct.pack("<I", kind) + packed(kind, v))
        at = 0
        for name, t in tensors.items():
            dims = t.shape[::-1]
            f.write(packed(STR, name) + struct.pack("<I", len(dims)))
            f.write(struct.pack(f"<{len(dims)}QIQ", *dims, 0, at))
            at += -(-t.nbytes // 32) * 32
        f.write(b"\0" * (-f.tell() % 32))
        for t in tensors.values():
            b = t.astype("<f4").tobytes()
            f.write(b + b"\0" * (-len(b) % 32))


def weights(rng, arch, vocab, positions):
    w = {"token_embd.weight": (vocab, DIM), "token_embd_norm.weight": (DIM,),
         "token_embd_norm.bias": (DIM,), "token_types.weight": (2, DIM)}
    if positions:
        w["position_embd.weight"] = (positions, DIM)
    for i in range(LAYERS):
        b = f"blk.{i}."
        if arch == "nomic-bert":
            w[b + "attn_qkv.weight"] = (3 * DIM, DIM)
            w[b + "ffn_gate.weight"] = (FF, DIM)
        else:
            for c in "qkv":
                w[b + f"attn_{c}.weight"], w[b + f"attn_{c}.bias"] = (DIM, DIM), (DIM,)
            w[b + "attn_output.bias"], w[b + "ffn_up.bias"] = (DIM,), (FF,)
            w[b + "ffn_down.bias"] = (DIM,)
        w[b + "attn_output.weight"] = (DIM, DIM)
        w[b + "ffn_up.weight"], w[b + "ffn_down.weight"] = (FF, DIM), (DIM, FF)
        for norm in ("attn_output_norm", "layer_output_norm"):
            w[b + norm + ".weight"], w[b + norm + ".bias"] = (DIM,), (DIM,)
    out = {}
    for name, shape in w.items():
        t = rng.standard_normal(shape)
        if "norm.weight" in name:
            t = 1 + 0.2 * t
        elif len(shape) == 2 and name.startswith("blk"):
            t *= 1.5 / np.sqrt(shape[1])
        else:
            t *= 0.3
        out[name] = t.astype(np.float32)
    return out


def make(folder, name, arch, pooling, seed):
    rng = np.random.default_rng(seed)
    xlmr = name == "xlmr"
    if xlmr:
        tokens = ["<s>", "<pad>", "</s>", "<unk>"] + ["\u2581" + w for w in WORDS] + ["\u2581"]
        ids = {w: i + 4 for i, w in enumerate(WORDS)}
        cls, sep, offset = 0, 2, 2
    else:
        tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"] + ["\u2581" + w for w in WORDS]
        ids = {w: i + 5 for i, w in enumerate(WORDS)}
        cls, sep, offset = 2, 3, 0
    rope = arch == "nomic-bert"
    w = weights(rng, arch, len(tokens), 0 if rope else CONTEXT + offset)
    keys = [("general.architecture", STR, arch), ("general.name", STR, "tiny " + name),
            (arch + ".block_count", U32, LAYERS), (arch + ".embedding_length", U32, DIM),
            (arch + ".feed_forward_length", U32, FF), (arch + ".attention.head_count", U32, HEADS),
            (arch + ".context_length", U32, CONTEXT), (arch + ".pooling_type", U32, pooling),
            (arch + ".attention.layer_norm_epsilon", F32, 1e-5),
            (arch + ".attention.causal", BOOL, False),
            ("tokenizer.ggml.tokens", ARRAY, (STR, tokens)),
            ("tokenizer.ggml.token_type", ARRAY, (I32, [3] * 5 + [1] * (len(tokens) - 5)))]
    if xlmr:
        keys += [("tokenizer.ggml.model", STR, "t5"), (arch + ".position_offset", U32, offset),
                 ("tokenizer.ggml.scores", ARRAY, (F32, [0.0] * 4 + [-1.0 - i / 8 for i in
                                                                     range(len(tokens) - 4)])),
                 ("tokenizer.ggml.bos_token_id", U32, 0), ("tokenizer.ggml.eos_token_id", U32, 2),
                 ("tokenizer.ggml.unknown_token_id", U32, 3),
                 ("tokenizer.ggml.padding_token_id", U32, 1),
                 ("tokenizer.ggml.add_space_prefix", BOOL, True)]
        keys[11] = ("tokenizer.ggml.token_type", ARRAY, (I32, [3, 3, 3, 2] + [1] *
                                                         (len(tokens) - 4)))
    else:
        keys += [("tokenizer.ggml.model", STR, "bert"),
                 ("tokenizer.ggml.cls_token_id", U32, 2), ("tokenizer.ggml.bos_token_id", U32, 2),
                 ("tokenizer.ggml.seperator_token_id", U32, 3),
                 ("tokenizer.ggml.unknown_token_id", U32, 1),
                 ("tokenizer.ggml.padding_token_id", U32, 0)]
    if rope:
        keys.append((arch + ".rope.freq_base", F32, 1000.0))
    write_gguf(os.path.join(folder, name + ".gguf"), keys, w)
    f = {"layers": LAYERS, "heads": HEADS, "eps": float(np.float32(1e-5)), "context": CONTEXT,
         "pooling": pooling, "cls": cls, "sep": sep, "offset": offset}
    if rope:
        f["rope_base"] = 1000.0
    w64 = {k: v.astype(np.float64) for k, v in w.items()}
    texts = [" ".join(rng.choice(WORDS, n)) for n in (0, 1, 2, 3, 5, 9, 17, 21, 22, 23, 40, 41, 100)]
    vectors = [embed(w64, f, [ids[x] for x in t.split()]) for t in texts]
    write_vectors(os.path.join(folder, name + ".vec"), texts, vectors)


def main():
    folder = sys.argv[1]
    os.makedirs(folder, exist_ok=True)
    make(folder, "bert-mean", "bert", 1, 1)
    make(folder, "bert-cls", "bert", 2, 2)
    make(folder, "nomic", "nomic-bert", 1, 3)
    make(folder, "xlmr", "bert", 2, 4)


main()
