from __future__ import annotations

from typing import Any

import pytest

from mapping.client import map_client
from schemas.events import Address


def test_a_client_becomes_a_customer(make: Any, members: Any) -> None:
    mapped = map_client(
        make.client(
            notes="Gate code\r\n1234 ", accounts_email="accounts@harbour.example", vat_number="GB1", inactive=None
        ),
        make.configuration(),
        make.facts(),
        currency="GBP",
    )
    assert (mapped.entity, mapped.name) == ("Customer", "Harbour Authority")
    assert mapped.payload == {
        "DisplayName": "Harbour Authority",
        "CompanyName": "Harbour Authority",
        "PrimaryEmailAddr": {"Address": "accounts@harbour.example"},
        "PrimaryPhone": {"FreeFormNumber": "+44 1482 000000"},
        "WebAddr": {"URI": "http://www.harbour.example"},
        "BillAddr": {
            "Line1": "1 Quay Street",
            "City": "Hull",
            "CountrySubDivisionCode": "East Yorkshire",
            "PostalCode": "HU1 1AA",
            "Country": "United Kingdom",
        },
        "Notes": "Gate code\n1234",
        "PrimaryTaxIdentifier": "GB1",
        "CurrencyRef": {"value": "GBP"},
    }
    members.check("Customer", mapped.payload)
    assert [(choice.member, choice.reason) for choice in mapped.choices] == [
        ("DisplayName", "Client DisplayName Template {{ client.name }}"),
        ("PrimaryEmailAddr", "From the accounts email"),
        ("PrimaryTaxIdentifier", "The VAT number, when the customer is created"),
    ]


def test_what_kompass_does_not_have_is_left_out(make: Any) -> None:
    bare = make.client(email=" ", accounts_email="", phone=None, website="", address=None)
    mapped = map_client(bare, make.configuration(), make.facts(multicurrency=False), currency="GBP")
    assert mapped.payload == {"DisplayName": "Harbour Authority", "CompanyName": "Harbour Authority"}


def test_a_currency_other_than_home_is_said(make: Any, refusals: Any) -> None:
    mapped = map_client(make.client(), make.configuration(), make.facts(), currency="EUR", name_suffix=" (EUR)")
    assert mapped.payload["CurrencyRef"] == {"value": "EUR"}
    assert mapped.name == mapped.payload["DisplayName"] == "Harbour Authority (EUR)"
    problems = refusals(
        map_client, make.client(), make.configuration(), make.facts(multicurrency=False), currency="EUR"
    )
    assert problems["no-multicurrency:EUR"].remedy.startswith("Turn on Multicurrency in QuickBooks")
    assert "bad-currency" in refusals(map_client, make.client(), make.configuration(), make.facts(), currency="euro")


def test_a_name_given_to_one_record_stands_alone(make: Any) -> None:
    mapped = map_client(
        make.client(),
        make.configuration(client_name_template="{{ broken"),
        make.facts(),
        currency="GBP",
        name_override=" Harbour (old) ",
        name_suffix=" (EUR)",
    )
    assert mapped.name == "Harbour (old)"


def test_the_template_sees_client_and_org(make: Any) -> None:
    configuration = make.configuration(client_name_template="{{ org.name }}: {{ client.id }}".replace(":", " -"))
    assert map_client(make.client(), configuration, make.facts(), currency="GBP").name == "Tidal Surveys - cli-1"


def test_a_long_company_name_is_left_out_and_said(make: Any) -> None:
    mapped = map_client(make.client(name="n" * 101), make.configuration(), make.facts(), currency="GBP")
    assert "CompanyName" not in mapped.payload
    assert mapped.payload["DisplayName"] == "n" * 101
    assert any(choice.member == "CompanyName" and "Left out" in choice.reason for choice in mapped.choices)


def test_an_address_of_another_script_goes_and_one_of_pictures_does_not(make: Any) -> None:
    client = make.client(email="jörg@müller.de")
    payload = map_client(client, make.configuration(), make.facts(), currency="GBP").payload
    assert payload["PrimaryEmailAddr"] == {"Address": "jörg@müller.de"}
    mapped = map_client(make.client(email="😀@x.com"), make.configuration(), make.facts(), currency="GBP")
    assert "“😀@x.com” is not an email address" in mapped.left_out["PrimaryEmailAddr"]


def test_contact_details_that_quickbooks_does_not_take_are_left_out(make: Any) -> None:
    client = make.client(
        email="nobody",
        phone="0" * 31,
        website="not a site",
        notes="n" * 2001,
        address=Address("l" * 501, "t" * 256, "p" * 31, "c" * 256, county="y" * 256, line2="two\nlines"),
    )
    mapped = map_client(client, make.configuration(), make.facts(), currency="GBP")
    assert mapped.payload["BillAddr"] == {"Line1": "two lines"}
    assert not {"PrimaryEmailAddr", "WebAddr", "PrimaryPhone", "Notes"} & mapped.payload.keys()
    assert (
        mapped.left_out["PrimaryEmailAddr"] == "Client “Harbour Authority”: the email “nobody” is not an email address"
    )
    assert set(mapped.left_out) == {
        "PrimaryEmailAddr",
        "WebAddr",
        *(
            member
            for member in (
                "PrimaryPhone",
                "Notes",
                "BillAddr.Line1",
                "BillAddr.City",
                "BillAddr.CountrySubDivisionCode",
                "BillAddr.PostalCode",
                "BillAddr.Country",
            )
        ),
    }
    assert all("Client “Harbour Authority”" in why and len(why) < 400 for why in mapped.left_out.values())


@pytest.mark.parametrize("name", ["n" * 500, "Ünïcödé 測量", "O'Brien & Sons \\ Co"])
def test_names_that_fit_are_sent_as_they_are(make: Any, name: str) -> None:
    assert map_client(make.client(name=name), make.configuration(), make.facts(), currency="GBP").name == name


@pytest.mark.parametrize(
    ("name", "cause"),
    [("n" * 501, "too-long:DisplayName"), ("A:B", "name-characters"), ("A\x00B", "control-character:DisplayName")],
)
def test_names_that_quickbooks_would_refuse(make: Any, refusals: Any, name: str, cause: str) -> None:
    assert cause in refusals(map_client, make.client(name=name), make.configuration(), make.facts(), currency="GBP")


@pytest.mark.parametrize("override", ["A:B", "A\tB", "A\nB"])
def test_a_given_name_is_checked_too(make: Any, refusals: Any, override: str) -> None:
    arguments = (make.client(), make.configuration(), make.facts())
    assert set(refusals(map_client, *arguments, currency="GBP", name_override=override)) == {"name-characters"}


def test_tabs_and_line_breaks_of_a_name_become_spaces(make: Any) -> None:
    mapped = map_client(make.client(name="A\tB\r\nC"), make.configuration(), make.facts(), currency="GBP")
    assert (mapped.payload["DisplayName"], mapped.payload["CompanyName"]) == ("A B C", "A B C")


@pytest.mark.parametrize("template", ["{{ client.code }}", "{{ ' ' }}", ""])
def test_an_empty_name_is_a_problem(make: Any, refusals: Any, template: str) -> None:
    configuration = make.configuration(client_name_template=template)
    problems = refusals(map_client, make.client(), configuration, make.facts(), currency="GBP")
    assert set(problems) == {"empty:DisplayName"}


def test_a_template_that_fails_names_line_and_remedy(make: Any, refusals: Any) -> None:
    configuration = make.configuration(client_name_template="\n{{ client.nmae }}")
    problem = refusals(map_client, make.client(), configuration, make.facts(), currency="GBP")["template-error"]
    assert problem.message == (
        "Client “Harbour Authority”: the Client DisplayName Template, line 2, fails: client has no field 'nmae'"
    )
    assert (problem.field, problem.remedy) == ("Client DisplayName Template", "Did you mean 'name'?")


@pytest.mark.parametrize(
    ("email", "fits"),
    [
        ("a@b.co", True),
        ("first.last+tag@sub.example.org", True),
        ("a@b.co, c@d.co", True),
        ("“a”@müller.example", True),
        ("a" * 93 + "@b.co", True),
        ("a" * 96 + "@b.co", False),
        ("a@b", False),
        ("a b@c.co", False),
        ("a@b..co", False),
        ("a@b.co; c@d.co", False),
        ("A <a@b.co>", False),
        ("a@b@c.co", False),
        ("a@b.co,", False),
    ],
)
def test_email_addresses(make: Any, email: str, fits: bool) -> None:
    mapped = map_client(make.client(email=email), make.configuration(), make.facts(), currency="GBP")
    assert mapped.payload.get("PrimaryEmailAddr") == ({"Address": email} if fits else None)
    assert set(mapped.left_out) == (set() if fits else {"PrimaryEmailAddr"})


@pytest.mark.parametrize(
    ("website", "uri"),
    [
        ("www.h.example", "http://www.h.example"),
        ("https://h.example/a?b=c#d", "https://h.example/a?b=c#d"),
        ("HTTP://H.example:8080", "HTTP://H.example:8080"),
        ("localhost", None),
        ("javascript://h.example", None),
        ("ftp://h.example", None),
        ("http://", None),
        ("http://[::1", None),
        ("h.example:port", None),
        ("h.example/a b", None),
        ("see h.example", None),
    ],
)
def test_websites(make: Any, website: str, uri: str | None) -> None:
    mapped = map_client(make.client(website=website), make.configuration(), make.facts(), currency="GBP")
    assert mapped.payload.get("WebAddr") == (None if uri is None else {"URI": uri})
    assert set(mapped.left_out) == ({"WebAddr"} if uri is None else set())
