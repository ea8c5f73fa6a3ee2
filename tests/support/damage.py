"""Files damaged at random, the same for the same seed."""

from __future__ import annotations

import os
import random
from typing import Final

MORE: Final = int(os.environ.get("SOLOIST_FUZZ", "1"))
"""How many times more cases than usual the tests of untrusted files are to try."""
_NUMBERS: Final = (0, 1, 0xFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


def damaged(content: bytes, seed: int) -> bytes:
    """Flip bits, replace, move, cut out or cut off; mostly near the beginning and the end, where structure is."""
    rng = random.Random(seed)
    damage = bytearray(content)

    def place() -> int:
        edge = min(len(damage), 30_000)
        near = (rng.randrange(min(400, edge)), len(damage) - 1 - rng.randrange(edge), rng.randrange(len(damage)))
        return rng.choices(near, (0.2, 0.5, 0.3))[0]

    match rng.randrange(6):
        case 0:
            for _ in range(rng.choice((1, 2, 4, 16))):
                damage[place()] ^= 1 << rng.randrange(8)
        case 1:
            for _ in range(rng.choice((1, 2, 4, 16, 64))):
                damage[place()] = rng.choice((0, 1, 127, 128, 255, rng.randrange(256)))
        case 2:
            at = place() & ~3
            damage[at : at + 4] = rng.choice((*_NUMBERS, rng.getrandbits(32))).to_bytes(4, "little")
        case 3:
            at = place()
            del damage[at : at + rng.choice((1, 4, 8, 100))]
        case 4:
            del damage[rng.randrange(len(damage)) :]
        case _:
            at, other, length = place() & ~3, place() & ~3, rng.choice((4, 8, 16, 64))
            damage[at : at + length] = damage[other : other + length]
    return bytes(damage)
