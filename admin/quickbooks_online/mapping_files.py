"""The mapping tables as CSV: export what is there, import rows that name both sides by id or by name."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from django.db import transaction

from admin.quickbooks_online.lists import CompanyListing, any_listing
from admin.quickbooks_online.models import (
    Configuration,
    CustomField,
    Department,
    DepartmentClass,
    ItemService,
    Service,
    TaxCodeVatRate,
    VatRate,
)
from admin.quickbooks_online.models import Mapping as MappingRow
from mapping.templates import DOCUMENT_VARIABLES, TemplateProblem, validate

ROWS_AT_MOST = 5_000

COLUMNS: Mapping[type[MappingRow], tuple[str, ...]] = {
    ItemService: ("org", "service_id", "service", "item_id", "item", "class_id", "class"),
    DepartmentClass: ("org", "department_id", "department", "class_id", "class"),
    TaxCodeVatRate: ("org", "vat_rate_id", "vat_rate", "tax_code_id", "tax_code"),
    CustomField: ("org", "definition_id", "name", "template"),
}


class BadRow(Exception):
    """One row cannot be imported; the text says which and why."""


@dataclass(frozen=True, slots=True)
class Imported:
    created: int
    changed: int
    problems: tuple[str, ...]
    configurations: tuple[int, ...] = ()


def export(model: type[MappingRow], configurations: Iterable[Configuration]) -> str:
    """Give the rows of these configurations' linked companies, with a header line."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(COLUMNS[model])
    for configuration in configurations:
        rows = model._default_manager.filter(configuration=configuration, realm_id=configuration.realm_id)
        for row in rows.order_by("pk"):
            writer.writerow([_harmless(value) for value in _values(configuration, row)])
    return out.getvalue()


def _harmless(value: str) -> str:
    """A spreadsheet runs what begins with these as a formula; a leading apostrophe makes it text."""
    return f"'{value}" if value[:1] in ("=", "+", "-", "@", "\t", "\r") else value


def _values(configuration: Configuration, row: MappingRow) -> Sequence[str]:
    org = configuration.org_id
    if isinstance(row, ItemService):
        service = row.service
        return (org, service.kompass_id, service.name, row.item_id, row.item_name, row.class_id, row.class_name)
    if isinstance(row, DepartmentClass):
        return (org, row.department.kompass_id, row.department.name, row.class_id, row.class_name)
    if isinstance(row, TaxCodeVatRate):
        return (org, row.vat_rate.kompass_id, row.vat_rate.name, row.tax_code_id, row.tax_code_name)
    assert isinstance(row, CustomField)
    return (org, row.definition_id, row.name, row.template)


def read_file(model: type[MappingRow], text: str, configurations: Iterable[Configuration]) -> Imported:
    """Import all rows, or none when one of them has a problem."""
    by_org = {configuration.org_id: configuration for configuration in configurations}
    reader = csv.DictReader(io.StringIO(text.removeprefix("\ufeff")))
    columns = COLUMNS[model]
    missing = [name for name in columns if name not in (reader.fieldnames or ())]
    if missing:
        return Imported(0, 0, (f"The first line must name the columns {', '.join(columns)}; {missing[0]} is missing.",))
    problems: list[str] = []
    created = changed = 0
    touched: set[int] = set()
    with transaction.atomic():
        for number, row in enumerate(reader, start=2):
            if number - 1 > ROWS_AT_MOST:
                problems.append(f"The file has more than {ROWS_AT_MOST:,} rows: import it in parts.")
                break
            given = {name: (row.get(name) or "").strip().removeprefix("'") for name in columns}
            try:
                configuration = by_org.get(given["org"])
                if configuration is None or not configuration.realm_id:
                    raise BadRow(f"there is no linked Configuration for the Org {given['org']!r}")
                was_new, was_changed = _save(model, configuration, given)
            except BadRow as problem:
                problems.append(f"Line {number}: {problem}.")
                continue
            created += was_new
            changed += was_changed
            touched.add(configuration.pk)
        if problems:
            transaction.set_rollback(True)
            return Imported(0, 0, tuple(problems))
    return Imported(created, changed, (), tuple(sorted(touched)))


def _save(model: type[MappingRow], configuration: Configuration, given: Mapping[str, str]) -> tuple[int, int]:
    realm = configuration.realm_id or ""
    key: dict[str, object]
    if model is ItemService:
        item_id, item_name = _pick(any_listing(realm, "items"), given["item_id"], given["item"], "item", items=True)
        class_id, class_name = ("", "")
        if given["class_id"] or given["class"]:
            class_id, class_name = _pick(any_listing(realm, "classes"), given["class_id"], given["class"], "class")
        key = {"service": _kompass(Service, configuration, given["service_id"], given["service"], "Service")}
        values = {"item_id": item_id, "item_name": item_name, "class_id": class_id, "class_name": class_name}
    elif model is DepartmentClass:
        class_id, class_name = _pick(any_listing(realm, "classes"), given["class_id"], given["class"], "class")
        key = {
            "department": _kompass(Department, configuration, given["department_id"], given["department"], "Department")
        }
        values = {"class_id": class_id, "class_name": class_name}
    elif model is TaxCodeVatRate:
        code, name = _pick(any_listing(realm, "tax_codes"), given["tax_code_id"], given["tax_code"], "tax code")
        key = {"vat_rate": _kompass(VatRate, configuration, given["vat_rate_id"], given["vat_rate"], "VAT rate")}
        values = {"tax_code_id": code, "tax_code_name": name}
    else:
        definition, name = _pick(
            any_listing(realm, "custom_fields"), given["definition_id"], given["name"], "custom field"
        )
        try:
            validate(given["template"], DOCUMENT_VARIABLES, field="template")
        except TemplateProblem as problem:
            raise BadRow(str(problem).rstrip(".")) from None
        key = {"definition_id": definition}
        values = {"name": name, "template": given["template"]}
    existing = model._default_manager.filter(configuration=configuration, realm_id=realm, **key).first()
    if existing is None:
        model._default_manager.create(configuration=configuration, realm_id=realm, **key, **values)
        return 1, 0
    if all(getattr(existing, name) == value for name, value in values.items()):
        return 0, 0
    for name, value in values.items():
        setattr(existing, name, value)
    existing.save()
    return 0, 1


def _kompass(
    model: type[Service] | type[Department] | type[VatRate],
    configuration: Configuration,
    kompass_id: str,
    name: str,
    what: str,
) -> object:
    rows = model._default_manager.filter(org_id=configuration.org_id)
    if kompass_id or (model is VatRate and not name):
        found = list(rows.filter(kompass_id=kompass_id))
    else:
        found = list(rows.filter(name__iexact=name))
    if len(found) != 1:
        count = "no" if not found else "more than one"
        raise BadRow(f"{count} {what} {kompass_id or name!r} was seen in events of this Org")
    return found[0]


def _pick(
    listing: CompanyListing, given_id: str, given_name: str, what: str, *, items: bool = False
) -> tuple[str, str]:
    if listing.problem and not listing.entries:
        raise BadRow(f"the {what}s of QuickBooks are not known ({listing.problem.rstrip('.')})")
    found = [entry for entry in listing.entries if entry.id == given_id] if given_id else []
    if not given_id:
        found = [entry for entry in listing.entries if entry.active and entry.name.casefold() == given_name.casefold()]
    if len(found) != 1:
        count = "no" if not found else "more than one"
        raise BadRow(f"QuickBooks has {count} {what} {given_id or given_name!r}")
    if not found[0].active or (items and not found[0].usable_item):
        raise BadRow(f"the {what} {found[0].name!r} is inactive in QuickBooks or not a product or service")
    return found[0].id, found[0].name
