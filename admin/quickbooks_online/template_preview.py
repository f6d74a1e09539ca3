"""What a template gives for recent records of an Org, and which variables it may use."""

from __future__ import annotations

import dataclasses
import datetime as dt
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from admin.quickbooks_online.models import Org, Record
from mapping.case import billing_client
from mapping.members import CUSTOM_VALUE, DISPLAY_NAME, DOC_NUMBER
from mapping.templates import (
    CLIENT_VARIABLES,
    CURRENCY_VARIABLES,
    DOCUMENT_VARIABLES,
    PROJECT_VARIABLES,
    VARIABLES,
    TemplateProblem,
    render,
    validate,
)
from schemas.events import Invoice, OrgRef, Project
from schemas.events import Record as KompassRecord

SHOWN = 5


@dataclass(frozen=True, slots=True)
class _Kind:
    label: str
    record: str
    variables: tuple[str, ...]
    limit: int


KINDS: Mapping[str, _Kind] = {
    "doc_number_template": _Kind("DocNumber Template", "invoice", DOCUMENT_VARIABLES, DOC_NUMBER),
    "project_name_template": _Kind(
        "Project/Sub-customer DisplayName Template", "project", PROJECT_VARIABLES, DISPLAY_NAME
    ),
    "client_name_template": _Kind("Client DisplayName Template", "client", CLIENT_VARIABLES, DISPLAY_NAME),
    "currency_name_template": _Kind("Second-currency DisplayName Template", "client", CURRENCY_VARIABLES, DISPLAY_NAME),
    "template": _Kind("template", "invoice", DOCUMENT_VARIABLES, CUSTOM_VALUE),
}


@dataclass(frozen=True, slots=True)
class Line:
    record: str
    result: str
    problem: str = ""


@dataclass(frozen=True, slots=True)
class TemplatePreview:
    lines: tuple[Line, ...]
    problem: str = ""
    note: str = ""

    def as_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


def preview_template(org_id: str, name: str, template: str) -> TemplatePreview:
    """Render ``template`` for the newest records of the Org; its problems in words."""
    kind = KINDS.get(name)
    if kind is None:
        return TemplatePreview((), "There is no such template.")
    try:
        validate(template, kind.variables, field=kind.label)
    except TemplateProblem as problem:
        return TemplatePreview((), f"Line {problem.line}: {problem.reason}. {problem.remedy}".strip())
    rows = Record.objects.filter(org_id=org_id, kind=kind.record, deleted=False).order_by("-event_created_at")[:SHOWN]
    org = Org.objects.filter(pk=org_id).first()
    lines = tuple(_line(row, kind, template, org) for row in rows)
    if not lines:
        what = "Choose the Org to see examples." if not org_id else f"No {kind.record} of this Org has been seen yet."
        return TemplatePreview((), note=what)
    return TemplatePreview(lines)


def _line(row: Record, kind: _Kind, template: str, org: Org | None) -> Line:
    record = row.typed()
    ref = OrgRef(row.org_id, org.name if org is not None else row.org_id)
    try:
        result = render(template, values_for(record, ref), field=kind.label)
    except TemplateProblem as problem:
        return Line(row.reference, "", f"{problem.reason}. {problem.remedy}".strip())
    if not result:
        return Line(row.reference, "", "gives nothing for this record")
    if len(result) > kind.limit:
        return Line(row.reference, result, f"{len(result)} characters; QuickBooks takes {kind.limit}")
    if kind.record != "invoice" and ":" in result:
        return Line(row.reference, result, "has a colon, which QuickBooks does not allow in names")
    return Line(row.reference, result)


def values_for(record: KompassRecord, org: OrgRef) -> dict[str, object]:
    """Give the variables a template of this record sees, as the mapping fills them."""
    if isinstance(record, Invoice):
        return {
            "invoice": record,
            "project": record.project,
            "client": record.client,
            "billing_client": billing_client(record),
            "org": record.org,
        }
    if isinstance(record, Project):
        return {
            "project": record,
            "client": record.client,
            "billing_client": record.billing_client,
            "org": record.org,
        }
    return {"client": record, "org": org, "name": record.name, "currency": record.currency or "EUR"}


def variables_of(name: str) -> list[tuple[str, list[str]]]:
    """Give each variable of a template with its plain fields, for the help beside it."""
    return [
        (variable, [f"{variable}.{field}" for field in _plain_fields(VARIABLES[variable])] or [variable])
        for variable in KINDS[name].variables
    ]


def _plain_fields(kind: type) -> list[str]:
    if not dataclasses.is_dataclass(kind):
        return []
    hints = typing.get_type_hints(kind)
    plain = (str, int, dt.date, dt.datetime)
    names = []
    for field in dataclasses.fields(kind):
        hint = hints[field.name]
        if isinstance(hint, types.UnionType):
            options = [option for option in typing.get_args(hint) if option is not type(None)]
            hint = options[0] if len(options) == 1 else object
        if field.name not in ("sequence", "orgs", "tags") and isinstance(hint, type) and issubclass(hint, plain):
            names.append(field.name)
    return names
