"""Documents are paid, credited, moved, closed, voided and brought back, in every order, with a call or a setting in between."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

from schemas.events import InvoiceType, Step
from simulator.seeds import CANADA, SELF_NUMBERED, UK, USA
from tests.cases.orders import call, gross, keep, later, owed, send, unpay, well
from tests.cases.scenes import FAILED, SYNCED, THREE, Plots, Scene, story, test_it_ends_right

__all__ = ["test_it_ends_right"]

PLOTS: Plots = {}
APRIL = dt.date(2026, 4, 10)


def _price(one: Scene, id: str, amount: int) -> None:
    """The bookkeeper changes the amount of the first line."""
    there = one.document(id)
    lines = [dict(each) for each in there["Line"] if each["DetailType"] == "SalesItemLineDetail"]
    detail = {
        name: value for name, value in lines[0]["SalesItemLineDetail"].items() if name not in ("Qty", "UnitPrice")
    }
    lines[0] |= {"Amount": amount, "SalesItemLineDetail": detail}
    one.bookkeeper("update", entity=one.link(id).entity, id=there["Id"], members={"Line": lines})


@story(PLOTS, USA)
def _the_same_number_where_nobody_warns(one: Scene) -> Iterator[float | None]:
    """Both go; the first is renumbered, then the second; then the company begins to warn."""
    one.bookkeeper("profile", members={"warn_duplicate_numbers": False})
    one.say(one.invoice("i1", reference="INV-1", date=dt.date(2025, 3, 1)), one.invoice("i2", reference="INV-1"))
    yield
    well(one)
    one.bookkeeper("profile", members={"warn_duplicate_numbers": True})
    one.say(one.again("i1", details="text"), one.again("i2", details="text"))
    yield
    assert [one.stands(each) for each in ("i1", "i2")] == 2 * [(FAILED, "number-taken")], one.why()
    one.say(one.again("i2", reference="INV-1/2026"))
    yield
    well(one)


@story(PLOTS, *THREE)
def _a_void_of_an_applied_credit_note_is_left_and_comes_again(one: Scene) -> Iterator[float | None]:
    """Left; approved again; unapplied; void again: then it goes to zero."""
    one.say(one.invoice("i1", "500.00"), one.credit("k1", "-100.00"))
    yield
    one.apply("k1", "i1", str(gross(one, "100.00")))
    one.say(one.again("k1", step=Step.VOIDED))
    yield
    assert one.stands("k1") == (FAILED, "conflict:credit-applied"), one.why("k1")
    keep(one, "k1")
    yield
    well(one)
    one.say(one.again("k1", step=Step.APPROVED))
    yield
    well(one)
    assert owed(one) == gross(one, "400.00")
    unpay(one)
    one.say(one.again("k1", step=Step.VOIDED))
    yield
    well(one)
    assert owed(one) == gross(one, "500.00"), one.why("k1")


@story(PLOTS, CANADA)
def _a_credit_note_is_unapplied_before_it_is_void(one: Scene) -> Iterator[float | None]:
    """The application was seen and is gone: nobody is asked."""
    one.say(one.invoice("i1", "500.00"), one.credit("k1", "-100.00"))
    yield
    one.apply("k1", "i1", str(gross(one, "100.00")))
    one.say(one.again("k1", details="text"), one.again("i1", details="text"))
    yield
    unpay(one)
    one.say(one.again("k1", step=Step.VOIDED), one.again("i1", **one.sums("300.00")))
    yield
    well(one)
    assert one.failures(ever=True) == []
    assert owed(one) == gross(one, "300.00")


@story(PLOTS, USA)
def _a_void_in_a_closed_period_is_left_and_comes_again(one: Scene) -> Iterator[float | None]:
    """Left in March; March is opened; approved and void again: now it is void."""
    one.say(one.invoice("i1"))
    yield
    one.bookkeeper("close_books", date="2026-03-31")
    one.say(one.again("i1", step=Step.VOIDED))
    yield 3 * 3600
    assert one.stands() == (FAILED, "books-closed"), one.why()
    keep(one)
    yield
    well(one)
    one.bookkeeper("close_books", date=None)
    one.say(one.again("i1", step=Step.APPROVED))
    yield
    well(one)
    one.say(one.again("i1", step=Step.VOIDED))
    yield
    well(one)
    assert owed(one) == 0, one.why()


@story(PLOTS, UK)
def _redated_in_quickbooks_out_of_the_closed_period(one: Scene) -> Iterator[float | None]:
    """The bookkeeper dates it into April and closes March; then Kompass changes the amount."""
    one.say(one.invoice("i1"))
    yield
    one.bookkeeper("update", entity="Invoice", id=one.link().qbo_id, members={"TxnDate": "2026-04-10"})
    one.bookkeeper("close_books", date="2026-03-31")
    one.execute("UPDATE qbo_company_facts SET refetch_at = now() WHERE realm_id = :realm", realm=one.realm)
    one.say(one.again("i1", **one.sums("150.00")))
    yield 3 * 3600
    # The amount went, and the two dates are a person's matter.
    assert {each.cause for each in one.failures(ever=True)} == {"conflict:edited-in-qbo"}
    keep(one)
    yield
    well(one)
    assert one.document()["TxnDate"] == "2026-04-10"
    assert owed(one) == gross(one, "150.00")


@story(PLOTS, UK)
def _paid_documents_exchange_their_numbers(one: Scene) -> Iterator[float | None]:
    one.bookkeeper("profile", members={"warn_duplicate_numbers": True})
    one.say(one.invoice("i1", reference="A"), one.invoice("i2", reference="B"))
    yield
    one.pay("i1")
    one.pay("i2")
    one.say(one.again("i1", reference="B"), one.again("i2", reference="A"))
    yield
    well(one)
    assert [one.document(each)["DocNumber"] for each in ("i1", "i2")] == ["B", "A"]


@story(PLOTS, CANADA)
def _a_void_arrives_without_an_answer_and_is_taken_back(one: Scene) -> Iterator[float | None]:
    """QuickBooks cannot bring it back: the failure says so, and a person ends it by voiding it in Kompass again."""
    one.say(one.invoice("i1"))
    yield
    one.say(one.again("i1", step=Step.VOIDED))
    call(one, lost=True)
    one.say(one.again("i1", step=Step.APPROVED))
    yield 900
    assert one.stands()[0] == FAILED, one.why()
    one.say(one.again("i1", step=Step.VOIDED), one.invoice("i2"))
    yield
    well(one)
    assert owed(one) == gross(one, "100.00")


@story(PLOTS, CANADA)
def _deleted_between_the_update_and_its_answer(one: Scene) -> Iterator[float | None]:
    """The next change finds it gone; recreated, it is there once."""
    one.say(one.invoice("i1"))
    yield
    one.say(one.again("i1", **one.sums("150.00")))
    call(one, after=lambda: one.bookkeeper("delete", entity="Invoice", id=one.link().qbo_id) and None)
    yield
    one.say(one.again("i1", **one.sums("170.00")))
    yield
    assert one.stands() == (FAILED, "deleted-in-qbo")
    send(one)
    yield
    well(one)
    assert owed(one) == gross(one, "170.00")


@story(PLOTS, USA)
def _paid_between_the_create_and_its_answer(one: Scene) -> Iterator[float | None]:
    one.say(one.invoice("i1"))
    for kinds in (("client",), ("project",), ("client",), ("project",)):
        call(one, kinds=kinds)

    def pay() -> None:
        (there,) = one.objects("Invoice")
        one.bookkeeper("pay", id=there["Id"])

    call(one, after=pay)
    one.say(one.again("i1", step=Step.VOIDED))
    yield
    assert one.stands() == (FAILED, "conflict:paid"), one.why()
    unpay(one)
    one.press()
    yield
    well(one)
    assert owed(one) == 0


@story(PLOTS, USA)
def _synchronize_goes_off_and_on_with_an_edit_in_between(one: Scene) -> Iterator[float | None]:
    """The bookkeeper's edit is found when it comes back, and a person is asked."""
    one.say(one.invoice("i1"))
    yield
    one.say(one.again("i1", synchronize=False))
    yield
    _price(one, "i1", 77)
    one.say(one.again("i1", synchronize=True))
    yield
    assert one.stands() == (FAILED, "conflict:edited-in-qbo"), one.why()
    send(one)
    yield
    well(one)
    assert owed(one) == gross(one, "100.00")


@story(PLOTS, UK)
def _an_edit_is_kept_and_edited_again(one: Scene) -> Iterator[float | None]:
    """Kept at 77; the bookkeeper makes it 88; Kompass changes a text, and then the amount."""
    one.say(one.invoice("i1"))
    yield
    _price(one, "i1", 77)
    one.say(one.again("i1", **one.sums("150.00")))
    yield
    keep(one)
    yield
    _price(one, "i1", 88)
    one.say(one.again("i1", details="text"))
    yield
    if one.stands() != SYNCED:
        keep(one)
        yield
    assert one.failures() == []
    one.say(one.again("i1", **one.sums("160.00")))
    yield
    assert one.stands() == (FAILED, "conflict:edited-in-qbo"), one.why()
    send(one)
    yield
    well(one)
    assert owed(one) == gross(one, "160.00")


@story(PLOTS, *THREE)
def _invoice_journal_credit_note_invoice(one: Scene) -> Iterator[float | None]:
    """All types in turn; each way a person decides, and there is one document in the end."""
    one.say(one.invoice("i1"))
    yield
    one.say(one.again("i1", type=InvoiceType.JOURNAL))
    yield
    assert one.link().state == "withdrawn"
    one.say(one.credit("i1", "-100.00"))
    yield
    assert one.stands() == (FAILED, "conflict:type-changed")
    send(one)
    yield
    well(one)
    one.say(one.invoice("i1", "100.00"))
    yield
    assert one.stands() == (FAILED, "conflict:type-changed")
    send(one)
    yield
    well(one)
    assert owed(one) == gross(one, "100.00")
    assert one.document()["DocNumber"] == "INV-i1"


@story(PLOTS, SELF_NUMBERED)
def _a_type_changes_where_the_company_numbers(one: Scene) -> Iterator[float | None]:
    """Kept, changed again, sent; back again."""
    one.say(one.invoice("i1"))
    yield
    one.say(one.credit("i1", "-100.00"))
    yield
    keep(one)
    one.say(one.credit("i1", "-90.00"))
    yield
    send(one)
    yield
    well(one)
    assert owed(one) == -gross(one, "90.00")


@story(PLOTS, CANADA)
def _moved_to_another_customer_there_and_void_here(one: Scene) -> Iterator[float | None]:
    """It is void, whichever customer has it."""
    one.say(one.invoice("i1"), one.client("c9", name="Zed"))
    yield
    other = one.link("c9", "client").qbo_id
    one.bookkeeper("update", entity="Invoice", id=one.link().qbo_id, members={"CustomerRef": {"value": other}})
    one.say(one.again("i1", step=Step.VOIDED))
    yield
    well(one)
    assert owed(one) == 0


@story(PLOTS, CANADA)
def _the_start_date_moves_past_a_create_without_an_answer(one: Scene) -> Iterator[float | None]:
    """It did not arrive: dated before the start date, it is never sent; and it goes when the date moves back."""
    one.say(one.client("c1"))
    one.say(one.project("p1"))
    yield
    one.say(one.invoice("i1"))
    one.trouble(kind="reset_before", count=1)
    call(one, lost=True)
    one.configure(start_date=APRIL)
    later(one, 11)
    yield 900
    assert one.link().state == "skipped", one.why()
    assert one.objects("Invoice") == []
    one.configure(start_date=None)
    yield
    well(one)
    assert owed(one) == gross(one, "100.00")
