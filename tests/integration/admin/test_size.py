"""No page grows with the books: each stays under 300 kB and half a second of the server's time.

`make pages` runs this with 50,000 links, 20,000 customers and 500 failures; without it there are fewer, and as long lists of QuickBooks.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from admin.quickbooks_online.models import CompanyList, Configuration, ItemService, Link, Service
from simulator import UK
from tests.builders import event, invoice
from tests.integration.admin.conftest import Section, words

ROOT = "/admin/quickbooks_online/"
LINKS = int(os.environ.get("ADMIN_LINKS", "2000"))
CUSTOMERS = LINKS * 2 // 5
FAILURES = 500
ENTRIES = 5_000
SERVICES = 60
MAPPED = 40
LARGEST = 300_000
SLOWEST_S = 0.5
PAGES = (
    "", "configuration/", "configuration/1/overview/", "configuration/1/change/", "configuration/1/going-live/",
    "configuration/1/activity/", "itemservice/", "departmentclass/", "taxcodevatrate/", "customfield/", "itemservice/add/",
    "departmentclass/add/", "customer/", "project/", "invoice/", "invoice/?q=INV-17", "invoice/?q=Harbour", "invoice/?q=1234.50",
    "invoice/?q=Harbour+1234.50",
    "invoice/?state__exact=failed", "invoice/?month=2026-03", "failure/", "failure/?org=org-uk&cause=no-tax-code:vat-9",
)  # fmt: skip


@pytest.fixture
def ada(section: Section) -> Client:
    return section.person(group=True)


@pytest.fixture
def large(section: Section) -> None:
    """One Org with everything in large numbers, written as rows."""
    section.pipeline.link()
    section.pipeline.map_vat_rate("vat-20", "20.0% S")
    section.pipeline.ingest(event(invoice("i1")))
    section.pipeline.drive()
    Configuration.objects.update(notification_recipients=["ada@example.com"])
    body = [[str(100 + number), f"Division {number % 50}:Item {number}", True, "Service"] for number in range(ENTRIES)]
    with section.pipeline.engine.begin() as db:
        db.exec_driver_sql("DELETE FROM qboadmin_company_list")
        run = db.exec_driver_sql
        run(
            "INSERT INTO qbo_record (org_id, kind, kompass_id, sequence, event_created_at, body,"
            " reference)"
            " SELECT org_id, kind, 'x' || n, sequence, event_created_at, CASE kind WHEN 'client'"
            " THEN body || jsonb_build_object('id', 'x' || n)"
            " ELSE body || jsonb_build_object('id', 'x' || n, 'reference', 'INV-' || n) END, 'INV-' || n"
            " FROM qbo_record, generate_series(1, %s) AS n WHERE kind IN ('client', 'invoice') AND (kind = 'client') = (n <= %s)",
            (LINKS, CUSTOMERS),
        )
        run(
            "INSERT INTO qbo_link (org_id, realm_id, kind, kompass_id, currency, reference, entity, qbo_id, name, state,"
            " synced_at, qbo_total, applied)"
            " SELECT l.org_id, l.realm_id, l.kind, 'x' || n, CASE l.kind WHEN 'client' THEN l.currency ELSE '' END, 'INV-' || n, l.entity,"
            " CASE WHEN n %% 10 > 1 THEN 'q' || n END, 'Name ' || n,"
            " CASE n %% 10 WHEN 0 THEN 'failed' WHEN 1 THEN 'pending' ELSE 'synced' END, now() - n * interval '10 seconds', n, l.applied"
            " FROM qbo_link l, generate_series(1, %s) AS n WHERE l.kind IN ('client', 'invoice') AND (l.kind = 'client') = (n <= %s)",
            (LINKS, CUSTOMERS),
        )
        run(
            "INSERT INTO qbo_failure (org_id, realm_id, link_id, kind, kompass_id, reference, stage, cause, message, remedy)"
            " SELECT org_id, realm_id, id, kind, kompass_id, reference, 'map', 'no-tax-code:vat-' || id %% 30, 'No tax code', 'Map it'"
            " FROM qbo_link WHERE state = 'failed' LIMIT %s",
            (FAILURES,),
        )
        run(
            "INSERT INTO qbo_service (org_id, kompass_id, name) SELECT 'org-uk', 's' || n, 'Item ' || n FROM generate_series(1, %s) AS n",
            (SERVICES + MAPPED,),
        )
        run("ANALYZE")
    for what in ("items", "classes"):
        CompanyList.objects.create(realm_id=UK, what=what, body=body)
    CompanyList.objects.update(fetched_at="2100-01-01T00:00Z")
    for service in Service.objects.filter(kompass_id__startswith="s").order_by("-pk")[:MAPPED]:
        ItemService.objects.create(
            configuration_id=1, realm_id=UK, service=service, item_id="107", item_name="Item 7", class_id="108"
        )


def database_cpu() -> float:
    """Give the CPU seconds that the database's processes have used for us so far; without /proc none are seen."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pid FROM pg_stat_activity WHERE datname = current_database()")
        pids = [pid for (pid,) in cursor.fetchall()]
    ticks = 0
    for pid in pids:
        with suppress(OSError):
            after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks += int(after_name[11]) + int(after_name[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def asked(person: Client, where: str) -> tuple[Any, float, float]:
    """Give the page, its seconds by the clock, and those that the processor worked for it, here and in the database."""
    database = database_cpu()
    begun, computed = time.perf_counter(), time.thread_time()
    answer = person.get(ROOT + where)
    waited, ours = time.perf_counter() - begun, time.thread_time() - computed
    return answer, waited, ours + database_cpu() - database


def test_no_page_grows_with_the_books(section: Section, ada: Client, large: None) -> None:
    assert Link.objects.count() >= LINKS
    requests = section.requests()
    problems = []
    for where in PAGES:
        # The better of two: beside another test one of them may meet cold caches of the processor.
        answer, waited, computed = min((asked(ada, where) for _ in range(2)), key=lambda one: one[2])
        size = len(answer.content)
        print(
            f"{where or 'the section'}: {size / 1000:.0f} kB, {waited * 1000:.0f} ms, {computed * 1000:.0f} of them computed"
        )
        assert answer.status_code == 200, where
        # The time of a clock says much of the machine beside other tests.
        if size > LARGEST or computed > SLOWEST_S:
            problems.append(f"{where}: {size:,} bytes, {waited:.2f} s, {computed:.2f} s computed")
    assert problems == []
    assert section.requests() == requests, "no page asks QuickBooks"

    # The rest of a long list is searched on the server, with the names of parents.
    where = f"{ROOT}configuration/1/lists/items/"
    found = ada.get(where, {"term": "division 17 item 4"}).json()
    assert len(found["results"]) == 20
    assert found["pagination"]["more"] is True
    assert all(one["text"].startswith("Division 17:Item ") for one in found["results"])
    second = ada.get(where, {"term": "division 17 item 4", "page": "2"}).json()
    assert not {one["id"] for one in found["results"]} & {one["id"] for one in second["results"]}
    assert ada.get(where, {"term": "no such thing"}).json() == {"results": [], "pagination": {"more": False}}
    assert ada.get(f"{ROOT}configuration/1/lists/secrets/").status_code == 404
    assert section.person("eve", "view_invoice").get(where, {"term": "item"}).status_code == 403

    # What was found is taken, and what the list lacks is refused.
    page = words(ada.get(f"{ROOT}itemservice/?configuration__id__exact=1"))
    assert "Similar: Division 1:Item 1 (" in page or "Suggested: Division 1:Item 1 (" in page
    service = Service.objects.filter(kompass_id="s1").get()
    data = {"configuration": "1", "service": str(service.pk), "class_id": ""}
    assert "Choose one from the list" in words(ada.post(f"{ROOT}itemservice/add/", {**data, "item_id": "9"}))
    assert ada.post(f"{ROOT}itemservice/add/", {**data, "item_id": "4999"}).status_code == 302
    assert ItemService.objects.get(service=service).item_name == "Division 49:Item 4899"
