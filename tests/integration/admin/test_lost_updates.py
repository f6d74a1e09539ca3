"""Two people save the same: the second is refused with what the first changed, and keeps what was typed."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import pytest
from django.test import Client

from admin.quickbooks_online.models import Configuration, Customer, CustomField, Department, ItemService, Service
from simulator import CANADA, UK, USA
from tests.admin_story_light import full_house
from tests.builders import event, invoice
from tests.integration.admin.conftest import Section, words
from tests.integration.admin.test_pages import form_of

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


def test_a_forged_value_is_as_none(section: Section, ada: Client, ids: dict[str, int]) -> None:
    Configuration.objects.update(notification_recipients=["a@example.com"])
    form = form_of(section.configuration(), opened="W10:forged:value")
    assert ada.post(f"{ROOT}configuration/1/change/", form).status_code == 302
