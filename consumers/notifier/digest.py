"""What a digest says, gathered from the database, before it is put into words by the templates."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from sqlalchemy import Connection

from consumers.notifier.addresses import AdminPages
from mapping.causes.table import words_of
from mapping.problems import money
from schemas.counting import counted, form_of
from store import concerned, differences, notices
from store.concerned import Concerned
from store.notices import Sample, Untold, Withdrawn

SECTIONS = 12
"""Causes in full; the rest by their number."""
ITEMS = 6
"""Records of a cause that are shown."""
_TEXT = 400
_CAUSE = 300
"""Characters of a cause that a link may hold: what follows its colon is an id of Kompass's, of any length."""
_NOUNS = {"client": "client", "project": "project", "invoice": "invoice", "": "event"}
_CODE = re.compile(r"\bcode (\d{2,6})\b")


@dataclass(frozen=True, slots=True)
class Item:
    """One record."""

    reference: str
    message: str
    url: str
    intuit_tid: str
    about: str = ""
    """Of a document: ``Harbour & Sons, GBP 1,200.00``."""


@dataclass(frozen=True, slots=True)
class Section:
    """One cause with everything it holds up, or one that each record has for itself."""

    cause: str
    headline: str
    shared: bool
    waiting: str
    """``3 invoices need attention``"""
    count: int
    behind: str
    """``and 12 invoices behind them``, or empty."""
    message: str
    remedy: str
    who: str
    items: tuple[Item, ...]
    more: int
    url: str
    link_words: str
    code: str
    intuit_tid: str
    amount: str = ""
    """What its documents come to: ``GBP 1,200.00 and EUR 80.00``."""


@dataclass(frozen=True, slots=True)
class Left:
    """A document that was taken back in Kompass and stands in QuickBooks."""

    words: str
    """``Invoice INV-7 is still in QuickBooks with 1,200.00``"""
    reason: str
    url: str


@dataclass(frozen=True, slots=True)
class Differing:
    """Documents that QuickBooks totals otherwise than Kompass, for one reason."""

    cause: str
    headline: str
    words: str
    """``3 documents differ``"""
    remedy: str
    who: str
    items: tuple[Item, ...]
    more: int
    url: str


@dataclass(frozen=True, slots=True)
class Digest:
    org_id: str
    org_name: str
    subject: str
    sections: tuple[Section, ...]
    more_causes: int
    left: tuple[Left, ...]
    more_left: int
    differing: tuple[Differing, ...]
    told_before: int
    url: str
    note: str = ""


def amounts(by_kind: Mapping[str, int]) -> str:
    """``1 client and 12 invoices``; the most numerous first."""
    parts = [
        counted(count, _NOUNS.get(kind, "record")) for kind, count in sorted(by_kind.items(), key=lambda one: -one[1])
    ]
    return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + (f" and {parts[-1]}" if parts else "")


def waiting_words(by_kind: Mapping[str, int]) -> str:
    """For records that wait for something outside themselves: an outage, a lost connection."""
    total = sum(by_kind.values())
    return f"{amounts(by_kind)} {form_of(total, 'is', 'are')} waiting" if total else "Nothing goes to QuickBooks"


def _attention_words(by_kind: Mapping[str, int]) -> str:
    """For failed records, and for those that wait behind them."""
    return f"{amounts(by_kind)} {form_of(sum(by_kind.values()), 'needs', 'need')} attention"


def _words_at(stage: str, by_kind: Mapping[str, int]) -> str:
    return waiting_words(by_kind) if stage == "connect" or not by_kind else _attention_words(by_kind)


def short(text: str, limit: int = _TEXT) -> str:
    """Text from events on one line, without what a terminal or mail reader would obey, and cut where it gets long."""
    clean = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return clean if len(clean) <= limit else clean[: limit - 1].rstrip() + "…"


def gather(
    db: Connection,
    *,
    org_id: str,
    org_name: str,
    untold: Sequence[Untold],
    withdrawn: Sequence[Withdrawn],
    differing: Sequence[differences.Untold] = (),
    pages: AdminPages,
    note: str = "",
) -> Digest:
    """Put together what an Org has to be notified of. Reads only."""
    causes = [one.cause for one in untold]
    found = concerned.of_causes(db, org_id, causes)
    found |= {one.cause: concerned.cut_off(db, org_id) for one in untold if one.stage == "connect"}
    weights = {cause: _sum(one.own) + _sum(one.behind) for cause, one in found.items()}
    # A lost connection holds up everything, however little waits by now.
    ordered = sorted(untold, key=lambda one: (one.stage != "connect", -weights[one.cause], one.cause))
    shown = [
        _section(one, notices.samples(db, org_id, one.cause, limit=ITEMS), found[one.cause], pages)
        for one in ordered[:SECTIONS]
    ]
    differ = tuple(_differing(one, differences.samples(db, org_id, one.cause, limit=ITEMS), pages) for one in differing)
    left = tuple(_left(one, pages) for one in withdrawn[: 2 * ITEMS])
    total: dict[str, int] = {}
    for counts in (counts for one in found.values() for counts in (one.own, one.behind)):
        for kind, count in counts.items():
            total[kind] = total.get(kind, 0) + count
    return Digest(
        org_id=org_id,
        org_name=short(org_name, 80),
        subject=_subject(shown, ordered, total, withdrawn, left, differ, org_name),
        sections=tuple(shown),
        more_causes=len(ordered) - len(shown),
        left=left,
        more_left=len(withdrawn) - len(left),
        differing=differ,
        told_before=notices.told_before(db, org_id),
        url=pages.sync_errors(org_id),
        note=note,
    )


def _about(one: Sample) -> str:
    amount = f"{one.currency} {money(one.total)}".strip() if one.total is not None else ""
    return ", ".join(filter(None, (short(one.client, 60), amount)))


def _amount_words(totals: Mapping[str, Decimal]) -> str:
    parts = [f"{currency} {money(total)}".strip() for currency, total in totals.items()]
    return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + (f" and {parts[-1]}" if parts else "")


def _sum(counts: Mapping[str, int]) -> int:
    return sum(counts.values())


def _section(one: Untold, samples: Sequence[Sample], records: Concerned, pages: AdminPages) -> Section:
    own, behind = records.own, records.behind
    words = words_of(one.cause)
    sample = samples[0]
    match = _CODE.search(sample.message)
    code = match[1] if match else (words.codes[0] if one.stage == "push" and len(words.codes) == 1 else "")
    headline = short(
        words.headline_for(cause=one.cause, field=short(sample.field, 60), value=short(sample.value, 60)), 160
    )
    if one.stage == "connect":
        url, link_words = pages.configurations(), "Open the Configurations and authorise again"
    elif len(samples) == 1 and not words.shared:
        url, link_words = pages.failure(sample.id), "Open it in Kompass"
    elif len(one.cause) > _CAUSE:
        url, link_words = pages.sync_errors(one.org_id), "Open the sync errors in Kompass"
    else:
        url, link_words = pages.cause(one.org_id, one.cause), "Open these in Kompass"
    total = {kind: own.get(kind, 0) + behind.get(kind, 0) for kind in {*own, *behind}}
    shown = () if one.stage == "connect" else samples
    return Section(
        cause=one.cause,
        headline=headline,
        shared=words.shared,
        waiting=_words_at(one.stage, total),
        count=_sum(total),
        behind=f"{amounts(behind)} {form_of(_sum(behind), 'waits', 'wait')} behind {form_of(_sum(own), 'it', 'them')}"
        if behind
        else "",
        message=short(sample.message),
        remedy=short(sample.remedy or words.remedy),
        who=words.who.value,
        items=tuple(
            Item(
                short(each.reference, 60),
                short(each.message, 250),
                pages.failure(each.id),
                short(each.intuit_tid, 60),
                about=_about(each),
            )
            for each in shown
        ),
        more=max(0, one.count - len(shown)) if shown else 0,
        url=url,
        link_words=link_words,
        code=code,
        intuit_tid=short(sample.intuit_tid, 60),
        amount=_amount_words(records.amounts),
    )


def _differing(one: differences.Untold, samples: Sequence[differences.Sample], pages: AdminPages) -> Differing:
    words = words_of(one.cause)
    noun = "document" if {each.kind for each in samples} == {"invoice"} else "record"
    return Differing(
        cause=one.cause,
        headline=words.headline_for(cause=one.cause),
        words=f"{counted(one.count, noun)} {form_of(one.count, 'differs', 'differ')}",
        remedy=words.remedy,
        who=words.who.value,
        items=tuple(
            Item(
                short(each.reference, 60),
                short(each.message.partition(": probably")[0], 250),
                pages.record(each.kind, each.link_id),
                "",
            )
            for each in samples
        ),
        more=max(0, one.count - len(samples)),
        url=pages.differing(one.org_id, one.cause),
    )


def _left(one: Withdrawn, pages: AdminPages) -> Left:
    noun = {"CreditMemo": "Credit note"}.get(one.entity, one.entity or "Document")
    amount = f" with {(one.currency + ' ') if one.currency else ''}{money(one.total)}" if one.total is not None else ""
    number = f", as {short(one.name, 60)}" if one.name and one.name != one.reference else ""
    return Left(
        words=f"{noun} {short(one.reference, 60)} is still in QuickBooks{amount}{number}",
        reason=short(one.reason, 200),
        url=pages.invoice(one.link_id),
    )


def _subject(
    shown: Sequence[Section],
    causes: Sequence[Untold],
    total: Mapping[str, int],
    withdrawn: Sequence[Withdrawn],
    left: Sequence[Left],
    differ: Sequence[Differing],
    org_name: str,
) -> str:
    if shown:
        others = f" and {counted(len(causes) - 1, 'other cause')}" if len(causes) > 1 else ""
        words = f"{_words_at(causes[0].stage, total)}: {shown[0].headline}{others}"
    elif not withdrawn:
        others = f" and {counted(len(differ) - 1, 'other reason')}" if len(differ) > 1 else ""
        words = f"{differ[0].words} from QuickBooks: {differ[0].headline}{others}"
    elif len(withdrawn) == 1:
        words = left[0].words
    else:
        words = f"{counted(len(withdrawn), 'document')} taken back in Kompass are still in QuickBooks"
    return f"{short(words, 150)} ({short(org_name, 60)})" if org_name else short(words, 150)
