"""Two people save the same: the second is refused with what the first changed, and keeps what was typed."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import pytest
from django.test import Client

from admin.quickbooks_online.models import (
    Activity,
    CompanyConnection,
    Configuration,
    Customer,
    CustomField,
    Department,
    Failure,
    ItemService,
    Link,
    Service,
)
from simulator import CANADA, UK, USA, bookkeeper
from tests.admin_story_light import full_house
from tests.builders import client, event, invoice, line
from tests.integration.admin.conftest import Section, words
from tests.integration.admin.test_pages import form_of, qbo_customer

ROOT = "/admin/quickbooks_online/"


@pytest.fixture
def ada(section: Section) -> Client:
    return section.person(group=True)


@pytest.fixture
def bob(section: Section) -> Client:
    return section.person("bob", group=True, first_name="Bob", last_name="Carter")


@pytest.fixture
def ids(section: Section) -> dict[str, int]:
    return full_house(section.pipeline)


def shown(client: Client, where: str) -> dict[str, str]:
    """The hidden fields of a page, as a browser sends them back."""
    page = client.get(f"{ROOT}{where}").content.decode()
    hidden = [tag for tag in re.findall(r"<input[^>]*>", page) if 'type="hidden"' in tag and "opened" in tag]
    assert hidden, "the page says what it was opened with"
    return {re.findall(r'name="([^"]+)"', tag)[0]: unescape(re.findall(r'value="([^"]*)"', tag)[0]) for tag in hidden}


def test_a_configuration_of_each_locale(section: Section, ada: Client, bob: Client) -> None:
    for org, name, realm in (
        ("org-uk", "Meridian Geomatics Ltd", UK),
        ("org-ca", "Northern Survey Inc", CANADA),
        ("org-us", "Prairie Design LLC", USA),
    ):
        section.pipeline.link(org, name, realm=realm)
    for configuration in Configuration.objects.all():
        Configuration.objects.filter(pk=configuration.pk).update(notification_recipients=["a@example.com"])
        configuration.refresh_from_db()
        where = f"configuration/{configuration.pk}/change/"
        opened = shown(ada, where)
        theirs = form_of(configuration, **shown(bob, where), default_item_id="2", project_customers=None)
        assert bob.post(ROOT + where, theirs).status_code == 302
        mine = form_of(configuration, **opened, doc_number_template="{{ invoice.reference }}-A")
        answer = ada.post(ROOT + where, mine)
        page = words(answer)
        assert "Nothing was saved: Bob Carter changed it at" in page
        items = dict(answer.context["adminform"].form.fields["default_item_id"].choices)
        assert f"Default Item ID: {items[configuration.default_item_id]} → {items['2']}" in page
        assert "Project customers: on → off" in page
        assert "{{ invoice.reference }}-A" in unescape(answer.content.decode()), "what was typed is kept"
        shown_now = answer.context["adminform"].form
        assert shown_now["doc_number_template"].value() == "{{ invoice.reference }}-A"
        assert shown_now["default_item_id"].value() == "2", (
            "what was not touched is the other's: saving again takes nothing back"
        )
        assert not shown_now["project_customers"].value()
        configuration.refresh_from_db()
        assert (configuration.default_item_id, configuration.project_customers) == ("2", False)
        assert configuration.doc_number_template == "{{ invoice.reference }}"
        # Seen and sent again: now it is saved.
        again = unescape(re.findall(r'name="opened" value="([^"]*)"', answer.content.decode())[0])
        assert ada.post(ROOT + where, {**mine, "opened": again}).status_code == 302
        configuration.refresh_from_db()
        assert configuration.doc_number_template == "{{ invoice.reference }}-A"


def test_what_the_pipeline_and_other_pages_write_is_no_conflict(
    section: Section, ada: Client, ids: dict[str, int]
) -> None:
    Configuration.objects.update(notification_recipients=["a@example.com"])
    configuration = section.configuration()
    opened = shown(ada, "configuration/1/change/")
    ItemService.objects.update(item_id="3")
    assert section.configuration().version > configuration.version
    answer = ada.post(f"{ROOT}configuration/1/change/", form_of(configuration, **opened, vat_numbers=None))
    assert answer.status_code == 302


def test_a_company_linked_meanwhile_stays(section: Section, ada: Client, ids: dict[str, int]) -> None:
    Configuration.objects.update(notification_recipients=["a@example.com"])
    form = form_of(section.configuration(), **shown(ada, "configuration/1/change/"), doc_number_template="{{ 1 }}")
    version = section.configuration().realm_version
    assert ada.post(f"{ROOT}configuration/1/change/", form).status_code == 302
    assert section.configuration().realm_version == version
    assert section.configuration().realm_id == UK


def test_a_mapping_row(ada: Client, bob: Client, ids: dict[str, int]) -> None:
    row = ItemService.objects.get()
    where = f"itemservice/{row.pk}/change/"
    opened = shown(ada, where)
    assert bob.post(ROOT + where, {"item_id": "3", "class_id": "", **shown(bob, where)}).status_code == 302
    page = words(ada.post(ROOT + where, {"item_id": "2", "class_id": "5000000000000000001", **opened}))
    assert "Bob Carter changed it at" in page
    assert "QBO Item:" in page
    assert ItemService.objects.get().item_id == "3"


def rows_of(configuration: int, **changes: Any) -> dict[str, Any]:
    rows = list(CustomField.objects.filter(configuration_id=configuration).order_by("name"))
    posted: dict[str, Any] = {"_save": "Save", "form-TOTAL_FORMS": len(rows), "form-INITIAL_FORMS": len(rows)}
    for number, row in enumerate(rows):
        posted |= {
            f"form-{number}-id": row.pk,
            f"form-{number}-definition_id": row.definition_id,
            f"form-{number}-template": changes.get(row.name, row.template),
        }
    return posted


def test_a_list_saves_only_the_rows_that_were_touched(ada: Client, bob: Client, ids: dict[str, int]) -> None:
    CustomField.objects.create(
        configuration_id=1, realm_id=UK, definition_id="2", name="Account manager", template="{{ 1 }}"
    )
    where = f"{ROOT}customfield/"
    mine, opened = rows_of(1, **{"Account manager": "{{ 2 }}"}), shown(ada, "customfield/")
    theirs = {**rows_of(1, **{"Kompass reference": "{{ 3 }}"}), **shown(bob, "customfield/")}
    assert bob.post(where, theirs).status_code == 302
    assert ada.post(where, {**mine, **opened}).status_code == 302
    assert {one.name: one.template for one in CustomField.objects.all()} == {
        "Kompass reference": "{{ 3 }}",
        "Account manager": "{{ 2 }}",
    }
    # The same row: refused.
    mine, opened = rows_of(1, **{"Account manager": "{{ 4 }}"}), shown(ada, "customfield/")
    assert bob.post(where, rows_of(1, **{"Account manager": "{{ 5 }}"})).status_code == 302
    page = words(ada.post(where, {**mine, **opened}))
    assert "Bob Carter changed it at" in page
    assert "{{ 2 }} → {{ 5 }}" in page
    assert CustomField.objects.get(name="Account manager").template == "{{ 5 }}"


def test_what_somebody_else_mapped_first_is_named(section: Section, ada: Client, bob: Client) -> None:
    section.pipeline.link()
    section.pipeline.ingest(event(invoice("i1")))
    service = Service.objects.get()
    bob.post(f"{ROOT}itemservice/map-seen/", {"configuration": "1", f"qbo-{service.pk}": "2"})
    page = words(
        ada.post(f"{ROOT}itemservice/map-seen/", {"configuration": "1", f"qbo-{service.pk}": "3"}, follow=True)
    )
    assert f"{ItemService.objects.get()}: Bob Carter changed it at" in page
    assert "Your choice was not saved." in page
    assert ItemService.objects.get().item_id == "2"
    assert Department.objects.exists()


def test_an_override_of_a_name(ada: Client, bob: Client, ids: dict[str, int]) -> None:
    where = f"customer/{ids['customer']}/change/"
    opened = shown(ada, where)
    assert bob.post(ROOT + where, {"name_override": "Bob's", **shown(bob, where)}).status_code == 302
    page = words(ada.post(ROOT + where, {"name_override": "Ada's", **opened}))
    assert "Bob Carter changed it at" in page
    assert "DisplayName override: empty → Bob's" in page
    assert Customer.objects.get(pk=ids["customer"]).name_override == "Bob's"


def test_enabling_twice_keeps_the_first_start_date(section: Section, ada: Client, ids: dict[str, int]) -> None:
    Configuration.objects.update(enabled=False, notification_recipients=["a@example.com"])
    where = f"{ROOT}configuration/1/going-live/"
    assert ada.post(where, {"start_date": "2026-02-01"}).status_code == 302
    assert "is enabled already. Nothing was changed." in words(ada.post(where, {"start_date": "2020-01-01"}))
    assert f"{section.configuration().start_date}" == "2026-02-01"


def test_enabling_keeps_a_start_date_that_was_stored_meanwhile(
    section: Section, ada: Client, bob: Client, ids: dict[str, int]
) -> None:
    Configuration.objects.update(enabled=False, notification_recipients=["a@example.com"])
    where = f"{ROOT}configuration/1/going-live/"
    opened = shown(ada, "configuration/1/going-live/")
    form = form_of(section.configuration(), **shown(bob, "configuration/1/change/"), start_date="2026-05-01")
    assert bob.post(f"{ROOT}configuration/1/change/", form).status_code == 302
    answer = ada.post(where, {"start_date": "2026-03-01", **opened})
    page = words(answer)
    assert "It was not enabled: Bob Carter changed it at" in page
    assert "Start date: empty → 2026-05-01" in page
    assert not section.configuration().enabled
    again = {"opened": answer.context["opened"]}
    assert ada.post(where, {"start_date": "2026-03-01", **again}).status_code == 302
    assert (section.configuration().enabled, f"{section.configuration().start_date}") == (True, "2026-03-01")


def test_a_deletion_counts_for_the_row_that_was_shown(ada: Client, bob: Client, ids: dict[str, int]) -> None:
    row = ItemService.objects.get()
    where = f"itemservice/{row.pk}/delete/"
    opened = shown(ada, where)
    assert bob.post(f"{ROOT}itemservice/{row.pk}/change/", {"item_id": "3", "class_id": ""}).status_code == 302
    page = words(ada.post(ROOT + where, {"post": "yes", **opened}, follow=True))
    assert "Nothing was deleted: Bob Carter changed it at" in page
    assert ItemService.objects.get().item_id == "3"
    assert ada.post(ROOT + where, {"post": "yes", **shown(ada, where)}).status_code == 302
    assert not ItemService.objects.exists()


def test_only_differences_that_were_shown_are_resent(
    section: Section, ada: Client, bob: Client, ids: dict[str, int]
) -> None:
    where = "configuration/1/impact/"
    row = ItemService.objects.get()
    ItemService.objects.update(item_id="3")
    opened = shown(ada, where)
    assert bob.post(f"{ROOT}itemservice/{row.pk}/change/", {"item_id": "4", "class_id": ""}).status_code == 302
    page = words(ada.post(ROOT + where, {"link": [str(ids["invoice"])], **opened}, follow=True))
    assert "Nothing was resent: bob changed the configuration at" in page
    assert "(1 changed: LiDAR → " in page
    assert not Link.objects.filter(again=True).exists()
    page = words(ada.post(ROOT + where, {"link": [str(ids["invoice"])], **shown(ada, where)}, follow=True))
    assert "1 will be resent" in page
    assert Link.objects.filter(again=True).count() == 1


def edited_on_both_sides(section: Section, amount: int, sequence: int) -> Failure:
    """An invoice that a bookkeeper and Kompass have changed; gives its open failure."""
    (document,) = section.pipeline.objects("Invoice")
    detail = document["Line"][0]["SalesItemLineDetail"]
    kept = {name: detail[name] for name in ("ItemRef", "TaxCodeRef")}
    line_of = {**document["Line"][0], "Amount": amount, "SalesItemLineDetail": kept}
    wanted = {"action": "update", "entity": "Invoice", "id": document["Id"], "members": {"Line": [line_of]}}
    section.simulator.call(lambda world: bookkeeper.edit(world.companies[UK], wanted))
    section.pipeline.ingest(event(invoice("i1", sequence=sequence, lines=(line(f"{100 + 10 * sequence}.00"),))))
    section.pipeline.drive()
    return Failure.objects.get(closed_at=None)


def test_a_side_that_another_person_chose_first_stays(
    section: Section, ada: Client, bob: Client, ids: dict[str, int]
) -> None:
    Failure.objects.all().delete()
    failure = edited_on_both_sides(section, 77, 2)
    page, choose = f"failure/{failure.pk}/change/", f"{ROOT}failure/{failure.pk}/choose/"
    opened = shown(ada, page)
    bob.post(choose, {"side": "quickbooks", **shown(bob, page)})
    said = words(ada.post(choose, {"side": "kompass", **opened}, follow=True))
    assert "Nothing was changed: this error is closed by now (bob chose what QuickBooks says)." in said
    section.pipeline.drive()
    (document,) = section.pipeline.objects("Invoice")
    assert document["Line"][0]["Amount"] == 77
    assert [(one.by, one.what) for one in Activity.objects.all()] == [("bob", "Chose what QuickBooks says.")]

    # Not carried out yet, and so not closed.
    failure = edited_on_both_sides(section, 78, 3)
    page, choose = f"failure/{failure.pk}/change/", f"{ROOT}failure/{failure.pk}/choose/"
    opened = shown(ada, page)
    bob.post(choose, {"side": "kompass", **shown(bob, page)})
    said = words(ada.post(choose, {"side": "quickbooks", **opened}, follow=True))
    assert "Nothing was changed: Bob Carter changed it at" in said
    section.pipeline.drive()
    (document,) = section.pipeline.objects("Invoice")
    assert document["Line"][0]["Amount"] == 130


def test_a_side_counts_as_it_was_shown(section: Section, ada: Client, ids: dict[str, int]) -> None:
    Failure.objects.all().delete()
    failure = edited_on_both_sides(section, 77, 2)
    page, choose = f"failure/{failure.pk}/change/", f"{ROOT}failure/{failure.pk}/choose/"
    opened = shown(ada, page)
    edited_on_both_sides(section, 99, 3)
    said = words(ada.post(choose, {"side": "kompass", **opened}, follow=True))
    assert "the two sides are no longer those that you saw" in said
    assert "99.00" in said
    assert not Link.objects.filter(overwrite=True).exists()


def test_a_match_that_another_person_decided_first_stays(
    section: Section, ada: Client, bob: Client, ids: dict[str, int]
) -> None:
    matches = f"{ROOT}configuration/1/match-customers/"
    for name in ("Harbour Nine", "Harbour Ten"):
        qbo_customer(section, name)
    ada.post(matches)
    section.pipeline.ingest(event(client("c9", name="Harbour Nine")), event(client("c10", name="Harbour Ten")))
    pairs = re.findall(r'name="pair" value="([^"]+)"', ada.get(matches).content.decode())
    links = [Link.objects.get(kompass_id=one).pk for one in ("c9", "c10")]
    nine, ten = (next(pair for pair in pairs if pair.startswith(f"{pk}:")) for pk in links)
    bob.post(matches, {"link": "1", "pair": [nine]})
    bob.post(matches, {"another": "1", "pair": [ten]})
    said = words(ada.post(matches, {"another": "1", "pair": [nine]}, follow=True))
    assert "Client Harbour Nine no longer waits for a decision: bob linked it to the Customer Harbour Nine" in said
    assert "Your choice was not saved." in said
    assert "will be sent as new" not in said
    linked = Link.objects.get(kompass_id="c9")
    assert (linked.adopted, linked.overwrite) == (True, False), "what QuickBooks says of it is not written over"
    said = words(ada.post(matches, {"link": "1", "pair": [ten]}, follow=True))
    assert "Client Harbour Ten no longer waits for a decision: bob said that what QuickBooks has is another one" in said
    assert Link.objects.get(kompass_id="c10").qbo_id is None
    assert [(one.by, one.what) for one in Activity.objects.order_by("pk")] == [
        ("bob", "Linked to what QuickBooks had already: client Harbour Nine."),
        ("bob", "Chose to send as new: client Harbour Ten."),
    ], "the log says who linked and who decided"


def test_a_client_that_another_person_linked_first_stays(
    section: Section, ada: Client, bob: Client, ids: dict[str, int]
) -> None:
    one, two = qbo_customer(section, "Old Harbour Company"), qbo_customer(section, "Older Harbour Company")
    section.pipeline.ingest(event(client("c9", name="Harbour Nine")))
    given = {"configuration": "1", "client": "c9"}
    assert bob.post(f"{ROOT}customer/add/", {**given, "customer": one}).status_code == 302
    said = words(ada.post(f"{ROOT}customer/add/", {**given, "customer": two}))
    assert "Harbour Nine is linked to the QuickBooks customer Old Harbour Company already" in said
    assert Customer.objects.get(kompass_id="c9").qbo_id == one
    assert [row.what for row in Activity.objects.all()] == [
        f"Linked to the QuickBooks customer Old Harbour Company ({one})."
    ]


def test_a_link_by_hand_counts_for_what_was_shown(
    section: Section, ada: Client, bob: Client, ids: dict[str, int]
) -> None:
    where, link = f"project/{ids['project']}/change/", f"{ROOT}project/{ids['project']}/link-existing/"
    opened = shown(ada, where)
    payer = Link.objects.get(kind="client").qbo_id
    made = [
        section.simulator.call(
            lambda world, name=name: bookkeeper.edit(
                world.companies[UK], {"action": "project", "name": name, "customer": payer}
            )
        )[0]["Id"]
        for name in ("Quay one", "Quay two")
    ]
    bob.post(link, {"qbo_id": made[0], **shown(bob, where)})
    said = words(ada.post(link, {"qbo_id": made[1], **opened}, follow=True))
    assert "Nothing was changed: Bob Carter changed it at" in said
    assert Link.objects.get(kind="project").qbo_id == made[0]

    # A customer: what Ada wants to remove is not what Bob linked since.
    one = qbo_customer(section, "Old Harbour Company")
    section.pipeline.ingest(event(client("c9", name="Harbour Nine")))
    given = {"configuration": "1", "client": "c9", "customer": one}
    bob.post(f"{ROOT}customer/add/", given)
    pk = Link.objects.get(kompass_id="c9").pk
    opened = shown(ada, f"customer/{pk}/change/")
    bob.post(f"{ROOT}customer/{pk}/remove-link/")
    bob.post(f"{ROOT}customer/add/", {**given, "customer": qbo_customer(section, "Older Harbour Company")})
    assert "Nothing was changed" in words(ada.post(f"{ROOT}customer/{pk}/remove-link/", opened, follow=True))
    assert Link.objects.get(pk=pk).name == "Older Harbour Company"


def test_a_company_that_was_linked_meanwhile_is_not_disconnected(
    section: Section, ada: Client, ids: dict[str, int]
) -> None:
    where = "configuration/1/disconnect/"
    opened = shown(ada, where)
    Configuration.objects.update(realm_id=CANADA)
    assert "Nothing was changed" in words(ada.post(ROOT + where, opened, follow=True))
    assert CompanyConnection.objects.get().state == "connected"


def test_a_forged_value_is_as_none(section: Section, ada: Client, ids: dict[str, int]) -> None:
    Configuration.objects.update(notification_recipients=["a@example.com"])
    form = form_of(section.configuration(), opened="W10:forged:value")
    assert ada.post(f"{ROOT}configuration/1/change/", form).status_code == 302
