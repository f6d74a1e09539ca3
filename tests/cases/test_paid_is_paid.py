"""Money was received for a document: texts still go, and nothing that changes the books is written without a person.

The stories combine what bookkeepers do between two changes in Kompass: payments, credits that QuickBooks applies, deposits,
discounts, undone payments and closed months.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

from schemas.events import Step
from simulator.seeds import CANADA, SELF_NUMBERED, UK, USA
from tests.cases.scenes import FAILED, SYNCED, THREE, Plots, Scene, story, test_it_ends_right

__all__ = ["test_it_ends_right"]

PLOTS: Plots = {}
PAID = (FAILED, "conflict:paid")
APPLIED = (FAILED, "conflict:credit-applied")
APRIL = dt.date(2026, 4, 2)


def test_every_story_was_played(ends: dict[str, BaseException | None]) -> None:
    assert ends.keys() == PLOTS.keys()


def _typed(one: Scene, entity: str, amount: str, customer: str) -> dict[str, Any]:
    """A document that the bookkeeper typed in."""
    item = next(row["Id"] for row in one.objects("Item") if row["Name"] == "Surveying")
    detail: dict[str, Any] = {"ItemRef": {"value": item}}
    members: dict[str, Any] = {"CustomerRef": {"value": customer}}
    if one.like == UK:
        detail["TaxCodeRef"] = {"value": one.world.pipeline.object_id(one.realm, "TaxCode", "0.0% Z")}
        members |= {"GlobalTaxCalculation": "TaxExcluded", "CurrencyRef": {"value": "GBP"}}
    members["Line"] = [{"Amount": Decimal(amount), "DetailType": "SalesItemLineDetail", "SalesItemLineDetail": detail}]
    return one.bookkeeper("create", entity=entity, members=members)[-1]


@story(PLOTS, UK, SELF_NUMBERED)
def _quickbooks_applies_an_old_credit_then_a_harmless_edit_then_a_void(one: Scene) -> Iterator[float | None]:
    one.say(one.invoice("i0"))
    yield
    one.switch("auto_apply_credit", on=True)
    one.say(one.again("i0", step=Step.VOIDED))
    yield
    _typed(one, "CreditMemo", "40", one.document("i0")["CustomerRef"]["value"])
    one.say(one.invoice())
    yield
    assert one.stands() == SYNCED
    before = one.document()
    assert before["TotalAmt"] - before["Balance"] == 40
    one.say(one.again(details="Thank you"))
    yield
    assert one.stands() == SYNCED
    assert one.document()["CustomerMemo"]["value"] == "Thank you"
    one.say(one.again(step=Step.VOIDED))
    yield
    assert one.stands() == PAID
    now = one.document()
    assert (now["TotalAmt"], now["Balance"]) == (before["TotalAmt"], before["Balance"])
    assert any("INV-i1" in mail for mail in one.mails())
    assert "conflict:paid" in one.why()


@story(PLOTS, *THREE)
def _the_billing_client_of_a_project_moves_and_moves_back(one: Scene) -> Iterator[float | None]:
    one.say(one.invoice())
    yield
    one.pay(amount="30.00")
    before = one.document()
    first = one.said["project", "p1"]
    other = one.client("c2")
    moved = one.again("p1", "project", billing_client=other)
    one.say(moved)
    yield
    assert one.document()["CustomerRef"] == before["CustomerRef"]
    one.say(one.again(project=moved))
    yield
    assert one.stands() == PAID
    (payment,) = one.objects("Payment")
    assert f"Payment {payment['Id']}" in one.link().reason
    assert one.document()["CustomerRef"] == before["CustomerRef"]
    back = replace(first, sequence=moved.sequence + 1)
    one.say(back, one.again(project=back))
    yield
    assert one.stands() == SYNCED
    assert one.failures() == []
    now = one.document()
    assert (now["CustomerRef"], now["Balance"], now["Line"]) == (
        before["CustomerRef"], before["Balance"], before["Line"],
    )  # fmt: skip


@story(PLOTS, UK)
def _the_payment_is_undone_and_somebody_presses_try_again(one: Scene) -> Iterator[float | None]:
    one.say(one.invoice())
    yield
    one.pay()
    one.say(one.again(**one.sums("150.00")))
    yield
    assert one.stands() == PAID
    assert any("has been paid" in mail for mail in one.mails())
    (payment,) = one.objects("Payment")
    one.bookkeeper("delete", entity="Payment", id=payment["Id"])
    one.press()
    yield
    assert one.stands() == SYNCED
    assert [row["Amount"] for row in one.document()["Line"] if row.get("Id")] == [Decimal(150)]
    assert one.failures() == []
    assert len(one.objects("Invoice")) == 1
    assert "Nothing is left to do" in one.mails()[-1]


@story(PLOTS, CANADA)
def _an_amount_is_taken_back_and_the_text_beside_it_stays(one: Scene) -> Iterator[float | None]:
    one.say(one.invoice())
    yield
    one.pay(amount="10.00")
    before = one.document()
    one.say(one.again(details="Less", **one.sums("70.00")))
    yield
    assert one.stands() == PAID
    one.say(one.again(details="As agreed", **one.sums("100.00")))
    yield
    assert one.stands() == SYNCED
    now = one.document()
    assert now["CustomerMemo"]["value"] == "As agreed"
    assert (now["TotalAmt"], now["Balance"]) == (before["TotalAmt"], before["Balance"])
    assert one.failures() == []


@story(PLOTS, *THREE)
def _both_ends_of_an_applied_credit_change_at_once(one: Scene) -> Iterator[float | None]:
    one.say(one.invoice(), one.credit("n1", "-40.00"))
    yield
    one.apply("n1", "i1", "40.00")
    before = one.document(), one.document("n1")
    one.say(
        one.again(**one.sums("90.00")),
        one.again("n1", **one.sums("-50.00")),
    )
    yield
    assert (one.stands(), one.stands("n1")) == (PAID, APPLIED)
    assert "INV-i1" in one.link("n1").reason
    assert (one.document(), one.document("n1")) == before


@story(PLOTS, USA)
def _an_invoice_of_nothing_is_not_paid(one: Scene) -> Iterator[float | None]:
    one.say(one.invoice("i1", "100.00", "-100.00"))
    yield
    assert one.stands() == SYNCED
    assert one.document()["TotalAmt"] == 0
    one.say(one.again(**one.sums("100.00", "-100.00", "50.00")))
    yield
    assert one.stands() == SYNCED
    assert one.document()["TotalAmt"] >= 50
    one.pay()
    one.say(one.again(step=Step.VOIDED))
    yield
    assert one.stands() == PAID
    assert one.document()["TotalAmt"] >= 50


@story(PLOTS, UK)
def _a_deposit_was_received(one: Scene) -> Iterator[float | None]:
    one.say(one.invoice())
    yield
    one.bookkeeper("update", entity="Invoice", id=one.link().qbo_id, members={"Deposit": 30})
    before = one.document()
    one.say(one.again(details="Thank you"))
    yield
    assert one.stands() == SYNCED
    one.say(one.again(**one.sums("20.00")))
    yield
    assert one.stands() == PAID
    now = one.document()
    assert (now["TotalAmt"], now["Balance"], now["Deposit"]) == (
        before["TotalAmt"], before["Balance"], before["Deposit"],
    )  # fmt: skip


@story(PLOTS, UK)
def _a_discount_was_given_and_the_rest_was_paid(one: Scene) -> Iterator[float | None]:
    one.say(one.invoice())
    yield
    discount = {"Amount": 10, "DetailType": "DiscountLineDetail", "DiscountLineDetail": {"PercentBased": False}}
    one.bookkeeper("add_line", entity="Invoice", id=one.link().qbo_id, line=discount)
    one.pay()
    before = one.document()
    assert before["Balance"] == 0
    one.say(one.again(details="Thank you"))
    yield
    now = one.document()
    assert now["CustomerMemo"]["value"] == "Thank you"
    assert (now["TotalAmt"], now["Balance"], now["Line"]) == (before["TotalAmt"], before["Balance"], before["Line"])
    one.say(one.again(**one.sums("300.00")))
    yield
    assert one.stands() == PAID
    (payment,) = one.objects("Payment")
    assert f"Payment {payment['Id']}" in one.link().reason
    assert one.document()["Line"] == before["Line"]


@story(PLOTS, CANADA)
def _one_of_two_payments_is_voided(one: Scene) -> Iterator[float | None]:
    one.say(one.invoice())
    yield
    one.pay(amount="20.00")
    one.pay(amount="30.00")
    first = one.objects("Payment")[0]
    one.bookkeeper("void", entity="Payment", id=first["Id"])
    before = one.document()
    one.say(one.again(reference="R-77"))
    yield
    assert one.stands() == SYNCED
    assert one.document()["DocNumber"] == "R-77"
    one.say(one.again(step=Step.VOIDED))
    yield
    assert one.stands() == PAID
    assert (one.document()["TotalAmt"], one.document()["Balance"]) == (before["TotalAmt"], before["Balance"])


@story(PLOTS, USA)
def _a_closed_month_is_neither_changed_nor_left(one: Scene) -> Iterator[float | None]:
    one.say(one.invoice())
    yield
    one.bookkeeper("close_books", date="2026-03-31")
    before = one.document()
    one.say(one.again(date=APRIL))
    yield
    assert one.stands() == (FAILED, "books-closed")
    (failure,) = one.failures()
    assert "does not move a document out of a closed period" in failure.remedy, failure.remedy
    assert one.document() == before
    one.say(one.again(step=Step.VOIDED))
    yield
    assert one.stands() == (FAILED, "books-closed")
    assert one.document() == before
    one.bookkeeper("close_books")
    one.press()
    yield
    assert one.stands() == SYNCED
    assert one.document()["TotalAmt"] == 0


@story(PLOTS, UK)
def _the_client_pays_between_the_claim_and_the_write(one: Scene) -> Iterator[float | None]:
    """The first write of the change is refused without proof; the payment comes before the next try."""
    one.say(one.invoice())
    yield
    one.trouble(kind="try_again", operation="update", count=1)
    one.say(one.again(**one.sums("60.00")))
    pipeline = one.world.pipeline
    claimed = pipeline.claim([one.link().id])
    pipeline.settle(*pipeline.answers(claimed.attempts))
    assert one.link().state == "retrying"
    one.pay(amount="100.00")
    before = one.document()
    yield
    assert one.stands() == PAID
    assert one.document() == before


@story(PLOTS, *THREE)
def _a_void_of_an_invoice_that_was_paid_since(one: Scene) -> Iterator[float | None]:
    """QuickBooks refuses to void a paid document with a 6000, which says nothing else."""
    one.say(one.invoice(), one.invoice("i2"))
    yield
    one.pay(amount="10.00")
    one.say(one.again(step=Step.VOIDED), one.again("i2", step=Step.VOIDED))
    yield
    assert one.stands() == PAID
    assert (one.document()["TotalAmt"] > 0, one.document("i2")["TotalAmt"]) == (True, 0)
    assert one.stands("i2") == SYNCED
