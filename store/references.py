"""What a payload refers to in QuickBooks, by the names that the admin picked it under: QuickBooks itself tells only Ids."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, text

from store.links import Link
from store.sql import loads

_KINDS: Mapping[str, str] = {
    "ItemRef": "item",
    "ClassRef": "class",
    "TaxCodeRef": "tax code",
    "CustomerRef": "customer",
    "ParentRef": "customer",
}


def kind_of(member: str) -> str | None:
    """What a member such as `Line.SalesItemLineDetail.ItemRef` refers to; None for any other."""
    return _KINDS.get(member.rpartition(".")[2])


DEFAULTS = ("Default Item ID", "Default Class ID")
"""The Configuration's fields by which a default is named that no mapping names."""


@dataclass(frozen=True, slots=True)
class Reference:
    what: str
    """item | class | tax code | customer"""
    id: str
    name: str
    """Its Id again where no mapping names it."""


def of_payload(db: Connection, link: Link, payload: str) -> tuple[Reference, ...]:
    """`references_in` for the JSON body of a link's call; an empty one refers to nothing."""
    if not payload:
        return ()
    return references_in(db, org_id=link.org_id, realm_id=link.realm_id, body=loads(payload))


def references_in(db: Connection, *, org_id: str, realm_id: str, body: object) -> tuple[Reference, ...]:
    """Give the items, classes, tax codes and customers that a payload refers to, each once, in the payload's order."""
    found = list(dict.fromkeys(_walk(body)))
    if not found:
        return ()
    customers = [known for what, known in found if what == "customer"]
    names = _names(db, org_id=org_id, realm_id=realm_id, customers=customers)
    return tuple(Reference(what, known, names.get((what, known), known)) for what, known in found)


def _walk(value: object) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for member, inner in value.items():
            what = _KINDS.get(str(member))
            if what is not None and isinstance(inner, Mapping) and inner.get("value"):
                yield what, str(inner["value"])
            else:
                yield from _walk(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _walk(inner)


def _names(db: Connection, *, org_id: str, realm_id: str, customers: Sequence[str]) -> dict[tuple[str, str], str]:
    rows = db.execute(
        text(
            "SELECT 'item' AS what, m.item_id AS id, m.item_name AS name FROM qbo_item_service m"
            " JOIN qbo_configuration c ON c.id = m.configuration_id AND c.org_id = :org WHERE m.realm_id = :realm"
            " UNION ALL SELECT 'class', m.class_id, m.class_name FROM qbo_item_service m"
            " JOIN qbo_configuration c ON c.id = m.configuration_id AND c.org_id = :org WHERE m.realm_id = :realm"
            " UNION ALL SELECT 'class', m.class_id, m.class_name FROM qbo_department_class m"
            " JOIN qbo_configuration c ON c.id = m.configuration_id AND c.org_id = :org WHERE m.realm_id = :realm"
            " UNION ALL SELECT 'tax code', m.tax_code_id, m.tax_code_name FROM qbo_tax_code_vat_rate m"
            " JOIN qbo_configuration c ON c.id = m.configuration_id AND c.org_id = :org WHERE m.realm_id = :realm"
            " UNION ALL SELECT 'customer', l.qbo_id, l.name FROM qbo_link l"
            " WHERE l.realm_id = :realm AND l.org_id = :org AND l.kind <> 'invoice' AND l.qbo_id = ANY(CAST(:customers AS text[]))"
            " UNION ALL SELECT 'item', c.default_item_id, 'Default Item ID' FROM qbo_configuration c WHERE c.org_id = :org"
            " UNION ALL SELECT 'item', c.tax_item_id, 'Sales tax Item ID' FROM qbo_configuration c WHERE c.org_id = :org"
            " UNION ALL SELECT 'class', c.default_class_id, 'Default Class ID' FROM qbo_configuration c WHERE c.org_id = :org"
        ),
        {"org": org_id, "realm": realm_id, "customers": list(customers)},
    )
    names: dict[tuple[str, str], str] = {}
    for row in rows:
        if row.id and row.name:
            # The name that a person picked, before the field it stands in.
            names.setdefault((row.what, row.id), row.name)
    return names
