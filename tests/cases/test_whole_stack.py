"""What bookkeepers and public reports found to end wrong, played through publish, the broker, the consumers and `why`.

Each story is one of the files in ``kompass/``, with what a bookkeeper does in QuickBooks and what an admin does about it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest

from consumers.agreement.command import agree
from simulator.seeds import SELF_NUMBERED, UK, USA
from store import companies
from sync.by_hand import Customer, Existing, KnownClient, link_customer, link_existing
from tests.cases.stack import Plot, Stack, Story

PLOTS: dict[str, tuple[str, Plot]] = {}

FAILED, SYNCED = "failed", ("synced", "")


def story(name: str, like: str = UK) -> Callable[[Plot], Plot]:
    def keep(plot: Plot) -> Plot:
        PLOTS[name] = (like, plot)
        return plot

    return keep


@pytest.fixture(scope="module")
def ends(module_database: str) -> dict[str, BaseException | None]:
    with Stack(module_database) as stack:
        return stack.tell(PLOTS)


# Names and numbers


@story("02-name-extra-space")
def _a_name_that_differs_by_a_space(one: Story) -> Iterator[None]:
    one.bookkeeper(
        "create", entity="Customer", members={"DisplayName": "Anna  Fielding", "CurrencyRef": {"value": "GBP"}}
    )
    (there,) = one.objects("Customer")
    one.publish(one.lines("02-name-extra-space")[0])
    yield
    assert one.stands("client", "c1") == (FAILED, "name-taken")
    assert f"“Anna  Fielding”, Id {there['Id']}" in one.link("client", "c1").reason
    client = KnownClient(one.org, "c1", "Anna Fielding", None)
    customer = Customer(there["Id"], there["DisplayName"], "GBP")
    one.by_hand(lambda db: link_customer(db, client, one.realm, customer, by="an admin"))
    yield
    assert one.stands("client", "c1") == SYNCED
    assert len(one.objects("Customer")) == 1
    assert one.failures() == []


@story("real-name")
def _a_name_that_another_one_gives_up(one: Story) -> Iterator[None]:
    first, second, third = (one.lines(f"real-name-{number}")[0] for number in (1, 2, 3))
    one.publish(first)
    yield
    one.publish(second)
    yield
    assert one.stands("client", "fa1") == (FAILED, "name-held-by-another")
    assert "Field Birch Ltd" in one.link("client", "fa1").reason
    one.publish(third)
    yield
    assert (one.stands("client", "fa1"), one.stands("client", "fa2")) == (SYNCED, SYNCED)
    names = sorted(customer["DisplayName"] for customer in one.objects("Customer"))
    assert names == ["Field Birch Ltd", "Field Cedar Ltd"]
    assert one.failures() == []


@story("17b-number-freed-later", USA)
def _a_number_that_another_one_gives_up(one: Story) -> Iterator[None]:
    for line in one.lines("17b-number-freed-later")[0]:
        one.publish([line])
        yield
    numbers = {row: one.document(row)["DocNumber"] for row in ("i1", "i2")}
    assert numbers == {"i1": "A-2", "i2": "A-3"}
    assert (one.stands("invoice", "i1"), one.stands("invoice", "i2"), one.failures()) == (SYNCED, SYNCED, [])


@story("18b-number-taken-remedy-void", USA)
def _a_number_that_was_typed_in_by_hand(one: Story) -> Iterator[None]:
    client, invoice = one.lines("18b-number-taken-remedy-void")[:2]
    one.publish(client)
    yield
    typed = _typed_in(one, "INV-i1", one.link("client", "c1").qbo_id)
    one.publish(invoice)
    yield
    assert one.stands("invoice", "i1") == (FAILED, "number-taken")
    (failure,) = one.failures()
    assert "void" not in failure.remedy.lower()
    one.bookkeeper("void", entity="Invoice", id=typed["Id"])
    one.try_again()
    yield
    assert one.stands("invoice", "i1") == (FAILED, "number-taken")
    yield from _linked_to_the_typed_one(one, "i1", typed["Id"])


@story("s09-number-typed-by-hand")
def _a_number_that_was_typed_in_and_paid(one: Story) -> Iterator[None]:
    (payer,) = one.bookkeeper(
        "create", entity="Customer", members={"DisplayName": "By hand", "CurrencyRef": {"value": "GBP"}}
    )
    typed = _typed_in(
        one, "24-0001-01", payer["Id"], "100", tax_code=one.stack.pipeline.object_id(one.realm, "TaxCode", "20.0% S")
    )
    one.bookkeeper("pay", id=typed["Id"])
    one.publish(one.lines("s09-number-typed-by-hand")[0])
    yield
    assert one.stands("invoice", "n1") == (FAILED, "number-taken")
    assert "link it by hand" in one.failures()[0].remedy
    yield from _linked_to_the_typed_one(one, "n1", typed["Id"])
    assert one.document("n1")["Balance"] == 0


def _linked_to_the_typed_one(one: Story, kompass_id: str, qbo_id: str) -> Iterator[None]:
    """The admin says that the typed document is the one: it stays as it is."""
    before = next(row for row in one.objects("Invoice") if row["Id"] == qbo_id)
    there = Existing("Invoice", qbo_id, before["DocNumber"], before["CurrencyRef"]["value"])
    link_id = one.link("invoice", kompass_id).id
    one.by_hand(lambda db: link_existing(db, link_id, there, by="an admin"))
    yield
    assert one.link("invoice", kompass_id).state == "synced", one.why("invoice", kompass_id)
    assert one.objects("Invoice") == [before]
    assert one.failures() == []


@story("22-merge-job")
def _a_sub_customer_is_merged_into_a_project(one: Story) -> Iterator[None]:
    first, second = one.lines("22-merge-job")
    one.publish(first)
    yield
    job, payer = one.link("project", "p1").qbo_id, one.link("client", "c1").qbo_id
    (made,) = one.bookkeeper("project", name="24-p1 Project", customer=payer)
    one.bookkeeper("merge", id=job, into=made["Id"])
    one.publish(second[:1])
    yield
    link = one.link("invoice", "i2")
    assert link.state == FAILED, one.why("invoice", "i2")
    assert "by hand" in one.failures()[0].remedy
    project_id = one.link("project", "p1").id
    there = Existing("Customer", made["Id"], made["DisplayName"], "GBP")
    one.by_hand(lambda db: link_existing(db, project_id, there, by="an admin"))
    one.publish(second[1:])
    yield
    assert one.stands("project", "p1")[0] == "synced"
    for row in ("i1", "i2"):
        assert one.stands("invoice", row) == SYNCED, one.why("invoice", row)
        assert one.document(row)["CustomerRef"]["value"] == made["Id"]
    assert one.document("i1")["CustomerMemo"]["value"] == "hello"
    assert one.failures() == []


def _typed_in(one: Story, number: str, customer: str, amount: str = "5", *, tax_code: str = "") -> dict[str, Any]:
    item = next(row["Id"] for row in one.objects("Item") if row["Type"] != "Category")
    detail: dict[str, Any] = {"ItemRef": {"value": item}}
    members: dict[str, Any] = {"CustomerRef": {"value": customer}, "DocNumber": number}
    if tax_code:
        detail["TaxCodeRef"] = {"value": tax_code}
        members |= {"GlobalTaxCalculation": "TaxExcluded", "CurrencyRef": {"value": "GBP"}}
    members["Line"] = [{"Amount": Decimal(amount), "DetailType": "SalesItemLineDetail", "SalesItemLineDetail": detail}]
    (made,) = one.bookkeeper("create", entity="Invoice", members=members)[-1:]
    return made


# What the company's settings say


@story("06b-multicurrency-try-again", USA)
def _multicurrency_is_switched_on(one: Story) -> Iterator[None]:
    one.publish(one.lines("06b-multicurrency-try-again")[0])
    yield
    assert one.link("client", "c1", currency="CAD").cause == "no-multicurrency:CAD"
    assert one.link("invoice", "i1").state == "waiting"
    one.bookkeeper("preferences", group="CurrencyPrefs", members={"MultiCurrencyEnabled": True})
    one.try_again()
    yield
    assert one.stands("invoice", "i1") == SYNCED, one.why("invoice", "i1")
    assert one.document("i1")["CurrencyRef"]["value"] == "CAD"
    assert one.failures() == []


@story("08-category-item")
def _the_default_item_is_a_category(one: Story) -> Iterator[None]:
    good = one.stack.pipeline.object_id(one.realm, "Item", "Surveying")
    (made,) = one.bookkeeper("create", entity="Item", members={"Name": "Fieldwork", "Type": "Category"})
    one.configure(default_item_id=made["Id"])
    one.publish(one.lines("08-category-item")[0])
    yield
    link = one.link("invoice", "i1")
    assert link.state == FAILED
    assert "category" in link.reason
    one.configure(default_item_id=good)
    yield
    assert one.stands("invoice", "i1") == SYNCED


@story("09-custom-numbers-off-later", USA)
def _custom_numbers_are_switched_off(one: Story) -> Iterator[None]:
    first, second = one.lines("09-custom-numbers-off-later")
    one.publish(first)
    yield
    one.bookkeeper("preferences", group="SalesFormsPrefs", members={"CustomTxnNumbers": False})
    one.publish(second[:1])
    yield
    number = one.document("i2").get("DocNumber")
    assert one.link("invoice", "i2").state == "synced", one.why("invoice", "i2")
    assert number != "INV-i2"
    assert number
    assert "number" in one.why("invoice", "i2")
    one.publish(second[1:])
    yield
    assert one.document("i2")["DocNumber"] == number


@story("09b-custom-numbers-on-later", SELF_NUMBERED)
def _custom_numbers_are_switched_on(one: Story) -> Iterator[None]:
    first, second = one.lines("09b-custom-numbers-on-later")
    one.publish(first)
    yield
    one.bookkeeper("preferences", group="SalesFormsPrefs", members={"CustomTxnNumbers": True})
    one.publish(second)
    yield
    assert one.stands("invoice", "i2") == SYNCED
    assert one.document("i2")["DocNumber"] == "INV-i2"


@story("10b-class-off-drop")
def _class_tracking_is_switched_off_and_on(one: Story) -> Iterator[None]:
    first, second = one.lines("10b-class-off-drop")
    one.configure(default_class_id=one.objects("Class")[0]["Id"])
    one.bookkeeper("preferences", group="AccountingInfoPrefs", members={"ClassTrackingPerTxnLine": False})
    one.publish(first)
    yield
    # Without class tracking there is nothing to send; that the class was dropped is said once.
    assert one.stands("invoice", "i1") == SYNCED
    assert "not-taken:class" in one.why("invoice", "i1")
    one.bookkeeper("preferences", group="AccountingInfoPrefs", members={"ClassTrackingPerTxnLine": True})
    # No answer can show that classes are kept again: the admin's check of the company reads its settings.
    one.by_hand(lambda db: companies.mark_facts_stale(db, one.realm, asked=True))
    one.publish(second)
    yield
    assert one.stands("invoice", "i1") == SYNCED
    assert one.document("i1")["Line"][0]["SalesItemLineDetail"]["ClassRef"]["value"]


@story("54-custom-field-renamed")
def _a_custom_field_is_switched_off(one: Story) -> Iterator[None]:
    first, (another, text_alone) = one.lines("54-custom-field-renamed")
    one.execute(
        "INSERT INTO qbo_custom_field (configuration_id, realm_id, definition_id, name, template)"
        " SELECT id, realm_id, '1', 'Kompass reference', '{{ invoice.reference }}' FROM qbo_configuration WHERE org_id = :org"
    )
    yield
    one.publish(first)
    yield
    assert one.stands("invoice", "i1") == SYNCED
    _without_custom_field(one, name="")
    # A text goes while nobody knows that the field is gone. The refusal of a document that sends it has the company's facts read again;
    # by those, no document of the company can go: had both been published at once, the text would have gone or not.
    one.publish([text_alone])
    yield
    assert one.document("i1")["CustomerMemo"]["value"] == "only a text"
    one.publish([another])
    yield
    assert one.link("invoice", "i2").state == FAILED
    assert "Custom Field “Kompass reference”" in one.link("invoice", "i2").reason
    one.execute(
        "DELETE FROM qbo_custom_field WHERE configuration_id = (SELECT id FROM qbo_configuration WHERE org_id = :org)"
    )
    yield
    assert (one.stands("invoice", "i1"), one.stands("invoice", "i2")) == (SYNCED, SYNCED), one.why("invoice", "i1")


def _without_custom_field(one: Story, *, name: str) -> None:
    used = [
        {"Name": f"SalesFormsPrefs.UseSalesCustom{number}", "Type": "BooleanType", "BooleanValue": number > 1}
        for number in (1, 2, 3)
    ]
    names = [
        {"Name": f"SalesFormsPrefs.SalesCustomName{number}", "Type": "StringType", "StringValue": words}
        for number, words in enumerate((name, "Account manager", "Order confirmation"), 1)
    ]
    members = {"CustomField": [{"CustomField": used}, {"CustomField": names}]}
    one.bookkeeper("preferences", group="SalesFormsPrefs", members=members)


# What the books protect


@story("real-paid")
def _a_part_payment_protects_an_invoice(one: Story) -> Iterator[None]:
    first, second, third = (one.lines(f"real-paid-{number}")[0] for number in (1, 2, 3))
    one.publish(first)
    yield
    assert one.stands("invoice", "fa") == SYNCED, one.why("invoice", "fa")
    for row in ("fa", "fb"):
        one.bookkeeper("pay", id=one.link("invoice", row).qbo_id, amount="40.00")
    one.publish(second)
    yield
    assert (one.stands("invoice", "fa"), one.stands("invoice", "fb")) == (SYNCED, SYNCED)
    assert one.document("fa")["CustomerMemo"]["value"] == "Thank you"
    one.publish(third)
    yield
    for row in ("fa", "fb"):
        assert one.stands("invoice", row) == (FAILED, "conflict:paid")
        assert "Payment" in one.link("invoice", row).reason
        there = one.document(row)
        assert (there["TotalAmt"], there["Balance"]) == (Decimal("120.00"), Decimal("80.00"))


@story("64-partly-paid-credit-sequence")
def _a_payment_in_full_protects_an_invoice(one: Story) -> Iterator[None]:
    first, second = one.lines("64-partly-paid-credit-sequence")
    one.publish(first)
    yield
    one.bookkeeper("pay", id=one.link("invoice", "i1").qbo_id)
    one.publish(second[:1])
    yield
    assert one.stands("invoice", "i1") == SYNCED
    one.publish(second[1:])
    yield
    assert one.stands("invoice", "i1") == (FAILED, "conflict:paid")
    assert one.document("i1")["TotalAmt"] == Decimal("120.00")
    assert one.document("i1")["Balance"] == 0


@story("25b-auto-apply-existing-credit")
def _quickbooks_applies_a_credit_to_a_new_invoice(one: Story) -> Iterator[None]:
    first, second = one.lines("25b-auto-apply-existing-credit")
    one.publish(first)
    yield
    one.bookkeeper("preferences", group="SalesFormsPrefs", members={"AutoApplyCredit": True})
    one.publish(second)
    yield
    assert one.stands("invoice", "i2") == SYNCED
    before = one.document("i2")
    assert before["Balance"] == Decimal("72.00")
    one.publish([_with_net(line, "100.00", "150.00", "30.00") for line in second])
    yield
    assert one.stands("invoice", "i2") == (FAILED, "conflict:paid")
    assert one.document("i2") == before


def _with_net(line: str, net: str, new: str, vat: str) -> str:
    gross = Decimal(new) + Decimal(vat)
    return (
        line.replace(f'"amount_net": "{net}"', f'"amount_net": "{new}"')
        .replace('"amount_vat": "20.00"', f'"amount_vat": "{vat}"')
        .replace('"amount_gross": "120.00"', f'"amount_gross": "{gross}"')
        .replace('"id": "i2", "sequence": 1', '"id": "i2", "sequence": 2')
    )


@story("s05-paid-invoice-changes-payer")
def _the_payer_of_a_paid_invoice_changes(one: Story) -> Iterator[None]:
    first, second = one.lines("s05-paid-invoice-changes-payer")[0]
    one.publish([first])
    yield
    one.bookkeeper("pay", id=one.link("invoice", "b1").qbo_id)
    before = one.document("b1")
    one.publish([second])
    yield
    assert one.stands("invoice", "b1") == (FAILED, "conflict:paid")
    assert one.document("b1")["CustomerRef"] == before["CustomerRef"]


@story("s07-start-date-moved-void")
def _a_start_date_moves_past_what_was_sent(one: Story) -> Iterator[None]:
    first, second = one.lines("s07-start-date-moved-void")[0]
    one.publish([first])
    yield
    one.configure(start_date="2026-04-01")
    yield
    one.publish([second])
    yield
    assert one.link("invoice", "e1").state == "synced"
    assert one.document("e1")["TotalAmt"] == 0


@story("s03-withdrawn-then-reapproved")
def _withdrawn_deleted_and_approved_again(one: Story) -> Iterator[None]:
    yield from _comes_back(one, "delete", "deleted-in-qbo")


@story("s03-withdrawn-voided-then-reapproved")
def _withdrawn_voided_and_approved_again(one: Story) -> Iterator[None]:
    yield from _comes_back(one, "void", "conflict:voided-in-qbo")


def _comes_back(one: Story, deed: str, cause: str) -> Iterator[None]:
    approved, taken_back, again = one.lines("s03-withdrawn-then-reapproved")[0]
    one.publish([approved])
    yield
    one.publish([taken_back])
    yield
    assert one.link("invoice", "w1").state == "withdrawn"
    one.bookkeeper(deed, entity="Invoice", id=one.link("invoice", "w1").qbo_id)
    one.publish([again])
    yield
    assert one.stands("invoice", "w1") == (FAILED, cause)
    owed = sum(row["Balance"] for row in one.objects("Invoice"))
    assert owed == 0


@story("s12-withdrawn-resolved")
def _withdrawn_and_voided_as_asked(one: Story) -> Iterator[None]:
    approved, taken_back = one.lines("s12-withdrawn-resolved")[0]
    one.publish([approved])
    yield
    one.publish([taken_back])
    yield
    assert one.link("invoice", "r1").state == "withdrawn"
    assert "stays in QuickBooks although Kompass took it back" in one.why("invoice", "r1")
    one.bookkeeper("void", entity="Invoice", id=one.link("invoice", "r1").qbo_id)
    agreed = one.stack.run(agree, "--org", one.org, "--month", "2026-03")
    assert agreed.return_value == 0, (agreed.output, agreed.exception)


# Outages, and answers that are none


@story("47-outage-unsupported-storm")
def _an_outage_that_answers_400(one: Story) -> Iterator[None]:
    yield from _storm(one, {"kind": "unsupported"})


@story("47-outage-not-found")
def _an_outage_that_answers_404(one: Story) -> Iterator[None]:
    yield from _storm(one, {"kind": "not_found_page"})


@story("47-outage-try-again")
def _an_outage_that_answers_6000_and_saves_half(one: Story) -> Iterator[None]:
    yield from _storm(one, {"kind": "saved_anyway", "probability": 0.5}, {"kind": "try_again"})


def _storm(one: Story, *rules: dict[str, Any]) -> Iterator[None]:
    one.busy = True
    for rule in rules:
        one.trouble(**rule)
    one.publish(one.lines("47-outage-unsupported-storm")[0])
    yield
    yield
    assert one.failures(ever=True) == []
    one.busy = False
    one.no_more_trouble()
    yield
    names = sorted(row["DisplayName"] for row in one.objects("Customer"))
    assert names == sorted(f"Client c{number}" for number in range(30))
    assert one.failures(ever=True) == []


@story("69-6000-but-saved-usa", USA)
def _refused_and_saved_all_the_same(one: Story) -> Iterator[None]:
    project, invoice = one.lines("69-6000-but-saved-usa")[0]
    one.publish([project])
    yield
    one.trouble(kind="saved_anyway", entity="Invoice", count=1)
    one.publish([invoice])
    yield
    assert one.stands("invoice", "i1") == SYNCED
    assert len(one.objects("Invoice")) == 1
    assert one.failures(ever=True) == []


@pytest.mark.timeout(240)
@pytest.mark.parametrize("name", PLOTS)
def test_it_ends_right(ends: dict[str, BaseException | None], name: str) -> None:
    if (wrong := ends[name]) is not None:
        raise wrong
