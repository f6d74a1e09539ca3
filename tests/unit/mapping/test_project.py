from __future__ import annotations

from typing import Any

from mapping.project import map_job
from schemas.events import Address


def test_a_project_becomes_a_job_of_its_billing_client(make: Any, members: Any) -> None:
    project = make.project(address=Address("Dock 4", "Grimsby", "DN31", "United Kingdom"), details="Two visits")
    mapped = map_job(
        project, make.configuration(), make.facts(), billing_client=make.client(), currency="GBP", parent_id="58"
    )
    assert (mapped.entity, mapped.name) == ("Customer", "24-0329 Quay wall survey")
    assert mapped.payload == {
        "DisplayName": "24-0329 Quay wall survey",
        "Job": True,
        "ParentRef": {"value": "58"},
        "BillWithParent": True,
        "ShipAddr": {"Line1": "Dock 4", "City": "Grimsby", "PostalCode": "DN31", "Country": "United Kingdom"},
        "Notes": "Two visits",
        "CurrencyRef": {"value": "GBP"},
    }
    members.check("Customer", mapped.payload)


def test_a_job_has_the_currency_of_its_parent(make: Any, refusals: Any) -> None:
    arguments: dict[str, Any] = {"billing_client": make.client(), "currency": "EUR", "parent_id": "58"}
    mapped = map_job(make.project(), make.configuration(), make.facts(), **arguments)
    assert mapped.payload["CurrencyRef"] == {"value": "EUR"}
    problems = refusals(map_job, make.project(), make.configuration(), make.facts(multicurrency=False), **arguments)
    assert set(problems) == {"no-multicurrency:EUR"}


def test_the_template_sees_the_billing_client_it_is_under(make: Any) -> None:
    template = "{{ project.name }} {{ client.name }} {{ billing_client.name }} {{ org.name }}"
    mapped = map_job(
        make.project(client=make.client(name="Port")),
        make.configuration(project_name_template=template),
        make.facts(),
        billing_client=make.client(name="Payer"),
        currency="GBP",
        parent_id="58",
        name_suffix=" (2)",
    )
    assert mapped.name == "Quay wall survey Port Payer Tidal Surveys (2)"


def test_problems_name_the_project_by_its_reference(make: Any, refusals: Any) -> None:
    problems = refusals(
        map_job,
        make.project(name="Phase: 1"),
        make.configuration(),
        make.facts(),
        billing_client=make.client(),
        currency="GBP",
        parent_id="58",
    )
    assert set(problems) == {"name-characters"}
    assert problems["name-characters"].message == (
        "Project 24-0329: the DisplayName “24-0329 Phase: 1” has a colon, which QuickBooks does not allow in names"
    )
