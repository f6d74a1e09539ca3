"""What each document of a month comes to on both sides, compared by the Id under which it was sent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Final

from mapping import cents
from mapping.booked import Booked
from mapping.books import OF_THE_WHOLE, VOID
from mapping.case import billing_client, not_synced
from mapping.causes.table import words_of
from mapping.expected import (
    OPEN,
    Month,
    anything,
    at_home,
    code_rounds,
    differs_by_rounding,
    expected,
    moved_between_rates,
    moved_off_tax_item,
    typed_tax,
)
from mapping.left import is_left, left_members
from mapping.money import half_up
from mapping.problems import money
from mapping.rates import plausible
from mapping.sheet import NOTHING, TITLES, Amounts, CodeAmount, Line, Side, Standing
from schemas.documents import SentDocument
from schemas.events import InvoiceType, Step
from schemas.link_state import LinkState

Key = tuple[str, str]
"""(entity, QBO id)"""

VOIDED: Final = "voided in Kompass"
_STATE_WORDS = {LinkState.PENDING: "queued"}


def unread(ours: Iterable[SentDocument], theirs: Mapping[Key, Booked]) -> set[Key]:
    """What of ours QuickBooks dates in another month, or has no more: still to be asked for."""
    return {(one.entity, one.qbo_id) for one in ours if one.qbo_id} - theirs.keys()


def unknown(ours: Iterable[SentDocument], theirs: Mapping[Key, Booked]) -> set[str]:
    """The Ids of QuickBooks' documents that may be ours, dated in another month by Kompass."""
    return {qbo_id for _, qbo_id in theirs.keys() - {(one.entity, one.qbo_id) for one in ours}}


def lines_of(ours: Iterable[SentDocument], theirs: Mapping[Key, Booked], month: Month) -> tuple[Line, ...]:
    """Compare both sides of a month; what prevents agreement first."""
    known: dict[Key, SentDocument] = {(one.entity, one.qbo_id): one for one in ours if one.qbo_id}
    lines = [
        line
        for one in ours
        if (line := _line(one, theirs.get((one.entity, one.qbo_id)) if one.qbo_id else None, month)) is not None
    ]
    lines += [_only_theirs(one, month) for key, one in theirs.items() if key not in known and one.date in month]
    return ordered(lines)


def ordered(lines: Iterable[Line]) -> tuple[Line, ...]:
    """Sort by block, date and number."""
    rank = {standing: number for number, standing in enumerate(TITLES)}
    return tuple(sorted(lines, key=lambda line: (rank[line.standing], line.date, line.reference)))


def _line(one: SentDocument, found: Booked | None, month: Month) -> Line | None:
    invoice = one.invoice
    # What is void in QuickBooks is in none of its months.
    here, there = (
        invoice.date in month,
        found is not None and found.date in month and anything(found.side(month.facts)),
    )
    if not (here or there):
        return None
    if (reason := _why_not_there(one, month)) is not None:
        return _not_to_be_there(one, found, month, reason=reason)
    ours = expected(one, month)
    voided = invoice.step is Step.VOIDED
    if found is None:
        # What is void in Kompass and gone in QuickBooks is booked on neither side.
        standing, remarks = (Standing.AGREES if voided else Standing.MISSING), [_why_missing(one)]
    else:
        standing, remarks = _compared(one, ours, found, month)
    if voided:
        remarks = [VOIDED, *remarks]
    return _made(
        one,
        standing,
        "; ".join(remarks),
        month,
        ours=at_home(ours, one, found, month),
        found=found,
    )


def _not_to_be_there(one: SentDocument, found: Booked | None, month: Month, *, reason: str) -> Line | None:
    """A document that Kompass does not want in QuickBooks, and that was perhaps sent before."""
    if found is None or found.amounts == NOTHING:
        if one.invoice.date not in month:
            return None
        over = "; QuickBooks has nothing of it" if one.qbo_id else ""
        return _made(one, Standing.NOT_SENT, reason + over, month, ours=_billed(one))
    left = is_left(one, found, {VOID}, month.facts.home_currency)
    standing = Standing.LEFT if left else Standing.WITHDRAWN
    return _made(one, standing, reason, month, ours=Side(NOTHING, Decimal(0)), found=found)


def kompass_line(one: SentDocument, month: Month) -> Line:
    """Give the line of a document without a look at QuickBooks: what Kompass says of it, and whether it is to be there."""
    if (reason := _why_not_there(one, month)) is not None:
        return _made(one, Standing.NOT_SENT, reason, month, ours=_billed(one))
    said = VOIDED if one.invoice.step is Step.VOIDED else ""
    return _made(one, Standing.MISSING, said, month, ours=expected(one, month))


def _why_not_there(one: SentDocument, month: Month) -> str | None:
    """Give the reason why Kompass does not want a document in QuickBooks; None when it does."""
    sent = bool(one.qbo_id or one.entity)
    unsynced = not_synced(one.invoice, deleted=one.deleted, configuration=month.configuration, sent=sent)
    if unsynced is not None:
        return unsynced[1]
    return "voided in Kompass before it was sent" if one.invoice.step is Step.VOIDED and not one.qbo_id else None


def _billed(one: SentDocument) -> Side:
    return Side(Amounts(one.invoice.amount_net, one.invoice.amount_vat, one.invoice.amount_gross))


def _why_missing(one: SentDocument) -> str:
    if one.qbo_id:
        return f"{one.entity} {one.qbo_id} was deleted in QuickBooks"
    if one.state in OPEN:
        return f"{_state_word(one)}: {one.reason or 'not sent yet'}"
    return one.reason or "not sent yet"


def _state_word(one: SentDocument) -> str:
    state = LinkState(one.state)
    return _STATE_WORDS.get(state, state.value)


def _made(
    one: SentDocument, standing: Standing, remark: str, month: Month, *, ours: Side, found: Booked | None = None
) -> Line:
    invoice = one.invoice
    return Line(
        standing=standing,
        reference=invoice.reference,
        date=invoice.date,
        what={InvoiceType.CREDIT_NOTE: "credit note", InvoiceType.JOURNAL: "journal"}.get(invoice.type, "invoice"),
        currency=invoice.currency,
        remark=remark,
        client=billing_client(invoice).name,
        client_id=billing_client(invoice).id,
        state=one.state if one.state in OPEN else "",
        cause=one.cause,
        kompass_id=invoice.id,
        qbo_id=one.qbo_id,
        ours=ours,
        theirs=None if found is None else found.side(month.facts),
        ours_counts=invoice.date in month,
        theirs_counts=found is not None and found.date in month,
        booked_as=() if found is None else _booked_as(found),
    )


def _compared(one: SentDocument, ours: Side, found: Booked, month: Month) -> tuple[Standing, list[str]]:
    invoice = one.invoice
    theirs = found.side(month.facts)
    rounding = typed_tax(one, ours, found, month) is None and differs_by_rounding(one, ours, theirs, month)
    reasons = [*_differences(one, ours, found, rounding=rounding, month=month)]
    if not ours.codes and not anything(ours) and not anything(theirs):
        # Voided on both sides: nothing is booked, in no month and for nobody.
        return Standing.AGREES, reasons
    if (invoice.date in month) != (found.date in month) and anything(theirs):
        moved = f"dated {invoice.date} in Kompass and {found.date} in QuickBooks"
        left = is_left(one, found, {"TxnDate"}, month.facts.home_currency) and not list(
            _apart_from_amounts(one, found, month)
        )
        return Standing.LEFT if left else Standing.OTHER_MONTH, [moved, *reasons]
    if (
        reasons
        and is_left(one, found, {*OF_THE_WHOLE, "Line", "TxnTaxDetail"}, month.facts.home_currency)
        and not list(_apart_from_amounts(one, found, month))
    ):
        return Standing.LEFT, [*reasons, *_texts(one, found, month), *_not_yet(one)]
    if reasons:
        reasons += _texts(one, found, month)
        return Standing.DIFFERS, [*_not_yet(one), *reasons]
    remarks = [*_texts(one, found, month)] if anything(theirs) else []
    otherwise = Standing.OTHERWISE if remarks else Standing.AGREES
    if chosen := [*left_members(one, found)]:
        otherwise, remarks = Standing.LEFT, [*chosen, *remarks]
    remarks += _not_yet(one)
    if rounding:
        tax = f"QuickBooks has {money(theirs.amounts.tax)} of tax, Kompass billed {money(ours.amounts.tax)}"
        return Standing.ROUNDING, [f"{tax}: {words_of(cents.ROUNDING).headline}", *remarks]
    return otherwise, remarks


def _not_yet(one: SentDocument) -> list[str]:
    waits = one.state in OPEN
    return [f"its newest version is not in QuickBooks ({_state_word(one)}: {one.reason})"] if waits else []


def _differences(one: SentDocument, ours: Side, found: Booked, *, rounding: bool, month: Month) -> Iterator[str]:
    """What does not agree, in words; rounding is none of it."""
    theirs = found.side(month.facts)
    if found.amounts == NOTHING and anything(ours) and found.voided:
        yield "voided in QuickBooks"
        return
    if ours.amounts != theirs.amounts and not rounding:
        yield _why_amounts_differ(one, ours, found, month)
        if theirs.amounts.gross != ours.amounts.gross:
            yield f"QuickBooks {money(theirs.amounts.gross)} against {money(ours.amounts.gross)}"
        else:
            sides = ((theirs.amounts, "QuickBooks"), (ours.amounts, "Kompass"))
            yield ", ".join(f"net {money(one.net)} and tax {money(one.tax)} in {side}" for one, side in sides)
    elif anything(ours) and not rounding:
        differing = [*_by_code(one, ours, theirs, month)]
        yield from differing or _by_rate(one, found, month)
        if (moved := moved_off_tax_item(one, found, month)) is not None:
            yield f"the item that carries the tax has {money(moved[0])} in QuickBooks, {money(moved[1])} was sent"
    yield from _apart_from_amounts(one, found, month)


def _apart_from_amounts(one: SentDocument, found: Booked, month: Month) -> Iterator[str]:
    if found.currency != one.invoice.currency:
        yield f"in {found.currency} in QuickBooks"
    yield from _customer(one, found)
    yield from _rate(one, found, month)


def _why_amounts_differ(one: SentDocument, ours: Side, found: Booked, month: Month) -> str:
    if found.amounts.net != ours.amounts.net:
        return words_of(cents.NET).headline
    before = typed_tax(one, ours, found, month)
    if before is None:
        return words_of(cents.AUTOMATED if month.facts.automated_tax else cents.RATE).headline
    typed = money(found.amounts.tax)
    return (
        f"tax changed by hand in QuickBooks, {typed} instead of {money(before)}: enter {money(before)} there again, or correct the tax "
        f"in Kompass if {typed} is right"
    )


def _texts(one: SentDocument, found: Booked, month: Month) -> Iterator[str]:
    """Number and dates, as they were sent; of a newest version that is not in QuickBooks, the dates that it says."""
    number, newer = one.text("DocNumber"), one.state in OPEN
    if number and found.number != number:
        yield f"number {found.number or '(none)'} in QuickBooks, {number} was sent"
    date = one.invoice.date.isoformat() if newer else one.text("TxnDate") or one.invoice.date.isoformat()
    # Of one that is in another month there, the date is said already. What a person kept, and somebody put right since, is right.
    right = found.date.isoformat() in (date, one.invoice.date.isoformat())
    if not right and (found.date in month) == (one.invoice.date in month):
        yield f"dated {found.date} in QuickBooks, {date} in Kompass"
    rate = month.day_rates.get((found.currency, found.date))
    said = plausible(one.answered.rate, found.currency, month.facts.home_currency) not in (None, found.exchange_rate)
    if one.exchange_rate is None and not said and rate is not None and found.exchange_rate not in (None, rate):
        yield f"exchange rate {found.exchange_rate:f} in QuickBooks, whose rate of {found.date} is {rate:f}"
    due = one.text("DueDate")
    if due and newer and one.invoice.due_date is not None:
        due = one.invoice.due_date.isoformat()
    if due and found.due != due:
        yield f"due {found.due or '(not said)'} in QuickBooks, {due} in Kompass"


def _customer(one: SentDocument, found: Booked) -> Iterator[str]:
    booked = f"booked to customer {found.customer_name or found.customer_id} in QuickBooks"
    if one.newest_customer == found.customer_id or (one.state not in OPEN and one.customer == found.customer_id):
        # A customer that was merged gives its documents to the one that stays; the client is linked to that one by hand.
        return
    if one.newest_customer is not None and one.state in OPEN:
        named = (
            f"customer {one.newest_customer}" if one.newest_customer else "a customer that QuickBooks does not have yet"
        )
        yield f"{booked}, and its newest version is for {named}"
    elif one.customer and found.customer_id and found.customer_id != one.customer:
        yield f"{booked}, and sent to customer {one.customer}"


def _by_code(one: SentDocument, ours: Side, theirs: Side, month: Month) -> Iterator[str]:
    """The totals agree: so must what is under each tax code."""
    booked = {code.code: code for code in theirs.codes}
    for code in ours.codes:
        other = booked.pop(code.code, CodeAmount(code.code, Decimal(0), Decimal(0)))
        if other.net != code.net:
            yield f"tax code {code.code or '(none)'}: net {money(other.net)} in QuickBooks, {money(code.net)} in Kompass"
        elif other.tax != code.tax and not code_rounds(one, code, other, month):
            yield f"tax code {code.code or '(none)'}: tax {money(other.tax)} in QuickBooks, {money(code.tax)} in Kompass"
    for code in booked.values():
        if code.net or code.tax:
            yield f"tax code {code.code or '(none)'}: net {money(code.net)} in QuickBooks, nothing in Kompass"


def _by_rate(one: SentDocument, found: Booked, month: Month) -> Iterator[str]:
    """What is under each tax code agrees: so must what each of its rates has of it."""
    for name, tax, charged in moved_between_rates(one, found, month):
        yield f"tax rate {name}: {money(tax)} in QuickBooks, and it charges {money(charged)}"


def _rate(one: SentDocument, found: Booked, month: Month) -> Iterator[str]:
    home = month.facts.home_currency
    if found.currency == home or found.amounts == NOTHING:
        return
    rate, sent = found.exchange_rate, plausible(one.exchange_rate, found.currency, home)
    answered = plausible(one.answered.rate, found.currency, home)
    if plausible(rate, found.currency, home) is None:
        yield f"booked at an exchange rate of 1: {money(found.amounts.gross)} {found.currency} as {home}"
    elif sent is not None and rate != sent:
        yield f"exchange rate {rate:f} in QuickBooks, {sent:f} was sent"
    elif sent is None and answered is not None and rate != answered:
        yield f"exchange rate {rate:f} in QuickBooks, and {answered:f} when it was written"
    if rate is not None and found.home is not None:
        at_rate = half_up(found.amounts.gross * rate)
        if abs(at_rate - found.home) > Decimal("0.01"):
            yield f"{money(found.home)} {home} in QuickBooks, and {money(at_rate)} at its own rate of {rate:f}"


def _only_theirs(one: Booked, month: Month) -> Line:
    ours = one.marked is not None and one.amounts != NOTHING
    remark = "typed by hand, or made by another program"
    if one.marked is not None:
        remark = f"carries the mark of Kompass invoice {one.marked}, and is not the document that was sent for it"
    return Line(
        standing=Standing.UNKNOWN if ours else Standing.HAND_TYPED,
        reference=one.number or one.id,
        date=one.date,
        what="credit note" if one.entity == "CreditMemo" else "invoice",
        currency=one.currency,
        remark=remark,
        client=one.customer_name,
        kompass_id=one.marked or "",
        qbo_id=one.id,
        theirs=one.side(month.facts),
        booked_as=_booked_as(one),
    )


def _booked_as(found: Booked) -> tuple[str, ...]:
    return (
        found.number, found.date.isoformat(), found.due, found.customer_name or found.customer_id, found.customer_id,
    )  # fmt: skip
