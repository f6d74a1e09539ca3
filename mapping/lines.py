"""An invoice's lines: item, class, quantity, price and description of each, with the reason for every choice."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from mapping import problems
from mapping.members import DESCRIPTION, Draft, ref
from mapping.money import FRACTION_DIGITS, cents, fits, half_up, is_too_large, plain
from schemas.company import CompanyFacts, Configuration
from schemas.events import InvoiceLine, QuoteItem, Service

MAX_LINES = 10_000
"""Intuit's limit of lines in a transaction."""


def map_lines(
    draft: Draft,
    lines: Sequence[InvoiceLine],
    configuration: Configuration,
    facts: CompanyFacts,
    *,
    sign: int,
) -> list[dict[str, object]]:
    """QBO's lines in the order of ``lines``, their tax codes not yet in them.

    :param sign: -1 for a credit note, whose amounts are positive in QBO.
    """
    made: list[dict[str, object]] = []
    no_item: dict[str, tuple[Service | None, QuoteItem, list[int]]] = {}
    for number, line in enumerate(lines, start=1):
        detail: dict[str, object] = {}
        item, reason = _item(line, configuration)
        if item is None:
            key = "" if line.service is None else line.service.id
            no_item.setdefault(key, (line.service, line.quote_item, []))[2].append(number)
        else:
            detail["ItemRef"] = ref(item)
            draft.choose(f"Line[{number}].ItemRef", item, reason)
        shown = _quantity(line, sign=sign)
        if shown is not None:
            detail["Qty"], detail["UnitPrice"] = shown
        elif line.quantity is not None and line.unit_price is not None:
            draft.choose(
                f"Line[{number}].Amount",
                str(sign * line.amount_net),
                f"Stands alone: {problems.number(line.quantity)} × {problems.number(line.unit_price)} is not this",
            )
        entry: dict[str, object] = {"LineNum": number}
        description = draft.text(
            "Description",
            _description(line, shown, sign=sign),
            DESCRIPTION,
            source=f"the description of line {number}",
            multiline=True,
        )
        if description is not None:
            entry["Description"] = description
        entry["Amount"] = cents(sign * line.amount_net)
        entry["DetailType"] = "SalesItemLineDetail"
        entry["SalesItemLineDetail"] = detail
        made.append(entry)
    for service, quote_item, positions in no_item.values():
        draft.refuse(problems.no_item(draft.record, service=service, quote_item=quote_item, positions=positions))
    _put_classes(draft, lines, made, configuration, facts)
    return made


def _item(line: InvoiceLine, configuration: Configuration) -> tuple[str | None, str]:
    default = configuration.default_item_id or None
    if line.service is None:
        return default, "Default Item ID: the quote item has no Service"
    mapped = configuration.item_services.get(line.service.id)
    name = problems.quoted(line.service.name)
    if mapped is not None:
        return mapped.item_id, f"Item Service of {name}"
    return default, f"Default Item ID: Service {name} has no Item Service"


def _class(line: InvoiceLine, configuration: Configuration) -> tuple[str | None, str]:
    """Item Service's Class → Department's Class → Default Class ID → none."""
    if line.service is not None:
        mapped = configuration.item_services.get(line.service.id)
        if mapped is not None and mapped.class_id:
            return mapped.class_id, f"Class of the Item Service of {problems.quoted(line.service.name)}"
        department = line.service.department
        if department is not None and (class_id := configuration.department_classes.get(department.id)):
            return class_id, f"Class of Department {problems.quoted(department.name)}"
    if configuration.default_class_id:
        return configuration.default_class_id, "Default Class ID"
    return None, "No Class is configured for it"


def _put_classes(
    draft: Draft,
    lines: Sequence[InvoiceLine],
    made: Sequence[dict[str, object]],
    configuration: Configuration,
    facts: CompanyFacts,
) -> None:
    classes = [_class(line, configuration) for line in lines]
    distinct = {class_id for class_id, _ in classes}
    if distinct <= {None}:
        return
    if facts.class_per_line:
        for number, (entry, (class_id, reason)) in enumerate(zip(made, classes, strict=True), start=1):
            if class_id is not None:
                detail = entry["SalesItemLineDetail"]
                assert isinstance(detail, dict)
                detail["ClassRef"] = ref(class_id)
            draft.choose(f"Line[{number}].ClassRef", class_id or "", reason)
    elif not facts.class_per_transaction:
        draft.choose("ClassRef", "", "Left out: the company does not track classes")
    elif len(distinct) > 1:
        differ = "the company tracks one class per transaction, and the lines differ"
        if configuration.default_class_id:
            draft.put("ClassRef", ref(configuration.default_class_id))
            draft.choose("ClassRef", configuration.default_class_id, f"Default Class ID: {differ}")
        else:
            draft.choose("ClassRef", "", f"Left out: {differ}, and there is no Default Class ID")
    else:
        class_id, reason = classes[0]
        draft.put("ClassRef", ref(class_id or ""))
        draft.choose(
            "ClassRef", class_id or "", f"{reason}; all lines agree, and the company tracks one per transaction"
        )


def _quantity(line: InvoiceLine, *, sign: int) -> tuple[Decimal, Decimal] | None:
    """Qty and UnitPrice when, half-up to the cent, they come to the line's amount; else None.

    QBO checks the product (fault 6070) without saying how it rounds a negative tie, so such a pair is not sent either.
    """
    quantity, price = line.quantity, line.unit_price
    if quantity is None or price is None or not quantity or is_too_large(quantity) or is_too_large(price):
        return None
    if not (fits(quantity, FRACTION_DIGITS) and fits(price, FRACTION_DIGITS)):
        return None
    amount = sign * line.amount_net
    product = quantity * price
    if sign < 0 and half_up(product) != amount:
        # A credit note may count its units as negative; one that counts them as positive is right already.
        quantity, product = -quantity, -product
    if half_up(product) != amount or (quantity < 0 and price < 0):
        return None
    if product < 0 and (product * 1000) % 10 == -5:
        return None
    return plain(quantity), plain(price)


def _description(line: InvoiceLine, shown: tuple[Decimal, Decimal] | None, *, sign: int) -> str:
    """The quote item, the line's own text, and what of the item is billed: ``35 % of 10,000.00``."""
    name = line.quote_item.name.strip()
    own = (line.description or "").strip()
    parts = [name] if name and not own.startswith(name) else []
    if own:
        parts.append(own)
    if line.percentage is not None and line.quote_item.price is not None:
        percentage = sign * line.percentage if line.percentage < 0 else line.percentage
        parts.append(f"{problems.number(percentage)} % of {problems.money(line.quote_item.price)}")
    elif shown is not None and line.unit and line.unit.strip():
        parts.append(f"{problems.number(shown[0])} {line.unit.strip()} at {problems.money(shown[1])}")
    return "\n".join(parts)
