"""python-quickbooks, unmodified but for the address, against the simulator."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator

import pytest
from intuitlib.client import AuthClient
from quickbooks import QuickBooks
from quickbooks.batch import batch_create, batch_delete, batch_update
from quickbooks.cdc import change_data_capture
from quickbooks.exceptions import ObjectNotFoundException, QuickbooksException, ValidationException
from quickbooks.objects.base import Address, CustomerMemo, EmailAddress, Ref
from quickbooks.objects.company_info import CompanyInfo
from quickbooks.objects.creditmemo import CreditMemo
from quickbooks.objects.customer import Customer
from quickbooks.objects.department import Department
from quickbooks.objects.detailline import SalesItemLine, SalesItemLineDetail
from quickbooks.objects.invoice import Invoice
from quickbooks.objects.item import Item
from quickbooks.objects.payment import Payment, PaymentLine
from quickbooks.objects.preferences import Preferences
from quickbooks.objects.taxagency import TaxAgency
from quickbooks.objects.taxcode import TaxCode
from quickbooks.objects.taxrate import TaxRate
from quickbooks.objects.term import Term
from quickbooks.objects.trackingclass import Class
from quickbooks.objects.vendor import Vendor

from simulator import USA, Simulator


@pytest.fixture
def intuit(start: Callable[..., Simulator]) -> Simulator:
    """These tests take for granted that a request id is replayed and that 6240 names the Id."""
    return start(requestid_repeated="replay", duplicate_name_detail="id")


@pytest.fixture
def qb(intuit: Simulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[QuickBooks]:
    # The library's OAuth session refuses plain HTTP otherwise.
    monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "1")
    auth = AuthClient(
        "simulator-client",
        "simulator-secret",
        "http://localhost/callback",
        f"{intuit.base_url}/.well-known/openid_configuration/",
        refresh_token=intuit.authorize(USA)["refresh_token"],
    )
    client = QuickBooks(auth_client=auth, refresh_token=auth.refresh_token, company_id=USA, minorversion=75)
    client.api_url_v3 = f"{intuit.base_url}/v3"
    yield client
    client.session.close()
    auth.close()


def customer(qb: QuickBooks, name: str) -> Customer:
    made = Customer()
    made.DisplayName = name
    made.CompanyName = name
    made.BillAddr = Address()
    made.BillAddr.Line1 = "1 High Street"
    made.PrimaryEmailAddr = EmailAddress()
    made.PrimaryEmailAddr.Address = "someone@example.com"
    return made.save(qb=qb)


def sales_line(qb: QuickBooks, amount: float) -> SalesItemLine:
    line = SalesItemLine()
    line.LineNum = 1
    line.Description = "Design"
    line.Amount = amount
    line.SalesItemLineDetail = SalesItemLineDetail()
    line.SalesItemLineDetail.ItemRef = Item.all(max_results=1, qb=qb)[0].to_ref()
    return line


def invoice(qb: QuickBooks, whose: Customer, *, request_id: str | None = None) -> Invoice:
    made = Invoice()
    made.Line.append(sales_line(qb, 100))
    made.CustomerRef = whose.to_ref()
    made.CustomerMemo = CustomerMemo()
    made.CustomerMemo.value = "Customer memo"
    return made.save(qb=qb, request_id=request_id)


def test_customer_create_read_update_query_count(qb: QuickBooks) -> None:
    made = customer(qb, "Amy's Bird Sanctuary")
    assert Customer.get(made.Id, qb=qb).DisplayName == "Amy's Bird Sanctuary"
    made.CompanyName = "Amy's Birds"
    assert made.save(qb=qb).SyncToken == "1"
    found = Customer.filter(Active=True, DisplayName="Amy's Bird Sanctuary", qb=qb)
    assert [one.CompanyName for one in found] == ["Amy's Birds"]
    assert Customer.count("DisplayName LIKE 'Amy%'", qb=qb) == 1
    assert [one.Id for one in Customer.choose([made.Id], field="Id", qb=qb)] == [made.Id]
    assert [one.Id for one in Customer.where("Active = true", order_by="DisplayName", qb=qb)] == [made.Id]


def test_customer_sparse_update(qb: QuickBooks) -> None:
    made = customer(qb, "Larch")
    change = {"Id": made.Id, "SyncToken": made.SyncToken, "sparse": True, "Notes": "Pays late"}
    changed = qb.update_object("Customer", json.dumps(change))["Customer"]
    assert (changed["SyncToken"], changed["Notes"], changed["BillAddr"]["Line1"]) == ("1", "Pays late", "1 High Street")


def test_customer_deactivate_and_sub_customer(qb: QuickBooks) -> None:
    parent = customer(qb, "Parent")
    job = Customer()
    job.DisplayName = "Phase 1"
    job.Job = True
    job.ParentRef = parent.to_ref()
    job = job.save(qb=qb)
    assert job.FullyQualifiedName == "Parent:Phase 1"
    job.Active = False
    assert job.save(qb=qb).DisplayName == "Phase 1 (deleted)"


def test_duplicate_name_and_missing_object(qb: QuickBooks) -> None:
    made = customer(qb, "Twice")
    with pytest.raises(QuickbooksException) as refused:
        customer(qb, "twice")
    assert refused.value.error_code == 6240
    assert refused.value.detail == f"The name supplied already exists. : Id={made.Id}"
    with pytest.raises(ObjectNotFoundException):
        Customer.get("999999", qb=qb)


def test_invoice_create_read_update_with_lines(qb: QuickBooks) -> None:
    whose = customer(qb, "Larch")
    made = Invoice.get(invoice(qb, whose).Id, qb=qb)
    assert made.CustomerRef.name == "Larch"
    assert made.CustomerMemo.value == "Customer memo"
    assert (made.Line[0].Description, made.Line[0].Amount) == ("Design", 100)
    made.Line.append(sales_line(qb, 50))
    assert made.save(qb=qb).TotalAmt == 150


def test_invoice_create_again_with_the_same_request_id(qb: QuickBooks) -> None:
    whose = customer(qb, "Larch")
    request_id = str(uuid.uuid4())
    first, second = (invoice(qb, whose, request_id=request_id) for _ in range(2))
    assert first.Id == second.Id
    assert Invoice.count(qb=qb) == 1


def test_invoice_void_and_delete(qb: QuickBooks) -> None:
    whose = customer(qb, "Larch")
    made = invoice(qb, whose)
    made.void(qb=qb)
    assert (Invoice.get(made.Id, qb=qb).TotalAmt, Invoice.get(made.Id, qb=qb).PrivateNote) == (0, "Voided")
    other = invoice(qb, whose)
    other.delete(qb=qb)
    assert Invoice.filter(Id=other.Id, qb=qb) == []


def test_credit_memo_create_read_update_delete(qb: QuickBooks) -> None:
    made = CreditMemo()
    made.CustomerRef = customer(qb, "Larch").to_ref()
    made.Line.append(sales_line(qb, 40))
    made = made.save(qb=qb)
    made.PrivateNote = "Given back"
    made = made.save(qb=qb)
    found = CreditMemo.get(made.Id, qb=qb)
    assert (found.PrivateNote, found.RemainingCredit, found.TotalAmt) == ("Given back", 40, 40)
    found.delete(qb=qb)
    assert CreditMemo.count(qb=qb) == 0


def test_payment_create_void_delete(qb: QuickBooks) -> None:
    whose = customer(qb, "Larch")
    owed = invoice(qb, whose)
    made = Payment()
    made.CustomerRef = whose.to_ref()
    made.TotalAmt = 60
    line = PaymentLine()
    line.Amount = 60
    line.LinkedTxn.append(owed.to_linked_txn())
    made.Line.append(line)
    made = made.save(qb=qb)
    paid = Invoice.get(owed.Id, qb=qb)
    assert (paid.Balance, paid.SyncToken, paid.LinkedTxn[0].TxnId) == (40, "1", made.Id)
    made.void(qb=qb)
    assert Invoice.get(owed.Id, qb=qb).Balance == 100
    Payment.get(made.Id, qb=qb).delete(qb=qb)
    assert Payment.count(qb=qb) == 0


def test_batch_create_update_delete_with_a_fault(qb: QuickBooks) -> None:
    people = [Customer() for _ in range(31)]
    for place, one in enumerate(people):
        one.DisplayName = f"Batch {place if place != 30 else 0}"
    made = batch_create(people, qb=qb)
    assert (len(made.successes), len(made.faults)) == (30, 1)
    assert made.faults[0].Error[0].code == "6240"
    for one in made.successes:
        one.CompanyName = "Batched"
    assert len(batch_update(made.successes, qb=qb).successes) == 30
    assert Customer.count("CompanyName = 'Batched'", qb=qb) == 30
    documents = [Invoice() for _ in range(3)]
    for one in documents:
        one.CustomerRef = made.successes[0].to_ref()
        one.Line.append(sales_line(qb, 10))
    booked = batch_create(documents, qb=qb)
    assert len(batch_delete(booked.successes, qb=qb).faults) == 0
    assert Invoice.count(qb=qb) == 0


def test_lists_create_read_and_query(qb: QuickBooks) -> None:
    vendor = Vendor()
    vendor.DisplayName = "A vendor"
    assert Vendor.get(vendor.save(qb=qb).Id, qb=qb).DisplayName == "A vendor"
    department = Department()
    department.Name = "North"
    assert department.save(qb=qb).FullyQualifiedName == "North"
    tracked = Class()
    tracked.Name = "Special"
    assert Class.get(tracked.save(qb=qb).Id, qb=qb).Name == "Special"
    term = Term()
    term.Name = "Net 45"
    term.DueDays = 45
    assert term.save(qb=qb).Type == "STANDARD"
    item = Item()
    item.Name = "Modelling"
    item.Type = "Service"
    item.IncomeAccountRef = Ref()
    item.IncomeAccountRef.value = "1"
    assert Item.get(item.save(qb=qb).Id, qb=qb).Name == "Modelling"
    assert {one.Name for one in TaxCode.all(qb=qb)} >= {"TAX", "NON", "California"}
    assert TaxRate.all(qb=qb)[0].RateValue == 8
    assert TaxAgency.all(qb=qb)[0].DisplayName == "Agency of Taxes"


def test_company_info_and_preferences(qb: QuickBooks) -> None:
    assert CompanyInfo.get(USA, qb=qb).CompanyName == "Larch & Co Design"
    assert Preferences.get(qb=qb).SalesFormsPrefs.CustomTxnNumbers is True


def test_change_data_capture(qb: QuickBooks) -> None:
    made = customer(qb, "Larch")
    gone = invoice(qb, made)
    gone.delete(qb=qb)
    since = made.MetaData["CreateTime"]
    found = change_data_capture([Customer, Invoice], since, qb=qb)
    assert [one.DisplayName for one in found.Customer] == ["Larch"]
    assert [one.status for one in found.Invoice] == ["Deleted"]


def test_a_query_that_is_wrong_is_refused(qb: QuickBooks) -> None:
    with pytest.raises(ValidationException) as refused:
        Customer.query("SELECT * FROM Customer WHERE DisplayName = 'a' OR DisplayName = 'b'", qb=qb)
    assert refused.value.error_code == 4000


NOT_SIMULATED = {
    "download_pdf": lambda qb, one: one.download_pdf(qb=qb),
    "send": lambda qb, one: one.send(qb=qb),
    "report": lambda qb, one: qb.get_report("ProfitAndLoss"),
    "attachment": lambda qb, one: qb.create_object("Attachable", "{}"),
}


@pytest.mark.parametrize("operation", sorted(NOT_SIMULATED))
def test_operations_that_are_not_simulated_are_refused(qb: QuickBooks, operation: str) -> None:
    made = invoice(qb, customer(qb, "Larch"))
    with pytest.raises(QuickbooksException) as refused:
        NOT_SIMULATED[operation](qb, made)
    assert refused.value.error_code == 500
