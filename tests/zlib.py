"""Writes zlib.txt: payloads that zlib itself has compressed, for tests/deflate_zlib.rs.

    python3 tests/zlib.py > tests/zlib.txt
"""

import random
import zlib

random.seed(7692)
words = ["".join(random.choices("etaoinshrdlu", k=random.randint(2, 8))) for _ in range(80)]


def text(length):
    made = " ".join(random.choices(words, k=length))
    return made[:length].encode()


def write(data):
    """Hex, a run of one byte as XX*N."""
    runs = []
    for byte in data:
        if runs and runs[-1][0] == byte:
            runs[-1][1] += 1
        else:
            runs.append([byte, 1])
    return "".join(f" {byte:02X}*{n} " if n > 4 else f"{byte:02X}" * n for byte, n in runs).strip()


plain = {"text": text(600), "more": text(300), "random": random.randbytes(90), "one": b"1"}
for bits in range(9, 16):
    # The same bytes twice, as far apart as the window lets zlib see, and not much nearer.
    mark = random.randbytes(40)
    plain[f"far{bits}"] = mark + b"-" * (2**bits - 262 - 40 - 10) + mark

print(f"# zlib {zlib.ZLIB_RUNTIME_VERSION}, by zlib.py; a payload lacks its 00 00 FF FF")
for name, data in plain.items():
    print(f"plain {name}: {write(data)}")
for bits in range(9, 16):
    for level in (1, 6, 9):
        for takeover in (True, False):
            names = ["text", "random", f"far{bits}", "one", "more", "text", "one"]
            payloads = []
            for name in names:
                if not payloads or not takeover:
                    deflate = zlib.compressobj(level, zlib.DEFLATED, -bits)
                data = deflate.compress(plain[name]) + deflate.flush(zlib.Z_SYNC_FLUSH)
                assert data.endswith(b"\x00\x00\xff\xff")
                payloads.append(data[:-4])
            head = f"window {bits} level {level} takeover {'yes' if takeover else 'no'}"
            print(f"{head} {' '.join(names)}: {' | '.join(write(data) for data in payloads)}")
