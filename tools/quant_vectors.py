#!/usr/bin/env python3
"""Writes tests/kernels/quant_vectors.h: one block of random bytes of each quantised type, and the
bits of the floats it stands for, worked out here in exact fractions from the drawings in
docs/MODELS.md, by bit position and independently of src/kernels/quant.c."""
import random
import struct
from fractions import Fraction


def half(b):
    return Fraction(struct.unpack("<e", bytes(b))[0])


def bits_of(x):
    """Of the float nearest to the fraction x; doubles hold every x here exactly."""
    assert Fraction(float(x)) == x
    return struct.unpack("<I", struct.pack("<f", float(x)))[0]


def field(b, at, n):
    """n bits of the byte string b from bit number at, lowest first."""
    return int.from_bytes(b, "little") >> at & ((1 << n) - 1)


def q4_0(b):
    return [half(b[:2]) * (field(b[2:], 8 * (i % 16) + 4 * (i // 16), 4) - 8) for i in range(32)]


def q4_1(b):
    return [half(b[:2]) * field(b[4:], 8 * (i % 16) + 4 * (i // 16), 4) + half(b[2:4]) for i in range(32)]


def fives(b, at):
    return [field(b[at + 4:], 8 * (i % 16) + 4 * (i // 16), 4) + 16 * field(b[at:at + 4], i, 1) for i in range(32)]


def q5_0(b):
    return [half(b[:2]) * (q - 16) for q in fives(b, 2)]


def q5_1(b):
    return [half(b[:2]) * q + half(b[2:4]) for q in fives(b, 4)]


def q8_0(b):
    return [half(b[:2]) * struct.unpack("<b", b[2 + i:3 + i])[0] for i in range(32)]


def scale_min(s, g):
    if g < 4:
        return field(s, 8 * g, 6), field(s, 8 * (g + 4), 6)
    return (field(s, 8 * (g + 4), 4) + 16 * field(s, 8 * (g - 4) + 6, 2),
            field(s, 8 * (g + 4) + 4, 4) + 16 * field(s, 8 * g + 6, 2))


def affine(b, qs, top):
    out = []
    for i in range(256):
        s, m = scale_min(b[4:16], i // 32)
        q = field(b[qs:], 8 * (i // 64 * 32 + i % 32) + 4 * (i // 32 % 2), 4)
        if top:
            q += 16 * field(b[16:48], 8 * (i % 32) + i // 32, 1)
        out.append(half(b[:2]) * s * q - half(b[2:4]) * m)
    return out


def q6_k(b):
    out = []
    for i in range(256):
        h, part, j = i // 128, i // 32 % 4, i % 32
        lo = field(b[:128], 8 * (64 * h + 32 * (part % 2) + j) + 4 * (part // 2), 4)
        hi = field(b[128:192], 8 * (32 * h + j) + 2 * part, 2)
        scale = struct.unpack("<b", b[192 + i // 16:193 + i // 16])[0]
        out.append(half(b[208:210]) * scale * (lo + 16 * hi - 32))
    return out


TYPES = [("q4_0", 18, [0], q4_0), ("q8_0", 34, [0], q8_0),
         ("q4_k", 144, [0, 2], lambda b: affine(b, 16, False)),
         ("q5_k", 176, [0, 2], lambda b: affine(b, 48, True)), ("q6_k", 210, [208], q6_k),
         ("q5_0", 22, [0], q5_0), ("q5_1", 24, [0, 2], q5_1),
         ("q4_1", 20, [0, 2], q4_1)]


def rows(values, fmt, per):
    lines = []
    for i in range(0, len(values), per):
        lines.append("    " + ", ".join(fmt % v for v in values[i:i + per]) + ",")
    return "\n".join(lines)


def main():
    rng = random.Random(5)
    with open("tests/kernels/quant_vectors.h", "w", encoding="ascii") as f:
        f.write("/* Made by tools/quant_vectors.py. Blocks, and the bits of the floats they mean. */\n")
        f.write("#ifndef LK_TESTS_QUANT_VECTORS_H\n#define LK_TESTS_QUANT_VECTORS_H\n\n"
                "#include <stdint.h>\n\n/* clang-format off */\n")
        for name, size, halves, decode in TYPES:
            block = bytearray(rng.randrange(256) for _ in range(size))
            for at in halves:
                block[at:at + 2] = struct.pack("<e", rng.uniform(0.001, 0.01))
            f.write(f"static const uint8_t {name}_block[{size}] = {{\n"
                    f"{rows(list(block), '%3d', 18)}\n}};\n")
            want = [bits_of(x) for x in decode(bytes(block))]
            f.write(f"static const uint32_t {name}_want[{len(want)}] = {{\n"
                    f"{rows(want, '0x%08x', 8)}\n}};\n")
        f.write("/* clang-format on */\n\n#endif\n")


main()
