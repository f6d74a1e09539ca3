"""What was seen in events and is not mapped, as a page shows it: each with a dropdown and what it probably is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Model
from django.urls import reverse

from admin.quickbooks_online.entries import Entry
from admin.quickbooks_online.list_fields import Offer, search_address, searched
from admin.quickbooks_online.models import Configuration, DepartmentClass, ItemService, TaxCodeVatRate
from admin.quickbooks_online.seen import Unmapped

_LISTS: dict[type[Model], str] = {ItemService: "items", DepartmentClass: "classes", TaxCodeVatRate: "tax_codes"}
_KOMPASS: dict[type[Model], str] = {
    ItemService: "Service",
    DepartmentClass: "Department",
    TaxCodeVatRate: "VAT rate",
}


@dataclass(frozen=True, slots=True)
class Seen:
    """The form of a mapping table's rows to be."""

    model: str
    label: str
    """The heading of the Kompass side."""
    title: str
    rows: Sequence[Unmapped]
    entries: Sequence[Entry]
    """What every dropdown offers; nothing where the list is searched on the server."""
    search: dict[str, str]
    action: str
    listed: str

    @classmethod
    def of(cls, configuration: Configuration, model: type[Model], rows: Sequence[Unmapped], offer: Offer) -> Seen:
        name = str(model._meta.model_name)
        return cls(
            model=name,
            label=_KOMPASS[model],
            title=str(model._meta.verbose_name_plural),
            rows=rows,
            entries=() if offer.many else offer.usable,
            search=searched(search_address(configuration.pk, _LISTS[model])) if offer.many else {},
            action=reverse(f"admin:quickbooks_online_{name}_map_seen"),
            listed=f"{reverse(f'admin:quickbooks_online_{name}_changelist')}?configuration__id__exact={configuration.pk}",
        )

    @classmethod
    def read(cls, configuration: Configuration, model: type[Model], rows: Sequence[Unmapped]) -> Seen:
        return cls.of(configuration, model, rows, Offer.of(configuration.realm_id, _LISTS[model]))

    @property
    def urgent(self) -> bool:
        """Whether documents are refused until something is chosen here."""
        return any(row.refused for row in self.rows)


MODELS: tuple[Any, ...] = (ItemService, TaxCodeVatRate, DepartmentClass)
