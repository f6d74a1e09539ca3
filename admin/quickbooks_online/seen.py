"""What was seen in events of the last 90 days and has no mapping yet, with how often and what becomes of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from django.db import connection, models
from django.utils import timezone

from admin.quickbooks_online.entries import CompanyListing, Entry
from admin.quickbooks_online.lists import any_listing
from admin.quickbooks_online.models import (
    Configuration,
    Department,
    DepartmentClass,
    ItemService,
    Service,
    TaxCodeVatRate,
    VatRate,
)
from admin.quickbooks_online.suggestions import Suggestion, Vocabulary, by_name, by_rate, clear_choice

DAYS = 90
REFUSED = "is refused"

_KEYS = {
    "service": "line -> 'service' ->> 'id'",
    "department": "line -> 'service' -> 'department' ->> 'id'",
    "vat_rate": "coalesce(line -> 'vat_rate' ->> 'id', '')",
}


Counts = Mapping[str, Mapping[str, int]]


@dataclass(frozen=True, slots=True)
class Unmapped:
    """One Kompass service, department or VAT rate without a row of its own."""

    pk: int
    name: str
    lines: int
    consequence: str
    suggestions: tuple[Suggestion, ...] = ()
    """What it probably is in QuickBooks; never taken without a person's click."""

    @property
    def proposal(self) -> str:
        """The QBO id that is clearly the likely one, or empty."""
        return clear_choice(self.suggestions)

    @property
    def refused(self) -> bool:
        """Whether documents that name it are refused."""
        return self.consequence.startswith(REFUSED)


def count_lines(org_id: str, *what: str) -> dict[str, dict[str, int]]:
    """Count how many invoice lines of the last 90 days name each service, department or VAT rate (``what``), by its Kompass id."""
    since = (timezone.now() - timedelta(days=DAYS)).date().isoformat()
    found: dict[str, dict[str, int]] = {one: {} for one in what}
    keys = [_KEYS[one] for one in what]
    with connection.cursor() as cursor:
        # The lines of the late ones alone are taken apart.
        cursor.execute(
            f"SELECT {', '.join(keys)}, count(*) FROM (SELECT jsonb_array_elements(body -> 'lines') AS line FROM qbo_record"
            " WHERE org_id = %s AND kind = 'invoice' AND NOT deleted AND body ->> 'date' >= %s) AS late"
            f" GROUP BY {', '.join(map(str, range(1, len(keys) + 1)))}",
            [org_id, since],
        )
        for *names, count in cursor.fetchall():
            for one, name in zip(what, names, strict=True):
                if name is not None:
                    found[one][name] = found[one].get(name, 0) + count
    return found


def _counted(configuration: Configuration, counts: Counts, what: str) -> Mapping[str, int]:
    return counts[what] if what in counts else count_lines(configuration.org_id, what)[what]


def unmapped_services(configuration: Configuration, items: CompanyListing, counts: Counts) -> list[Unmapped]:
    mapped = ItemService.objects.filter(configuration=configuration, realm_id=configuration.realm_id)
    default = configuration.default_item_id
    consequence = (
        f"goes to the default item {items.name_of(default) or default}" if default else f"{REFUSED}: no Default Item ID"
    )
    services = Service.objects.filter(org_id=configuration.org_id).exclude(pk__in=mapped.values("service_id"))
    former = _former(ItemService.objects.filter(configuration=configuration), "service_id", "item_name")
    return _unmapped(
        services,
        _counted(configuration, counts, "service"),
        consequence,
        [entry for entry in items.entries if entry.usable_item],
        former,
    )


def unmapped_departments(configuration: Configuration, classes: CompanyListing, counts: Counts) -> list[Unmapped]:
    mapped = DepartmentClass.objects.filter(configuration=configuration, realm_id=configuration.realm_id)
    default = configuration.default_class_id
    consequence = f"goes to the default class {classes.name_of(default) or default}" if default else "gets no class"
    departments = Department.objects.filter(org_id=configuration.org_id).exclude(pk__in=mapped.values("department_id"))
    former = _former(DepartmentClass.objects.filter(configuration=configuration), "department_id", "class_name")
    return _unmapped(
        departments,
        _counted(configuration, counts, "department"),
        consequence,
        [entry for entry in classes.entries if entry.active],
        former,
    )


def unmapped_vat_rates(configuration: Configuration, codes: CompanyListing, counts: Counts) -> list[Unmapped]:
    mapped = TaxCodeVatRate.objects.filter(configuration=configuration, realm_id=configuration.realm_id)
    rates = VatRate.objects.filter(org_id=configuration.org_id).exclude(pk__in=mapped.values("vat_rate_id"))
    consequence = "not used in the USA" if configuration.locale == "USA" else f"{REFUSED} until it is mapped"
    former = _former(TaxCodeVatRate.objects.filter(configuration=configuration), "vat_rate_id", "tax_code_name")
    return _unmapped(
        rates,
        _counted(configuration, counts, "vat_rate"),
        consequence,
        [entry for entry in codes.entries if entry.active],
        former,
    )


def unmapped(configuration: Configuration, model: type[models.Model], counts: Counts | None = None) -> list[Unmapped]:
    """Give what is seen but not mapped for a mapping table; nothing while no company is linked.

    ``counts``: of `count_lines`, where several tables are asked for at once.
    """
    counts = {} if counts is None else counts
    if not configuration.realm_id:
        return []
    if model is ItemService:
        return unmapped_services(configuration, any_listing(configuration.realm_id, "items"), counts)
    if model is DepartmentClass:
        return unmapped_departments(configuration, any_listing(configuration.realm_id, "classes"), counts)
    if model is TaxCodeVatRate:
        return unmapped_vat_rates(configuration, any_listing(configuration.realm_id, "tax_codes"), counts)
    return []


def proposal_for(configuration_id: int, model: type[models.Model], pk: int) -> str:
    """Give the id that is suggested for one thing that is not mapped yet; empty when none is clearly the one."""
    configuration = Configuration.objects.filter(pk=configuration_id).first()
    rows = unmapped(configuration, model) if configuration is not None else []
    return next((row.proposal for row in rows if row.pk == pk), "")


def _former(rows: models.QuerySet[models.Model], key: str, name: str) -> dict[int, str]:
    """What the same thing was called in a company linked before: mappings are proposed again by name."""
    return {pk: label for pk, label in rows.values_list(key, name) if label}


def _unmapped(
    rows: Iterable[Service] | Iterable[Department] | Iterable[VatRate],
    counts: Mapping[str, int],
    consequence: str,
    entries: list[Entry],
    former: Mapping[int, str],
) -> list[Unmapped]:
    vocabulary = Vocabulary(entries)

    def suggestions(row: Service | Department | VatRate) -> tuple[Suggestion, ...]:
        names = [name for name in (former.get(row.pk, ""), row.name) if name]
        if isinstance(row, VatRate):
            return tuple(by_rate(names, row.rate, entries) if row.kompass_id else ())
        return tuple(by_name(names, vocabulary))

    made = [Unmapped(row.pk, str(row), counts.get(row.kompass_id, 0), consequence, suggestions(row)) for row in rows]
    return sorted(made, key=lambda one: (-one.lines, one.name.casefold()))
