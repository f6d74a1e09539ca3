"""Running a query over a company's objects."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from simulator import currencies
from simulator.amounts import dec
from simulator.changes import checked_id
from simulator.company import BY_PATH, NAME_LISTS, PEOPLE, SALES, TRANSACTIONS, Company
from simulator.faults import ApiFault, fault
from simulator.limits import is_email
from simulator.members import Object, catalogue
from simulator.query import Condition, Query, parse
from simulator.transient import bad_email

_META = ("MetaData.CreateTime", "MetaData.LastUpdatedTime")
# What the pages of these entities list as filterable, and what clients are known to use besides (Job, ParentRef).
FILTERABLE: dict[str, tuple[str, ...]] = {
    "Customer": (
        *("Id", "DisplayName", "GivenName", "MiddleName", "FamilyName", "FullyQualifiedName", "CompanyName"),
        *("PrimaryEmailAddr", "PrintOnCheckName", "Active", "Balance", "Job", "ParentRef", *_META),
    ),
    "Invoice": (
        *("Id", "DocNumber", "TxnDate", "DueDate", "CustomerRef", "SalesTermRef", "ProjectRef", "Balance", "TotalAmt"),
        *_META,
    ),
    "CreditMemo": ("Id", "DocNumber", "TxnDate", "CustomerRef", "Balance", "TotalAmt", *_META),
    "Payment": ("Id", "TxnDate", "CustomerRef", "TotalAmt", "PaymentRefNum", *_META),
}


def run(company: Company, text: str) -> Object:
    """The `QueryResponse` member.

    :raises ApiFault: 4000 and 4001 with Intuit's words.
    """
    settings = company.settings
    query = parse(text, two_words=settings.order_by_two_words, characters=settings.query_characters)
    if query.entity.lower() == currencies.ENTITY.lower():
        return currencies.select_rates(company, query)
    entity = BY_PATH.get(query.entity.lower())
    if entity is None:
        raise fault("4001", f"QueryValidationError: invalid context declaration: {query.entity[:100]}")
    conditions = [_test(entity, condition) for condition in query.conditions]
    kept = _candidates(company, entity, query)
    if entity in NAME_LISTS and not any(one.property.lower() == "active" for one in query.conditions):
        kept = (stored for stored in kept if stored.get("Active") is not False)
    found = [
        stored
        for stored in kept
        if all(test(value(company, entity, stored, name), values) for name, test, values in conditions)
    ]
    if query.count:
        return {"totalCount": len(found)}
    if not query.order:
        _put_in_order(entity, found)
    for name, descending in reversed(query.order):
        known = _property(entity, name)
        found.sort(key=lambda stored: _order_key(value(company, entity, stored, known)), reverse=descending)
    page = found[query.start - 1 : query.start - 1 + query.results]
    if not page:
        return {}
    check_emails(company, entity, page)
    shown = [_project(entity, company.render(entity, stored), query.properties) for stored in page]
    return {entity: shown, "startPosition": query.start, "maxResults": len(shown)}


def _put_in_order(entity: str, found: list[Object]) -> None:
    """The order of an answer that asks for none, as recorded: people by their full name, transactions newest change first."""
    if entity in TRANSACTIONS:
        found.sort(key=lambda stored: datetime.fromisoformat(stored["MetaData"]["LastUpdatedTime"]), reverse=True)
    elif entity in PEOPLE:
        found.sort(key=lambda stored: str(stored.get("FullyQualifiedName") or stored["DisplayName"]))


def check_emails(company: Company, entity: str, found: Iterable[Object]) -> None:
    """:raises ApiFault: 4002 when a document among them has an e-mail address that only QuickBooks' own pages take."""
    if entity not in SALES or company.settings.bad_email_in_query == "returned":
        return
    for stored in found:
        for name in ("BillEmail", "BillEmailCc", "BillEmailBcc"):
            address = stored.get(name, {}).get("Address")
            if address and not is_email(address):
                raise bad_email()


def value(company: Company, entity: str, stored: Object, name: str) -> Any:
    """What a condition on `name` compares: the value of a reference, the address of an e-mail, a member of MetaData."""
    if entity == "Customer" and name == "Balance":
        return company.balance(stored["Id"])
    found: Any = stored
    for part in name.split("."):
        found = found.get(part) if isinstance(found, dict) else None
    if isinstance(found, dict):
        return found.get("value", found.get("Address"))
    return found


def _candidates(company: Company, entity: str, query: Query) -> Iterable[Object]:
    """All objects, or the few that an equality on an indexed member leaves."""
    table = company.tables[entity]
    for condition in query.conditions:
        if condition.operator not in ("=", "IN"):
            continue
        name = condition.property.lower()
        found: set[str] | None = None
        if name == "id":
            found = set(condition.values)
        elif name == "docnumber" and entity in SALES:
            found = {one for text in condition.values for one in company.documents(entity, text)}
        elif name == "displayname" and entity in PEOPLE:
            holders = [company.name_holder(entity, text) for text in condition.values]
            found = {holder[1] for holder in holders if holder is not None and holder[0] == entity}
        if found is not None:
            return [table[one] for one in sorted(found, key=_id_order) if one in table]
    return table.values()


def _id_order(identifier: str) -> tuple[int, int, str]:
    """Numbers by size, before the few ids that are words."""
    return (0, int(identifier), "") if identifier.isdecimal() else (1, 0, identifier)


_Test = Callable[[Any, tuple[str, ...]], bool]


def _test(entity: str, condition: Condition) -> tuple[str, _Test, tuple[str, ...]]:
    name = _property(entity, condition.property)
    operator = condition.operator
    if name == "Id" and operator not in ("=", "IN"):
        raise _invalid(f"Operator {operator} is not supported for property Id")
    if name == "Id" and entity != "TaxCode":
        for one in condition.values:
            checked_id(one)
    kind = _kind(entity, name)
    values = condition.values
    if kind == "boolean":
        if operator not in ("=", "IN") or any(one.lower() not in ("true", "false") for one in values):
            raise _invalid(f"Invalid value for boolean property {name}")
    elif kind == "number":
        try:
            numbers = [Decimal(one) for one in values]
        except InvalidOperation:
            raise _invalid(f"Invalid number for property {name}") from None
        if operator == "LIKE" or not all(one.is_finite() for one in numbers):
            raise _invalid(f"Invalid number for property {name}")
    elif kind in ("date", "dateTime"):
        try:
            for one in values:
                datetime.fromisoformat(one)
        except ValueError:
            raise _invalid(f"Invalid date for property {name}") from None
        if operator == "LIKE":
            raise _invalid(f"Operator LIKE is not supported for property {name}")
    if operator == "LIKE":
        pattern = re.compile(".*".join(re.escape(part) for part in values[0].split("%")), re.IGNORECASE | re.DOTALL)
        return name, lambda found, _: found is not None and pattern.fullmatch(str(found)) is not None, values
    return name, _comparison(kind, operator), values


def _comparison(kind: str, operator: str) -> _Test:
    def compare(found: Any, values: tuple[str, ...]) -> bool:
        if found is None:
            return False
        if operator in ("=", "IN"):
            return any(_compare(kind, found, one) == 0 for one in values)
        sign = _compare(kind, found, values[0])
        return {"<": sign < 0, ">": sign > 0, "<=": sign <= 0, ">=": sign >= 0}[operator]

    return compare


def _compare(kind: str, found: Any, wanted: str) -> int:
    left: Any
    right: Any
    match kind:
        case "number":
            left, right = dec(found), Decimal(wanted)
        case "boolean":
            left, right = bool(found), wanted.lower() == "true"
        case "dateTime":
            left, right = datetime.fromisoformat(found), datetime.fromisoformat(wanted)
            if right.tzinfo is None:
                right = right.replace(tzinfo=left.tzinfo)
        case _:
            left, right = str(found).casefold(), wanted.casefold()
    return int(left > right) - int(left < right)


def _property(entity: str, name: str) -> str:
    """The property as the schema spells it. Names are compared without regard to case."""
    for known in FILTERABLE.get(entity) or _scalars(entity):
        if known.lower() == name.lower():
            return known
    if any(known.lower() == name.lower() for known in catalogue()[entity]):
        raise _invalid(f"property '{name[:100]}' is not queryable")
    raise _invalid(f"Property {name[:100]} not found for Entity {entity}")


def _scalars(entity: str) -> tuple[str, ...]:
    members = catalogue()[entity]
    return (*(name for name, kind in members.items() if not kind.get("array") and "ref" not in kind), *_META)


def _kind(entity: str, name: str) -> str:
    first, _, rest = name.partition(".")
    kind = catalogue()[entity][first]
    if rest:
        kind = catalogue()[kind["ref"]][rest]
    if name == "Id":
        return "string"
    return "number" if kind.get("type") == "integer" else str(kind.get("type", "string"))


def _project(entity: str, shown: Object, properties: tuple[str, ...]) -> Object:
    if not properties:
        return shown
    members = {name.lower(): name for name in catalogue()[entity]}
    wanted = {"Id", "domain", "sparse"}
    for name in properties:
        known = members.get(name.split(".")[0].lower())
        if known is None:
            raise _invalid(f"Property {name[:100]} not found for Entity {entity}")
        wanted.add(known)
    return {**{name: one for name, one in shown.items() if name in wanted}, "sparse": True}


def _order_key(found: Any) -> tuple[int, Any]:
    if found is None:
        return 0, ""
    if isinstance(found, bool | int | float | Decimal):
        return 1, dec(found if not isinstance(found, bool) else int(found))
    text = str(found)
    return (2, text.casefold())


def _invalid(sentence: str) -> ApiFault:
    return fault("4001", f"QueryValidationError: {sentence}")
