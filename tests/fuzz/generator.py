"""Inputs for a fuzz target without a fuzzer: mutations of its corpus, each given by its seed and number alone."""

from __future__ import annotations

import random

from tests.fuzz.targets import Target

MUTATIONS = 8


def generated(target: Target, seed: int, number: int, *, longest: int) -> bytes:
    """Give the input of that number: the corpus itself first, then mutations of it."""
    if number < len(target.corpus):
        return target.corpus[number][:longest]
    chance = random.Random(seed << 40 | number)
    data = bytearray(chance.choice(target.corpus))
    for _ in range(chance.randint(1, MUTATIONS)):
        _mutate(data, target, chance)
    return bytes(data[:longest])


def _mutate(data: bytearray, target: Target, chance: random.Random) -> None:
    at = chance.randrange(len(data) + 1)
    match chance.randrange(7):
        case 0 if data:
            data[at % len(data)] ^= 1 << chance.randrange(8)
        case 1 if data:
            data[at % len(data)] = chance.randrange(256)
        case 2:
            data[at:at] = chance.choice(target.words)
        case 3:
            data[at:at] = chance.randbytes(chance.randint(1, 8))
        case 4:
            del data[at : at + chance.randint(1, 16)]
        case 5:
            data[at:at] = data[at : at + chance.randint(1, 64)]
        case _:
            other = chance.choice(target.corpus)
            cut = chance.randrange(len(other) + 1)
            data[at:] = other[cut:]
