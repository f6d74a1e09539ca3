"""The log of what people did for an Org, and undoing the last change of its mappings.

A request that changes several rows of mappings makes one entry, and undoing it takes all of them back or none.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from django.contrib.admin.models import LogEntry
from django.db import models, transaction
from django.http import HttpRequest
from django.utils import timezone

from admin.quickbooks_online.models import (
    Activity,
    Configuration,
    CustomField,
    DepartmentClass,
    Failure,
    ItemService,
    Link,
    TaxCodeVatRate,
)
from admin.quickbooks_online.models import Mapping as MappingRow

CHANGES_KEPT = 5_000
_MODELS: Mapping[str, type[MappingRow]] = {
    str(model._meta.model_name): model for model in (ItemService, DepartmentClass, TaxCodeVatRate, CustomField)
}
_ENTRY = "_qbo_activity"

Values = dict[str, Any]


class CannotUndo(Exception):
    """The change cannot be taken back; the text says why."""


def org_of(row: models.Model) -> str | None:
    """Give the Org that an object of the section belongs to."""
    if isinstance(row, MappingRow):
        return row.configuration.org_id
    if isinstance(row, Configuration | Link | Failure):
        return row.org_id
    return None


def sentence_of(message: str | Sequence[Any]) -> str:
    """Give what Django's log of changes says of a change."""
    return LogEntry(change_message=message if isinstance(message, str) else json.dumps(message)).get_change_message()


def note(request: HttpRequest, org_id: str, what: str, about: str = "") -> Activity:
    """Write an entry."""
    return Activity.objects.create(org_id=org_id, by=request.user.get_username(), what=what, about=about)


def values_of(row: MappingRow) -> Values:
    """Give what a row holds, as it is written to the log."""
    fields = [field for field in row._meta.concrete_fields if not field.primary_key]
    return {field.attname: field.value_from_object(row) for field in fields}


def stored(row: MappingRow) -> Values | None:
    """Give what is stored of a row before it is saved; None of one that is new."""
    before = type(row)._default_manager.filter(pk=row.pk).first() if row.pk else None
    return values_of(before) if before is not None else None


def note_mapping(request: HttpRequest, row: MappingRow, before: Values | None, after: Values | None) -> None:
    """Note that a row was added (no ``before``), changed or deleted (no ``after``). To be called in the transaction that saves it."""
    entries: dict[str, Activity] = request.__dict__.setdefault(_ENTRY, {})
    org_id = row.configuration.org_id
    table = str(row._meta.model_name)
    entry = entries.get(org_id)
    if entry is None:
        entry = entries[org_id] = note(request, org_id, "", str(row._meta.verbose_name_plural))
    if len(entry.changes) < CHANGES_KEPT:
        entry.changes.append({"table": table, "pk": row.pk, "before": before, "after": after, "said": str(row)})
    entry.what = _summary(entry.changes)
    entry.save(update_fields=["what", "changes"])


def _summary(changes: Sequence[Values]) -> str:
    verbs = [("added", "before"), ("deleted", "after")]
    counts = {verb: sum(1 for one in changes if one[side] is None) for verb, side in verbs}
    counts["changed"] = len(changes) - sum(counts.values())
    said = ", ".join(f"{number:,} {verb}" for verb, number in counts.items() if number)
    names = ", ".join(one["said"] for one in changes[:3])
    return f"{said}: {names}{' and others' if len(changes) > 3 else ''}"


def last_change(org_id: str) -> Activity | None:
    """Give the newest change of mappings that was not undone; None when there is none."""
    return Activity.objects.filter(org_id=org_id, undone_at=None).exclude(changes=[]).order_by("-id").first()


def undo(request: HttpRequest, entry_id: int, org_id: str) -> list[MappingRow]:
    """Take back the last change of an Org's mappings; gives the rows that it touched. To be called in a transaction.

    Raises
    ------
    CannotUndo
        it is not the last change any more, or its rows were changed since.
    """
    with transaction.atomic():
        Configuration.objects.select_for_update().get(org_id=org_id)
        entry = last_change(org_id)
        if entry is None or entry.pk != entry_id:
            raise CannotUndo("The mappings were changed since you opened the page. Nothing was undone.")
        if len(entry.changes) >= CHANGES_KEPT:
            raise CannotUndo("The change is too large to undo. Import the former mappings instead.")
        rows = [_undo_one(change) for change in reversed(entry.changes)]
        entry.undone_at = timezone.now()
        entry.save(update_fields=["undone_at"])
        note(request, org_id, f"Undid the change by {entry.by}: {entry.what}", entry.about)
    return rows


def _undo_one(change: Values) -> MappingRow:
    model = _MODELS[change["table"]]
    row = model._default_manager.select_for_update().filter(pk=change["pk"]).first()
    now = values_of(row) if row is not None else None
    if now != change["after"]:
        raise CannotUndo(f"{change['said']} was changed since. Nothing was undone.")
    if row is not None and change["before"] is None:
        row.delete()
        return row
    restored = model(**{"id": change["pk"], **change["before"]})
    restored.save(force_insert=row is None)
    return restored
