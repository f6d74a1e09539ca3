"""What the pages do: refusals in words, lists from QuickBooks, mappings with their impact, dumps, customers, sync errors."""

from __future__ import annotations

import datetime as dt
import json
import re
from decimal import Decimal
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from admin.quickbooks_online import lists, manual_link
from admin.quickbooks_online.check import check_company
from admin.quickbooks_online.models import (
    CompanyConnection,
    CompanyList,
    Configuration,
    Customer,
    Failure,
    Invoice,
    ItemService,
    Link,
    Service,
    TaxCodeVatRate,
)
from schemas.events import Step, VatRate
from simulator import UK, bookkeeper
from tests.admin_story_light import full_house
from tests.builders import client as kompass_client
from tests.builders import event, invoice, line, project
from tests.integration.admin.conftest import Section, words

ROOT = "/admin/quickbooks_online/"
RECENT = dt.datetime.now(dt.UTC).date() - dt.timedelta(days=10)


@pytest.fixture
def ada(section: Section) -> Client:
    return section.person(group=True)


@pytest.fixture
def ids(section: Section) -> dict[str, int]:
    return full_house(section.pipeline)


def form_of(configuration: Configuration, **changes: object) -> dict[str, object]:
    """What the browser would post for a Configuration, with changes."""
    values: dict[str, object] = {
        "notification_recipients": "\n".join(configuration.notification_recipients),
        "project_customers": "on",
        "doc_number_template": configuration.doc_number_template,
        "project_name_template": configuration.project_name_template,
        "client_name_template": configuration.client_name_template,
        "locale": configuration.locale,
        "default_item_id": configuration.default_item_id,
        "default_class_id": configuration.default_class_id,
        **({"enabled": "on"} if configuration.enabled else {}),
        **changes,
    }
    return {key: value for key, value in values.items() if value is not None}


# --- the Configuration


def test_enable_is_refused_until_linked_and_somebody_is_named(section: Section, ada: Client) -> None:
    section.pipeline.ingest(event(invoice("i1")))
    answer = ada.post(
        f"{ROOT}configuration/add/",
        {
            "org": "org-uk",
            "enabled": "on",
            "notification_recipients": "",
            "doc_number_template": "{{ invoice.reference }}",
            "project_name_template": "{{ project.name }}",
            "client_name_template": "{{ client.name }}",
            "locale": "EU",
        },
    )
    page = words(answer)
    assert "the QuickBooks company is not linked" in page
    assert "name at least one notification recipient" in page
    assert not Configuration.objects.exists()


def test_recipients_are_validated(section: Section, ada: Client, ids: dict[str, int]) -> None:
    configuration = section.configuration()
    where = f"{ROOT}configuration/{configuration.pk}/change/"
    page = words(ada.post(where, form_of(configuration, notification_recipients="ada@example.com, bob@@example")))
    assert "“bob@@example” is not a mail address" in page
    ada.post(where, form_of(configuration, notification_recipients="a@example.com; b@example.com\na@example.com"))
    assert section.configuration().notification_recipients == ["a@example.com", "b@example.com"]


def test_a_broken_template_is_refused_in_words(section: Section, ada: Client, ids: dict[str, int]) -> None:
    configuration = section.configuration()
    where = f"{ROOT}configuration/{configuration.pk}/change/"
    page = words(
        ada.post(
            where,
            form_of(
                configuration, notification_recipients="a@example.com", doc_number_template="{{ invoice.referense }}"
            ),
        )
    )
    assert "invoice has no field 'referense'. Did you mean 'reference'?" in page
    assert section.configuration().doc_number_template == "{{ invoice.reference }}"


def test_the_live_preview_renders_recent_records(section: Section, ada: Client, ids: dict[str, int]) -> None:
    where = f"{ROOT}configuration/template-preview/"
    answer = ada.post(where, {"org": "org-uk", "name": "doc_number_template", "template": "{{ invoice.reference }}/K"})
    assert answer.json()["lines"] == [{"record": "INV-i1", "result": "INV-i1/K", "problem": ""}]
    broken = ada.post(where, {"org": "org-uk", "name": "doc_number_template", "template": "{{ invoice."})
    assert broken.json()["problem"].startswith("Line 1:")
    long = ada.post(where, {"org": "org-uk", "name": "doc_number_template", "template": "{{ invoice.reference }}" * 5})
    assert "QuickBooks takes 21" in long.json()["lines"][0]["problem"]


def test_ticking_enable_leads_to_one_page_first(section: Section, ada: Client, ids: dict[str, int]) -> None:
    Configuration.objects.update(enabled=False, notification_recipients=["a@example.com"])
    configuration = section.configuration()
    answer = ada.post(f"{ROOT}configuration/{configuration.pk}/change/", form_of(configuration, enabled="on"))
    assert answer["Location"].endswith(f"/{configuration.pk}/going-live/")
    assert not section.configuration().enabled
    page = words(ada.get(answer["Location"]))
    assert "1 client waiting" in page
    ada.post(answer["Location"], {"start_date": "2026-02-01"})
    after = section.configuration()
    assert (after.enabled, after.start_date) == (True, dt.date(2026, 2, 1))


def test_date_fields_open_with_a_value_that_a_browser_takes(section: Section, ada: Client, ids: dict[str, int]) -> None:
    def dates(where: str) -> list[str]:
        found = re.findall(r"<input[^>]*type=\"date\"[^>]*>", ada.get(f"{ROOT}{where}").content.decode())
        return [re.findall(r"value=\"([^\"]*)\"", one)[0] for one in found]

    Configuration.objects.update(start_date=None, enabled=False, notification_recipients=["a@example.com"])
    first_of_month = f"{dt.date.today():%Y-%m-01}"  # noqa: DTZ011 - a date for a form
    assert dates("configuration/1/going-live/") == [first_of_month]
    assert dates("configuration/1/going-live/?start_date=2026-02-03") == ["2026-02-03"]
    shown = ada.post(
        f"{ROOT}configuration/1/going-live/", {"show": "1", "start_date": "2026-02-03", "csrfmiddlewaretoken": "x"}
    )
    assert shown["Location"] == f"{ROOT}configuration/1/going-live/?start_date=2026-02-03"
    assert dates("configuration/1/going-live/?start_date=03/02/2026") == [first_of_month]
    Configuration.objects.update(start_date=dt.date(2026, 5, 4))
    assert dates("configuration/1/going-live/") == ["2026-05-04"]
    assert dates("configuration/1/change/") == ["2026-05-04"]


def test_a_chosen_start_date_is_kept_on_the_way_to_already_in_quickbooks_and_back(
    section: Section, ada: Client, ids: dict[str, int]
) -> None:
    Configuration.objects.update(start_date=None, enabled=False, notification_recipients=["a@example.com"])
    going, match = f"{ROOT}configuration/1/going-live/", f"{ROOT}configuration/1/match-customers/"
    chosen = {"start_date": "2026-02-03"}

    page = ada.get(going, chosen).content.decode()
    used = [
        page.index(part)
        for part in ("waiting. Clients needed", "Documents by month", "Read what QuickBooks has", "will be sent</p>")
    ]
    assert page.index('name="start_date"') < min(used), "the date comes before what depends on it"
    assert "1 invoice or credit note dated from 3 Feb 2026 will be sent" in words(ada.get(going, chosen))
    assert "The first invoice" in words(ada.get(going, chosen))

    # Also a date that was only typed in: the button belongs to the form of the date.
    read = ada.post(match, chosen)
    assert read["Location"] == f"{match}?start_date=2026-02-03"
    assert f'href="{going}?start_date=2026-02-03"' in ada.get(read["Location"]).content.decode()
    opened = ada.post(going, {"open": "1", **chosen})
    assert opened["Location"] == f"{match}?start_date=2026-02-03"
    again = ada.post(f"{match}?start_date=2026-02-03", {"another": "1"})
    assert again["Location"] == f"{match}?start_date=2026-02-03"
    assert ada.post(match, {"start_date": "x"})["Location"] == match


def test_the_token_is_never_shown(section: Section, ada: Client, ids: dict[str, int]) -> None:
    stored = CompanyConnection.objects.get()
    page = ada.get(f"{ROOT}configuration/1/change/").content.decode()
    assert "stored, renewed" in page
    assert stored.refresh_token not in page
    assert stored.access_token not in page


# --- lists of QuickBooks


def test_opening_forms_costs_one_read_per_list_and_hour(section: Section, ada: Client, ids: dict[str, int]) -> None:
    before = section.requests()
    for _ in range(3):
        assert ada.get(f"{ROOT}configuration/1/change/").status_code == 200
        assert ada.get(f"{ROOT}itemservice/").status_code == 200
    assert section.requests() - before == 2, "items once, classes once"
    CompanyList.objects.update(fetched_at=dt.datetime.now(dt.UTC) - lists.KEPT, tried_at=None)
    ada.get(f"{ROOT}configuration/1/change/")
    assert section.requests() - before == 4


def test_a_form_opens_and_keeps_its_values_without_quickbooks(
    section: Section, ada: Client, ids: dict[str, int]
) -> None:
    section.simulator.call(lambda world: world.troubles.add({"kind": "outage"}))
    configuration = section.configuration()
    where = f"{ROOT}configuration/{configuration.pk}/change/"
    page = words(ada.get(where))
    assert "QuickBooks could not be read" in page
    assert f"{configuration.default_item_id} (name not known at the moment)" in page
    ada.post(where, form_of(configuration, notification_recipients="a@example.com"))
    after = section.configuration()
    assert after.default_item_id == configuration.default_item_id
    assert after.notification_recipients == ["a@example.com"]


def test_refresh_fetches_anew(section: Section, ada: Client, ids: dict[str, int]) -> None:
    ada.get(f"{ROOT}itemservice/")
    section.simulator.call(
        lambda world: world.companies[UK].insert(
            "Item", {"Name": "Drone flight", "FullyQualifiedName": "Drone flight", "Active": True, "Type": "Service"}
        )
    )
    assert "Drone flight" not in words(ada.get(f"{ROOT}itemservice/"))
    CompanyList.objects.update(tried_at=None)
    page = words(ada.post(f"{ROOT}configuration/1/refresh-lists/", {"next": f"{ROOT}itemservice/"}, follow=True))
    assert "are as in QuickBooks now" in page
    assert "Drone flight" in page


@pytest.mark.parametrize("back", ["https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:alert(1)"])
def test_refresh_leads_nowhere_else(section: Section, ada: Client, ids: dict[str, int], back: str) -> None:
    answer = ada.post(f"{ROOT}configuration/1/refresh-lists/", {"next": back})
    assert answer["Location"] == f"{ROOT}configuration/1/change/"


# --- mappings


@pytest.mark.parametrize("model", ["itemservice", "departmentclass", "taxcodevatrate", "customfield", "customer"])
def test_an_empty_list_opens(section: Section, ada: Client, model: str) -> None:
    assert ada.get(f"{ROOT}{model}/").status_code == 200
    section.pipeline.link()
    assert ada.get(f"{ROOT}{model}/").status_code == 200


def test_a_mapping_tells_its_impact(section: Section, ada: Client, ids: dict[str, int]) -> None:
    reduced = VatRate("vat-5", "Reduced", Decimal("5"))
    section.pipeline.ingest(event(invoice("i2", date=RECENT, lines=(line("40.00", vat=None),))))
    section.pipeline.ingest(event(invoice("i3", date=RECENT, lines=(line("40.00", vat=reduced),))))
    section.pipeline.drive()
    page = words(ada.get(f"{ROOT}taxcodevatrate/"))
    assert "No VAT rate" in page
    rate = next(one for one in _unmapped_rates() if not one.kompass_id)
    answer = ada.post(f"{ROOT}taxcodevatrate/map-seen/", {"configuration": "1", f"qbo-{rate.pk}": "6"}, follow=True)
    assert "1 Tax Code VAT Rate added" in words(answer)
    assert "1 unsent document will go out" in words(answer)
    section.pipeline.drive()
    assert Invoice.objects.get(kompass_id="i2").state == "synced"
    assert Invoice.objects.get(kompass_id="i3").state == "failed"


def _unmapped_rates() -> list[object]:
    from admin.quickbooks_online.models import VatRate as Row

    return list(Row.objects.exclude(pk__in=TaxCodeVatRate.objects.values("vat_rate_id")))


def test_sent_documents_that_would_differ_are_resent_on_request(
    section: Section, ada: Client, ids: dict[str, int]
) -> None:
    row = ItemService.objects.get()
    answer = ada.post(f"{ROOT}itemservice/{row.pk}/change/", {"item_id": "3", "class_id": ""}, follow=True)
    assert "1 sent document would now differ" in words(answer)
    assert ItemService.objects.get().item_name == "Engineering"
    page = ada.get(f"{ROOT}configuration/1/impact/")
    assert "INV-i1" in words(page)
    answer = ada.post(f"{ROOT}configuration/1/impact/", {"link": [str(ids["invoice"]), "999999"]}, follow=True)
    assert "1 will be resent" in words(answer)
    section.pipeline.drive()
    (document,) = section.pipeline.objects("Invoice")
    assert document["Line"][0]["SalesItemLineDetail"]["ItemRef"]["value"] == "3"


def test_a_corrected_tax_code_is_offered_to_the_documents_that_used_it(section: Section, ada: Client) -> None:
    """Nothing was taxed under a zero rate, so a row that names the wrong code of nought is booked before anybody sees it."""
    pipeline = section.pipeline
    pipeline.link()
    pipeline.map_vat_rate("vat-20", "20.0% S")
    pipeline.map_vat_rate("vat-0", "0.0% Z")
    reverse_charge = VatRate("vat-0", "Reverse charge", Decimal(0))
    untaxed = (line("100.00", vat=reverse_charge),)
    pipeline.ingest(event(invoice("other")), *(event(invoice(one, lines=untaxed)) for one in ("a", "b", "paid")))
    pipeline.drive()
    (paid,) = [one for one in pipeline.objects("Invoice") if one["DocNumber"] == "INV-paid"]

    def pay(world: Any) -> None:
        bookkeeper.edit(world.companies[UK], {"action": "pay", "entity": "Invoice", "id": paid["Id"]})

    section.simulator.call(pay)
    # A text goes there all the same, and its answer names the payment.
    pipeline.ingest(event(invoice("paid", lines=untaxed, sequence=2, details="Thank you")))
    pipeline.drive()

    row = TaxCodeVatRate.objects.get(vat_rate__kompass_id="vat-0")
    right = pipeline.object_id(UK, "TaxCode", "20.0% RC SG")
    TaxCodeVatRate.objects.filter(pk=row.pk).update(tax_code_id=right)
    impact = f"{ROOT}configuration/1/impact/?row=taxcodevatrate:{row.pk}"
    assert "2 sent documents would now differ; 1 paid document stays as it is" in words(ada.get(impact))
    ada.post(impact, {"all": "1"})
    pipeline.drive()
    codes = {
        one["DocNumber"]: one["Line"][0]["SalesItemLineDetail"]["TaxCodeRef"]["value"]
        for one in pipeline.objects("Invoice")
    }
    wrong = pipeline.object_id(UK, "TaxCode", "0.0% Z")
    standard = pipeline.object_id(UK, "TaxCode", "20.0% S")
    assert codes == {"INV-other": standard, "INV-a": right, "INV-b": right, "INV-paid": wrong}


def test_documents_of_a_closed_period_are_left_out(section: Section, ada: Client, ids: dict[str, int]) -> None:
    section.simulator.call(
        lambda world: (
            world.companies[UK]
            .tables["Preferences"]["1"]["AccountingInfoPrefs"]
            .update({"BookCloseDate": "2026-03-31"})
        )
    )
    lists.facts_listing(UK, "tax_codes", refresh=True)
    row = ItemService.objects.get()
    answer = words(ada.post(f"{ROOT}itemservice/{row.pk}/change/", {"item_id": "3", "class_id": ""}, follow=True))
    assert "1 document of a closed period stays as it is" in answer
    assert "would now differ" not in answer


def test_a_service_cannot_be_mapped_twice(section: Section, ada: Client, ids: dict[str, int]) -> None:
    service = Service.objects.get()
    page = words(ada.post(f"{ROOT}itemservice/add/", {"configuration": "1", "service": service.pk, "item_id": "3"}))
    assert "This Kompass Service is already mapped" in page


def test_a_category_or_a_stranger_cannot_be_chosen(section: Section, ada: Client, ids: dict[str, int]) -> None:
    ItemService.objects.all().delete()
    service = Service.objects.get()
    for item_id in ("8", "4711"):
        page = words(
            ada.post(f"{ROOT}itemservice/add/", {"configuration": "1", "service": service.pk, "item_id": item_id})
        )
        assert "Choose one from the list" in page
    assert not ItemService.objects.exists()


def test_csv_goes_out_and_comes_back(section: Section, ada: Client, ids: dict[str, int]) -> None:
    listing = words(ada.get(f"{ROOT}itemservice/"))
    assert "Import" in listing
    assert "Export CSV" in listing
    text = ada.get(f"{ROOT}itemservice/export/").content.decode("utf-8-sig")
    assert text.splitlines() == [
        "org,service_id,service,item_id,item,class_id,class",
        "org-uk,svc-lidar,LiDAR,2,Design,,",
    ]
    changed = text.replace(",2,Design,,", ",,Engineering,,Structures")
    upload = SimpleUploadedFile("map.csv", changed.encode(), content_type="text/csv")
    page = words(ada.post(f"{ROOT}itemservice/import/", {"file": upload}, follow=True))
    assert "0 added, 1 changed" in page
    row = ItemService.objects.get()
    assert (row.item_name, row.class_name) == ("Engineering", "Structures")


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"org,service\n", "item_id or item is missing"),
        (b"\xff\xfe\x00", "The file is neither text nor an Excel workbook"),
        (
            b"org,service_id,service,item_id,item,class_id,class\norg-uk,svc-lidar,,,Engineering,,\norg-uk,nope,,3,,,\n",
            "Line 3: no Service 'nope' was seen",
        ),
        (b"org,service_id,service,item_id,item,class_id,class\nother,svc-lidar,,3,,,\n", "no linked Configuration"),
        (b"org,service_id,service,item_id,item,class_id,class\norg-uk,svc-lidar,,,Nonsense,,\n", "no item 'Nonsense'"),
    ],
)
def test_a_csv_with_a_problem_changes_nothing(
    section: Section, ada: Client, ids: dict[str, int], content: bytes, problem: str
) -> None:
    page = words(ada.post(f"{ROOT}itemservice/import/", {"file": SimpleUploadedFile("map.csv", content)}))
    assert "Nothing was imported" in page
    assert problem in page
    assert ItemService.objects.get().item_name == "Design"


def test_formulas_are_harmless_in_exports(section: Section, ada: Client, ids: dict[str, int]) -> None:
    Service.objects.update(name="=HYPERLINK(1)")
    assert "'=HYPERLINK(1)" in ada.get(f"{ROOT}itemservice/export/").content.decode()


# --- the company check


def test_the_company_check_finds_what_does_not_fit(section: Section, ids: dict[str, int]) -> None:
    Configuration.objects.update(locale="USA", default_item_id="8")
    configuration = section.configuration()
    TaxCodeVatRate.objects.update(tax_code_id="2")
    facts = lists.facts_of(UK)
    assert facts is not None
    found = {(finding.level, finding.what): finding for finding in check_company(configuration, facts)}
    assert "Set Locale to EU" in found["red", "Country"].remedy
    assert "is a category" in found["red", "Items"].message
    Configuration.objects.update(locale="EU")
    found = {(finding.level, finding.what): finding for finding in check_company(section.configuration(), facts)}
    assert ("red", "Tax codes") not in found or "%" in found["red", "Tax codes"].message


# --- dumps


def test_a_dump_is_json_and_reads_only(section: Section, ada: Client, ids: dict[str, int]) -> None:
    for action, name in (("get_customers", "Harbour & Sons c1"), ("get_jobs", "24-p1 Survey p1")):
        answer = ada.post(f"{ROOT}configuration/", {"action": action, "_selected_action": ["1"]})
        (row,) = json.loads(b"".join(answer.streaming_content))  # type: ignore[attr-defined]
        assert row["DisplayName"] == name
    operations = {one.operation for one in section.pipeline.requests()[-2:]}
    assert operations == {"query"}


def test_trouble_before_a_dump_is_a_message(section: Section, ada: Client, ids: dict[str, int]) -> None:
    section.simulator.call(lambda world: world.troubles.add({"kind": "outage"}))
    page = words(ada.post(f"{ROOT}configuration/", {"action": "get_invoices", "_selected_action": ["1"]}, follow=True))
    assert "The QBO invoices could not be read" in page


def test_an_action_wants_exactly_one(section: Section, ada: Client, ids: dict[str, int]) -> None:
    from admin.quickbooks_online.models import Org

    other = Configuration.objects.create(org=Org.objects.create(id="o2", name="Bravo"))
    page = words(
        ada.post(
            f"{ROOT}configuration/",
            {"action": "get_customers", "_selected_action": ["1", str(other.pk)]},
            follow=True,
        )
    )
    assert "Tick exactly one Configuration" in page


# --- customers


def qbo_customer(section: Section, name: str, currency: str = "GBP") -> str:
    made = section.simulator.call(
        lambda world: world.companies[UK].insert(
            "Customer",
            {
                "DisplayName": name,
                "FullyQualifiedName": name,
                "Active": True,
                "Job": False,
                "Balance": 0,
                "CurrencyRef": {"value": currency},
            },
        )
    )
    return str(made["Id"])


def test_a_client_is_linked_to_an_existing_customer(section: Section, ada: Client, ids: dict[str, int]) -> None:
    known = qbo_customer(section, "Old Harbour Company")
    section.pipeline.ingest(event(kompass_client("c9", name="Harbour Nine")))
    found = ada.get(f"{ROOT}customer/search-quickbooks/?configuration=1&q=Old").json()["customers"]
    assert [(one["id"], one["label"]) for one in found] == [(known, "Old Harbour Company (GBP)")]
    # QuickBooks refuses a query that holds such a name.
    elsewhere = qbo_customer(section, "Łoś – Company")
    found = ada.get(f"{ROOT}customer/search-quickbooks/?configuration=1&q=ŁOŚ –").json()["customers"]
    assert [one["id"] for one in found] == [elsewhere]
    answer = ada.post(f"{ROOT}customer/add/", {"configuration": "1", "client": "c9", "customer": known}, follow=True)
    assert "is linked to Old Harbour Company" in words(answer)
    section.pipeline.drive()
    link = Customer.objects.get(kompass_id="c9")
    assert (link.qbo_id, link.adopted, link.state) == (known, True, "synced")
    assert section.pipeline.object_id(UK, "Customer", "Old Harbour Company") == known, "what it says there stays"


def test_linking_one_customer_twice_is_warned_of(section: Section, ada: Client, ids: dict[str, int]) -> None:
    taken = Customer.objects.get(kompass_id="c1").qbo_id
    section.pipeline.ingest(event(kompass_client("c9", name="Harbour Nine")))
    given = {"configuration": "1", "client": "c9", "customer": taken}
    page = words(ada.post(f"{ROOT}customer/add/", given))
    assert "is linked to Harbour & Sons c1 already" in page
    assert not Customer.objects.filter(kompass_id="c9", qbo_id__isnull=False).exists()
    ada.post(f"{ROOT}customer/add/", {**given, "twice": "1"})
    assert Customer.objects.get(kompass_id="c9", adopted=True).qbo_id == taken


def in_quickbooks(section: Section, **wanted: Any) -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = section.simulator.call(lambda world: bookkeeper.edit(world.companies[UK], wanted))
    return made


def test_a_client_whose_customer_was_merged_is_linked_to_the_one_that_is_left(
    section: Section, ada: Client, ids: dict[str, int]
) -> None:
    members = {"DisplayName": "Old Harbour Company", "CurrencyRef": {"value": "GBP"}}
    left = in_quickbooks(section, action="create", entity="Customer", members=members)[0]["Id"]
    job, gone = (Link.objects.get(kind=kind, kompass_id=one) for kind, one in (("project", "p1"), ("client", "c1")))
    given = {"configuration": "1", "client": "c1", "customer": left}
    assert "which is active there" in words(ada.post(f"{ROOT}customer/add/", given))
    for merged in (job, gone):
        in_quickbooks(section, action="merge", id=merged.qbo_id, into=left)
    Configuration.objects.update(project_customers=False)
    section.pipeline.ingest(event(invoice("new")))
    section.pipeline.drive()
    assert Link.objects.get(kompass_id="new").state == "failed"
    assert 'value="c1"' in ada.get(f"{ROOT}customer/add/?configuration=1").content.decode()
    assert "is linked to Old Harbour Company" in words(ada.post(f"{ROOT}customer/add/", given, follow=True))
    section.pipeline.drive()
    assert Link.objects.get(kompass_id="new").state == "synced"


def test_what_was_there_before_is_linked_in_bulk_and_only_after_a_yes(
    section: Section, ada: Client, ids: dict[str, int]
) -> None:
    known = qbo_customer(section, "Harbour Nine")
    qbo_customer(section, "Harbour Ten", "EUR")
    matches = f"{ROOT}configuration/1/match-customers/"
    assert "QuickBooks was not read yet" in words(ada.get(matches))
    ada.post(matches)
    section.pipeline.ingest(event(kompass_client("c9", name="Harbour Nine")))
    section.pipeline.ingest(event(kompass_client("c10", name="Harbour Ten")))
    page = ada.get(matches).content.decode()
    assert "it is in EUR there, not GBP" in page
    assert not Link.objects.filter(adopted=True).exists()
    (ticked,) = re.findall(r'name="pair" value="([^"]+)" id="[^"]+" checked', page)
    done = words(ada.post(matches, {"link": "1", "pair": [ticked]}, follow=True))
    assert "1 record linked to what QuickBooks has already." in done
    assert Link.objects.get(adopted=True).qbo_id == known
    ada.post(matches, {"link": "1", "pair": ["1:Customer:forged", "forged"]})
    assert Link.objects.filter(adopted=True).count() == 1


def test_a_display_name_of_its_own_goes_to_quickbooks(section: Section, ada: Client, ids: dict[str, int]) -> None:
    ada.post(f"{ROOT}customer/{ids['customer']}/change/", {"name_override": "Harbour (client)"})
    section.pipeline.drive()
    assert "Harbour (client)" in {one["DisplayName"] for one in section.pipeline.objects("Customer")}
    page = words(ada.post(f"{ROOT}customer/{ids['customer']}/change/", {"name_override": "A: B"}))
    assert "allows no colon" in page


def test_a_link_made_by_hand_can_be_taken_back(section: Section, ada: Client, ids: dict[str, int]) -> None:
    known = qbo_customer(section, "Old Harbour Company")
    section.pipeline.ingest(event(kompass_client("c9", name="Harbour Nine")))
    customer = manual_link.customer_by_id(section.configuration(), known)
    assert customer is not None
    link = manual_link.link_by_hand(section.configuration(), kompass_id="c9", customer=customer, by="ada")
    section.pipeline.drive()
    ada.post(f"{ROOT}customer/{link.pk}/remove-link/")
    section.pipeline.drive()
    link.refresh_from_db()
    assert link.adopted is False
    assert link.qbo_id != known


# --- sync errors


def test_errors_are_grouped_and_lead_to_the_field(section: Section, ada: Client, ids: dict[str, int]) -> None:
    Failure.objects.all().delete()
    TaxCodeVatRate.objects.all().delete()
    for number in range(3):
        section.pipeline.ingest(event(invoice(f"x{number}", of=project("p1"))))
    section.pipeline.drive()
    page = ada.get(f"{ROOT}failure/")
    assert "3 invoices need attention: Standard 20 % has no QuickBooks tax code" in words(page)
    assert f"{ROOT}taxcodevatrate/add/?configuration=1&amp;vat_rate=" in page.content.decode()
    ada.post(f"{ROOT}failure/try-again/", {"org": "org-uk", "cause": "no-tax-code:vat-20"})
    assert Failure.objects.filter(replay_asked_at__isnull=False).count() == 3
    assert Link.objects.filter(kind="invoice", again=True).count() == 3


@pytest.mark.parametrize("side", ["kompass", "quickbooks"])
def test_a_person_decides_a_conflict(section: Section, ada: Client, ids: dict[str, int], side: str) -> None:
    Failure.objects.all().delete()
    (document,) = section.pipeline.objects("Invoice")

    def edit(world: object) -> None:
        from simulator import bookkeeper

        lines = [dict(document["Line"][0], Amount=77)]
        lines[0]["SalesItemLineDetail"] = {
            key: value for key, value in lines[0]["SalesItemLineDetail"].items() if key not in ("Qty", "UnitPrice")
        }
        bookkeeper.edit(
            world.companies[UK],  # type: ignore[attr-defined]
            {"action": "update", "entity": "Invoice", "id": document["Id"], "members": {"Line": lines}},
        )

    section.simulator.call(edit)
    section.pipeline.ingest(event(invoice("i1", sequence=2, lines=(line("130.00"),))))
    section.pipeline.drive()
    failure = Failure.objects.get(closed_at=None)
    page = words(ada.get(f"{ROOT}failure/{failure.pk}/change/"))
    assert "Both sides, amounts in GBP Field QuickBooks says Kompass says" in page
    assert " Lines " in page, "a member has a name"
    assert "Billing address" not in page, "a country that QuickBooks writes as a code is no difference"
    assert "Compare both sides below" in page
    assert "77.00" in page
    assert "130.00" in page
    assert "Send what Kompass says" in page
    ada.post(f"{ROOT}failure/{failure.pk}/choose/", {"side": side})
    section.pipeline.drive()
    assert not Failure.objects.filter(closed_at=None).exists()
    (document,) = section.pipeline.objects("Invoice")
    assert document["Line"][0]["Amount"] == (130 if side == "kompass" else 77)
    assert Invoice.objects.get().state == "synced"


def test_what_was_taken_back_in_a_closed_period_is_not_offered_to_be_sent(
    section: Section, ada: Client, ids: dict[str, int]
) -> None:
    Failure.objects.all().delete()
    closed = {"action": "close_books", "date": "2026-12-31"}
    section.simulator.call(lambda world: bookkeeper.edit(world.companies[UK], closed))
    lists.facts_listing(UK, "tax_codes", refresh=True)
    section.pipeline.ingest(event(invoice("i1", sequence=2, step=Step.REJECTED)))
    section.pipeline.drive()
    failure = Failure.objects.get(closed_at=None)
    assert failure.cause == "books-closed"
    page = words(ada.get(f"{ROOT}failure/{failure.pk}/change/"))
    assert "Keep what QuickBooks says" in page
    assert "Send what Kompass says" not in page


def test_preview_shows_what_would_be_sent_and_calls_nothing(section: Section, ada: Client, ids: dict[str, int]) -> None:
    ItemService.objects.all().delete()
    before = section.requests()
    page = words(ada.get(f"{ROOT}invoice/{ids['invoice']}/preview/"))
    assert "would be updated in QuickBooks" in page
    assert "Default Item ID" in page, "the reason of the choice"
    assert section.requests() == before


def test_a_company_without_classes_is_not_asked_for_them(section: Section, ada: Client, ids: dict[str, int]) -> None:
    section.simulator.call(
        lambda world: (
            world.companies[UK]
            .tables["Preferences"]["1"]["AccountingInfoPrefs"]
            .update({"ClassTrackingPerTxnLine": False})
        )
    )
    lists.facts_listing(UK, "tax_codes", refresh=True)
    page = words(ada.get(f"{ROOT}configuration/1/change/"))
    assert "does not use Classes" in page
    assert not CompanyList.objects.filter(what="classes").exists()
