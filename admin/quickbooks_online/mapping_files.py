"""The mapping tables as files: export what is there, import rows that name both sides by id or by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction

from admin.quickbooks_online.activity import Values, values_of
from admin.quickbooks_online.entries import CompanyListing
from admin.quickbooks_online.lists import any_listing
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
from admin.quickbooks_online.seen import unmapped
from admin.quickbooks_online.sheets import BadSheet, Row, read_sheet, rounded_by_a_spreadsheet
from mapping.templates import DOCUMENT_VARIABLES, TemplateProblem, validate

ROWS_AT_MOST = 5_000

COLUMNS: Mapping[type[MappingRow], tuple[str, ...]] = {
    ItemService: ("org", "service_id", "service", "item_id", "item", "class_id", "class"),
    DepartmentClass: ("org", "department_id", "department", "class_id", "class"),
    TaxCodeVatRate: ("org", "vat_rate_id", "vat_rate", "tax_code_id", "tax_code"),
    CustomField: ("org", "definition_id", "name", "template"),
}
NEEDED: Mapping[type[MappingRow], tuple[tuple[str, ...], ...]] = {
    ItemService: (("org",), ("service_id", "service"), ("item_id", "item")),
    DepartmentClass: (("org",), ("department_id", "department"), ("class_id", "class")),
    TaxCodeVatRate: (("org",), ("vat_rate_id", "vat_rate"), ("tax_code_id", "tax_code")),
    CustomField: (("org",), ("definition_id", "name"), ("template",)),
}
"""One column of each is enough: a side is named by id or by name."""

_KOMPASS: Mapping[type[MappingRow], type[Service] | type[Department] | type[VatRate]] = {
    ItemService: Service,
    DepartmentClass: Department,
    TaxCodeVatRate: VatRate,
}


class BadRow(Exception):
    """One row cannot be imported; the text says which and why."""


@dataclass(frozen=True, slots=True)
class Imported:
    created: int
    changed: int
    problems: tuple[str, ...]
    configurations: tuple[int, ...] = ()
    rows: tuple[tuple[MappingRow, Values | None], ...] = ()
    """The rows that were added or changed, with what they were before."""


Table = tuple[Sequence[str], Sequence[Sequence[str]]]
"""Headings and rows."""


def export(model: type[MappingRow], configurations: Iterable[Configuration]) -> Table:
    """Give the rows of these configurations' linked companies, in the form that an import takes."""
    rows = [
        _values(configuration, row)
        for configuration in configurations
        for row in model._default_manager.filter(configuration=configuration, realm_id=configuration.realm_id).order_by(
            "pk"
        )
    ]
    return COLUMNS[model], rows


def template(model: type[MappingRow], configurations: Iterable[Configuration]) -> Table:
    """Give the form of an import with a row for each thing that is not mapped yet: the side of QuickBooks is to be filled in."""
    rows: list[Sequence[str]] = []
    for configuration in configurations:
        if model is CustomField:
            mapped = set(
                CustomField.objects.filter(configuration=configuration, realm_id=configuration.realm_id).values_list(
                    "definition_id", flat=True
                )
            )
            entries = any_listing(configuration.realm_id, "custom_fields").entries
            rows += [(configuration.org_id, one.id, one.name, "") for one in entries if one.id not in mapped]
            continue
        blank = [""] * (len(COLUMNS[model]) - 3)
        found = _KOMPASS[model]._default_manager.in_bulk([one.pk for one in unmapped(configuration, model)])
        rows += [(configuration.org_id, one.kompass_id, one.name, *blank) for one in found.values()]
    return COLUMNS[model], rows


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


def read_file(model: type[MappingRow], content: bytes, configurations: Iterable[Configuration]) -> Imported:
    """Import all rows, or none when one of them has a problem."""
    columns = COLUMNS[model]
    try:
        sheet = read_sheet(content, columns)
    except BadSheet as problem:
        return Imported(0, 0, (str(problem),))
    missing = [names for names in NEEDED[model] if not set(names) & set(sheet.headings)]
    if missing:
        return Imported(
            0, 0, (f"The first line must name the columns {', '.join(columns)}; {' or '.join(missing[0])} is missing.",)
        )
    if not sheet.rows:
        return Imported(0, 0, ("The file has headings, but no rows.",))
    if len(sheet.rows) > ROWS_AT_MOST:
        return Imported(0, 0, (f"The file has more than {ROWS_AT_MOST:,} rows: import it in parts.",))
    return _import(model, sheet.rows, [one for one in configurations if one.realm_id])


def _import(model: type[MappingRow], rows: Sequence[Row], linked: Sequence[Configuration]) -> Imported:
    problems: list[str] = []
    touched: set[int] = set()
    saved: list[tuple[MappingRow, Values | None]] = []
    lines: dict[tuple[object, ...], int] = {}
    with transaction.atomic():
        # Two people who import the same go one after the other.
        list(Configuration.objects.select_for_update().filter(pk__in=[one.pk for one in linked]).order_by("pk"))
        for row in rows:
            try:
                configuration = _org(linked, row.values["org"])
                key, values = _sides(model, configuration, row.values)
                before = lines.setdefault((configuration.pk, *key.values()), row.line)
                if before != row.line:
                    raise BadRow(f"it maps the same as line {before}: keep one of them")
                row_before = _save(model, configuration, key, values)
            except BadRow as problem:
                problems.append(f"Line {row.line}: {problem}.")
                continue
            touched.add(configuration.pk)
            if row_before is not None:
                saved.append(row_before)
        if problems:
            transaction.set_rollback(True)
            return Imported(0, 0, tuple(problems))
    created = sum(1 for _, before_it in saved if before_it is None)
    return Imported(created, len(saved) - created, (), tuple(sorted(touched)), tuple(saved))


def _org(linked: Sequence[Configuration], given: str) -> Configuration:
    """Give the linked Configuration of an Org that is named by its id or by its name."""
    found = [one for one in linked if one.org_id == given] or [
        one for one in linked if given and one.org.name.casefold() == given.casefold()
    ]
    if len(found) > 1:
        raise BadRow(f"more than one Org is called {given!r}: name it by its id, for example {found[0].org_id}")
    if not found:
        raise BadRow(f"there is no linked Configuration for the Org {given!r}")
    return found[0]


Side = dict[str, Any]


def _sides(model: type[MappingRow], configuration: Configuration, given: Mapping[str, str]) -> tuple[Side, Side]:
    """Give what a row is found by, and what it maps to."""
    realm = configuration.realm_id or ""
    key: Side
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
    return key, values


def _save(
    model: type[MappingRow], configuration: Configuration, key: Side, values: Side
) -> tuple[MappingRow, Values | None] | None:
    """Add or change a row; gives it with what it was before, or None when it is so already."""
    realm = configuration.realm_id or ""
    existing = model._default_manager.filter(configuration=configuration, realm_id=realm, **key).first()
    if existing is None:
        made = model._default_manager.create(configuration=configuration, realm_id=realm, **key, **values)
        return made, None
    if all(getattr(existing, name) == value for name, value in values.items()):
        return None
    held = values_of(existing)
    for name, value in values.items():
        setattr(existing, name, value)
    existing.save()
    return existing, held


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
        if not found and name and rounded_by_a_spreadsheet(kompass_id):
            found = list(rows.filter(name__iexact=name))
    elif not name:
        raise BadRow(f"it names no {what}")
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
    if not given_id and not given_name:
        raise BadRow(f"it names no {what}")
    found = [entry for entry in listing.entries if entry.id == given_id] if given_id else []
    named = [
        entry
        for entry in listing.entries
        if given_name and entry.active and given_name.casefold() in (entry.name.casefold(), entry.plain.casefold())
    ]
    if not given_id or (not found and rounded_by_a_spreadsheet(given_id) and given_name):
        # A spreadsheet that takes an id for a number loses its last digits: then the name decides.
        found = named
    elif found and named and found[0].id not in [entry.id for entry in named]:
        raise BadRow(
            f"the {what} id {given_id} is {found[0].name!r} in QuickBooks, but the row names {given_name!r}: clear one"
        )
    if not found and rounded_by_a_spreadsheet(given_id):
        raise BadRow(
            f"the spreadsheet made {given_id!r} of the id of the {what}: name the {what}, or format the column as text"
        )
    if len(found) != 1:
        count = "no" if not found else "more than one"
        raise BadRow(f"QuickBooks has {count} {what} {given_name if found or not given_id else given_id!r}")
    if not found[0].active or (items and not found[0].usable_item):
        raise BadRow(f"the {what} {found[0].name!r} is inactive in QuickBooks or not a product or service")
    return found[0].id, found[0].name
