"""A void document makes way: its number is Kompass's like that of any other, and what waits for it does not wait for ever."""

from __future__ import annotations

from dataclasses import replace

from schemas.events import Step
from tests.integration.situations.company import SYNCED, Company


def numbers(one: Company) -> dict[str, str]:
    return {row.kompass_id: row.name for row in one.pipeline.links(kind="invoice", org_id=one.org.id)}


def test_a_void_document_that_kompass_renumbers_gives_its_number_to_the_next(three: list[Company]) -> None:
    """A new invoice under the old number, first while the void one keeps it; then the two at once, one of them paid."""
    for one in three:
        one.bookkeeper("profile", members={"warn_duplicate_numbers": True})
        former, new = one.invoice("i1", reference="N-1"), one.invoice("i2", "90.00", reference="N-1")
        one.said(former)
        one.said(replace(former, step=Step.VOIDED))
        one.said(new)
        assert one.stands("invoice", "i2") == ("failed", "number-taken"), one.why("invoice", "i2")
        one.said(replace(former, step=Step.VOIDED, reference="N-1-void"))
        assert [one.stands("invoice", which) for which in ("i1", "i2")] == [SYNCED, SYNCED], one.why("invoice", "i2")
        assert numbers(one) == {"i1": "N-1-void", "i2": "N-1"}
        assert one.there("invoice", "i1")["TotalAmt"] == 0
        one.pay("i2", "10.00")
        one.say(replace(new, reference="N-3"), one.invoice("i3", "70.00", reference="N-1"))
        one.go()
        one.say(
            replace(new, reference="N-1"), one.invoice("i3", "70.00", reference="N-3", step=Step.VOIDED),
        )  # fmt: skip
        one.go()
        assert numbers(one) == {"i1": "N-1-void", "i2": "N-1", "i3": "N-3"}, one.why("invoice", "i3")
        assert one.there("invoice", "i3")["TotalAmt"] == 0
        assert one.causes() == []


def test_a_credit_note_that_is_voided_and_renumbered_at_once(three: list[Company]) -> None:
    for one in three:
        note = one.invoice("n1", "-30.00", reference="C-1")
        one.said(note)
        one.said(replace(note, step=Step.VOIDED, reference="C-1-void"))
        assert one.stands("invoice", "n1") == SYNCED, one.why("invoice", "n1")
        (there,) = one.objects("CreditMemo")
        assert (there["DocNumber"], there["TotalAmt"]) == ("C-1-void", 0)
        assert one.link("invoice", "n1").voided


def test_what_waits_for_a_number_that_a_person_leaves_is_told_so(three: list[Company]) -> None:
    """Two invoices exchange their numbers, and one of them is void by hand: it keeps its number, as a person chose."""
    for one in three:
        one.bookkeeper("profile", members={"warn_duplicate_numbers": True})
        first, second = one.invoice("i1", reference="A"), one.invoice("i2", "50.00", reference="B")
        one.said(first, second)
        one.bookkeeper("void", entity="Invoice", id=one.link("invoice", "i2").qbo_id)
        one.say(replace(first, reference="B"), replace(second, reference="A"))
        one.go()
        assert one.stands("invoice", "i2") == ("failed", "conflict:voided-in-qbo"), one.why("invoice", "i2")
        one.choose_quickbooks("invoice", "i2")
        one.go()
        assert one.stands("invoice", "i1") == ("failed", "number-taken"), one.why("invoice", "i1")
        one.said(replace(first, reference="C"))
        assert one.stands("invoice", "i1") == SYNCED, one.why("invoice", "i1")
        assert numbers(one) == {"i1": "C", "i2": "B"}


def test_a_document_that_a_person_brings_back_does_not_say_that_it_is_void(three: list[Company]) -> None:
    for one in three:
        one.said(one.invoice())
        one.bookkeeper("void", entity="Invoice", id=one.link().qbo_id)
        one.said(one.invoice("i1", details="Thank you"))
        assert one.stands() == ("failed", "conflict:voided-in-qbo"), one.why()
        one.choose_kompass()
        one.go()
        assert one.stands() == SYNCED, one.why()
        assert one.there()["PrivateNote"].startswith("Kompass invoice i1 ")


def test_a_changed_type_of_a_paid_document_names_the_payment(three: list[Company]) -> None:
    """Choosing Kompass does not help while it is paid: the question says so, and so does the answer to the choice."""
    for one in three:
        one.said(one.invoice())
        one.pay()
        one.said(one.invoice("i1", "-100.00"))
        assert one.stands() == ("failed", "conflict:type-changed"), one.why()
        assert "Payment" in one.link().reason
        one.choose_kompass()
        one.go()
        assert one.stands() == ("failed", "conflict:paid"), one.why()
        for payment in one.objects("Payment"):
            one.bookkeeper("delete", entity="Payment", id=payment["Id"])
        one.try_again()
        one.go()
        assert one.stands() == ("failed", "conflict:type-changed"), one.why()
        one.choose_kompass()
        one.go()
        assert (one.stands(), one.link().entity) == (SYNCED, "CreditMemo"), one.why()
