from __future__ import annotations

from typing import Any

from mapping.case import Case, billing_client, needed_party
from mapping.results import PartyKey
from schemas.company import Standing
from schemas.events import Kind, Project, Record


def party_of(make: Any, record: Record, **known: Any) -> PartyKey | None:
    if isinstance(record, Project):
        known.setdefault("billing_client", record.billing_client)
    return needed_party(Case(record, known.pop("configuration", make.configuration()), make.facts(), **known))


def test_an_invoice_stands_on_its_projects_job(make: Any) -> None:
    invoice = make.invoice(currency="EUR", project=make.project(billing_client=make.client(id="payer", currency="USD")))
    assert party_of(make, invoice) == PartyKey(Kind.PROJECT, "pro-1", "payer", "EUR")
    assert billing_client(invoice).id == "payer"


def test_without_project_customers_on_the_billing_client(make: Any) -> None:
    configuration = make.configuration(project_customers=False)
    invoice = make.invoice(project=make.project(billing_client=make.client(id="payer")))
    assert party_of(make, invoice, configuration=configuration) == PartyKey(Kind.CLIENT, "payer", "", "GBP")


def test_without_a_project_on_its_client(make: Any) -> None:
    invoice = make.invoice(project=None, client=make.client(id="own"))
    assert party_of(make, invoice) == PartyKey(Kind.CLIENT, "own", "", "GBP")
    assert billing_client(invoice).id == "own"


def test_a_job_stands_on_its_billing_client_in_its_own_currency(make: Any) -> None:
    project = make.project(billing_client=make.client(id="payer", currency="USD"))
    assert party_of(make, project) == PartyKey(Kind.CLIENT, "payer", "", "USD")
    assert party_of(make, project, standing=Standing(currency="EUR")) == PartyKey(Kind.CLIENT, "payer", "", "EUR")
    former = make.client(id="former", currency="USD")
    assert party_of(make, project, billing_client=former) == PartyKey(Kind.CLIENT, "former", "", "USD")
    assert party_of(make, make.project()) == PartyKey(Kind.CLIENT, "cli-1", "", "GBP")


def test_a_client_stands_on_nothing(make: Any) -> None:
    assert party_of(make, make.client()) is None
