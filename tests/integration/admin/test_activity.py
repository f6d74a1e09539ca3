"""Who did what for an Org, the last change of mappings taken back, many records tried again, and lists as CSV."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from admin.quickbooks_online import activity
from admin.quickbooks_online.models import Activity, Failure, ItemService, Link, Service, TaxCodeVatRate
from schemas.events import OrgRef
from simulator import CANADA, UK
from tests.builders import event, invoice
from tests.integration.admin.conftest import Section, words
from tests.integration.admin.test_pages import form_of

ROOT = "/admin/quickbooks_online/"


@pytest.fixture
def ada(section: Section) -> Client:
    return section.person(group=True)


@pytest.fixture
def two(section: Section) -> None:
    """An Org whose invoices are refused for a VAT rate, and one of another locale beside it."""
    pipeline = section.pipeline
    pipeline.link()
    pipeline.link("org-ca", "Northern Survey Inc", realm=CANADA)
    pipeline.ingest(event(invoice("i1")), event(invoice("i2")))
    pipeline.ingest(event(invoice("i3", org=OrgRef("org-ca", "Northern Survey Inc"))))
    pipeline.drive()


def rows_of(answer: Any) -> list[dict[str, str]]:
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    return list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))


def imported(ada: Client, text: str) -> str:
    upload = SimpleUploadedFile("map.csv", text.encode(), content_type="text/csv")
    return words(ada.post(f"{ROOT}itemservice/import/", {"file": upload}, follow=True))


def undo(ada: Client, entry: Activity | None, configuration: int = 1) -> str:
    data = {"entry": str(entry.pk if entry is not None else 0)}
    return words(ada.post(f"{ROOT}configuration/{configuration}/undo/", data, follow=True))


def test_the_last_change_of_mappings_is_undone(section: Section, ada: Client, two: None) -> None:
    assert "1 added" in imported(ada, "org,service,item\norg-uk,LiDAR,Design\n")
    added = activity.last_change("org-uk")
    assert added is not None
    assert (added.by, added.about, added.what) == ("ada", "Item Services", "1 added: LiDAR → Design")
    assert "1 changed" in imported(ada, "org,service,item\norg-uk,LiDAR,Engineering\n")
    changed = activity.last_change("org-uk")
    page = words(ada.get(f"{ROOT}itemservice/?configuration__id__exact=1"))
    assert "by ada: Item Services, 1 changed: LiDAR → Engineering Undo it" in page

    assert "The mappings were changed since you opened the page. Nothing was undone." in undo(ada, added)
    assert "is undone" in undo(ada, changed)
    assert ItemService.objects.get().item_name == "Design"
    assert "is undone" in undo(ada, added)
    assert not ItemService.objects.exists()
    assert activity.last_change("org-uk") is None

    # A deleted row comes back as it was.
    row = ItemService.objects.create(
        configuration_id=1, realm_id=UK, service=Service.objects.get(org_id="org-uk"), item_id="2", item_name="Design"
    )
    ada.post(f"{ROOT}itemservice/{row.pk}/delete/", {"post": "yes"})
    assert not ItemService.objects.exists()
    deleted = activity.last_change("org-uk")
    assert "is undone" in undo(ada, deleted)
    assert ItemService.objects.get().pk == row.pk

    # What was changed elsewhere since is not overwritten.
    assert "1 changed" in imported(ada, "org,service,item\norg-uk,LiDAR,Engineering\n")
    ItemService.objects.update(item_id="4")
    assert "was changed since. Nothing was undone." in undo(ada, activity.last_change("org-uk"))
    assert ItemService.objects.get().item_id == "4"
    assert activity.last_change("org-ca") is None, "another Org's"


def test_the_log_says_who_did_what_and_is_exported(section: Section, ada: Client, two: None) -> None:
    configuration = section.pipeline.rows("qbo_configuration")[0]
    assert configuration.org_id == "org-uk"
    from admin.quickbooks_online.models import Configuration

    form = form_of(Configuration.objects.get(org_id="org-uk"), notification_recipients="a@example.com", locale="EU")
    ada.post(f"{ROOT}configuration/1/change/", form)
    ids = list(Link.objects.filter(kind="invoice", org_id="org-uk").order_by("pk").values_list("pk", flat=True))
    answer = ada.post(
        f"{ROOT}invoice/", {"action": "try_again", "_selected_action": [str(one) for one in ids]}, follow=True
    )
    assert "2 will be tried again in the background." in words(answer)
    assert Link.objects.filter(pk__in=ids, due_at__isnull=False).count() == 2
    assert not Link.objects.filter(org_id="org-ca", kind="invoice", due_at__isnull=False).exists()

    failures = Failure.objects.filter(closed_at=None, org_id="org-uk").order_by("pk")
    cause = failures[0].cause
    shown = ada.get(f"{ROOT}failure/", {"org": "org-uk", "cause": cause})
    assert shown.content.count(b'name="failure"') == 2
    again = f"{ROOT}failure/try-again/"
    assert "Tick at least one record first." in words(ada.post(again, {"ticked": "1"}, follow=True))
    one = ada.post(again, {"ticked": "1", "failure": [str(failures[0].pk)]}, follow=True)
    assert "1 will be tried again in the background." in words(one)
    assert failures.filter(replay_asked_at__isnull=False).count() == 1

    section.person("eve", "change_taxcodevatrate", "add_taxcodevatrate")
    where = f"{ROOT}configuration/1/activity/"
    page = words(ada.get(where))
    for said in (
        "Notification recipients",
        "Asked to try 2 records again.",
        "Asked for 1 failed record to be tried again",
    ):
        assert said in page, said
    exported = rows_of(ada.get(f"{where}?as=csv"))
    assert {row["by"] for row in exported} == {"ada"}
    assert [row["what"] for row in exported][-1].startswith("Changed")
    assert "Asked" not in words(ada.get(f"{ROOT}configuration/2/activity/"))


def test_what_is_done_for_several_orgs_or_ends_one_is_noted_for_each(section: Section, ada: Client, two: None) -> None:
    cause = Failure.objects.filter(closed_at=None)[0].cause
    both = [str(one.pk) for one in Failure.objects.filter(closed_at=None, cause=cause)]
    ada.post(f"{ROOT}failure/try-again/", {"ticked": "1", "failure": both})
    noted = {one.org_id: one.what for one in Activity.objects.all()}
    assert noted == {
        "org-uk": "Asked for 2 failed records to be tried again.",
        "org-ca": "Asked for 1 failed record to be tried again.",
    }
    with section.pipeline.engine.begin() as db:
        db.exec_driver_sql("UPDATE qbo_connection SET state = 'disconnected'")
    assert ada.post(f"{ROOT}configuration/2/delete/", {"post": "yes"}).status_code == 302
    last = Activity.objects.filter(org_id="org-ca").order_by("-id")[0]
    assert (last.by, last.what) == ("ada", "Deleted the configuration.")


def test_lists_and_errors_are_exported_as_they_are_filtered(ada: Client, two: None) -> None:
    rows = rows_of(ada.get(f"{ROOT}invoice/export/?org=org-uk"))
    assert [(row["org"], row["record"], row["total_in_kompass"], row["state"]) for row in rows] == [
        ("Meridian Geomatics Ltd", "INV-i2", "120.00", "Needs attention"),
        ("Meridian Geomatics Ltd", "INV-i1", "120.00", "Needs attention"),
    ]
    customers = rows_of(ada.get(f"{ROOT}customer/export/"))
    assert {row["org"] for row in customers} == {"Meridian Geomatics Ltd", "Northern Survey Inc"}
    errors = rows_of(ada.get(f"{ROOT}failure/export/?org=org-ca"))
    assert [row["record"] for row in errors] == ["INV-i3"]
    assert errors[0]["cause"] == "Standard 20 % has no QuickBooks tax code"
    assert TaxCodeVatRate.objects.count() == 0
