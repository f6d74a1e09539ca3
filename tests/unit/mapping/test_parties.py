from __future__ import annotations

from typing import Any

from mapping.case import billing_client, party_key
from mapping.results import PartyKey
from schemas.events import Kind


def test_an_invoice_stands_on_its_projects_job(make: Any) -> None:
    invoice = make.invoice(currency="EUR", project=make.project(billing_client=make.client(id="payer", currency="USD")))
    assert party_key(invoice, make.configuration(), make.facts()) == PartyKey(Kind.PROJECT, "pro-1", "payer", "EUR")
    assert billing_client(invoice).id == "payer"


def test_without_project_customers_on_the_billing_client(make: Any) -> None:
    configuration = make.configuration(project_customers=False)
    invoice = make.invoice(project=make.project(billing_client=make.client(id="payer")))
    assert party_key(invoice, configuration, make.facts()) == PartyKey(Kind.CLIENT, "payer", "", "GBP")


def test_without_a_project_on_its_client(make: Any) -> None:
    invoice = make.invoice(project=None, client=make.client(id="own"))
    assert party_key(invoice, make.configuration(), make.facts()) == PartyKey(Kind.CLIENT, "own", "", "GBP")
    assert billing_client(invoice).id == "own"


def test_a_job_stands_on_its_billing_client_in_its_own_currency(make: Any) -> None:
    project = make.project(billing_client=make.client(id="payer", currency="USD"))
    configuration, facts = make.configuration(), make.facts()
    assert party_key(project, configuration, facts) == PartyKey(Kind.CLIENT, "payer", "", "USD")
    assert party_key(project, configuration, facts, "EUR") == PartyKey(Kind.CLIENT, "payer", "", "EUR")
    assert party_key(make.project(), configuration, facts) == PartyKey(Kind.CLIENT, "cli-1", "", "GBP")


def test_a_client_stands_on_nothing(make: Any) -> None:
    assert party_key(make.client(), make.configuration(), make.facts(), currency="EUR") is None
