"""Which item, class or tax code a Kompass service, department or VAT rate probably is, with a score. Pure.

Nothing is mapped by this: a person confirms. The best one is chosen in the page's dropdown only when it is clearly ahead of the next.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from difflib import SequenceMatcher
from heapq import nlargest

from admin.quickbooks_online.entries import Entry

_WORD = re.compile(r"\w+")
SHOWN = 3
LEAST = 60
SURE = 80
AHEAD = 10
# What a tax code of the same rate scores, and what its name adds. Reverse charge books no tax: it is never the likely one.
_RATE, _ONLY, _CALLED = 65, 90, 25
_REVERSED = frozenset({"rc", "reverse", "mini", "moss", "oss", "ec", "ecg", "ecs", "pva"})
_SHORT = {"standard": "s", "reduced": "r", "zero": "z", "exempt": "exempt"}
"""How QuickBooks abbreviates the kinds of VAT rates in its codes: ``20.0% S``."""


@dataclass(frozen=True, slots=True)
class Suggestion:
    id: str
    name: str
    score: int
    """0 to 100."""


def words_of(name: str) -> list[str]:
    """Give the words of a name without case, accents and punctuation."""
    plain = name
    if not name.isascii():
        plain = "".join(one for one in unicodedata.normalize("NFKD", name) if not unicodedata.combining(one))
    return _WORD.findall(plain.casefold().replace("&", " and "))


def likeness(one: str, other: str) -> int:
    """Give how much two names are alike, 0 to 100. The last part of a name with parents counts like the whole of it."""
    wanted = words_of(one)
    if not wanted:
        return 0
    return max(_alike(wanted, words_of(part)) for part in (other, other.rpartition(":")[2]))


def _alike(one: list[str], other: list[str]) -> int:
    if not other:
        return 0
    if one == other:
        return 100
    if "".join(one) == "".join(other) or sorted(one) == sorted(other):
        return 95
    shared = len(set(one) & set(other)) / max(len(set(one)), len(set(other)))
    letters = SequenceMatcher(None, " ".join(one), " ".join(other))
    # The quick ratio is never below the other, and most names fall short of it.
    return round(90 * max(shared, letters.ratio() if 90 * letters.quick_ratio() >= LEAST else 0.0))


class Vocabulary:
    """The words of the names of a list, so that each name is compared with the few entries that share its rarest words.

    Comparing letters takes a tenth of a millisecond: with 60 services and 5,000 items all of it would be half a minute.
    """

    def __init__(self, entries: Iterable[Entry]) -> None:
        self._entries = list(entries)
        self._holders: dict[str, list[int]] = {}
        for position, entry in enumerate(self._entries):
            for key in _keys(words_of(entry.plain)):
                self._holders.setdefault(key, []).append(position)

    def near(self, name: str) -> list[Entry]:
        """Give the entries that may be like this name."""
        weights: dict[int, float] = {}
        held = sorted((self._holders[key] for key in _keys(words_of(name)) if key in self._holders), key=len)
        for holders in held:
            for position in holders:
                weights[position] = weights.get(position, 0.0) + 1 / len(holders)
            if len(weights) >= _NEAR:
                break
        return [self._entries[position] for position in nlargest(_COMPARED, weights, key=lambda one: weights[one])]


# So many likely names are compared letter by letter, of so many that share a rare word.
_COMPARED, _NEAR = 12, 60
# Names that are written apart in one place and together in the other share a beginning only.
_BEGINNING = 3


def _keys(words: list[str]) -> set[str]:
    return {*words, *(f"{word[:_BEGINNING]}…" for word in words)}


def by_name(names: Sequence[str], vocabulary: Vocabulary) -> list[Suggestion]:
    """Give the entries whose names are most like one of these, the best first."""
    near = {entry.id: entry for name in names for entry in vocabulary.near(name)}
    return _best(
        [
            Suggestion(entry.id, entry.name, max(likeness(name, entry.plain) for name in names if name))
            for entry in near.values()
        ]
    )


def by_rate(names: Sequence[str], rate: Decimal | None, entries: Sequence[Entry]) -> list[Suggestion]:
    """Give the tax codes of this rate, the ones whose name fits first; of a rate that is not known, by name alone."""
    if rate is None:
        return by_name(names, Vocabulary(entries))
    same = [entry for entry in entries if entry.rate == rate]
    usual = [entry for entry in same if not _REVERSED & set(words_of(entry.plain))]
    called = {_SHORT.get(word, word) for name in names for word in words_of(name)}

    def score(entry: Entry) -> int:
        if any(likeness(name, entry.plain) >= 95 for name in names if name):
            return 100
        if entry not in usual:
            return LEAST
        own = {_SHORT.get(word, word) for word in words_of(entry.plain) if not word.isdecimal()}
        return max(_ONLY if len(usual) == 1 else 0, _RATE + (_CALLED if own & called else 0))

    return _best([Suggestion(entry.id, entry.name, score(entry)) for entry in same])


def _best(scored: list[Suggestion]) -> list[Suggestion]:
    likely = [one for one in scored if one.score >= LEAST]
    return sorted(likely, key=lambda one: (-one.score, one.name.casefold()))[:SHOWN]


def clear_choice(suggestions: Sequence[Suggestion]) -> str:
    """Give the id that may be chosen beforehand; empty when none is clearly the one."""
    if not suggestions or suggestions[0].score < SURE:
        return ""
    if len(suggestions) > 1 and suggestions[0].score - suggestions[1].score < AHEAD:
        return ""
    return suggestions[0].id
