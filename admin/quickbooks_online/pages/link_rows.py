"""What a row of Customers, Projects and Invoices says of its record, and how records are found by it."""

from __future__ import annotations

import datetime as dt
import re
import unicodedata
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from django.contrib.admin.views.main import ChangeList
from django.core.paginator import Page, Paginator
from django.db.models import DecimalField, Exists, OuterRef, Q, QuerySet, TextField, Value
from django.db.models.fields.json import KT
from django.db.models.functions import Cast, Coalesce, Concat
from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import cached_property

from admin.quickbooks_online.models import History, Link, Org, Record
from schemas.link_state import LinkState

_LETTERS = (
    "aàáâãäåā", "cçćč", "eèéêëēę", "iìíîïī", "lł", "nñńň", "oòóôõöøō", "sśšş", "uùúûüū", "yýÿ", "zźżž",
)  # fmt: skip
_LIKE = {one: f"[{letters}{letters.upper()}]" for letters in _LETTERS for one in letters}
_LIKE |= {"'": "['’]", "’": "['’]", " ": r"\s+"}
"""What a letter stands for in a search. Capitals are named: a database of the C locale folds those of ASCII alone."""
_CURRENCY = re.compile(r"^(?:[A-Z]{0,2}[$€£]|(?:AUD|CAD|CHF|EUR|GBP|NZD|USD)\b)\s*|\s*(?:[$€£]|\b[A-Z]{3})$")
_NAME_AND_AMOUNT = re.compile(r"(?P<name>.*[^\W\d].*?)\s+(?P<amount>[-−]?[$€£]?\d[\d\s.,'’]*(?:[$€£]|[A-Z]{3})?)")
_NONE, _BREAK = Value("", output_field=TextField()), Value("\n", output_field=TextField())
STATE_WORDS: dict[str, str] = {
    LinkState.PENDING: "Queued",
    LinkState.SYNCED: "In QuickBooks",
    LinkState.SKIPPED: "Not synced",
    LinkState.WAITING: "Waiting",
    LinkState.RETRYING: "Retrying",
    LinkState.FAILED: "Needs attention",
    LinkState.WITHDRAWN: "Withdrawn in Kompass",
}


LISTS = {"invoice": "Invoices", "customer": "Customers", "project": "Projects"}
EXPORTED = (
    "org", "record", "client", "date", "currency", "total_in_kompass", "total_in_qbo", "state", "reason",
    "name_in_qbo", "qbo_id", "synced_at",
)  # fmt: skip
HISTORY_SHOWN = 200
HAPPENINGS = {
    "event": "Event from Kompass",
    "judged": "Decided",
    "called": "Call to QuickBooks",
    "failed": "Failed",
    "recovered": "Recovered",
    "asked": "Asked for",
    "mailed": "Mailed",
    "due": "Queued",
}


@dataclass(frozen=True, slots=True)
class Said:
    """What Kompass says of a record, as far as a row shows it."""

    org: str = ""
    name: str = ""
    client: str = ""
    date: dt.date | None = None
    currency: str = ""
    total: Decimal | None = None
    waits_for: str = ""


class OneLook(Paginator):  # type: ignore[type-arg]
    """Pages of what a search finds. The dear look through the records is made once, and not for the count and the page each."""

    @cached_property
    def _ids(self) -> list[int]:
        links: Any = self.object_list
        return list(links.values_list("pk", flat=True))

    @cached_property
    def count(self) -> int:
        return len(self._ids)

    def page(self, number: Any) -> Page[Any]:
        number = self.validate_number(number)
        ids = self._ids[(number - 1) * self.per_page : number * self.per_page]
        links: Any = self.object_list
        rows = links.model._default_manager.prefetch_related("differences").defer("applied", "observed").in_bulk(ids)
        return Page([rows[pk] for pk in ids if pk in rows], number, self)


class LinkChangeList(ChangeList):
    """Reads what Kompass says of the rows of a page, all at once, as ``row.said``."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        if isinstance(self.paginator, OneLook) and not self.multi_page:
            self.result_list = self.paginator.page(1).object_list
        self.result_list = list(self.result_list)
        read_said(self.result_list)


def read_said(rows: Sequence[Link]) -> None:
    """Read what Kompass says of these rows, all at once, as ``row.said``."""
    orgs = dict(Org.objects.filter(pk__in={row.org_id for row in rows}).values_list("pk", "name"))
    targets = {row.depends_on_id for row in rows if row.depends_on_id}
    waited = {one.pk: one for one in Link.objects.filter(pk__in=targets).defer("applied", "observed")}
    records: dict[tuple[str, str, str], dict[str, Any]] = {
        (found["org_id"], found["kind"], found["kompass_id"]): dict(found)
        for found in Record.objects.filter(
            org_id__in=set(orgs),
            kind__in={row.kind for row in rows},
            kompass_id__in=[row.kompass_id for row in rows],
        )
        .annotate(
            named=KT("body__name"),
            client=KT("body__client__name"),
            payer=KT("body__billing_client__name"),
            date=KT("body__date"),
            currency=KT("body__currency"),
            total=KT("body__amount_gross"),
        )
        .values("org_id", "kind", "kompass_id", "named", "client", "payer", "date", "currency", "total")
    }
    for row in rows:
        found = records.get((row.org_id, row.kind, row.kompass_id), {})
        target = waited.get(row.depends_on_id or 0)
        row.said = Said(  # type: ignore[attr-defined]
            org=orgs.get(row.org_id) or row.org_id,
            name=found.get("named") or "",
            client=found.get("client") or found.get("payer") or "",
            date=dt.date.fromisoformat(found["date"]) if found.get("date") else None,
            currency=found.get("currency") or row.currency,
            total=Decimal(found["total"]) if found.get("total") else None,
            waits_for=str(target) if target is not None else "",
        )


def exported(link: Link) -> Sequence[str]:
    """Give a row of an exported list."""
    said = getattr(link, "said", Said())
    return (
        said.org,
        link.reference or link.kompass_id,
        said.client,
        said.date.isoformat() if said.date else "",
        said.currency,
        "" if said.total is None else f"{said.total:.2f}",
        "" if link.qbo_total is None else f"{link.qbo_total:.2f}",
        state_in_words(link, said.waits_for),
        link.reason,
        link.name,
        link.qbo_id or "",
        link.synced_at.isoformat(timespec="seconds") if link.synced_at else "",
    )


def state_in_words(link: Link, waits_for: str = "") -> str:
    """Give the state as people say it: ``Waiting for Harbour & Sons``."""
    words = STATE_WORDS.get(link.state, link.state)
    return f"{words} for {waits_for}" if link.state == LinkState.WAITING and waits_for else words


def records_of(*conditions: Q, **more: Any) -> Exists:
    """Give the condition that the record of a link meets these."""
    mine = {name: OuterRef(name) for name in ("org_id", "kind", "kompass_id")}
    total = Cast(KT("body__amount_gross"), DecimalField(max_digits=20, decimal_places=5))
    parts = [Coalesce(KT(f"body__{member}__name"), _NONE) for member in ("client", "billing_client", "project")]
    names = Concat(parts[0], _BREAK, parts[1], _BREAK, parts[2], output_field=TextField())
    return Exists(
        Record.objects.annotate(total=total, names=names, day=KT("body__date")).filter(*conditions, **mine, **more)
    )


def found_by(queryset: QuerySet[Any], words: str) -> QuerySet[Any]:
    """Give the links that these words find: by number, name, client, project, amount, date, Kompass id or QBO id.

    A name may be followed by an amount: ``Harbour 1,234.50``.
    """
    words = words.strip().replace("\0", "")
    if not words:
        return queryset
    like, amount, days = any_accents(words), amount_of(words), days_of(words)
    own = Q(kompass_id=words) | Q(qbo_id=words) | Q(reference__icontains=words) | Q(name__iregex=like)
    said = Q(names__iregex=like)
    if amount is not None:
        own |= Q(qbo_total=amount)
        said |= Q(total=amount)
    if days:
        said |= Q(day__in=days)
    links = queryset.model._default_manager.order_by()
    found = Q()
    if (both := _NAME_AND_AMOUNT.fullmatch(words)) is not None and amount is None:
        named, total = Q(names__iregex=any_accents(both["name"])), amount_of(both["amount"])
        said |= named & Q(total=total)
        found = Q(pk__in=links.filter(records_of(named), qbo_total=total).values("pk"))
    # Each way for itself, so that records are read once and joined, and not looked up for each link.
    return queryset.filter(
        found | Q(pk__in=links.filter(own).values("pk")) | Q(pk__in=links.filter(records_of(said)).values("pk"))
    )


def other_lists(request: HttpRequest, model: str) -> list[dict[str, str]]:
    """Give the other lists that can be searched for the same words, of those that the person may see."""
    may = request.user.has_perm
    return [
        {"title": title, "address": reverse(f"admin:quickbooks_online_{name}_changelist")}
        for name, title in LISTS.items()
        if name != model and any(may(f"quickbooks_online.{verb}_{name}") for verb in ("view", "change"))
    ]


def any_accents(words: str) -> str:
    """Give the pattern that finds these words however their letters are accented, their quotes curled and their words spaced."""
    plain = re.sub(r"\s+", " ", unicodedata.normalize("NFC", words)).lower()
    return "".join(_LIKE.get(one) or re.escape(one) for one in plain)


def days_of(words: str) -> list[str]:
    """Give the days that a person may mean, as records have them: ``27/11/2026``, ``27 Nov 2026``, ``2026-11-27``."""
    found = set()
    for form in ("%Y-%m-%d", "%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%d %b %Y", "%d %B %Y"):
        with suppress(ValueError):
            found.add(dt.datetime.strptime(words, form).replace(tzinfo=dt.UTC).date().isoformat())
    return sorted(found)


def amount_of(words: str) -> Decimal | None:
    """Give the amount that a person typed, with separators of either kind: ``1,234.50``, ``1 234,50 $``, ``1.234``."""
    text = re.sub(r"[\s'’]", "", _CURRENCY.sub("", words.strip())).replace("−", "-")
    if not re.fullmatch(r"-?\d[\d.,]{0,14}", text):
        return None
    decimal_comma = re.search(r",\d{1,2}$", text) or re.fullmatch(r"-?\d{1,3}(\.\d{3})+", text)
    text = text.replace(".", "").replace(",", ".") if decimal_comma else text.replace(",", "")
    try:
        return Decimal(text)
    except InvalidOperation:
        return None


def history_of(link: Link) -> list[History]:
    """Give the newest happenings of the record, newest first: what `kompass-qbo why` tells."""
    found = list(
        History.objects.filter(org_id=link.org_id, kind=link.kind, kompass_id=link.kompass_id).order_by("-pk")[
            :HISTORY_SHOWN
        ]
    )
    for one in found:
        one.words = HAPPENINGS.get(one.what, one.what)  # type: ignore[attr-defined]
        if one.what == "due":
            # The reason is in the message; its code says no more.
            one.outcome = ""
    return found
