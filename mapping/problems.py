"""The words of a record's problems: what is wrong, with which value, and what to do about it.

One constructor for each problem. ``cause`` is stable: failures are grouped by it, people script against it, and
`docs/mapping.md` lists it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from decimal import Decimal

from mapping.money import used_decimals
from mapping.results import Problem
from schemas.events import Client, InvoiceType, Project, QuoteItem, Record, Service, VatRate

EXCERPT = 80
"""Characters of an offending value that a message quotes."""
_SHOWN = {"\n": "↵", "\r": "↵", "\t": "⇥"}


def label(record: Record) -> str:
    """How a message names a record: by what people see in Kompass."""
    if isinstance(record, Client):
        return f"Client {quoted(record.name)}"
    if isinstance(record, Project):
        return f"Project {excerpt(record.reference)}"
    if record.type is InvoiceType.CREDIT_NOTE:
        return f"Credit note {excerpt(record.reference)}"
    return f"Invoice {excerpt(record.reference)}"


def quoted(value: str) -> str:
    return f"“{excerpt(value)}”"


def excerpt(value: str) -> str:
    """The beginning of a value on one line, as a person can read it: a line break is ↵, a tab ⇥, anything else without a picture �."""
    shown = value[: EXCERPT + 1]
    if not shown.isprintable():
        shown = "".join(c if c.isprintable() else _SHOWN.get(c, "\ufffd") for c in shown)
    return shown if len(value) <= EXCERPT else shown[:EXCERPT] + "…"


def money(amount: Decimal) -> str:
    """``1,200.00``; more decimals only where the amount has them."""
    return f"{amount:,.{max(2, used_decimals(amount))}f}"


def number(value: Decimal) -> str:
    """``35``, ``12.5``: without needless zeros and without an exponent."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _lines(positions: Iterable[int]) -> str:
    known = sorted(set(positions))
    shown = ", ".join(str(position) for position in known[:10])
    if len(known) > 10:
        shown += f" and {len(known) - 10} more"
    return f"line {shown}" if len(known) == 1 else f"lines {shown}"


def told_once(alike: Sequence[Problem]) -> Problem:
    """One problem for all that are alike: a thousand bad lines are not a thousand sentences."""
    first, more = alike[0], len(alike) - 1
    return replace(first, message=f"{first.message} (and {more} more like it)") if more else first


# Templates


def template_error(record: str, *, field: str, line: int, template: str, reason: str, remedy: str) -> Problem:
    return Problem(
        cause="template-error",
        message=f"{record}: the {field}, line {line}, fails: {reason}",
        field=field,
        value=excerpt(template),
        remedy=remedy,
    )


def empty_result(record: str, *, member: str, field: str, template: str) -> Problem:
    return Problem(
        cause=f"empty:{member}",
        message=f"{record}: the {field} {quoted(template)} gives an empty {member}, and QuickBooks needs one",
        field=member,
        value="",
        remedy=f"Fill in what the {field} uses, or use another field in it.",
    )


# Texts


def too_long(record: str, *, member: str, source: str, value: str, limit: int) -> Problem:
    return Problem(
        cause=f"too-long:{member}",
        message=f"{record}: {source} has {len(value):,} characters, and QuickBooks takes {limit:,} in {member}: "
        f"{quoted(value)}",
        field=member,
        value=excerpt(value),
        remedy=f"Shorten {source} to {limit:,} characters; nothing is cut off automatically.",
    )


def name_characters(record: str, *, source: str, value: str, characters: str) -> Problem:
    names = {":": "a colon", "\t": "a tab", "\n": "a line break", "\r": "a line break"}
    found = " and ".join(dict.fromkeys(names[character] for character in characters))
    return Problem(
        cause="name-characters",
        message=f"{record}: the DisplayName {quoted(value)} has {found}, which QuickBooks does not allow in names",
        field="DisplayName",
        value=excerpt(value),
        remedy=f"Change the name in Kompass, or replace the character in the {source}, for example with "
        "{{ client.name | replace(':', ' -') }}.",
    )


def control_character(record: str, *, member: str, source: str, value: str, character: str) -> Problem:
    return Problem(
        cause=f"control-character:{member}",
        message=f"{record}: {source} {quoted(value)} has the unprintable character U+{ord(character):04X}, "
        f"which QuickBooks does not take in {member}",
        field=member,
        value=excerpt(value),
        remedy=f"Type {source} again in Kompass without that character.",
    )


def bad_email(record: str, *, member: str, source: str, value: str) -> Problem:
    return Problem(
        cause="difference:left-out",
        message=f"{record}: {source} {quoted(value)} is not an email address",
        field=member,
        value=excerpt(value),
        remedy=f"Correct {source} in Kompass, or empty it.",
    )


def bad_website(record: str, *, source: str, value: str) -> Problem:
    return Problem(
        cause="difference:left-out",
        message=f"{record}: {source} {quoted(value)} is not a web address",
        field="WebAddr",
        value=excerpt(value),
        remedy=f"Correct {source} in Kompass (such as www.example.com), or empty it.",
    )


# Money


def bad_currency(record: str, *, value: str) -> Problem:
    return Problem(
        cause="bad-currency",
        message=f"{record}: the currency {quoted(value)} is not an ISO code of three letters",
        field="CurrencyRef",
        value=excerpt(value),
        remedy="Give the currency in Kompass as its ISO code, such as EUR.",
    )


def no_multicurrency(record: str, *, currency: str, home: str) -> Problem:
    return Problem(
        cause=f"no-multicurrency:{currency}",
        message=f"{record}: it is in {currency}, but the QuickBooks company keeps its books in {home} only",
        field="CurrencyRef",
        value=currency,
        remedy=f"Turn on Multicurrency in QuickBooks (it cannot be turned off again), or bill in {home}.",
    )


def amount_too_fine(record: str, *, where: str, amount: Decimal, currency: str, decimals: int) -> Problem:
    allowed = "no decimals" if decimals == 0 else f"{decimals} decimals"
    return Problem(
        cause="amount-too-fine",
        message=f"{record}: the {where} {number(amount)} has more decimals than QuickBooks keeps for {currency} ({allowed})",
        field="Amount",
        value=number(amount),
        remedy=f"Round the {where} in Kompass to {allowed}.",
    )


def amount_too_large(record: str, *, where: str, amount: Decimal) -> Problem:
    return Problem(
        cause="amount-too-large",
        message=f"{record}: the {where} {money(amount)} has more than the 10 digits before the point that QuickBooks "
        "takes",
        field="Amount",
        value=number(amount),
        remedy=f"Correct the {where} in Kompass, or bill it on several invoices.",
    )


def does_not_add_up(record: str, *, what: str, parts: Decimal, whole: Decimal, parts_name: str) -> Problem:
    return Problem(
        cause="does-not-add-up",
        message=f"{record}: {parts_name} come to {money(parts)}, but its {what} amount says {money(whole)}",
        field=f"{what} amount",
        value=money(parts - whole),
        remedy="Save the invoice again in Kompass so that its amounts are computed again; if they still differ, "
        "ask Kompass support.",
    )


def negative_total(record: str, *, kind: InvoiceType, amount: Decimal) -> Problem:
    """``amount`` as Kompass has it: above zero for a credit note, below zero for an invoice."""
    if kind is InvoiceType.CREDIT_NOTE:
        wrong, remedy = "the total of a credit note is below zero", "Make it an invoice in Kompass."
    else:
        wrong, remedy = "QuickBooks has no invoice below zero", "Make it a credit note in Kompass."
    return Problem(
        cause="negative-total",
        message=f"{record}: its total is {money(amount)}, and {wrong}",
        field="TotalAmt",
        value=money(amount),
        remedy=remedy,
    )


# Lines


def no_lines(record: str) -> Problem:
    return Problem(
        cause="no-lines",
        message=f"{record}: it has no lines, and QuickBooks needs at least one",
        field="Line",
        value="0",
        remedy="Allocate it to a quote item in Kompass.",
    )


def too_many_lines(record: str, *, count: int, limit: int, what: str) -> Problem:
    return Problem(
        cause="too-many-lines",
        message=f"{record}: it has {count:,} {what}, and QuickBooks takes {limit:,}",
        field="Line",
        value=str(count),
        remedy="Bill it on several invoices.",
    )


def no_item(record: str, *, service: Service | None, quote_item: QuoteItem, positions: Iterable[int]) -> Problem:
    where = _lines(positions)
    if service is None:
        return Problem(
            cause="no-item:none",
            message=f"{record}, {where}: quote item {quoted(quote_item.name)} has no Service, and there is no Default "
            "Item ID",
            field="ItemRef",
            value="",
            remedy="Choose a Default Item ID in the Configuration.",
        )
    return Problem(
        cause=f"no-item:{service.id}",
        message=f"{record}, {where}: Service {quoted(service.name)} has no Item Service, and there is no Default "
        "Item ID",
        field="ItemRef",
        value=service.name,
        remedy=f"Add an Item Service for {quoted(service.name)}, or choose a Default Item ID in the Configuration.",
    )


# Tax


def no_tax_code(record: str, *, rate: VatRate | None, positions: Iterable[int]) -> Problem:
    where = _lines(positions)
    if rate is None:
        return Problem(
            cause="no-tax-code:none",
            message=f"{record}, {where}: there is no VAT rate, and Tax Code VAT Rates has no row for that",
            field="TaxCodeRef",
            value="",
            remedy="Add a row without a VAT rate to Tax Code VAT Rates.",
        )
    return Problem(
        cause=f"no-tax-code:{rate.id}",
        message=f"{record}, {where}: VAT rate {quoted(rate.name)} has no row in Tax Code VAT Rates",
        field="TaxCodeRef",
        value=rate.name,
        remedy=f"Add a row for VAT rate {quoted(rate.name)} to Tax Code VAT Rates.",
    )


def tax_code_unusable(
    record: str, *, code: str, name: str | None, rate: VatRate | None, positions: Iterable[int]
) -> Problem:
    """The code that a row of *Tax Code VAT Rates* names is inactive, or (``name`` is None) unknown to the company."""
    row = "without a VAT rate" if rate is None else f"for VAT rate {quoted(rate.name)}"
    what = f"tax code {code}, which the QuickBooks company does not have"
    if name is not None:
        what = f"tax code {quoted(name)}, which is inactive in QuickBooks"
    remedy = f"Choose an active tax code in the row {row}" + (
        ", or make it active again in QuickBooks." if name else "."
    )
    return Problem(
        cause=f"tax-code-{'inactive' if name is not None else 'unknown'}:{code}",
        message=f"{record}, {_lines(positions)}: Tax Code VAT Rates' row {row} says {what}",
        field="TaxCodeRef",
        value=code,
        remedy=remedy,
    )


def tax_not_booked(record: str, *, amount: Decimal, why: str, remedy: str) -> Problem:
    return Problem(
        cause="tax-not-booked",
        message=f"{record}: Kompass billed {money(amount)} of tax that QuickBooks would not book, because {why}",
        field="TaxCodeRef",
        value=money(amount),
        remedy=remedy,
    )


# Custom fields


def custom_field_unknown(record: str, *, definition_id: str, name: str) -> Problem:
    return Problem(
        cause=f"custom-field-unknown:{definition_id}",
        message=f"{record}: Custom Field {quoted(name)} names definition {quoted(definition_id)}, which the QuickBooks "
        "company does not have",
        field="CustomField",
        value=definition_id,
        remedy=f"Choose one of the company's custom fields for {quoted(name)}, or remove the row from Custom Fields.",
    )


def too_many_custom_fields(record: str, *, count: int, limit: int) -> Problem:
    return Problem(
        cause="too-many-custom-fields",
        message=f"{record}: {count} Custom Fields are configured, and QuickBooks takes {limit}",
        field="CustomField",
        value=str(count),
        remedy=f"Remove rows from Custom Fields until {limit} are left.",
    )
