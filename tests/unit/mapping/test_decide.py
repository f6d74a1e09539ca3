"""Each decision and the order in which they are taken: stale, synced at all, mapped, pushed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from mapping.books import edited
from mapping.case import Case, Party, needed_party, own_currency
from mapping.decide import decide_case
from mapping.decisions import Decision, Fail, Nothing, Read, Skip, Wait, Withdraw, Write
from mapping.results import PartyKey
from schemas.company import CustomField, Standing
from schemas.events import Client, InvoiceType, Kind, Record, Step
from schemas.observed import Observed

from .conftest import Make


def case(make: Make, record: Record, **more: Any) -> Case:
    """With its customer or job in QuickBooks, unless the test says otherwise."""
    more.setdefault("configuration", make.configuration())
    more.setdefault("facts", make.facts())
    made = Case(record=record, **more)
    if "party" not in more and (key := needed_party(made)) is not None:
        made = replace(made, party=Party(key, qbo_id="70", state="synced"))
    return made


def written(decision: Decision) -> Write:
    assert isinstance(decision, Write), decision
    return decision


def refused(decision: Decision) -> str:
    assert isinstance(decision, Fail), decision
    return decision.problems[0].cause


def settled(decision: Decision, **more: Any) -> Standing:
    """What stands in QuickBooks once a create was answered."""
    write = written(decision)
    lines = write.body.get("Line", ())
    assert isinstance(lines, list | tuple)
    made = Standing(
        qbo_id="7",
        entity=write.entity,
        sync_token="0",
        applied=write.applied,
        line_ids=tuple(str(number) for number in range(1, len(lines) + 1)),
        name=write.name,
        currency=write.currency,
    )
    return replace(made, **more)


def in_qbo(write: Write, **more: object) -> dict[str, object]:
    """The object as QuickBooks shows it after a create: ours, with what it adds."""
    document: dict[str, object] = {"Id": "7", "SyncToken": "1", **write.body}
    if "Line" in document:
        lines: Any = document["Line"]
        document["Line"] = [
            *({"Id": str(number), **one} for number, one in enumerate(lines, 1)),
            {"Amount": Decimal(100), "DetailType": "SubTotalLineDetail", "SubTotalLineDetail": {}},
        ]
        document |= {"TotalAmt": Decimal("120.00"), "Balance": Decimal("120.00")}
    return {**document, **more}


# What is not to be synced


@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        ({"synchronize": False}, "synchronize-off"),
        ({"type": InvoiceType.JOURNAL}, "journal"),
        ({"type": InvoiceType.UNKNOWN}, "type:unknown"),
        ({"step": Step.DRAFT}, "step:draft"),
        ({"step": Step.SUBMITTED}, "step:submitted"),
        ({"step": Step.REJECTED}, "step:rejected"),
        ({"step": Step.VOIDED}, "void-never-sent"),
    ],
)
@pytest.mark.parametrize("enabled", [True, False])
def test_what_is_not_to_be_synced_is_skipped_before_anything_else(
    make: Make, changes: dict[str, Any], cause: str, enabled: bool
) -> None:
    """No mapping, no customer and no Enable is needed for a record that does not go."""
    bare = make.configuration(enabled=enabled, default_item_id=None, item_services={}, tax_codes={})
    decision = decide_case(case(make, make.invoice(**changes), configuration=bare, party=None))
    assert isinstance(decision, Skip)
    assert decision.cause == cause
    assert decision.reason


def test_a_document_before_the_start_date_is_skipped_and_one_on_it_goes(make: Make) -> None:
    start = make.configuration(start_date=dt.date(2025, 3, 1))
    early = make.invoice(date=dt.date(2025, 2, 28))
    assert isinstance(decision := decide_case(case(make, early, configuration=start)), Skip)
    assert decision.cause == "before-start-date"
    assert written(decide_case(case(make, make.invoice(), configuration=start))).operation == "create"


@pytest.mark.parametrize(
    ("record", "deleted", "cause"),
    [("synchronize", False, "synchronize-off"), ("step", False, "step:rejected"), ("deleted", True, "deleted"),
     ("journal", False, "journal")],
)  # fmt: skip
def test_what_was_sent_and_taken_back_is_withdrawn(make: Make, record: str, deleted: bool, cause: str) -> None:
    invoice = make.invoice()
    standing = settled(decide_case(case(make, invoice)))
    later = {
        "synchronize": replace(invoice, synchronize=False),
        "step": replace(invoice, step=Step.REJECTED),
        "deleted": invoice,
        "journal": replace(invoice, type=InvoiceType.JOURNAL),
    }[record]
    decision = decide_case(case(make, later, standing=standing, deleted=deleted))
    assert isinstance(decision, Withdraw)
    assert decision.cause == cause


def test_a_document_whose_type_changed_waits_for_a_person_until_the_former_one_is_gone(make: Make) -> None:
    invoice = make.invoice()
    standing = settled(decide_case(case(make, invoice)))
    credit = make.credit_note(make.line(amount_net=Decimal("-100.00"), amount_vat=Decimal("-20.00")))
    # What a person is asked about is what is so now.
    assert decide_case(case(make, credit, standing=standing)) == Read("Invoice", "7")
    there = Observed({"Id": "7", "SyncToken": "0", "TotalAmt": 120, "Balance": 120, "PrivateNote": "ours"})
    read = replace(standing, observed=there, fresh=True)
    assert refused(decide_case(case(make, credit, standing=read))) == "conflict:type-changed"
    assert decide_case(case(make, credit, standing=replace(standing, sync_token=None))) == Read("Invoice", "7")
    voided = replace(standing, observed=Observed({"Id": "7", "SyncToken": "1", "TotalAmt": 0, "PrivateNote": "Voided"}))
    # A hand that voided it may have brought it back since.
    assert decide_case(case(make, credit, standing=voided)) == Read("Invoice", "7")
    for gone in (replace(voided, fresh=True), replace(voided, voided=True)):
        write = written(decide_case(case(make, credit, standing=gone)))
        assert (write.operation, write.entity, write.object_id) == ("create", "CreditMemo", None)


def test_what_was_withdrawn_and_comes_back_is_pushed_again(make: Make) -> None:
    invoice = make.invoice()
    standing = settled(decide_case(case(make, invoice)))
    assert isinstance(decide_case(case(make, invoice, standing=standing)), Nothing)
    assert written(decide_case(case(make, replace(invoice, details="x"), standing=standing))).operation == "update"


def test_a_start_date_set_later_decides_nothing_about_what_was_sent(make: Make) -> None:
    invoice = make.invoice()
    standing = settled(decide_case(case(make, invoice)))
    late = make.configuration(start_date=dt.date(2026, 1, 1))
    same = decide_case(case(make, invoice, standing=standing, configuration=late))
    assert (type(same), getattr(same, "cause", None)) == (Nothing, "")
    edited_since = decide_case(case(make, make.invoice(details="x"), standing=standing, configuration=late))
    assert written(edited_since).operation == "update"
    void = decide_case(case(make, make.invoice(step=Step.VOIDED), standing=standing, configuration=late))
    assert written(void).operation == "void"


def test_what_stays_in_quickbooks_although_it_is_not_synced_any_more_says_why(make: Make) -> None:
    """Project customers switched off takes nothing out of the books."""
    job = settled(decide_case(case(make, make.project())))
    off = make.configuration(project_customers=False)
    kept = decide_case(case(make, make.project(name="New"), standing=job, configuration=off))
    assert isinstance(kept, Nothing)
    assert kept.cause == "project-customers-off"
    gone = decide_case(
        case(make, make.client(), standing=settled(decide_case(case(make, make.client()))), deleted=True)
    )
    assert isinstance(gone, Nothing)
    assert gone.cause == "deleted"


def test_nothing_to_do_has_no_cause(make: Make) -> None:
    standing = settled(decide_case(case(make, make.client())))
    assert decide_case(case(make, make.client(), standing=standing)) == Nothing("QuickBooks agrees")


# What waits


def test_a_configuration_that_is_not_enabled_waits_before_anything_is_mapped(make: Make) -> None:
    off = make.configuration(enabled=False, default_item_id=None, item_services={}, tax_codes={})
    for record in (make.client(), make.project(), make.invoice()):
        decision = decide_case(case(make, record, configuration=off))
        assert isinstance(decision, Wait)
        assert (decision.cause, decision.on) == ("not-enabled", None)


@pytest.mark.parametrize("party", [None, Party(PartyKey(Kind.PROJECT, "pro-1", "cli-1", "GBP"))])
def test_what_stands_on_something_not_in_quickbooks_yet_waits(make: Make, party: Party | None) -> None:
    bare = make.configuration(tax_codes={})
    decision = decide_case(case(make, make.invoice(), party=party, configuration=bare))
    assert isinstance(decision, Wait)
    assert decision.cause == "dependency"
    assert decision.on == PartyKey(Kind.PROJECT, "pro-1", "cli-1", "GBP")


def test_what_stands_on_something_rejected_waits_under_its_cause(make: Make) -> None:
    key = PartyKey(Kind.PROJECT, "pro-1", "cli-1", "GBP")
    party = Party(key, state="failed", cause="name-taken", reason="somebody has the name")
    decision = decide_case(case(make, make.invoice(), party=party))
    assert isinstance(decision, Wait)
    assert decision.cause == "dependency:name-taken"
    assert "somebody has the name" in decision.reason


def test_a_party_that_was_rejected_after_it_had_been_sent_holds_nothing_up(make: Make) -> None:
    key = PartyKey(Kind.PROJECT, "pro-1", "cli-1", "GBP")
    party = Party(key, qbo_id="70", state="failed", cause="name-taken")
    body = written(decide_case(case(make, make.invoice(), party=party))).body
    assert body["CustomerRef"] == {"value": "70"}


@pytest.mark.parametrize(
    ("project_customers", "with_project", "expected"),
    [
        (True, True, PartyKey(Kind.PROJECT, "pro-1", "cli-2", "EUR")),
        (False, True, PartyKey(Kind.CLIENT, "cli-2", "", "EUR")),
        (True, False, PartyKey(Kind.CLIENT, "cli-1", "", "EUR")),
    ],
)
def test_whom_an_invoice_stands_on(make: Make, project_customers: bool, with_project: bool, expected: PartyKey) -> None:
    project = make.project(billing_client=make.client(id="cli-2")) if with_project else None
    invoice = make.invoice(project=project, currency="EUR")
    configuration = make.configuration(project_customers=project_customers)
    assert needed_party(case(make, invoice, configuration=configuration)) == expected


def test_a_sent_invoice_stays_with_its_customer_when_only_project_customers_is_switched(make: Make) -> None:
    invoice = make.invoice()
    standing = settled(decide_case(case(make, invoice)))
    off = make.configuration(project_customers=False)
    assert isinstance(decide_case(case(make, invoice, configuration=off, standing=standing)), Nothing)
    renewed = replace(standing, refresh_names=True)
    customer = Party(PartyKey(Kind.CLIENT, "cli-1", "", "GBP"), "8")
    moved = decide_case(case(make, invoice, configuration=off, standing=renewed, party=customer))
    assert written(moved).body["CustomerRef"] == {"value": "8"}


def test_a_sent_invoice_moves_when_its_project_changes_in_kompass(make: Make) -> None:
    standing = settled(decide_case(case(make, make.invoice())))
    later = make.invoice(project=make.project(id="pro-2", reference="24-0330"))
    moved = case(make, later, standing=standing)
    assert moved.party is not None
    decision = decide_case(replace(moved, party=replace(moved.party, qbo_id="71")))
    assert written(decision).body["CustomerRef"] == {"value": "71"}


# Creates, updates, names


def test_a_create_holds_the_payload_and_an_update_only_what_changed(make: Make) -> None:
    create = written(decide_case(case(make, make.client())))
    assert (create.operation, create.entity, create.object_id) == ("create", "Customer", None)
    assert create.body == create.applied.members
    assert create.applied.notes.template == "{{ client.name }}"
    assert "Id" not in create.body
    later = make.client(phone="+44 1", notes="Pays late")
    update = written(decide_case(case(make, later, standing=settled(create))))
    assert (update.operation, update.object_id) == ("update", "7")
    assert update.body == {
        "Id": "7",
        "SyncToken": "0",
        "sparse": True,
        "PrimaryPhone": {"FreeFormNumber": "+44 1"},
        "Notes": "Pays late",
    }
    assert update.applied.members["Notes"] == "Pays late"
    assert update.applied.members["DisplayName"] == "Harbour Authority"


def test_what_was_cleared_in_kompass_is_cleared_in_quickbooks(make: Make) -> None:
    before = make.client(notes="old")
    standing = settled(decide_case(case(make, before)))
    later = replace(before, email=None, phone=None, website=None, address=None, notes=None)
    body = written(decide_case(case(make, later, standing=standing))).body
    assert body["PrimaryEmailAddr"] == {"Address": ""}
    assert body["PrimaryPhone"] == {"FreeFormNumber": ""}
    assert body["WebAddr"] == {"URI": ""}
    assert body["Notes"] == ""
    address: Any = body["BillAddr"]
    assert set(address.values()) == {""}
    assert "DisplayName" not in body


def test_a_custom_field_whose_template_gives_nothing_any_more_is_cleared(make: Make) -> None:
    configuration = make.configuration(custom_fields=(CustomField("1", "PO", "{{ invoice.details }}"),))
    standing = settled(decide_case(case(make, make.invoice(details="PO 7"), configuration=configuration)))
    body = written(decide_case(case(make, make.invoice(), configuration=configuration, standing=standing))).body
    assert body["CustomField"] == [{"DefinitionId": "1", "Type": "StringType", "StringValue": ""}]


def test_changed_lines_keep_the_ids_that_quickbooks_gave(make: Make) -> None:
    standing = settled(decide_case(case(make, make.invoice())))
    later = make.invoice(make.line(), make.line(id="line-2", position=2))
    lines: Any = written(decide_case(case(make, later, standing=standing))).body["Line"]
    assert [one.get("Id") for one in lines] == ["1", None]
    assert "GlobalTaxCalculation" in written(decide_case(case(make, later, standing=standing))).body


@pytest.mark.parametrize("kind", ["client", "project", "invoice"])
def test_a_name_stays_when_only_its_template_was_edited(make: Make, kind: str) -> None:
    record: Record = getattr(make, kind)()
    member = "DocNumber" if kind == "invoice" else "DisplayName"
    standing = settled(decide_case(case(make, record)))
    edited = make.configuration(
        client_name_template="C {{ client.name }}",
        project_name_template="P {{ project.name }}",
        doc_number_template="N{{ invoice.reference }}",
    )
    assert isinstance(decide_case(case(make, record, configuration=edited, standing=standing)), Nothing)
    # The new template applies when the admin asks, or once what it is made from changes.
    asked = replace(standing, refresh_names=True)
    assert member in written(decide_case(case(make, record, configuration=edited, standing=asked))).body
    changes = {"reference": "24-0329-02"} if kind == "invoice" else {"name": "Renamed"}
    body = written(decide_case(case(make, replace(record, **changes), configuration=edited, standing=standing))).body  # type: ignore[arg-type]
    assert str(body[member])[:1] == {"client": "C", "project": "P", "invoice": "N"}[kind]


def test_a_name_stays_through_an_edited_template_also_after_other_updates(make: Make) -> None:
    standing = settled(decide_case(case(make, make.client())))
    edited = make.configuration(client_name_template="C {{ client.name }}")
    update = written(decide_case(case(make, make.client(notes="x"), configuration=edited, standing=standing)))
    assert update.name == "Harbour Authority"
    again = replace(standing, applied=update.applied, name=update.name)
    assert isinstance(decide_case(case(make, make.client(notes="x"), configuration=edited, standing=again)), Nothing)


def test_a_bookkeepers_rename_survives_an_edited_template(make: Make) -> None:
    """QuickBooks answered an update with the name that the bookkeeper had given."""
    standing = settled(decide_case(case(make, make.client())), name="Harbour (old files)")
    edited = make.configuration(client_name_template="C {{ client.name }}")
    assert isinstance(decide_case(case(make, make.client(), configuration=edited, standing=standing)), Nothing)
    assert isinstance(decide_case(case(make, make.client(), standing=standing)), Nothing)


def test_an_override_stands_before_the_template(make: Make) -> None:
    standing = settled(decide_case(case(make, make.client())), name_override="Harbour (DE)")
    assert written(decide_case(case(make, make.client(), standing=standing))).body["DisplayName"] == "Harbour (DE)"


@pytest.mark.parametrize(
    ("client_currency", "own", "name"),
    [(None, "", "Harbour Authority"), (None, "EUR", "Harbour Authority (EUR)"), ("EUR", "", "Harbour Authority"),
     ("EUR", "GBP", "Harbour Authority (GBP)"), ("EUR", "EUR", "Harbour Authority")],
)  # fmt: skip
def test_a_second_customer_of_another_currency_has_a_name_of_its_own(
    make: Make, client_currency: str | None, own: str, name: str
) -> None:
    record = make.client(currency=client_currency)
    made = case(make, record, standing=Standing(currency=own))
    assert written(decide_case(made)).body["DisplayName"] == name
    assert own_currency(made) == (own or client_currency or "GBP")


def test_a_customers_suffix_stays_when_the_clients_currency_changes(make: Make) -> None:
    eur = settled(decide_case(case(make, make.client(), standing=Standing(currency="EUR"))))
    later = make.client(currency="EUR")
    assert isinstance(decide_case(case(make, later, standing=eur)), Nothing)


def test_a_job_of_a_former_billing_client_is_told_apart(make: Make) -> None:
    former = make.client(id="cli-2", name="Old Payer")
    body = written(decide_case(case(make, make.project(), billing_client=former))).body
    assert body["DisplayName"] == "24-0329 Quay wall survey (Old Payer)"


def test_the_currency_of_a_sent_document_cannot_change(make: Make) -> None:
    standing = settled(decide_case(case(make, make.invoice())))
    decision = decide_case(case(make, make.invoice(currency="EUR"), standing=standing))
    assert refused(decision) == "currency-changed"


def test_a_record_that_cannot_be_mapped_is_rejected_with_every_problem(make: Make) -> None:
    bare = make.configuration(tax_codes={}, item_services={}, default_item_id=None)
    decision = decide_case(case(make, make.invoice(), configuration=bare))
    assert isinstance(decision, Fail)
    assert len(decision.problems) == 2
    assert all(problem.message and problem.remedy for problem in decision.problems)


# Somebody else wrote since


def stale(make: Make, observed: Mapping[str, object], **more: Any) -> Standing:
    write = decide_case(case(make, make.invoice()))
    now = Observed({**in_qbo(written(write)), **observed})
    by_hand = edited(Observed(in_qbo(written(write))), now)
    return settled(write, **{"sync_token": "1", "observed": now, "by_hand": by_hand, "fresh": True, **more})


def test_a_document_whose_token_is_unknown_is_read_before_anything_is_said_of_it(make: Make) -> None:
    standing = settled(decide_case(case(make, make.invoice())), sync_token=None)
    assert decide_case(case(make, make.invoice(), standing=standing)) == Read("Invoice", "7")
    assert decide_case(case(make, make.invoice(details="x"), standing=standing)) == Read("Invoice", "7")
    assert decide_case(case(make, make.invoice(step=Step.VOIDED), standing=standing)) == Read("Invoice", "7")


def test_an_edit_of_another_member_is_left_alone_and_ours_goes(make: Make) -> None:
    standing = stale(make, {"CustomerMemo": {"value": "thanks"}, "ShipMethodRef": {"value": "post"}})
    later = make.invoice(make.line(amount_net=Decimal("200.00"), amount_vat=Decimal("40.00")))
    body = written(decide_case(case(make, later, standing=standing))).body
    assert body["SyncToken"] == "1"
    assert "CustomerMemo" not in body
    assert "Line" in body


def test_a_text_edited_on_both_sides_is_kompasss_again(make: Make) -> None:
    standing = stale(make, {"PrivateNote": "by hand"})
    body = written(decide_case(case(make, make.invoice(reference="24-0329-09"), standing=standing))).body
    assert "PrivateNote" in body


LATER = {"amount_net": Decimal("200.00"), "amount_vat": Decimal("40.00")}


@pytest.mark.parametrize(
    ("observed", "cause"),
    [
        ({"Line": [{"Id": "1", "Amount": Decimal(5), "DetailType": "SalesItemLineDetail"}]}, "conflict:edited-in-qbo"),
        ({"Balance": Decimal("20.00")}, "conflict:paid"),
        ({"TotalAmt": 0, "Balance": 0, "PrivateNote": "Voided - x"}, "conflict:voided-in-qbo"),
    ],
)
def test_amounts_changed_on_both_sides_stop_and_overwrite_goes_on(
    make: Make, observed: dict[str, object], cause: str
) -> None:
    later = make.invoice(make.line(**LATER))
    assert refused(decide_case(case(make, later, standing=stale(make, observed)))) == cause
    forced = decide_case(case(make, later, standing=stale(make, observed, overwrite=True)))
    assert written(forced).operation == "update"


def test_a_payment_does_not_stop_what_changes_no_amount(make: Make) -> None:
    standing = stale(make, {"Balance": Decimal("20.00")})
    assert written(decide_case(case(make, make.invoice(details="Thank you"), standing=standing))).operation == "update"


def test_an_edit_by_hand_that_says_what_kompass_says_is_adopted_without_a_call(make: Make) -> None:
    later = make.invoice(make.line(**LATER))
    wanted = written(decide_case(case(make, later)))
    decision = decide_case(case(make, later, standing=stale(make, {"Line": wanted.body["Line"]})))
    assert isinstance(decision, Nothing)
    assert decision.adopt is not None
    assert decision.adopt.members["Line"] == wanted.body["Line"]
    assert decision.adopt.notes == wanted.applied.notes


def test_a_customers_edit_never_stops(make: Make) -> None:
    write = written(decide_case(case(make, make.client())))
    standing = settled(
        write,
        sync_token="3",
        observed=Observed(in_qbo(write, DisplayName="By hand", Notes="By hand")),
        by_hand=("DisplayName",),
    )
    body = written(decide_case(case(make, make.client(notes="Ours"), standing=standing))).body
    assert body == {"Id": "7", "SyncToken": "3", "sparse": True, "Notes": "Ours"}


# Voids


def test_an_invoice_is_voided_by_one_call_and_then_stays_so(make: Make) -> None:
    void = make.invoice(step=Step.VOIDED)
    standing = settled(decide_case(case(make, make.invoice())))
    write = written(decide_case(case(make, void, standing=standing)))
    assert (write.operation, dict(write.body), write.voided) == ("void", {"Id": "7", "SyncToken": "0"}, True)
    assert isinstance(decide_case(case(make, void, standing=replace(standing, voided=True))), Nothing)
    assert (
        refused(decide_case(case(make, make.invoice(), standing=replace(standing, voided=True))))
        == "conflict:voided-before"
    )


def test_a_void_goes_although_nothing_could_be_mapped_any_more(make: Make) -> None:
    bare = make.configuration(tax_codes={}, item_services={}, default_item_id=None)
    standing = settled(decide_case(case(make, make.invoice())))
    void = make.invoice(step=Step.VOIDED)
    assert written(decide_case(case(make, void, standing=standing, configuration=bare, party=None))).operation == "void"


def test_a_paid_document_is_not_voided_and_one_voided_by_hand_is_left(make: Make) -> None:
    void = make.invoice(step=Step.VOIDED)
    assert refused(decide_case(case(make, void, standing=stale(make, {"Balance": 0})))) == "conflict:paid"
    # What was paid earlier may not be by now.
    earlier = stale(make, {"Balance": 0}, fresh=False)
    other = make.invoice(make.line(amount_net=Decimal("200.00"), amount_vat=Decimal("40.00")))
    assert {decide_case(case(make, one, standing=earlier)) for one in (void, other)} == {Read("Invoice", "7")}
    gone = stale(make, {"TotalAmt": 0, "Balance": 0, "PrivateNote": "Voided\nKompass invoice"})
    decision = decide_case(case(make, void, standing=gone))
    assert isinstance(decision, Nothing)
    assert decision.voided


def test_a_credit_memo_is_read_then_zeroed_with_a_note(make: Make) -> None:
    credit = make.credit_note(
        make.line(
            amount_net=Decimal("-100.00"), amount_vat=Decimal("-20.00"), quantity=Decimal(-2), unit_price=Decimal(50)
        )
    )
    create = written(decide_case(case(make, credit)))
    assert create.entity == "CreditMemo"
    void = replace(credit, step=Step.VOIDED)
    standing = settled(create)
    assert decide_case(case(make, void, standing=standing)) == Read("CreditMemo", "7")
    observed = Observed(in_qbo(create, RemainingCredit=Decimal("120.00")))
    write = written(decide_case(case(make, void, standing=replace(standing, observed=observed, fresh=True))))
    assert (write.operation, write.voided) == ("update", True)
    assert str(write.body["PrivateNote"]).startswith("Voided in Kompass")
    assert str(create.applied.notes.mark) in str(write.body["PrivateNote"])
    (line,) = write.body["Line"]  # type: ignore[misc]
    assert (line["Id"], line["Amount"]) == ("1", 0)
    assert not {"Qty", "UnitPrice"} & set(line["SalesItemLineDetail"])
    applied = Observed(
        in_qbo(create, RemainingCredit=Decimal("20.00"), LinkedTxn=[{"TxnId": "9", "TxnType": "Invoice"}])
    )
    decision = decide_case(case(make, void, standing=replace(standing, observed=applied, fresh=True)))
    assert refused(decision) == "conflict:credit-applied"
    assert isinstance(decision, Fail)
    assert "Invoice 9" in decision.problems[0].message


# Linked by hand


def test_a_customer_linked_by_hand_is_read_and_keeps_what_it_says(make: Make) -> None:
    by_hand = Standing(qbo_id="55", entity="Customer")
    assert decide_case(case(make, make.client(), standing=by_hand)) == Read("Customer", "55")
    observed = {"Id": "55", "SyncToken": "4", "DisplayName": "HARBOUR", "CurrencyRef": {"value": "GBP"}}
    read = replace(by_hand, sync_token="4", observed=Observed(observed))
    decision = decide_case(case(make, make.client(), standing=read))
    assert isinstance(decision, Nothing)
    assert decision.adopt is not None
    linked = replace(read, observed=None, applied=decision.adopt, name="HARBOUR", currency=decision.currency)
    assert isinstance(decide_case(case(make, make.client(), standing=linked)), Nothing)
    body = written(decide_case(case(make, make.client(phone="+44 2"), standing=linked))).body
    assert set(body) == {"Id", "SyncToken", "sparse", "PrimaryPhone"}


def test_a_customer_of_another_currency_cannot_be_linked_by_hand(make: Make) -> None:
    observed = {"Id": "55", "SyncToken": "4", "DisplayName": "HARBOUR", "CurrencyRef": {"value": "USD"}}
    read = Standing(qbo_id="55", entity="Customer", sync_token="4", observed=Observed(observed))
    assert refused(decide_case(case(make, make.client(), standing=read))) == "conflict:currency"


def test_a_client_needs_nobody(make: Make) -> None:
    record: Client = make.client()
    assert needed_party(case(make, record)) is None
