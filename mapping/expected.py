"""What QuickBooks should have of a document: as it was sent, and by today's Configuration where its newest version is still to be sent."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from mapping.booked import Booked, line_nets
from mapping.money import half_up
from mapping.rates import Rates, plausible
from mapping.sheet import NOTHING, Amounts, CodeAmount, Side
from mapping.tax import Regime, regime, row_of
from mapping.tax_amounts import Piece, accepted, accepted_together, pieces_of_line, predictions, units
from schemas.company import BilledTax, CompanyFacts, Configuration
from schemas.documents import SentDocument
from schemas.events import InvoiceLine, Step
from schemas.link_state import LinkState
from schemas.observed import own_lines, part, reference

OPEN: Final = frozenset({LinkState.PENDING, LinkState.WAITING, LinkState.RETRYING, LinkState.FAILED})
"""The newest version is not in QuickBooks."""


@dataclass(frozen=True, slots=True)
class Month:
    """What a sheet is made for."""

    first: dt.date
    configuration: Configuration
    facts: CompanyFacts
    day_rates: Rates = field(default_factory=dict)
    """QuickBooks' rates of the days of foreign documents that went without one of ours."""

    @property
    def after(self) -> dt.date:
        return month_after(self.first)

    def __contains__(self, day: dt.date) -> bool:
        return self.first <= day < self.after


def month_after(first: dt.date) -> dt.date:
    """Give the first day of the next month."""
    return (first + dt.timedelta(days=32)).replace(day=1)


@dataclass(frozen=True, slots=True)
class _Booking:
    """How the tax of a document is booked."""

    how: Regime
    codes: tuple[str, ...] = ()
    """The tax code id of each line, in the order of `_lines`; empty for one without."""
    carried: bool = False
    """Whether a line carries the tax, so that it is part of the net amount."""


def _lines(one: SentDocument) -> list[InvoiceLine]:
    return sorted(one.invoice.lines, key=lambda line: line.position)


def _booking(one: SentDocument, month: Month) -> _Booking:
    """Give what was sent: a row or an option that changes today changes no past month."""
    return (_as_sent(one) if one.state not in OPEN else None) or _as_of_today(one, month)


def _as_sent(one: SentDocument) -> _Booking | None:
    """Give how it was sent; None when that is not known line by line."""
    sent, count = own_lines(one.sent), len(one.invoice.lines)
    if not sent or len(sent) not in (count, count + 1):
        return None
    how = next((each for each in Regime if each.value == one.sent.get("GlobalTaxCalculation")), Regime.NO_CODES)
    codes = tuple(reference(part(line, "SalesItemLineDetail"), "TaxCodeRef") for line in sent[:count])
    return _Booking(how, codes, carried=len(sent) > count)


def _as_of_today(one: SentDocument, month: Month) -> _Booking:
    how = regime(month.configuration, month.facts)
    carried = how is Regime.NO_CODES and month.configuration.billed_tax is BilledTax.ITEM_LINE
    return _Booking(how, tuple(month.configuration.tax_codes.get(row_of(line), "") for line in _lines(one)), carried)


def expected(one: SentDocument, month: Month) -> Side:
    """Give what QuickBooks should have of a document, signed as in Kompass."""
    invoice = one.invoice
    if invoice.step is Step.VOIDED:
        return Side(NOTHING, Decimal(0))
    booking = _booking(one, month)
    if booking.how is not Regime.EXCLUDED:
        net = invoice.amount_gross if booking.carried else invoice.amount_net
        amounts = Amounts(net, invoice.amount_gross - net, invoice.amount_gross)
        return Side(amounts, codes=(CodeAmount("", amounts.net, amounts.tax),))
    codes: dict[str, CodeAmount] = {}
    for line, code in zip(_lines(one), booking.codes, strict=True):
        fact = month.facts.tax_codes.get(code)
        name = code if fact is None else fact.name
        before = codes.get(name, CodeAmount(name, Decimal(0), Decimal(0), code))
        codes[name] = CodeAmount(name, before.net + line.amount_net, before.tax + line.amount_vat, code)
    amounts = Amounts(invoice.amount_net, invoice.amount_vat, invoice.amount_gross)
    return Side(amounts, codes=tuple(codes.values()))


def anything(side: Side) -> bool:
    """Whether a side has an amount, be it one that another cancels out."""
    return side.amounts != NOTHING or any(code.net or code.tax for code in side.codes)


def at_home(ours: Side, one: SentDocument, found: Booked | None, month: Month) -> Side:
    """Kompass has no home amounts: its gross at the rate that was sent, or else at the one that QuickBooks took."""
    gross = ours.amounts.gross
    if one.invoice.currency == month.facts.home_currency:
        return Side(ours.amounts, gross, ours.codes)
    known = (one.exchange_rate, one.answered.rate, found.exchange_rate if found is not None else None)
    home = month.facts.home_currency
    rate = next((each for each in known if plausible(each, one.invoice.currency, home) is not None), None)
    return Side(ours.amounts, None if rate is None else half_up(gross * rate), ours.codes)


# --- Tax: what rounding explains, and what no computation gives


def differs_by_rounding(one: SentDocument, ours: Side, theirs: Side, month: Month) -> bool:
    """Whether the taxes of a document differ, and rounding makes both of them."""
    if ours.amounts == theirs.amounts or ours.amounts.net != theirs.amounts.net or not ours.codes:
        return False
    pieces = _pieces(one, month)
    if pieces is None:
        return False
    allowed = accepted_together(pieces, one.invoice.currency)
    if ours.amounts.tax not in allowed or theirs.amounts.tax not in allowed:
        return False
    booked = {code.code: code for code in theirs.codes}
    return all(
        (other := booked.get(code.code)) is not None
        and other.net == code.net
        and (other.tax == code.tax or code_rounds(one, code, other, month))
        for code in ours.codes
    )


def code_rounds(one: SentDocument, ours: CodeAmount, theirs: CodeAmount, month: Month) -> bool:
    """Whether rounding makes both taxes of the lines under a tax code.

    One unit may be under another code: this is asked only where the whole tax of the document agrees, or differs by rounding.
    """
    pieces = _pieces(one, month, code=ours.code)
    if pieces is None:
        return False
    allowed = accepted(pieces, one.invoice.currency).widened(max(units(one.invoice.currency)))
    return ours.tax in allowed and theirs.tax in allowed


def moved_between_rates(one: SentDocument, found: Booked, month: Month) -> list[tuple[str, Decimal, Decimal]]:
    """Give the rates with another tax in QuickBooks than they charge: (name, there, charged); asked where the tax of each code agrees.

    A tax code may have two rates that go to two authorities, as GST and QST do.
    """
    if month.facts.automated_tax or _booking(one, month).how is not Regime.EXCLUDED:
        return []
    moved, unit = [], max(units(one.invoice.currency))
    names = {rate.id: rate.name for fact in month.facts.tax_codes.values() for rate in fact.charged()}
    pieces = _pieces(one, month, day=found.date) or []
    for rate, tax in found.taxes:
        of_rate = [piece for piece in pieces if piece.rate == rate]
        # Kompass's amounts to the cent put what is left of a line's tax into its last rate.
        if of_rate and tax not in accepted(of_rate, one.invoice.currency).widened(unit * len(of_rate)):
            charged = half_up(sum((piece.tax for piece in of_rate), Decimal(0)))
            moved.append((names.get(rate, rate), tax, charged))
    return moved


def moved_off_tax_item(one: SentDocument, found: Booked, month: Month) -> tuple[Decimal, Decimal] | None:
    """Give what the item that carries the tax has in QuickBooks, and what was sent, where they differ: it is what is owed to the state."""
    if one.state in OPEN or not _booking(one, month).carried:
        return None
    sent = list(line_nets(one.sent, "ItemRef"))
    if not sent:
        return None
    # The line that carries the tax is the last.
    item, _ = sent[-1]
    sign = -1 if found.entity == "CreditMemo" else 1
    ours = sign * sum((net for other, net in sent if other == item), Decimal(0))
    there = dict(found.items).get(item, Decimal(0))
    return None if there == ours else (there, ours)


def typed_tax(one: SentDocument, ours: Side, found: Booked, month: Month) -> Decimal | None:
    """Give the tax that QuickBooks had come to, where another one was typed over it; None where no hand is known to have done so.

    The net of each tax code is as it was sent, QuickBooks had another tax at our last write, and does not compute the one of now.
    A tax that QuickBooks itself computes otherwise is not typed: its tax code has another rate, or its sales tax is automated.
    """
    tax, theirs = found.amounts.tax, found.side(month.facts)
    if one.answered.tax is None or month.facts.automated_tax:
        return None
    booked = -one.answered.tax if found.entity == "CreditMemo" else one.answered.tax
    nets = {code.code: code.net for code in ours.codes}
    if tax == booked and one.answered.tax_by_hand:
        # It was put in before our last write, which left it: what QuickBooks had come to is not known any more.
        booked = ours.amounts.tax
    if tax == booked or nets != {code.code: code.net for code in theirs.codes}:
        return None
    with_codes = _booking(one, month).how is Regime.EXCLUDED
    pieces = _pieces(one, month, day=found.date) if with_codes else None
    computed = pieces is not None and tax in predictions(pieces, one.invoice.currency)
    return None if computed else booked + 0


def _pieces(
    one: SentDocument, month: Month, *, code: str | None = None, day: dt.date | None = None
) -> list[Piece] | None:
    """What each rate charges on the lines, of one tax code or of all; None when a rate is not known."""
    pieces: list[Piece] = []
    for number, (line, used) in enumerate(_with_codes(_lines(one), _booking(one, month).codes), start=1):
        fact = month.facts.tax_codes.get(used)
        if code is not None and (fact is None or fact.name != code):
            continue
        found = (
            None
            if fact is None
            else pieces_of_line(number, row_of(line), fact, line.amount_net, day or one.invoice.date)
        )
        if found is None:
            return None
        pieces += found
    return pieces


def _with_codes(lines: Sequence[InvoiceLine], codes: Sequence[str]) -> Iterable[tuple[InvoiceLine, str]]:
    return zip(lines, codes, strict=True)
