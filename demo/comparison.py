"""Expectation against books, record by record: every difference in words."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from demo.books import BookedCustomer, BookedDocument, Books
from demo.expectation import Customer, Document, Expectation, Line
from schemas.counting import counted


def differences(expected: Expectation, books: Books) -> list[str]:
    """What is in QuickBooks and should not be, is not and should be, or is otherwise; empty when all is exact."""
    return [*_customers(expected, books), *_documents(expected, books)]


def _customers(expected: Expectation, books: Books) -> Iterator[str]:
    for name, customer in expected.customers.items():
        booked = books.customers.get(name)
        if booked is None:
            yield f"{'job' if customer.parent else 'customer'} {name!r} is missing"
        else:
            yield from _customer(customer, booked)
    for name, booked in books.customers.items():
        if name in expected.customers:
            continue
        if name in expected.optional:
            yield from _customer(expected.optional[name], booked)
            continue
        contested = expected.contested.get(name)
        if contested is None:
            yield f"customer {name!r} should not be there"
        else:
            # Who of them got the name is not known, so neither is the rest.
            yield from _same(f"customer {name!r}", "currency", contested.currency, booked.currency)
    for name in expected.contested:
        if name not in books.customers:
            yield f"none of those who want the name {name!r} got it"


def _customer(expected: Customer, booked: BookedCustomer) -> Iterator[str]:
    who = f"{'job' if expected.parent else 'customer'} {expected.name!r}"
    yield from _same(who, "currency", expected.currency, booked.currency)
    yield from _same(who, "parent", expected.parent, booked.parent)
    if expected.parent is None:
        yield from _same(who, "email", expected.email, booked.email)
    if not booked.active:
        yield f"{who} is inactive"


def _documents(expected: Expectation, books: Books) -> Iterator[str]:
    for key, found in books.documents.items():
        entity, number = key
        if len(found) > 1:
            yield f"{entity} {number!r} is there {counted(len(found), 'time')}"
            continue
        (booked,) = found
        wanted = expected.documents.get(key)
        if wanted is not None:
            yield from _document(wanted, booked)
        elif key in expected.voided:
            if not booked.voided and not _matches_any(expected, key, booked):
                yield f"{entity} {number!r} should be voided, and stands with {booked.total}"
        elif not booked.voided and not _matches_any(expected, key, booked):
            why = expected.absent.get(number)
            yield f"{entity} {number!r} should not be there" + (f": {why}" if why else "")
    for (entity, number), wanted in expected.documents.items():
        if (entity, number) not in books.documents:
            yield f"{entity} {number!r} of {wanted.total} {wanted.currency} is missing"


def _matches_any(expected: Expectation, key: tuple[str, str], booked: BookedDocument) -> bool:
    return any(not list(_document(one, booked)) for one in expected.allowed.get(key, ()))


def _document(expected: Document, booked: BookedDocument) -> Iterator[str]:
    who = f"{expected.entity} {expected.number!r}"
    if booked.voided:
        yield f"{who} is voided, and should stand with {expected.total}"
        return
    for what, wanted, found in (
        ("customer", expected.customer, booked.customer),
        ("date", expected.date, booked.date),
        ("due date", expected.due_date, booked.due_date),
        ("currency", expected.currency, booked.currency),
        ("total", expected.total, booked.total),
        ("tax", expected.tax, booked.tax),
        ("memo", expected.memo, booked.memo),
        ("custom fields", expected.custom_fields, booked.custom_fields),
    ):
        yield from _same(who, what, wanted, found)
    if expected.mark not in booked.note:
        yield f"{who}: the note does not name the Kompass record {expected.mark}"
    if len(expected.lines) != len(booked.lines):
        yield f"{who}: {counted(len(expected.lines), 'line')} expected, {len(booked.lines)} found"
        return
    for number, (line, other) in enumerate(zip(expected.lines, booked.lines, strict=True), start=1):
        yield from _line(f"{who} line {number}", line, other.amount, other.item, other.tax_code, other.class_name)
        if line.text and not other.description.startswith(line.text):
            yield f"{who} line {number}: the description {other.description!r} does not begin with {line.text!r}"
        if other.quantity is not None and other.unit_price is not None and not _multiplies(other):
            yield f"{who} line {number}: {other.quantity} × {other.unit_price} is not {other.amount}"


def _multiplies(line: object) -> bool:
    quantity, price, amount = (getattr(line, name) for name in ("quantity", "unit_price", "amount"))
    return abs(Decimal(quantity) * Decimal(price) - Decimal(amount)) <= Decimal("0.005")


def _line(
    who: str, line: Line, amount: Decimal, item: str, tax_code: str | None, class_name: str | None
) -> Iterator[str]:
    yield from _same(who, "amount", line.amount, amount)
    yield from _same(who, "item", line.item, item)
    yield from _same(who, "class", line.class_name, class_name)
    if line.tax_code is not None:
        # In the USA the server fills in a code of its own.
        yield from _same(who, "tax code", line.tax_code, tax_code)


def _same(who: str, what: str, expected: object, found: object) -> Iterator[str]:
    if expected != found:
        yield f"{who}: {what} should be {expected}, is {found}"
