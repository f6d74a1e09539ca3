"""Documents are paid, credited, moved, closed, voided and brought back, in every order, with a call or a setting in between."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import replace

from schemas.events import InvoiceType, Step
from simulator.seeds import CANADA, SELF_NUMBERED, UK, USA
from tests.cases.orders import call, gross, keep, later, link_object, owed, remove_link, send, unpay, well
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


@story(PLOTS, *THREE)
def _the_same_number_in_another_year(one: Scene) -> Iterator[float | None]:
    """D01. The company warns of duplicates: the second is refused, and goes once it has another number."""
    one.bookkeeper("profile", members={"warn_duplicate_numbers": True})
    one.say(one.invoice("i1", reference="INV-1", date=dt.date(2025, 3, 1)))
    yield
    one.say(one.invoice("i2", reference="INV-1"))
    yield
    assert one.stands("i2") == (FAILED, "number-taken"), one.why("i2")
    one.say(one.again("i2", reference="INV-1/2026"))
    yield
    well(one)
    assert owed(one) == 2 * gross(one, "100.00")


@story(PLOTS, USA)
def _the_same_number_where_nobody_warns(one: Scene) -> Iterator[float | None]:
    """D02. Both go; the first is renumbered, then the second; then the company begins to warn."""
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
def _a_credit_note_that_is_applied_changes(one: Scene) -> Iterator[float | None]:
    """D03. The invoice is named; unapplied, Try again lets it go."""
    one.say(one.invoice("i1", "500.00"), one.credit("k1", "-100.00"))
    yield
    one.apply("k1", "i1", str(gross(one, "100.00")))
    one.say(one.again("k1", **one.sums("-120.00")))
    yield
    assert one.stands("k1") == (FAILED, "conflict:credit-applied"), one.why("k1")
    assert "INV-i1" in one.link("k1").reason
    unpay(one)
    one.press("k1")
    yield
    well(one)
    assert owed(one) == gross(one, "380.00")


@story(PLOTS, *THREE)
def _a_void_of_an_applied_credit_note_is_left_and_comes_again(one: Scene) -> Iterator[float | None]:
    """D04. Left; approved again; unapplied; void again: then it goes to zero."""
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


@story(PLOTS, *THREE)
def _a_credit_note_is_unapplied_before_it_is_void(one: Scene) -> Iterator[float | None]:
    """D05. The application was seen and is gone: nobody is asked."""
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


@story(PLOTS, *THREE)
def _a_deposit_is_typed_in_and_taken_back(one: Scene) -> Iterator[float | None]:
    """D06. A deposit on the invoice protects it as a payment does."""
    one.say(one.invoice("i1"))
    yield
    one.bookkeeper("preferences", group="SalesFormsPrefs", members={"AllowDeposit": True})
    one.bookkeeper("update", entity="Invoice", id=one.link().qbo_id, members={"Deposit": 30})
    one.say(one.again("i1", **one.sums("150.00")))
    yield
    assert one.stands() == (FAILED, "conflict:paid"), one.why()
    one.bookkeeper("update", entity="Invoice", id=one.link().qbo_id, members={"Deposit": 0})
    one.press()
    yield
    well(one)
    assert owed(one) == gross(one, "150.00")


@story(PLOTS, *THREE)
def _a_void_in_a_closed_period_is_left_and_comes_again(one: Scene) -> Iterator[float | None]:
    """D07. Left in March; March is opened; approved and void again: now it is void."""
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


@story(PLOTS, *THREE)
def _redated_in_quickbooks_out_of_the_closed_period(one: Scene) -> Iterator[float | None]:
    """D08. The bookkeeper dates it into April and closes March; then Kompass changes the amount."""
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
    """D09."""
    one.bookkeeper("profile", members={"warn_duplicate_numbers": True})
    one.say(one.invoice("i1", reference="A"), one.invoice("i2", reference="B"))
    yield
    one.pay("i1")
    one.pay("i2")
    one.say(one.again("i1", reference="B"), one.again("i2", reference="A"))
    yield
    well(one)
    assert [one.document(each)["DocNumber"] for each in ("i1", "i2")] == ["B", "A"]


@story(PLOTS, *THREE)
def _a_void_arrives_without_an_answer_and_is_taken_back(one: Scene) -> Iterator[float | None]:
    """D10. QuickBooks cannot bring it back: the failure says so, and a person ends it by voiding it in Kompass again."""
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
    """D11. The next change finds it gone; recreated, it is there once."""
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


@story(PLOTS, *THREE)
def _paid_between_the_claim_and_the_call(one: Scene) -> Iterator[float | None]:
    """D12. The change is not written through the payment."""
    one.say(one.invoice("i1"))
    yield
    one.say(one.again("i1", **one.sums("150.00")))
    call(one, before=lambda: one.pay())
    yield
    assert one.stands() == (FAILED, "conflict:paid"), one.why()
    assert owed(one) == gross(one, "100.00")
    one.say(one.again("i1", **one.sums("100.00")))
    yield
    well(one)


@story(PLOTS, USA)
def _paid_between_the_create_and_its_answer(one: Scene) -> Iterator[float | None]:
    """D13."""
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


@story(PLOTS, *THREE)
def _rejected_voided_there_and_approved_again(one: Scene) -> Iterator[float | None]:
    """D14. The bookkeeper voids it as asked; Kompass approves it: it is not counted as there."""
    one.say(one.invoice("i1"))
    yield
    one.say(one.again("i1", step=Step.REJECTED))
    yield
    assert one.link().state == "withdrawn"
    one.bookkeeper("void", entity="Invoice", id=one.link().qbo_id)
    one.say(one.again("i1", step=Step.APPROVED))
    yield
    assert one.stands()[0] == FAILED, one.why()
    one.say(one.again("i1", step=Step.VOIDED), one.invoice("i2"))
    yield
    well(one)
    assert owed(one) == gross(one, "100.00")


@story(PLOTS, *THREE)
def _synchronize_goes_off_and_on_with_an_edit_in_between(one: Scene) -> Iterator[float | None]:
    """D15. The bookkeeper's edit is found when it comes back, and a person is asked."""
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


@story(PLOTS, *THREE)
def _an_edit_is_kept_and_edited_again(one: Scene) -> Iterator[float | None]:
    """D16. Kept at 77; the bookkeeper makes it 88; Kompass changes a text, and then the amount."""
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
    """D17. All types in turn; each way a person decides, and there is one document in the end."""
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
    """D18. Kept, changed again, sent; back again."""
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


@story(PLOTS, UK, CANADA)
def _a_type_and_a_currency_change_together(one: Scene) -> Iterator[float | None]:
    """D19. The former document makes way, and the new one has the other currency and its own customer."""
    one.say(one.invoice("i1"))
    yield
    one.say(one.credit("i1", "-100.00", currency="EUR"))
    yield
    assert one.stands() == (FAILED, "conflict:type-changed"), one.why()
    send(one)
    yield
    well(one)
    assert one.document()["CurrencyRef"]["value"] == "EUR"


@story(PLOTS, *THREE)
def _moved_to_another_customer_there_and_void_here(one: Scene) -> Iterator[float | None]:
    """D20. It is void, whichever customer has it."""
    one.say(one.invoice("i1"), one.client("c9", name="Zed"))
    yield
    other = one.link("c9", "client").qbo_id
    one.bookkeeper("update", entity="Invoice", id=one.link().qbo_id, members={"CustomerRef": {"value": other}})
    one.say(one.again("i1", step=Step.VOIDED))
    yield
    well(one)
    assert owed(one) == 0


def _rates_of_yesterday(one: Scene) -> None:
    one.execute(
        "UPDATE qbo_exchange_rate SET fetched_at = fetched_at - interval '25 hours' WHERE realm_id = :realm",
        realm=one.realm,
    )


@story(PLOTS, UK, CANADA)
def _a_rate_is_corrected_between_two_documents_of_a_day(one: Scene) -> Iterator[float | None]:
    """D21. The first keeps its rate through an edit; a later one has the corrected one; dated elsewhere and back."""
    one.bookkeeper("exchange_rate", currency="EUR", date="2026-03-01", rate="0.80")
    one.bookkeeper("exchange_rate", currency="EUR", date="2026-04-01", rate="0.82")
    one.say(one.invoice("i1", currency="EUR"))
    yield
    assert str(one.document()["ExchangeRate"]) == "0.8"
    one.bookkeeper("exchange_rate", currency="EUR", date="2026-03-01", rate="0.90")
    _rates_of_yesterday(one)
    one.say(one.again("i1", **one.sums("150.00")), one.invoice("i2", currency="EUR"))
    yield
    assert [str(one.document(each)["ExchangeRate"]) for each in ("i1", "i2")] == ["0.8", "0.9"]
    one.say(one.again("i1", date=APRIL))
    yield
    assert str(one.document()["ExchangeRate"]) == "0.82"
    one.say(one.again("i1", date=dt.date(2026, 3, 1)))
    yield
    assert str(one.document()["ExchangeRate"]) == "0.9"
    well(one)


@story(PLOTS, UK)
def _a_rate_of_yesterday_serves_when_the_budget_is_spent(one: Scene) -> Iterator[float | None]:
    """D22. No read is left this month: a document of a known day goes with the rate that is known."""
    one.bookkeeper("exchange_rate", currency="EUR", date="2026-03-01", rate="0.80")
    one.say(one.invoice("i1", currency="EUR"))
    yield
    _rates_of_yesterday(one)
    one.say(one.invoice("i2", currency="EUR"))
    pipeline = one.world.pipeline
    claims = pipeline.steps.claims
    before = claims.policy
    claims.policy = replace(before, budget=replace(before.budget, calls=0))
    try:
        for _ in range(3):
            one.execute("UPDATE qbo_link SET due_at = now() WHERE due_at > now() AND org_id = :org")
            call(one)
    finally:
        claims.policy = before
    assert one.stands("i2") == SYNCED, one.why("i2")
    assert str(one.document("i2")["ExchangeRate"]) == "0.8"
    yield


@story(PLOTS, UK, CANADA)
def _a_known_rate_is_answered_as_one_by_now(one: Scene) -> Iterator[float | None]:
    """D23. QuickBooks knew the rate of the day, and says 1 a day later."""
    one.bookkeeper("exchange_rate", currency="EUR", date="2026-03-01", rate="0.80")
    one.say(one.invoice("i1", currency="EUR"))
    yield
    one.bookkeeper("exchange_rate", currency="EUR", date="2026-03-01", rate="1")
    _rates_of_yesterday(one)
    one.say(one.invoice("i2", currency="EUR"))
    yield
    assert str(one.document("i2")["ExchangeRate"]) == "0.8", one.why("i2")


@story(PLOTS, *THREE)
def _custom_numbers_go_off_and_the_number_is_kept(one: Scene) -> Iterator[float | None]:
    """D24. Off between claim and call; kept; on again; Kompass changes the number then, and that goes."""
    one.say(one.invoice("i0"))
    yield
    one.say(one.invoice("i1"))
    call(one, before=lambda: one.switch("custom_numbers", False))
    yield
    if one.stands() != SYNCED:
        keep(one)
        yield
    one.switch("custom_numbers", True)
    one.execute("UPDATE qbo_company_facts SET refetch_at = now() WHERE realm_id = :realm", realm=one.realm)
    one.say(one.again("i1", reference="NEW-1"))
    yield
    well(one)
    assert one.document()["DocNumber"] == "NEW-1"


@story(PLOTS, *THREE)
def _a_document_that_is_paid_is_linked_by_hand_and_kompass_says_otherwise(one: Scene) -> Iterator[float | None]:
    """D25. The typed one has 100, Kompass 120 later: paid, so a person is asked; kept, and void later: asked again."""
    one.say(one.invoice("i1"))
    yield
    typed = dict(one.document())
    one.configure(enabled=False)
    one.say(one.invoice("i2"))
    yield
    members = {
        name: typed[name]
        for name in ("CustomerRef", "TxnDate", "Line", "CurrencyRef", "GlobalTaxCalculation")
        if name in typed
    }
    members["Line"] = [
        {name: value for name, value in each.items() if name not in ("Id", "LineNum")}
        for each in typed["Line"]
        if each["DetailType"] == "SalesItemLineDetail"
    ]
    (there,) = one.bookkeeper("create", entity="Invoice", members={**members, "DocNumber": "T-1"})
    one.bookkeeper("pay", id=there["Id"])
    link_object(one, "i2", there, "Invoice")
    one.configure(enabled=True)
    yield
    assert one.stands("i2") == SYNCED, one.why("i2")
    one.say(one.again("i2", **one.sums("120.00")))
    yield
    assert one.stands("i2") == (FAILED, "conflict:paid"), one.why("i2")
    keep(one, "i2")
    one.say(one.again("i2", step=Step.VOIDED))
    yield
    assert one.stands("i2") == (FAILED, "conflict:paid"), one.why("i2")
    unpay(one)
    one.press("i2")
    yield
    well(one)
    assert owed(one) == gross(one, "100.00")


@story(PLOTS, UK)
def _the_wrong_document_is_linked_first(one: Scene) -> Iterator[float | None]:
    """D26. Linked to a wrong one, unlinked: the invoice is made, and the wrong one is as it was."""
    one.say(one.invoice("i1"))
    yield
    (wrong,) = one.bookkeeper(
        "create", entity="Invoice",
        members={
            "DocNumber": "T-1", "TxnDate": "2026-03-01", "GlobalTaxCalculation": "TaxExcluded",
            "CustomerRef": {"value": one.document()["CustomerRef"]["value"]}, "CurrencyRef": {"value": "GBP"},
            "Line": [
                {name: value for name, value in each.items() if name not in ("Id", "LineNum")}
                for each in one.document()["Line"] if each["DetailType"] == "SalesItemLineDetail"
            ],
        },
    )  # fmt: skip
    one.configure(enabled=False)
    one.say(one.invoice("i2", "300.00"))
    yield
    link_object(one, "i2", wrong, "Invoice")
    one.configure(enabled=True)
    yield
    remove_link(one, "i2")
    yield
    well(one)
    assert owed(one) == gross(one, "500.00")
    assert one.document("i2")["DocNumber"] == "INV-i2"


@story(PLOTS, *THREE)
def _the_start_date_moves_past_a_create_without_an_answer(one: Scene) -> Iterator[float | None]:
    """D27. It did not arrive: dated before the start date, it is never sent; and it goes when the date moves back."""
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
