"""Who may see and do what: every page and action, for every kind of person, by GET and by POST, with and without the token."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.test import Client

from simulator import UK
from tests.admin_story_light import full_house
from tests.integration.admin.conftest import Section, words

ROOT = "/admin/quickbooks_online/"


@dataclass(frozen=True)
class Page:
    path: str
    needs: tuple[str, ...]
    """Any of these permissions opens it."""
    method: str = "GET"
    data: tuple[tuple[str, str], ...] = ()

    @property
    def id(self) -> str:
        return f"{self.method} {self.path} {dict(self.data).get('action', '')}".strip()


def listed(model: str) -> Page:
    return Page(f"{model}/", (f"view_{model}", f"change_{model}"))


def action(name: str, codename: str) -> Page:
    return Page("configuration/", (codename,), "POST", (("action", name), ("_selected_action", "1")))


MODELS = (
    "configuration",
    "customer",
    "project",
    "invoice",
    "itemservice",
    "departmentclass",
    "taxcodevatrate",
    "customfield",
)
PAGES = (
    *(listed(model) for model in MODELS),
    *(Page(f"{model}/1/change/", (f"view_{model}", f"change_{model}")) for model in MODELS),
    *(
        Page(f"{model}/add/", (f"add_{model}",))
        for model in ("configuration", "customer", "itemservice", "departmentclass", "taxcodevatrate", "customfield")
    ),
    Page("failure/", ("view_failure",)),
    Page("failure/1/change/", ("view_failure",)),
    Page("failure/try-again/", ("retry_failure",), "POST", (("failure", "1"),)),
    Page("failure/1/choose/", ("resend_invoice",), "POST", (("side", "kompass"),)),
    Page("configuration/1/overview/", ("view_configuration", "change_configuration")),
    Page("configuration/1/activity/", ("view_configuration", "change_configuration")),
    Page("configuration/1/activity/?as=csv", ("view_configuration", "change_configuration")),
    Page("configuration/1/going-live/", ("change_configuration",)),
    Page("configuration/1/going-live/", ("change_configuration",), "POST", (("start_date", "2026-01-01"),)),
    Page("configuration/1/match-customers/", ("add_customer",)),
    Page("configuration/1/match-customers/", ("add_customer",), "POST", (("link", "1"),)),
    Page("configuration/1/impact/", ("view_configuration", "change_configuration")),
    Page("configuration/1/agreement/", ("agree_configuration",)),
    Page("configuration/1/agreement/", ("agree_configuration",), "POST", (("month", "2026-03"),)),
    Page("configuration/1/agreement/", ("agree_configuration",), "POST", (("month", "2026-03"), ("csv", "1"))),
    Page("configuration/1/disconnect/", ("authorize_configuration",)),
    Page("configuration/1/disconnect/", ("authorize_configuration",), "POST"),
    Page("configuration/1/another-company/", ("authorize_configuration",), "POST", (("cancel", "1"),)),
    Page(
        "configuration/template-preview/",
        ("add_configuration", "change_configuration", "add_customfield", "change_customfield"),
        "POST",
        (("name", "doc_number_template"), ("template", "x")),
    ),
    Page(
        "configuration/1/refresh-lists/",
        ("change_configuration", "change_itemservice", "change_taxcodevatrate", "view_configuration"),
        "POST",
    ),
    *(
        Page(f"{model}/1/preview/", (f"view_{model}", f"change_{model}"))
        for model in ("customer", "project", "invoice")
    ),
    *(Page(f"invoice/1/trail/{csv}", ("view_invoice", "change_invoice")) for csv in ("", "?as=csv")),
    *(Page(f"{model}/1/link-existing/", (f"resend_{model}",), "POST") for model in ("customer", "project", "invoice")),
    *(Page(f"{model}/1/resend/", (f"resend_{model}",), "POST") for model in ("customer", "project", "invoice")),
    Page("customer/search-quickbooks/?configuration=1&q=Ha", ("add_customer",)),
    Page("customer/1/remove-link/", ("add_customer",), "POST"),
    *(
        Page(f"{model}/map-seen/", (f"add_{model}",), "POST", (("configuration", "1"),))
        for model in ("itemservice", "departmentclass", "taxcodevatrate", "customfield")
    ),
    *(
        Page(f"{model}/export/", (f"view_{model}", f"change_{model}"))
        for model in ("itemservice", "departmentclass", "taxcodevatrate", "customfield")
    ),
    *(Page(f"{model}/export/", (f"view_{model}", f"change_{model}")) for model in ("customer", "project", "invoice")),
    *(
        Page(f"{model}/", (f"resend_{model}",), "POST", (("action", "try_again"), ("_selected_action", "1")))
        for model in ("customer", "project", "invoice")
    ),
    Page("failure/export/", ("view_failure",)),
    action("authorize", "authorize_configuration"),
    action("test_connection", "test_configuration"),
    action("get_customers", "dump_customers"),
    action("get_jobs", "dump_jobs"),
    action("get_invoices", "dump_invoices"),
)
POSTS = tuple(page for page in PAGES if page.method == "POST")


def address(page: Page, ids: dict[str, int]) -> str:
    model = page.path.partition("/")[0]
    return ROOT + page.path.replace("/1/", f"/{ids.get(model, 1)}/", 1)


def call(client: Client, page: Page, ids: dict[str, int]) -> int:
    where = address(page, ids)
    answer = client.post(where, dict(page.data)) if page.method == "POST" else client.get(where)
    if answer.streaming:
        words(answer)
    return answer.status_code


def allowed(status: int) -> bool:
    return status in (200, 302, 400)


def did(section: Section) -> tuple[object, ...]:
    """What an action could have changed, or asked Intuit for."""
    return (
        section.requests(),
        section.pipeline.rows("qbo_connection")[0].state,
        [row.version for row in section.pipeline.rows("qbo_configuration")],
        [(row.again, row.overwrite, row.refresh_names) for row in section.pipeline.rows("qbo_link")],
        [row.replay_asked_at for row in section.pipeline.rows("qbo_failure")],
    )


@pytest.fixture
def ids(section: Section) -> dict[str, int]:
    return full_house(section.pipeline)


def test_each_permission_opens_its_pages(section: Section, ids: dict[str, int]) -> None:
    """One person for each permission: it opens what names it."""
    codenames = sorted({codename for page in PAGES for codename in page.needs})
    wrong = []
    for codename in codenames:
        person = section.person(codename, codename)
        wrong += [
            f"{codename}: {page.id} stays shut"
            for page in PAGES
            if codename in page.needs and page.method == "GET" and not allowed(call(person, page, ids))
        ]
    assert not wrong, "\n".join(wrong)


def test_no_other_permission_opens_a_page(section: Section, ids: dict[str, int]) -> None:
    """One person with all permissions but those that a page names, at that page: neither one of them nor several open it."""
    every = Permission.objects.filter(content_type__app_label="quickbooks_online")
    people: dict[tuple[str, ...], Client] = {}
    wrong = []
    for page in PAGES:
        if page.needs not in people:
            rest = every.exclude(codename__in=page.needs).values_list("codename", flat=True)
            people[page.needs] = section.person("-".join(page.needs)[:150], *rest)
        before = did(section)
        status = call(people[page.needs], page, ids)
        # Django answers an action one may not run with the list, unchanged.
        if allowed(status) and not (page.method == "POST" and any(name == "action" for name, _ in page.data)):
            wrong.append(f"{page.id} gave {status} without {page.needs}")
        if did(section) != before:
            wrong.append(f"{page.id} did something without {page.needs}")
    assert len(people) > 20
    assert not wrong, "\n".join(wrong)


def test_those_without_any_permission_see_no_section(section: Section, ids: dict[str, int]) -> None:
    group = Group.objects.create(name="Payroll")
    people = {
        "nobody": section.person("nobody"),
        "anonymous": Client(),
        "inactive": section.person("inactive", is_active=False),
        "not-staff": section.person("not-staff", is_staff=False),
        "other-group": section.person("other-group"),
    }
    User.objects.get(username="other-group").groups.add(group)
    before = did(section)
    for who, person in people.items():
        for page in PAGES:
            where = address(page, ids)
            answer = person.post(where, dict(page.data)) if page.method == "POST" else person.get(where)
            if who in ("nobody", "other-group"):
                assert answer.status_code == 403, (who, page.id)
            else:
                assert answer.status_code == 302, (who, page.id)
                assert "/admin/login/" in answer["Location"], (who, page.id)
        assert did(section) == before, who
        if who in ("nobody", "other-group"):
            assert "Quickbooks Online" not in words(person.get("/admin/")), who


def test_the_ready_group_opens_everything(section: Section, ids: dict[str, int]) -> None:
    ada = section.person(group=True)
    for page in PAGES:
        if page.method == "GET":
            assert call(ada, page, ids) == 200, page.id


def test_a_view_only_person_can_act_on_nothing(section: Section, ids: dict[str, int]) -> None:
    views = [f"view_{model}" for model in (*MODELS, "failure")]
    viewer = section.person("viewer", *views)
    listing = words(viewer.get(f"{ROOT}configuration/"))
    for name in ("Authorize with QuickbooksOnline", "Test connection", "as JSON"):
        assert name not in listing
    before = did(section)
    for page in POSTS:
        if page.path in ("configuration/1/refresh-lists/",):
            continue
        call(viewer, page, ids)
    for model in MODELS:
        viewer.post(f"{ROOT}{model}/{ids.get(model, 1)}/change/", {"enabled": "on", "name_override": "x"})
        viewer.post(f"{ROOT}{model}/{ids.get(model, 1)}/delete/", {"post": "yes"})
    assert did(section) == before


def test_get_changes_nothing_where_post_belongs(section: Section, ids: dict[str, int]) -> None:
    ada = section.person(group=True)
    # The first look at a form fetches its lists; what is measured is the rest.
    ada.get(f"{ROOT}itemservice/add/")
    before = did(section)
    for page in POSTS:
        ada.get(address(page, ids), dict(page.data))
    assert did(section) == before


def test_a_post_without_the_token_is_refused(section: Section, ids: dict[str, int]) -> None:
    section.person(group=True)
    careful = Client(enforce_csrf_checks=True)
    careful.force_login(User.objects.get(username="ada"))
    before = did(section)
    for page in POSTS:
        assert careful.post(address(page, ids), dict(page.data)).status_code == 403, page.id
    assert did(section) == before


def test_a_linked_configuration_cannot_be_deleted(section: Section, ids: dict[str, int]) -> None:
    ada = section.person(group=True)
    assert ada.post(f"{ROOT}configuration/1/delete/", {"post": "yes"}).status_code == 403
    assert section.configuration().realm_id == UK
