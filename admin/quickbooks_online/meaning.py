"""What deleting a mapping or a Configuration means, in a sentence with numbers."""

from __future__ import annotations

from admin.quickbooks_online.impact import part_of
from admin.quickbooks_online.models import (
    Configuration,
    DepartmentClass,
    ItemService,
    Link,
    Mapping,
    Record,
    TaxCodeVatRate,
)
from admin.quickbooks_online.overview import MAPPINGS, counts_of
from schemas.company import Locale
from schemas.counting import counted, form_of
from schemas.link_state import LinkState


def of_mapping(row: Mapping) -> str:
    """Say how many documents name what this row maps, and what becomes of the next ones."""
    configuration = row.configuration
    part = part_of([row])
    records = Record.objects.filter(org_id=configuration.org_id, kind="invoice", deleted=False)
    named = records.filter(part) if part is not None else records
    links = Link.objects.filter(
        realm_id=configuration.realm_id, kind="invoice", kompass_id__in=named.values("kompass_id")
    ).order_by()
    sent = links.filter(state=LinkState.SYNCED).count()
    open_ones = links.exclude(state__in=(LinkState.SYNCED, LinkState.SKIPPED, LinkState.WITHDRAWN)).count()
    return (
        f"{counted(sent, 'document')} in QuickBooks may use it. Nothing changes there. "
        f"{counted(open_ones, 'unsent document')} and all later ones {_afterwards(row, configuration)}"
    )


def _afterwards(row: Mapping, configuration: Configuration) -> str:
    if isinstance(row, TaxCodeVatRate):
        usa = configuration.locale == Locale.USA.value
        return "are not affected: the USA uses no tax codes." if usa else "are refused until it is mapped again."
    if isinstance(row, ItemService):
        fallback = bool(configuration.default_item_id)
        return "go to the default item." if fallback else "are refused until it is mapped again."
    if isinstance(row, DepartmentClass):
        return "go to the default class." if configuration.default_class_id else "go without a class."
    return "go without it."


def of_configuration(configuration: Configuration) -> str:
    """Say what of the Org's mappings and records is lost, and what stays."""
    counts = counts_of(configuration)
    rows = sum(model._default_manager.filter(configuration=configuration).count() for model in MAPPINGS)
    unsent = counts.total - counts.over
    return (
        f"{counted(rows, 'mapping')} of {configuration} {form_of(rows, 'is', 'are')} deleted. "
        f"{counted(counts.in_quickbooks, 'record stays', 'records stay')} in QuickBooks as before. "
        f"{counted(unsent, 'unsent one is', 'unsent ones are')} not sent, and events of the Org are no longer kept."
    )
