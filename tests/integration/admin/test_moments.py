"""Moments between pages: a session that ended, the address of a button, what help texts and messages promise."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from typing import Any

import pytest
from django.test import Client
from django.urls import URLResolver, get_resolver

from admin.quickbooks_online.models import Configuration, DepartmentClass, ItemService, Link, TaxCodeVatRate
from admin.quickbooks_online.naming import Names
from admin.quickbooks_online.preview import shown
from simulator import UK
from tests.admin_story_light import full_house
from tests.integration.admin.conftest import Section, words
from tests.integration.admin.test_pages import form_of

ROOT = "/admin/quickbooks_online/"


@pytest.fixture
def ada(section: Section) -> Client:
    return section.person(group=True)


@pytest.fixture
def ids(section: Section) -> dict[str, int]:
    return full_house(section.pipeline)


def test_a_form_that_is_sent_after_the_session_ended_is_kept(
    section: Section, ada: Client, ids: dict[str, int]
) -> None:
    Configuration.objects.update(notification_recipients=["a@example.com"])
    where = f"{ROOT}configuration/1/change/"
    form = form_of(section.configuration(), doc_number_template="{{ invoice.reference }}-X")
    person = ada.get(where).context["user"]
    ada.logout()
    answer = ada.post(where, form)
    assert answer["Location"] == f"/admin/login/?next={where}"
    assert section.configuration().doc_number_template == "{{ invoice.reference }}"
    ada.force_login(person)
    page = ada.get(where).content.decode()
    assert "Your session ended before the form was sent" in page
    kept = {unescape(name): unescape(value) for name, value in re.findall(r'name="([^"]+)" value="([^"]*)"', page)}
    assert kept.pop("csrfmiddlewaretoken", "")
    assert kept["doc_number_template"] == "{{ invoice.reference }}-X"
    assert ada.post(where, kept).status_code == 302
    assert section.configuration().doc_number_template == "{{ invoice.reference }}-X"
    assert "Your session ended" not in ada.get(where).content.decode(), "it is offered once"


def test_a_page_that_is_older_than_the_sign_in_is_offered_again(
    section: Section, ada: Client, ids: dict[str, int]
) -> None:
    Configuration.objects.update(notification_recipients=["a@example.com"])
    where, own = f"{ROOT}configuration/1/change/", {"origin": "http://testserver"}
    form = form_of(section.configuration(), doc_number_template="{{ invoice.reference }}-Y")
    stale = {**form, "csrfmiddlewaretoken": "x" * 64}
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(ada.get(where).context["user"])
    strict.get(where)
    answer = strict.post(where, stale, headers=own)
    page = answer.content.decode()
    assert answer.status_code == 403
    assert "This page was opened before you signed in again" in page
    kept = {unescape(name): unescape(value) for name, value in re.findall(r'name="([^"]+)" value="([^"]*)"', page)}
    assert strict.post(where, kept, headers=own).status_code == 302
    assert section.configuration().doc_number_template == "{{ invoice.reference }}-Y"
    # A form that another site sends is not offered, and one that is sent without a session is kept for the sign-in.
    answer = strict.post(where, stale, headers={"origin": "https://elsewhere.example"})
    assert answer.status_code == 403
    assert "Send the form now" not in answer.content.decode()
    strict.logout()
    assert strict.post(where, stale, headers=own)["Location"] == f"/admin/login/?next={where}"
    assert strict.session["kept_form"]["path"] == where


def test_a_button_pressed_after_the_session_ended_is_offered_again(ada: Client, ids: dict[str, int]) -> None:
    where = f"{ROOT}invoice/{ids['invoice']}/resend/"
    person = ada.get(f"{ROOT}invoice/").context["user"]
    ada.logout()
    assert ada.post(where).status_code == 302
    ada.force_login(person)
    answer = ada.get(where)
    assert answer.status_code == 200
    assert "Send the form now" in answer.content.decode()


def test_the_address_of_a_button_says_what_it_is(ada: Client, ids: dict[str, int]) -> None:
    for where in (f"invoice/{ids['invoice']}/resend/", "itemservice/map-seen/", "failure/try-again/"):
        answer = ada.get(ROOT + where)
        assert (answer.status_code, answer["Allow"]) == (405, "POST")
        assert "This is the address of a button, not of a page. Nothing was changed." in words(answer)
        assert "Open the list" in words(answer)


def addresses(patterns: Any, before: str = "/") -> Iterator[str]:
    """Every address of the section, with the first row of each."""
    for one in patterns:
        route = before + str(one.pattern)
        if isinstance(one, URLResolver):
            yield from addresses(one.url_patterns, route)
        elif route.startswith(ROOT):
            yield route.replace("<path:object_id>", "1").replace("<slug:what>", "items")


def test_every_address_answers_in_words(section: Section, ada: Client, ids: dict[str, int]) -> None:
    buttons = 0
    for where in addresses(get_resolver().url_patterns):
        answer = ada.get(where)
        assert answer.status_code in (200, 302, 400, 403, 404, 405), where
        if answer.status_code == 405:
            buttons += 1
            assert "This is the address of a button, not of a page. Nothing was changed." in words(answer), where
        elif answer.status_code == 400:
            assert "Go back to the Configurations list" in words(answer), where
    assert buttons >= 15


@pytest.mark.parametrize("value", ["\0", "a\0b", "9" * 40, "-1", "²", "x", "2026-13", "itemservice:" + "9" * 30])
def test_no_address_ends_in_an_error_of_the_server(ada: Client, ids: dict[str, int], value: str) -> None:
    names = (
        "org", "state__exact", "cause", "month", "sums", "company", "q", "configuration__id__exact", "p", "o", "configuration",
        "client", "row", "start_date", "page", "as", "vat_rate", "enabled__exact", "locale", "connection__state", "term", "nothing",
    )  # fmt: skip
    everything = dict.fromkeys(names, value)
    lists = ("invoice/", "customer/", "project/", "itemservice/", "configuration/")
    pages = (
        "", "failure/", "failure/export/", "invoice/export/", "customer/export/", "itemservice/export/", "itemservice/template/",
        "customer/add/", "taxcodevatrate/add/", "configuration/1/activity/", "configuration/1/impact/", "configuration/1/going-live/",
        "configuration/1/lists/items/", "customer/search-quickbooks/", "project/search-quickbooks/", "configuration/add/",
    )  # fmt: skip
    for where in pages:
        assert ada.get(ROOT + where, everything).status_code < 500, where
    for where in lists:
        for name in names:
            assert ada.get(ROOT + where, {name: value}).status_code < 500, (where, name)
    posted = {
        **dict.fromkeys(
            ("entry", "next", "side", "failure", "link", "pair", "qbo_id", "customer", "remove", "template"), value
        )
    }
    for where in (
        "failure/try-again/", f"failure/{ids['failure']}/choose/", "configuration/1/undo/", "configuration/1/impact/",
        "configuration/1/match-customers/", "configuration/1/going-live/", "itemservice/map-seen/", "customer/add/",
        f"project/{ids['project']}/link-existing/", "configuration/template-preview/", "configuration/1/change/",
    ):  # fmt: skip
        assert ada.post(ROOT + where, {**everything, **posted, "opened": value}).status_code < 500, where


def test_all_wrong_recipients_are_named_at_once(section: Section, ada: Client, ids: dict[str, int]) -> None:
    form = form_of(section.configuration(), notification_recipients="ada@example.com, bob@@example; carol")
    page = words(ada.post(f"{ROOT}configuration/1/change/", form))
    assert "“bob@@example” is not a mail address." in page
    assert "“carol” is not a mail address." in page


@pytest.mark.parametrize("enabled", [True, False])
def test_a_tested_connection_says_whether_anything_is_sent(
    section: Section, ada: Client, ids: dict[str, int], enabled: bool
) -> None:
    Configuration.objects.update(enabled=enabled)
    page = words(ada.post(f"{ROOT}configuration/", {"action": "test_connection", "_selected_action": ["1"]}))
    assert "Connection successful" in page
    assert ("Enable is off for Meridian Geomatics Ltd: nothing is sent" in page) is not enabled


def test_the_history_does_not_say_that_it_was_enabled_by_a_person_who_left_going_live(
    section: Section, ada: Client, ids: dict[str, int]
) -> None:
    Configuration.objects.update(enabled=False, notification_recipients=["a@example.com"])
    where = f"{ROOT}configuration/1/"
    shown_now = ada.get(f"{where}change/").context["adminform"].form
    typed = {one.name: one.value() for one in shown_now} | {"enabled": True}
    for changes in ({}, {"vat_numbers": not typed["vat_numbers"]}):
        sent = {name: value for name, value in (typed | changes).items() if value not in (None, False)}
        form = {name: "on" if value is True else value for name, value in sent.items()}
        answer = ada.post(f"{where}change/", form | {"notification_recipients": "a@example.com"})
        assert answer["Location"] == f"{where}going-live/"
    assert not section.configuration().enabled
    for page in ("history/", "activity/"):
        said = words(ada.get(where + page))
        assert "Opened Going live. Enable stays off until it is confirmed there." in said, page
        assert "Changed VAT numbers" in said, page
        assert "Enable." not in said, page
        assert "Changed Enable" not in said, page
    ada.post(f"{where}going-live/", {"start_date": "2026-02-01"})
    assert "Enabled, from 2026-02-01." in words(ada.get(f"{where}activity/"))


def test_no_help_text_says_that_nothing_is_lost(ada: Client, ids: dict[str, int]) -> None:
    Configuration.objects.update(enabled=False)
    page = words(ada.get(f"{ROOT}configuration/1/change/"))
    assert "nothing is lost" not in page
    assert "is kept once its Configuration is added, and earlier events are read again" in page


def test_previews_name_what_is_referred_to(ada: Client, ids: dict[str, int]) -> None:
    # The lists are known once a form was opened.
    ada.get(f"{ROOT}itemservice/add/")
    page = words(ada.get(f"{ROOT}invoice/{ids['invoice']}/preview/"))
    assert "item Design" in page
    assert "tax code 20.0% S" in page
    assert "class Architecture" in page
    customer = Link.objects.get(pk=ids["customer"])
    assert customer.name
    assert shown({"value": customer.qbo_id}, Names(UK), "CustomerRef") == customer.name
    assert shown({"value": "no-such"}, Names(UK), "CustomerRef") == "no-such"


def test_deleting_says_what_it_means_with_numbers(section: Section, ada: Client, ids: dict[str, int]) -> None:
    def page(model: str, pk: int) -> str:
        return words(ada.get(f"{ROOT}{model}/{pk}/delete/"))

    rate = TaxCodeVatRate.objects.get(vat_rate__kompass_id="vat-20")
    assert "1 document in QuickBooks may use it. Nothing changes there." in page("taxcodevatrate", rate.pk)
    assert "0 unsent documents and all later ones are refused until it is mapped again." in page(
        "taxcodevatrate", rate.pk
    )
    service = ItemService.objects.get()
    assert "all later ones go to the default item." in page("itemservice", service.pk)
    department = DepartmentClass.objects.get()
    for default, words_of_it in (("", "go without a class."), ("5000000000000000001", "go to the default class.")):
        Configuration.objects.update(default_class_id=default)
        assert f"all later ones {words_of_it}" in page("departmentclass", department.pk)
    with section.pipeline.engine.begin() as db:
        db.exec_driver_sql("UPDATE qbo_connection SET state = 'disconnected'")
    said = page("configuration", 1)
    assert "4 mappings of Meridian Geomatics Ltd are deleted. 3 records stay in QuickBooks as before." in said
    assert "events of the Org are no longer kept" in said
