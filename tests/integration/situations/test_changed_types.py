"""An invoice that becomes a credit note, and back: no sum is in the books twice or forgotten, and nothing paid is undone unseen."""

from __future__ import annotations

from decimal import Decimal

from schemas.events import InvoiceType
from tests.integration.situations.company import SYNCED, Company

CHANGED = ("failed", "conflict:type-changed")


def totals(one: Company) -> dict[str, list[Decimal]]:
    return {entity: [row["TotalAmt"] for row in one.objects(entity)] for entity in ("Invoice", "CreditMemo")}


def test_a_person_has_the_former_document_voided_and_the_number_is_free(three: list[Company]) -> None:
    """12a. The voided document would keep the number, and the company warns of numbers that are used twice."""
    for one in three:
        one.said(one.invoice())
        one.said(one.invoice("i1", "-100.00"))
        assert one.stands() == CHANGED
        assert totals(one) == {"Invoice": [one.gross("100.00")], "CreditMemo": []}
        one.choose_kompass()
        one.go()
        assert one.stands() == SYNCED, one.why()
        assert totals(one) == {"Invoice": [Decimal(0)], "CreditMemo": [one.gross("100.00")]}
        assert one.objects("CreditMemo")[0]["DocNumber"] == "INV-i1"
        assert one.failures() == []


def test_a_paid_invoice_whose_type_changed_twice_is_as_it_was(three: list[Company]) -> None:
    """12b. Kompass takes the mistake back: nothing of it ever reached the books."""
    for one in three:
        one.said(one.invoice())
        one.pay()
        before = one.there()
        one.said(one.invoice("i1", "-100.00"))
        assert one.link().state == "failed"
        one.said(one.invoice())
        assert one.stands() == SYNCED, one.why()
        assert one.there() == before
        assert totals(one)["CreditMemo"] == []
        assert one.failures() == []


def test_a_credit_note_that_becomes_an_invoice_is_taken_to_zero(three: list[Company]) -> None:
    """12c. QuickBooks has no void for a credit memo. Then back again, and a third time."""
    for one in three:
        one.said(one.invoice("i1", "-100.00"))
        for net, kept in (("100.00", "100.00"), ("-60.00", "-60.00"), ("70.00", "70.00")):
            one.said(one.invoice("i1", net))
            assert one.stands() == CHANGED, one.why()
            one.choose_kompass()
            one.go()
            assert one.stands() == SYNCED, one.why()
            assert one.owed() == (1 if Decimal(kept) > 0 else -1) * one.gross(kept.lstrip("-"))
        assert one.failures() == []
        # The last one is the one that Kompass changes from now on.
        one.said(one.invoice("i1", "75.00"))
        assert one.owed() == one.gross("75.00")


def test_the_former_document_is_deleted_by_the_bookkeeper(three: list[Company]) -> None:
    """12d. Deleted in QuickBooks as the remedy says, then Try again."""
    for one in three:
        one.said(one.invoice())
        one.said(one.invoice("i1", "-100.00"))
        one.bookkeeper("delete", entity="Invoice", id=one.link().qbo_id)
        one.try_again()
        one.go()
        assert one.stands() == SYNCED, one.why()
        assert totals(one) == {"Invoice": [], "CreditMemo": [one.gross("100.00")]}


def test_a_person_keeps_the_former_document_and_is_asked_again_at_the_next_change(three: list[Company]) -> None:
    """12e. Nothing is made beside it until Kompass says something new."""
    for one in three:
        one.said(one.invoice())
        one.said(one.invoice("i1", "-100.00"))
        one.choose_quickbooks()
        one.go()
        assert totals(one) == {"Invoice": [one.gross("100.00")], "CreditMemo": []}
        assert one.failures() == []
        one.said(one.invoice("i1", "-50.00"))
        assert one.stands() == CHANGED, one.why()
        assert totals(one) == {"Invoice": [one.gross("100.00")], "CreditMemo": []}


def test_a_former_document_in_a_closed_period_stays_and_no_other_is_made_beside_it(three: list[Company]) -> None:
    """12f. The person chooses Kompass's side, and the books of March are closed, which our facts may not say yet."""
    for one in three:
        one.said(one.invoice())
        one.close_books("2026-03-31")
        one.said(one.invoice("i1", "-100.00"))
        for _ in range(2):
            one.choose_kompass()
            one.go()
            assert totals(one) == {"Invoice": [one.gross("100.00")], "CreditMemo": []}, one.why()
            assert one.stands() == ("failed", "books-closed"), one.why()
        one.close_books(None)
        one.try_again()
        one.go()
        one.choose_kompass()
        one.go()
        assert one.stands() == SYNCED, one.why()
        assert totals(one) == {"Invoice": [Decimal(0)], "CreditMemo": [one.gross("100.00")]}


def test_an_answer_that_is_lost_on_the_way_makes_no_second_document(three: list[Company]) -> None:
    """12g. The answer of each of the three calls is lost in turn: the renumbering, the void, the create."""
    for one in three:
        one.said(one.invoice())
        one.said(one.invoice("i1", "-100.00"))
        one.choose_kompass()
        for _ in range(3):
            if one.lost():
                one.later()
            one.turn()
        one.later()
        one.go()
        assert one.stands() == SYNCED, one.why()
        assert totals(one) == {"Invoice": [Decimal(0)], "CreditMemo": [one.gross("100.00")]}


def test_an_invoice_that_becomes_a_journal_and_then_a_credit_note_is_not_forgotten(three: list[Company]) -> None:
    """12i. Withdrawn first; the sum of the former document is asked about, not taken for gone."""
    for one in three:
        one.said(one.invoice())
        one.said(one.invoice("i1", "100.00", "-100.00", type=InvoiceType.JOURNAL))
        assert one.link().state == "withdrawn", one.why()
        one.said(one.invoice("i1", "-100.00"))
        assert one.stands() == CHANGED, one.why()
        assert totals(one) == {"Invoice": [one.gross("100.00")], "CreditMemo": []}
        one.choose_kompass()
        one.go()
        assert totals(one) == {"Invoice": [Decimal(0)], "CreditMemo": [one.gross("100.00")]}


def test_a_payment_that_came_after_the_person_looked_is_shown_first(three: list[Company]) -> None:
    """12j. Paid between the look and the click; then paid before the look."""
    for one in three:
        one.said(one.invoice())
        one.said(one.invoice("i1", "-100.00"))
        one.pay()
        before = one.there()
        for _ in range(3):
            one.choose_kompass()
            one.go()
            assert one.link().state == "failed"
            assert one.there() == before
            assert totals(one)["CreditMemo"] == []
        assert "Payment" in one.link().reason
        # The payment is undone, as the remedy says.
        (payment,) = one.objects("Payment")
        one.bookkeeper("delete", entity="Payment", id=payment["Id"])
        one.try_again()
        one.go()
        one.choose_kompass()
        one.go()
        assert one.stands() == SYNCED, one.why()
        assert one.owed() == -one.gross("100.00")
