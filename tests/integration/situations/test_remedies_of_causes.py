"""Remedies of the table of causes that need a past, a second person or another locale, each carried out as its person would."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from schemas.events import Action, VatRate
from sync.by_hand import Existing, link_existing, unlink
from tests.builders import event, line
from tests.integration.situations.company import SYNCED, USA_PLACE, Company
from tests.integration.situations.test_refused_questions import BROKEN
from tests.integration.situations.test_remedies_work import typed
from tests.integration.situations.world import World


def test_broken_document(company: Company) -> None:
    """The only document of the hour breaks each question for it: its address is corrected, then Try again."""
    company.simulator.call(lambda world: world.change_settings({"bad_email_in_query": "4002"}))
    company.said(company.project())
    company.say(company.invoice())
    company.lost()
    company.bookkeeper("type", entity="Invoice", id=company.there()["Id"], members=BROKEN)
    company.later()
    company.hours(6, each=1800)
    assert company.stands() == ("failed", "broken-document"), company.why()
    company.bookkeeper(
        "type", entity="Invoice", id=company.there()["Id"], members={"BillEmail": {"Address": "a@x.com"}}
    )
    company.try_again()
    company.go()
    assert company.stands() == SYNCED, company.why()
    assert len(company.marked()) == 1


def test_tax_code_inactive(company: Company) -> None:
    """The code of the row is made inactive, and active again."""
    code = company.pipeline.object_id(company.realm, "TaxCode", "20.0% S")
    company.bookkeeper("deactivate_tax_code", id=code)
    company.later(2 * 86_400)
    company.said(company.invoice())
    assert company.link().cause.startswith("tax-code-inactive"), company.why()
    company.bookkeeper("type", entity="TaxCode", id=code, members={"Active": True})
    company.try_again()
    company.go()
    assert company.stands() == SYNCED, company.why()


def test_tax_not_booked(world: World) -> None:
    """Billed tax in the USA goes as a line of an item once the admin says so under Billed tax (USA)."""
    one = world.company(USA_PLACE)
    vat = VatRate("sales-tax", "Sales tax 8 %", Decimal(8))
    one.said(one.invoice(lines=(line("100.00", vat=vat),)))
    assert one.stands() == ("failed", "tax-not-booked"), one.why()
    one.configure(billed_tax="item-line", tax_item_id=one.objects("Item")[0]["Id"])
    one.go()
    assert one.stands() == SYNCED, one.why()
    assert one.there()["TotalAmt"] == Decimal("108.00")


def test_conflict_keeps_changing(company: Company) -> None:
    """An app in QuickBooks writes the document between any two of our calls, until it is stopped; then Try again."""
    company.said(company.invoice())
    company.say(company.invoice(details="Thank you"))
    for number in range(30):
        if company.link().state == "failed" or not (attempts := company.claim()):
            break
        if attempts[0].operation == "update":
            company.change("invoice", "i1", TrackingNum=f"T{number}")
        company.pipeline.settle(*company.pipeline.answers(attempts))
    assert company.stands() == ("failed", "conflict:keeps-changing"), company.why()
    company.try_again()
    company.go()
    assert company.stands() == SYNCED, company.why()
    assert company.there()["CustomerMemo"]["value"] == "Thank you"


def test_conflict_currency(company: Company) -> None:
    """An invoice is linked by hand to a document in another currency: the link is removed, and Kompass makes its own."""
    pounds = company.place
    company.place = replace(pounds, currency="EUR")
    there = typed(company, "EUR-1")
    company.place = pounds
    typed(company, "INV-i1")
    company.said(company.invoice())
    assert company.stands() == ("failed", "number-taken"), company.why()
    link = company.link().id
    existing = Existing("Invoice", str(there["Id"]), "EUR-1", "EUR")
    company.by_hand(lambda db: link_existing(db, link, existing, by="ada"))
    company.go()
    assert company.stands() == ("failed", "conflict:currency"), company.why()
    company.said(company.invoice(reference="INV-i1-A"))
    company.by_hand(lambda db: unlink(db, link, by="ada"))
    company.go()
    assert company.stands() == SYNCED, company.why()
    assert company.there()["DocNumber"] == "INV-i1-A"


def test_conflict_credit_applied(three: list[Company]) -> None:
    """The bookkeeper applies the credit memo to an invoice, Kompass changes it, the application is undone, Try again."""
    for one in three:
        one.said(one.invoice("open", "500.00"), one.invoice("i1", "-100.00"))
        amount = one.gross("100.00")
        linked = [(one.link(id="open").qbo_id, "Invoice"), (one.link().qbo_id, "CreditMemo")]
        lines = [{"Amount": amount, "LinkedTxn": [{"TxnId": id_, "TxnType": what}]} for id_, what in linked]
        customer = one.there()["CustomerRef"]["value"]
        payment = {"CustomerRef": {"value": customer}, "TotalAmt": 0, "Line": lines}
        if one.place.vat is not None:
            payment["CurrencyRef"] = {"value": one.place.currency}
        (made, *_) = one.bookkeeper("create", entity="Payment", members=payment)
        one.said(one.invoice("i1", "-60.00"))
        assert one.stands() == ("failed", "conflict:credit-applied"), one.why()
        assert "invoice INV-open" in one.link().reason
        one.bookkeeper("delete", entity="Payment", id=made["Id"])
        one.try_again()
        one.go()
        assert one.stands() == SYNCED, one.why()
        assert Decimal(str(one.there()["TotalAmt"])) == one.gross("60.00")


def test_name_in_doubt(three: list[Company]) -> None:
    """A call that made nothing has no answer, and the bookkeeper typed the client in meanwhile: linked by hand."""
    for one in three:
        one.trouble(kind="not_found_page", entity="Customer", operation="create", count=1)
        one.say(one.client(name="Meadow"), one.invoice(of=one.project(of=one.client(name="Meadow"))))
        one.turn()
        members = {"DisplayName": "Meadow", "CurrencyRef": {"value": one.place.currency}}
        (there,) = one.bookkeeper("create", entity="Customer", members=members)
        one.later(60)
        one.go()
        assert one.stands("client", "c1") == ("failed", "conflict:in-doubt"), one.why("client", "c1")
        one.link_client(there)
        one.go()
        assert one.stands() == SYNCED, one.why()
        assert [row["DisplayName"] for row in one.objects("Customer") if not row.get("Job")] == ["Meadow"]


def test_keeps_failing(company: Company) -> None:
    """One invoice gets no usable answer while all others go; it is not in QuickBooks, so the operator presses Try again."""
    company.said(company.project())
    company.trouble(kind="http", status=503, holds="Kompass invoice i1 ")
    company.say(company.invoice())
    for number in range(40):
        company.say(company.invoice(f"n{number}"))
        company.turn()
        company.later(1800)
        if company.link().state == "failed":
            break
    assert company.stands() == ("failed", "keeps-failing"), company.why()
    assert company.marked() == []
    company.no_more_trouble()
    company.try_again()
    company.hours(1)
    assert company.stands() == SYNCED, company.why()
    assert len(company.marked()) == 1


def test_party_not_synced(three: list[Company]) -> None:
    """A client is deleted in Kompass and billed all the same: one invoice is billed to another, one client is brought back."""
    for one in three:
        one.configure(project_customers=False)
        for which in ("c1", "c2"):
            gone = replace(one.client(which), sequence=5)
            one.pipeline.ingest(event(gone, action=Action.DELETE))
            one.sequences[f"client {which}"] = 5
        first, second = one.project("p1", of=one.client("c1")), one.project("p2", of=one.client("c2"))
        one.said(one.invoice("i1", of=first), one.invoice("i2", of=second))
        assert [one.stands(id=which) for which in ("i1", "i2")] == [("failed", "party-not-synced")] * 2, one.why()
        other = one.project("p3", of=one.client("c3"))
        one.said(one.invoice("i1", of=other))
        assert one.stands() == SYNCED, one.why()
        one.said(one.client("c2"))
        assert one.stands(id="i2") == SYNCED, one.why(id="i2")
        assert one.failures() == []
