"""Contact details that QuickBooks does not take hold nothing up: they are left out, people are mailed once, and the books are complete."""

from __future__ import annotations

from dataclasses import replace

import pytest

from schemas.events import Address
from tests.integration.situations.company import SYNCED, Company
from tests.integration.situations.world import World

EMAILS = (
    "jürgen@müller.de",
    "info@bücher.example",
    "a@x.com, b@x.com; c@x.com",
    "Jo Meadow <jo@x.com>",
    "jo@x.com.",
    "a..b@x.com",
    ".a@x.com",
    "a.@x.com",
    "a@-x.com",
    "a@x-.com",
    "a@x..com",
    "mailto:jo@x.com",
    "jo at x dot com",
    "jo@localhost",
    "n/a",
    "jo@x.com,",
    "😀@x.com",
    "a@x.com\nb@x.com",
    f"{'a' * 95}@x.com",
)


def test_no_address_holds_a_client_or_its_invoice_up(three: list[Company]) -> None:
    """13a, 13b. Umlauts, several in one, names around them, dots and hyphens at the wrong places: each client and invoice goes."""
    for one in three:
        one.configure(project_customers=False)
        for number, email in enumerate(EMAILS):
            owner = one.client(f"c{number}", email=email, accounts_email=email)
            project = one.project(f"p{number}", of=owner)
            one.say(owner, project, one.invoice(f"i{number}", of=project))
        one.go(together=30)
        wrong = {
            EMAILS[number]: one.link("client", f"c{number}").reason or one.link("invoice", f"i{number}").reason
            for number in range(len(EMAILS))
            if one.stands("client", f"c{number}") != SYNCED or one.stands("invoice", f"i{number}") != SYNCED
        }
        assert wrong == {}
        assert one.failures(ever=True) == []
        # What did not go is said, for the client and for the document.
        without = [row for row in one.objects("Customer") if not row.get("Job") and "PrimaryEmailAddr" not in row]
        told = {row.link_id for row in one.remarks()}
        names = {f"Harbour & Sons c{number}": one.link("client", f"c{number}").id for number in range(len(EMAILS))}
        assert {names[row["DisplayName"]] for row in without} <= told


def test_a_phone_of_sixty_characters_is_left_out_until_it_is_corrected(three: list[Company]) -> None:
    """13c. One mail for the reason; corrected in Kompass, it goes, and nothing is said any more."""
    for one in three:
        phone = "+44 20 7946 0000 ext. 12, ask for the survey desk, not on Fri"
        assert len(phone) > 60
        one.said(one.client(phone=phone), one.invoice(of=one.project(of=one.client(phone=phone))))
        assert one.stands("client", "c1") == SYNCED
        assert one.stands() == SYNCED
        mails = one.mails(hours=2)
        assert len(mails) == 1, mails
        assert "characters" in mails[0]
        one.said(one.client(phone="+44 20 7946 0000"))
        (customer,) = [row for row in one.objects("Customer") if not row.get("Job")]
        assert customer["PrimaryPhone"]["FreeFormNumber"] == "+44 20 7946 0000"
        assert one.remarks() == []
        assert one.mails(hours=48) == []


@pytest.mark.parametrize("member", ["PrimaryEmailAddr", "WebAddr"])
def test_a_value_that_quickbooks_alone_finds_wrong_is_left_out_too(world: World, member: str) -> None:
    """13d. QuickBooks refuses an address or a web address that looks right to us: client and invoice go without it."""
    code, holds = {
        "PrimaryEmailAddr": ("2210", "jo@meadow.example"),
        "WebAddr": ("2200", "meadow.example/surveys"),
    }[member]
    one = world.company()
    owner = one.client(email="jo@meadow.example", website="http://meadow.example/surveys", phone="0123 456")
    one.trouble(kind="fault", code=code, holds=holds, operation="create", detail=f"Supplied value:{holds}")
    one.said(owner, one.invoice(of=one.project(of=owner)))
    assert one.stands("client", "c1") == SYNCED, one.why("client", "c1")
    assert one.stands() == SYNCED, one.why()
    (customer,) = [row for row in one.objects("Customer") if not row.get("Job")]
    assert member not in customer
    assert all(holds in row.message for row in one.remarks())
    assert one.remarks() != []
    # It is not tried again with each change, and goes once Kompass says another one.
    refused = [row for row in one.pipeline.requests() if row.realm == one.realm and code in row.codes]
    one.trouble(kind="fault", code=code, holds=holds, detail=f"Supplied value:{holds}")
    owner = replace(owner, phone="0456")
    one.said(owner)
    (customer,) = [row for row in one.objects("Customer") if not row.get("Job")]
    assert customer["PrimaryPhone"]["FreeFormNumber"] == "0456"
    assert refused == [row for row in one.pipeline.requests() if row.realm == one.realm and code in row.codes]
    one.no_more_trouble()
    one.said(replace(owner, email="anna@meadow.example", website="http://meadow.example/maps"))
    (customer,) = [row for row in one.objects("Customer") if not row.get("Job")]
    assert customer["PrimaryEmailAddr"]["Address"] == "anna@meadow.example"
    assert customer["WebAddr"]["URI"] == "http://meadow.example/maps"


def test_contact_details_of_a_project_hold_neither_the_job_nor_its_invoice_up(three: list[Company]) -> None:
    """13e. Address lines of 600 characters, a post code of 40, details of 5,000."""
    for one in three:
        where = Address(
            line1="x" * 600, line2="y" * 600, town="z" * 300, postcode="1" * 40, county="c" * 300, country="GB"
        )
        project = one.project(address=where, details="d" * 5000)
        one.said(one.invoice(of=project))
        assert one.stands("project", "p1") == SYNCED, one.why("project", "p1")
        assert one.stands() == SYNCED, one.why()
        assert {row.cause for row in one.remarks()} == {"difference:left-out"}


def test_the_rest_of_a_change_goes_when_a_good_address_became_bad(three: list[Company]) -> None:
    """13f. Kompass replaces an address by "n/a" and changes name and phone in the same event."""
    for one in three:
        one.said(one.client(name="Meadow", email="jo@meadow.example"))
        one.said(one.client(name="Meadow Ltd", email="n/a", phone="0123"))
        (customer,) = one.objects("Customer")
        assert (customer["DisplayName"], customer["PrimaryPhone"]["FreeFormNumber"]) == ("Meadow Ltd", "0123")
        assert customer["PrimaryEmailAddr"]["Address"] == "jo@meadow.example"
        (remark,) = one.remarks()
        assert "n/a" in remark.message
        # Emptied in Kompass, it is taken away, and nothing is left to say.
        one.said(one.client(name="Meadow Ltd", email=None, phone="0123"))
        (customer,) = one.objects("Customer")
        assert not customer.get("PrimaryEmailAddr")
        assert one.remarks() == []


def test_forty_clients_with_bad_addresses_are_one_mail(company: Company) -> None:
    """13g. All at once, and ten more an hour later: the reason is known by then."""
    company.said(*[company.client(f"c{number}", email=f"office {number}") for number in range(40)])
    assert len(company.objects("Customer")) == 40
    assert len(company.mails(hours=2)) == 1
    company.said(*[company.client(f"d{number}", email="n/a") for number in range(10)])
    assert len(company.objects("Customer")) == 50
    assert len(company.mails(hours=30)) <= 1


def test_breaks_and_control_characters_in_contact_details_go_or_are_left_out(three: list[Company]) -> None:
    """13h. A line break in the phone, a space in the web address, characters that cannot be printed in notes and address."""
    for one in three:
        where = Address(line1="1 Quay\x0bStreet", town="Bris\ttol", postcode="BS1\n4ST", country="United\x07Kingdom")
        owner = one.client(phone="0117\n496", website="www.x y.com", notes="a\x07b\x00c"[:3], address=where)
        one.said(owner, one.invoice(of=one.project(of=owner)))
        assert one.stands("client", "c1") == SYNCED, one.why("client", "c1")
        assert one.stands() == SYNCED, one.why()


def test_a_bad_address_of_who_pays_holds_no_invoice_up(three: list[Company]) -> None:
    """13i. The project is billed to another client, whose address is bad; the invoice names a third one."""
    for one in three:
        payer = one.client("payer", email="pays@", accounts_email="also bad")
        project = replace(one.project(of=one.client("c1")), billing_client=payer)
        one.said(one.invoice(of=project, client=one.client("third", email="x")))
        assert one.stands() == SYNCED, one.why()
        assert "BillEmail" not in one.there()


def test_an_address_that_a_bookkeeper_mistyped_is_named_as_one_of_quickbooks(three: list[Company]) -> None:
    """13j. Typed wrongly in QuickBooks, in our customer and in our document: the sentence sends nobody to Kompass for it."""
    for one in three:
        one.said(one.client(), one.invoice())
        details = (("Customer", "client", "c1", "PrimaryEmailAddr"), ("Invoice", "invoice", "i1", "BillEmail"))
        for entity, kind, which, member in details:
            wrong = {member: {"Address": "anna@x.com ben@x.com"}}
            one.bookkeeper("type", entity=entity, id=one.there(kind, which)["Id"], members=wrong)
        one.said(one.client(phone="0123"), one.invoice("i1", "300.00", details="Thank you"))
        assert one.causes() == ["value-refused"] * 2
        assert all("in QuickBooks, where it was typed wrongly" in row.remedy for row in one.failures())
        for entity, kind, which, member in details:
            right = {member: {"Address": "anna@x.com, ben@x.com"}}
            one.bookkeeper("type", entity=entity, id=one.there(kind, which)["Id"], members=right)
        one.try_again()
        one.go()
        assert (one.stands("client", "c1"), one.stands()) == (SYNCED, SYNCED), one.why()
        assert one.there()["TotalAmt"] == one.gross("300.00")
        assert one.there()["BillEmail"]["Address"] == "anna@x.com, ben@x.com"
