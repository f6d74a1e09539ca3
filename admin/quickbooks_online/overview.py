"""An Org at a glance: how far its set-up is, what is in QuickBooks, queued or in need of a person, and the last days. Makes no call."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Collection
from collections.abc import Mapping as Readable
from dataclasses import dataclass, field

from django.db.models import Count, Max, QuerySet
from django.db.models.functions import TruncDate
from django.urls import reverse
from django.utils import timezone

from admin.quickbooks_online.models import (
    Backfill,
    CompanyConnection,
    Configuration,
    CustomField,
    DepartmentClass,
    Failure,
    ItemService,
    Link,
    Mapping,
    Record,
    Service,
    TaxCodeVatRate,
    VatRate,
)
from admin.quickbooks_online.models.kompass import KINDS
from qbo_client.quota import Limits
from schemas.company import Locale
from schemas.counting import counted
from schemas.link_state import LinkState

DAYS = 14
MAPPINGS: tuple[type[Mapping], ...] = (ItemService, DepartmentClass, TaxCodeVatRate, CustomField)
RUNNING = (LinkState.PENDING, LinkState.RETRYING)
OVER = (LinkState.SYNCED, LinkState.SKIPPED, LinkState.WITHDRAWN)


@dataclass(frozen=True, slots=True)
class Step:
    """A step of the set-up, with the page or the action where it is done."""

    name: str
    done: bool
    words: str
    label: str = ""
    address: str = ""
    action: str = ""
    """An action of the list of Configurations, in place of an address."""
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Day:
    day: dt.date
    synced: int
    failed: int


@dataclass(frozen=True, slots=True)
class Counts:
    """How many records of a company are in each state."""

    by_state: Readable[str, int]
    by_kind: Readable[tuple[str, str], int] = field(default_factory=dict)
    """(state, kind) → how many"""

    def of(self, *states: LinkState) -> int:
        return sum(self.by_state.get(state, 0) for state in states)

    def kinds_of(self, state: LinkState) -> dict[str, int]:
        """Give how many records of each kind are in this state; kinds without any are left out."""
        return {kind: number for kind in KINDS if (number := self.by_kind.get((state, kind), 0))}

    @property
    def total(self) -> int:
        return sum(self.by_state.values())

    @property
    def in_quickbooks(self) -> int:
        return self.of(LinkState.SYNCED)

    @property
    def queued(self) -> int:
        return self.of(LinkState.PENDING)

    @property
    def retrying(self) -> int:
        return self.of(LinkState.RETRYING)

    @property
    def waiting(self) -> int:
        return self.of(LinkState.WAITING)

    @property
    def failed(self) -> int:
        return self.of(LinkState.FAILED)

    @property
    def withdrawn(self) -> int:
        return self.of(LinkState.WITHDRAWN)

    @property
    def over(self) -> int:
        return self.of(*OVER)

    @property
    def running(self) -> int:
        return self.of(*RUNNING)

    @property
    def estimate(self) -> str:
        """How long the queue takes at Intuit's limit of calls, in words."""
        minutes = math.ceil(self.running / Limits().per_minute)
        if minutes < 2:
            return "under a minute" if self.running else ""
        return f"about {counted(minutes, 'minute') if minutes < 120 else counted(round(minutes / 60), 'hour')}"


def connection_of(configuration: Configuration | None) -> CompanyConnection | None:
    """Give the connection of the company that is linked now."""
    if configuration is None:
        return None
    try:
        found = configuration.connection
    except CompanyConnection.DoesNotExist:
        return None
    return found if found.realm_id == configuration.realm_id else None


def backfill_of(configuration: Configuration) -> Backfill | None:
    """Give how far Kompass's earlier events are read again; None when the Configuration was not added in the admin."""
    return Backfill.objects.filter(configuration=configuration).first()


def counts_by_company(realm_ids: Collection[str]) -> dict[str, Counts]:
    """Give the counts of these companies, with one query."""
    states: dict[str, dict[str, int]] = {realm_id: {} for realm_id in realm_ids}
    kinds: dict[str, dict[tuple[str, str], int]] = {realm_id: {} for realm_id in realm_ids}
    rows = (
        Link.objects.filter(realm_id__in=states).values_list("realm_id", "state", "kind").annotate(number=Count("pk"))
    )
    for realm_id, state, kind, number in rows.order_by():
        states[realm_id][state] = states[realm_id].get(state, 0) + number
        kinds[realm_id][state, kind] = number
    return {realm_id: Counts(by_state, kinds[realm_id]) for realm_id, by_state in states.items()}


def counts_of(configuration: Configuration) -> Counts:
    realm_id = configuration.realm_id or ""
    return counts_by_company([realm_id])[realm_id] if realm_id else Counts({})


def last_success(configuration: Configuration) -> dt.datetime | None:
    found: dt.datetime | None = Link.objects.filter(realm_id=configuration.realm_id, synced_at__isnull=False).aggregate(
        last=Max("synced_at")
    )["last"]
    return found


def next_retry(configuration: Configuration) -> Link | None:
    """Give the record that is tried next of those that are being retried: nobody has to wait without a word."""
    retrying = Link.objects.filter(realm_id=configuration.realm_id, state=LinkState.RETRYING, due_at__isnull=False)
    return retrying.defer("applied", "observed").order_by("due_at").first()


def last_days(configuration: Configuration) -> list[Day]:
    """Give how many records reached QuickBooks and how many failed on each of the last days, the oldest first."""
    today = timezone.localdate()
    first = today - dt.timedelta(days=DAYS - 1)
    since = timezone.make_aware(dt.datetime.combine(first, dt.time()))

    def per_day(rows: QuerySet[Link] | QuerySet[Failure], moment: str) -> dict[dt.date, int]:
        return dict(
            rows.filter(**{f"{moment}__gte": since})
            .order_by()
            .annotate(day=TruncDate(moment))
            .values_list("day")
            .annotate(number=Count("pk"))
        )

    synced = per_day(Link.objects.filter(realm_id=configuration.realm_id), "synced_at")
    failed = per_day(Failure.objects.filter(org_id=configuration.org_id), "first_failed_at")
    days = [first + dt.timedelta(days=number) for number in range(DAYS)]
    return [Day(day, synced.get(day, 0), failed.get(day, 0)) for day in days]


def _listed(model: str, configuration: Configuration) -> str:
    return f"{reverse(f'admin:quickbooks_online_{model}_changelist')}?configuration__id__exact={configuration.pk}"


def _page(name: str, configuration: Configuration) -> str:
    return reverse(f"admin:quickbooks_online_configuration_{name}", args=[configuration.pk])


def steps_of(configuration: Configuration) -> list[Step]:
    """Give the set-up as a list to tick off, in the order in which it is done."""
    return [
        _linked(configuration),
        _defaults(configuration),
        _mapped(configuration),
        _matched(configuration),
        _live(configuration),
    ]


def _linked(configuration: Configuration) -> Step:
    connection = connection_of(configuration)
    if connection is not None and connection.state == "connected":
        return Step("Link to QuickBooks", True, f"Linked to {connection.company_name}.")
    words = (
        "Sign in at Intuit as an admin of the QuickBooks company."
        if connection is None
        else f"Disconnected from {connection.company_name}. {connection.disconnect_message}".strip()
    )
    return Step("Link to QuickBooks", False, words, "Authorize with QuickbooksOnline", action="authorize")


def _defaults(configuration: Configuration) -> Step:
    missing = [] if configuration.default_item_id else ["a Default Item ID"]
    if not configuration.notification_recipients:
        missing.append("a notification recipient")
    words = f"Choose {' and '.join(missing)}." if missing else "Default item and notification recipients are set."
    return Step("Choose defaults", not missing, words, "Open the Configuration", _page("change", configuration))


def _mapped(configuration: Configuration) -> Step:
    realm_id = configuration.realm_id
    mapped = TaxCodeVatRate.objects.filter(configuration=configuration, realm_id=realm_id).values("vat_rate_id")
    rates = VatRate.objects.filter(org_id=configuration.org_id).exclude(pk__in=mapped).count()
    named = ItemService.objects.filter(configuration=configuration, realm_id=realm_id).values("service_id")
    services = Service.objects.filter(org_id=configuration.org_id).exclude(pk__in=named).count()
    if rates and configuration.locale != Locale.USA.value:
        words = f"{counted(rates, 'VAT rate')} without a tax code. Documents with them are refused."
        return Step("Map taxes and items", False, words, "Map VAT rates", _listed("taxcodevatrate", configuration))
    address = _listed("itemservice", configuration)
    if services and not configuration.default_item_id:
        words = f"{counted(services, 'Service')} without an item."
        return Step("Map taxes and items", False, words, "Map Services", address)
    rest = f" {counted(services, 'Service uses', 'Services use')} the default item." if services else ""
    return Step("Map taxes and items", True, f"Nothing that Kompass sent is refused for a mapping.{rest}")


def _matched(configuration: Configuration) -> Step:
    linked = Link.objects.filter(realm_id=configuration.realm_id, kind="client", qbo_id__isnull=False)
    without = (
        Record.objects.filter(org_id=configuration.org_id, kind="client", deleted=False)
        .exclude(kompass_id__in=linked.values("kompass_id"))
        .count()
    )
    words = (
        f"{counted(without, 'client')} without a customer in QuickBooks. Kompass creates a customer when it is needed. "
        "Match first if they are in QuickBooks already."
        if without
        else "Every client has a customer in QuickBooks."
    )
    return Step(
        "Match customers", not without, words, "Match customers", _page("going_live", configuration), optional=True
    )


def _live(configuration: Configuration) -> Step:
    if configuration.enabled:
        start = configuration.start_date
        return Step("Go live", True, f"Documents dated from {start:%-d %b %Y} are sent." if start else "Enabled.")
    return Step("Go live", False, "Nothing is sent until you enable it.", "Go live", _page("going_live", configuration))


def next_step(steps: Collection[Step]) -> Step | None:
    return next((step for step in steps if not step.done and not step.optional), None)
