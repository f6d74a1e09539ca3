"""Whether something that a company had before us is what a record stands for: names and numbers loosely compared, with a score.

Nothing is linked by this. A person confirms, and until then nothing is made that may be there already.
"""

from __future__ import annotations

import datetime as dt
import re
import unicodedata
from dataclasses import dataclass, field
from decimal import ROUND_FLOOR, Decimal
from typing import Final

from mapping.texts import folded
from schemas.existing import Existing

_LEGAL_FORMS = frozenset(
    {
        "ab", "ag", "aps", "as", "asa", "bhd", "bv", "bvba", "cic", "clg", "co", "company", "corp", "corporation", "cv", "cyf", "dac",
        "doo", "eirl", "enr", "eurl", "gbr", "gmbh", "inc", "incorporated", "kft", "kg", "lda", "limited", "limitee", "llc", "llp", "lp",
        "ltd", "ltda", "ltee", "nv", "ohg", "oy", "oyj", "plc", "pllc", "private", "pty", "pvt", "sa", "sarl", "sas", "sasu", "sdn", "sl",
        "slu", "snc", "spa", "spzoo", "sprl", "srl", "sro", "teo", "teoranta", "ug", "ulc", "unlimited", "vof",
    }
)  # fmt: skip
_LITTLE_WORDS = frozenset({"and", "en", "et", "of", "og", "och", "the", "und", "y"})
_LETTERS = str.maketrans(
    {"æ": "ae", "œ": "oe", "ø": "oe", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ı": "i", "&": " ", "+": " "}
)
"""Letters that no accent makes, as people without them on the keyboard write them."""
_UMLAUT = re.compile("([aou])e|aa")
_DOTTED = re.compile(r"(?<=\b\w)[./](?=\w\b)")
_SP_ZOO = re.compile(r"\bsp\.? z o\.?\s?o\b")
NEAR_DAYS: Final = 5
"""So many days apart, documents of one customer and total may be the same: what is billed each week or month is further apart."""
NEARLY: Final = Decimal("0.02")
"""So much apart, totals may be the same: tax was rounded otherwise."""


def loose_name(name: str) -> str:
    """Give a name without case, accents, punctuation, spaces, little words and legal form: ``Smith & Sons Ltd.`` is ``smithsons``."""
    return "".join(_words(name))


def sorted_name(name: str) -> str:
    """Give a loose name with its words in alphabetical order: ``Smith, John`` is ``johnsmith``."""
    return "".join(sorted(_words(name)))


def _words(name: str) -> list[str]:
    spelt = _SP_ZOO.sub("spzoo", name.casefold()).translate(_LETTERS)
    plain = "".join(one for one in unicodedata.normalize("NFKD", spelt) if not unicodedata.combining(one))
    words = [_UMLAUT.sub(lambda found: found[1] or "a", word) for word in re.findall(r"\w+", _DOTTED.sub("", plain))]
    return [word for word in words if word not in _LEGAL_FORMS and word not in _LITTLE_WORDS] or words


def loose_number(number: str) -> str:
    """Give a document's number without case, spaces, punctuation and the zeros that fill it up: INV-07, inv 7."""
    return re.sub(r"(?<!\d)0+(?=\w)", "", re.sub(r"[\W_]+", " ", folded(number))).replace(" ", "")


def _digits(number: str) -> str:
    found = re.findall(r"\d+", loose_number(number))
    return found[-1] if found else ""


def alike_numbers(one: str, other: str) -> bool:
    """Whether two numbers are one, written otherwise or without its prefix."""
    return loose_number(one) == loose_number(other) or _ends_with(one, other) or _ends_with(other, one)


def _ends_with(number: str, end: str) -> bool:
    """Whether ``end`` is what is left of a number without its prefix: 7 of INV-0007, and not of INV-17."""
    whole, rest = loose_number(number), loose_number(end)
    before = whole.removesuffix(rest)
    return bool(_digits(end)) and before != whole and not (before[-1:].isdigit() and rest[0].isdigit())


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
    near_customer_ids: frozenset[str] = field(default_factory=frozenset)
    """The other jobs of that customer, and customers with a similar name."""


@dataclass(frozen=True, slots=True)
class Match:
    existing: Existing
    score: int
    """0 to 100: how much of it agrees."""
    differs: tuple[str, ...] = ()
    """What does not agree, in words."""
    total_agrees: bool = False
    customer_agrees: bool = False
    by_total: bool = False
    """Of a document: found by total and date, not by its number or our mark."""

    @property
    def sure(self) -> bool:
        return self.score == _ALL


_ALL = 100
# What a document's number, total, date and customer each add.
_NUMBER, _TOTAL, _DATE, _CUSTOMER = 40, 25, 15, 20
_NEAR_NUMBER, _NEAR_TOTAL, _NEAR_DATE, _NEAR_CUSTOMER = 20, 15, 8, 10
"""What they add when they are a little off."""
_CURRENCY = 30
"""What another currency takes from a match of names: a customer has one currency for ever."""
_LOOSE = 20
"""What another spelling takes from it."""


def keys_of(realm_id: str, existing: Existing) -> list[str]:
    """Give the keys under which something of a company is found: what may match shares one with it."""
    if existing.entity == "Customer":
        own = sorted(_name_keys(realm_id, existing.parent_id, existing.name))
        return [*own, under(realm_id, existing.parent_id)] if existing.parent_id else own
    place = f"{realm_id} {existing.entity}"
    total = existing.total or Decimal(0)
    keys = [_total_key(place, existing.customer_id, existing.date, total)]
    if digits := _digits(existing.name):
        keys.append(_total_key(place, f"digits {digits}", existing.date, total))
    if existing.name:
        keys.append(f"{place} number {loose_number(existing.name)}")
    if existing.kompass_id:
        keys.append(f"{place} of {existing.kompass_id}")
    return keys


def keys_for(realm_id: str, sought: Sought) -> set[str]:
    """Give the keys that something a record may stand for bears at least one of."""
    if sought.entity == "Customer":
        named = {key for one in sought.names for key in _name_keys(realm_id, sought.parent_id, one)}
        return named | ({under(realm_id, sought.parent_id)} if sought.parent_id else set())
    place = f"{realm_id} {sought.entity}"
    numbered = {f"{place} number {loose_number(one)}" for one in sought.names}
    total, days = sought.total or Decimal(0), dt.timedelta(days=NEAR_DAYS)
    near = {
        _total_key(place, what, sought.date + off if sought.date else None, total + cents)
        for what in {
            *sought.customer_ids,
            *sought.near_customer_ids,
            *(f"digits {_digits(one)}" for one in sought.names),
        }
        for off in (-days, days)
        for cents in (-NEARLY, NEARLY)
    }
    return numbered | near | {f"{place} of {sought.kompass_id}"}


def customer_keys(realm_id: str, name: str) -> set[str]:
    """Give the keys of the customers whose name is loosely this one."""
    return _name_keys(realm_id, "", name)


def under(realm_id: str, customer_id: str) -> str:
    """Give the key of a customer's jobs."""
    return f"{realm_id} under {customer_id}"


def _name_keys(realm_id: str, parent_id: str, name: str) -> set[str]:
    return {f"{realm_id} name {parent_id} {loose_name(name)}", f"{realm_id} words {parent_id} {sorted_name(name)}"}


def _total_key(place: str, what: str, day: dt.date | None, total: Decimal) -> str:
    """Month and whole units: what is a few days or cents off is under the same key, or under the next."""
    month = "" if day is None else f"{day:%Y-%m}"
    return f"{place} {what} {month} {total.to_integral_value(ROUND_FLOOR):f}"


def match(sought: Sought, existing: Existing) -> Match | None:
    """Compare one thing of the company with what a record would be; None when they have nothing to do with each other."""
    if sought.entity != existing.entity:
        return None
    return _document(sought, existing) if sought.date is not None else _named(sought, existing)


def _named(sought: Sought, existing: Existing) -> Match | None:
    if sought.parent_id != existing.parent_id:
        return None
    exact = folded(existing.name) in {folded(one) for one in sought.names}
    alike = exact or any(_alike(existing.name, one) for one in sought.names)
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


def _alike(one: str, other: str) -> bool:
    return loose_name(one) == loose_name(other) or sorted_name(one) == sorted_name(other)


def _document(sought: Sought, existing: Existing) -> Match | None:
    if existing.kompass_id and existing.kompass_id != sought.kompass_id:
        return None
    number, marked = _number(sought, existing), bool(existing.kompass_id)
    total, date, customer = _total(sought, existing), _date(sought, existing), _customer(sought, existing)
    if not (number == _NUMBER or marked or (total and date and (customer or number))):
        return None
    words = [
        ""
        if number == _NUMBER
        else f"its number is {existing.name} there"
        if existing.name
        else "it has no number there",
        "" if total == _TOTAL else _total_there(existing),
        "" if date == _DATE else f"it is dated {existing.date} there",
        "" if customer == _CUSTOMER else _customer_there(near=customer > 0),
    ]
    return Match(
        existing,
        number + total + date + customer,
        tuple(filter(None, words)),
        total_agrees=total > 0,
        customer_agrees=customer > 0,
        by_total=number < _NUMBER and not marked,
    )


def _number(sought: Sought, existing: Existing) -> int:
    if existing.name and loose_number(existing.name) in {loose_number(one) for one in sought.names}:
        return _NUMBER
    return _NEAR_NUMBER if any(alike_numbers(existing.name, one) for one in sought.names) else 0


def _total(sought: Sought, existing: Existing) -> int:
    if sought.total is None or existing.total is None or sought.currency != existing.currency:
        return 0
    off = abs(sought.total - existing.total)
    return _TOTAL if not off else _NEAR_TOTAL if off <= NEARLY else 0


def _date(sought: Sought, existing: Existing) -> int:
    if sought.date is None or existing.date is None:
        return 0
    off = abs((sought.date - existing.date).days)
    return _DATE if not off else _NEAR_DATE if off <= NEAR_DAYS else 0


def _customer(sought: Sought, existing: Existing) -> int:
    if existing.customer_id in sought.customer_ids:
        return _CUSTOMER
    return _NEAR_CUSTOMER if existing.customer_id in sought.near_customer_ids else 0


def _total_there(existing: Existing) -> str:
    return f"it comes to {existing.total:,.2f} {existing.currency} there" if existing.total is not None else "no total"


def _customer_there(*, near: bool) -> str:
    if near:
        return "it is another sub-customer's there, or that of a customer with a similar name"
    return "it is another customer's there"
