"""Whether something that a company had before us is what a record stands for: names and numbers loosely compared, with a score.

Nothing is linked by this. A person confirms, and until then nothing is made that may be there already.
"""

from __future__ import annotations

import datetime as dt
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal

from mapping.texts import folded
from schemas.existing import Existing

_LEGAL_FORMS = frozenset(
    {
        "ab", "ag", "as", "bv", "co", "company", "corp", "corporation", "gmbh", "inc", "incorporated", "kg", "limited", "llc",
        "llp", "lp", "ltd", "ltee", "nv", "oy", "plc", "pty", "sa", "sarl", "sas", "sl", "spa", "srl", "the",
    }
)  # fmt: skip
CENT = Decimal("0.01")
_DOTTED = re.compile(r"(?<=\b\w)\.(?=\w\b)")


def loose_name(name: str) -> str:
    """Give a name without case, accents, punctuation, spaces and legal form: ``Smith & Sons Ltd.`` is ``smithandsons``."""
    plain = "".join(one for one in unicodedata.normalize("NFKD", name) if not unicodedata.combining(one))
    words = re.findall(r"\w+", _DOTTED.sub("", plain.casefold().replace("&", " and ")))
    return "".join(word for word in words if word not in _LEGAL_FORMS) or "".join(words)


def loose_number(number: str) -> str:
    """Give a document's number without case, spaces, punctuation and the zeros that fill it up: INV-07, inv 7."""
    return re.sub(r"(?<!\d)0+(?=\w)", "", re.sub(r"[\W_]+", " ", folded(number))).replace(" ", "")


@dataclass(frozen=True, slots=True)
class Sought:
    """What a record would be in QuickBooks."""

    entity: str
    names: tuple[str, ...]
    """The DisplayNames that it may have there; of a document its number, if any."""
    currency: str
    parent_id: str = ""
    reference: str = ""
    """Of a project: its reference in Kompass."""
    kompass_id: str = ""
    date: dt.date | None = None
    total: Decimal | None = None
    customer_ids: frozenset[str] = field(default_factory=frozenset)
    """The customer or job of a document, and the customer above that."""


@dataclass(frozen=True, slots=True)
class Match:
    existing: Existing
    score: int
    """0 to 100: how much of it agrees."""
    differs: tuple[str, ...] = ()
    """What does not agree, in words."""

    @property
    def sure(self) -> bool:
        return self.score == _ALL


_ALL = 100
# What a document's number, total, date and customer each add.
_NUMBER, _TOTAL, _DATE, _CUSTOMER = 40, 25, 15, 20
_CURRENCY = 30
"""What another currency takes from a match of names: a customer has one currency for ever."""
_LOOSE = 20
"""What another spelling takes from it."""


def keys_of(realm_id: str, existing: Existing) -> list[str]:
    """Give the keys under which something of a company is found: what may match shares one with it."""
    if existing.entity == "Customer":
        own = f"{realm_id} name {existing.parent_id} {loose_name(existing.name)}"
        return [own, f"{realm_id} under {existing.parent_id}"] if existing.parent_id else [own]
    place = f"{realm_id} {existing.entity}"
    keys = [f"{place} {existing.customer_id} {existing.date} {(existing.total or Decimal(0)).quantize(CENT):f}"]
    if existing.name:
        keys.append(f"{place} number {loose_number(existing.name)}")
    if existing.kompass_id:
        keys.append(f"{place} of {existing.kompass_id}")
    return keys


def keys_for(realm_id: str, sought: Sought) -> set[str]:
    """Give the keys that something a record may stand for bears at least one of."""
    if sought.entity == "Customer":
        named = {f"{realm_id} name {sought.parent_id} {loose_name(one)}" for one in sought.names}
        return named | ({f"{realm_id} under {sought.parent_id}"} if sought.parent_id else set())
    place = f"{realm_id} {sought.entity}"
    numbered = {f"{place} number {loose_number(one)}" for one in sought.names}
    total = (sought.total or Decimal(0)).quantize(CENT)
    same_day = {f"{place} {one} {sought.date} {total:f}" for one in sought.customer_ids}
    return numbered | same_day | {f"{place} of {sought.kompass_id}"}


def match(sought: Sought, existing: Existing) -> Match | None:
    """Compare one thing of the company with what a record would be; None when they have nothing to do with each other."""
    if sought.entity != existing.entity:
        return None
    return _document(sought, existing) if sought.date is not None else _named(sought, existing)


def _named(sought: Sought, existing: Existing) -> Match | None:
    if sought.parent_id != existing.parent_id:
        return None
    exact = folded(existing.name) in {folded(one) for one in sought.names}
    alike = exact or loose_name(existing.name) in {loose_name(one) for one in sought.names}
    by_reference = bool(sought.parent_id and sought.reference) and sought.reference in existing.name.split()
    if not (alike or by_reference):
        return None
    differs = []
    score = _ALL
    if not exact:
        differs.append(f"its name is “{existing.name}” there")
        score -= _LOOSE
    if existing.currency and existing.currency != sought.currency:
        differs.append(f"it is in {existing.currency} there, not {sought.currency}")
        score -= _CURRENCY
    return Match(existing, score, tuple(differs))


def _document(sought: Sought, existing: Existing) -> Match | None:
    if existing.kompass_id and existing.kompass_id != sought.kompass_id:
        return None
    numbered = bool(existing.name) and loose_number(existing.name) in {loose_number(one) for one in sought.names}
    marked = bool(existing.kompass_id)
    whole = sought.total == existing.total and sought.currency == existing.currency
    known = existing.customer_id in sought.customer_ids
    if not (numbered or marked or (whole and known and sought.date == existing.date)):
        return None
    differs = tuple(_differences(sought, existing, numbered=numbered, whole=whole, known=known))
    agreed = (numbered, _NUMBER), (whole, _TOTAL), (sought.date == existing.date, _DATE), (known, _CUSTOMER)
    return Match(existing, sum(weight for agrees, weight in agreed if agrees), differs)


def _differences(sought: Sought, existing: Existing, *, numbered: bool, whole: bool, known: bool) -> Iterator[str]:
    if not numbered:
        yield f"its number is {existing.name} there" if existing.name else "it has no number there"
    if not whole:
        yield (
            f"it comes to {existing.total:,.2f} {existing.currency} there" if existing.total is not None else "no total"
        )
    if sought.date != existing.date:
        yield f"it is dated {existing.date} there"
    if not known:
        yield "it is another customer's there"
