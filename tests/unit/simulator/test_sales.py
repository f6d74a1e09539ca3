"""Invoices and credit memos."""

from __future__ import annotations

import pytest

from simulator import CANADA, SELF_NUMBERED, UK, USA, bookkeeper

from .conftest import CATEGORY, INACTIVE_ITEM, Books, OpenBooks, line


def test_the_server_adds_a_subtotal_and_the_code_non(books: Books) -> None:
    made = books.invoice(books.customer(), line(100), line(50))
    assert made["Line"][-1] == {"Amount": 150, "DetailType": "SubTotalLineDetail", "SubTotalLineDetail": {}}
    assert made["Line"][0]["SalesItemLineDetail"]["TaxCodeRef"] == {"value": "NON"}
    assert "Qty" not in made["Line"][0]["SalesItemLineDetail"]
    assert (made["TotalAmt"], made["Balance"]) == (150, 150)


def test_customer_and_lines_are_required_and_said_at_once(books: Books) -> None:
    refused = books.refuses(lambda: books.create("Invoice", DocNumber="x" * 22))
    assert refused.codes == ("2050", "2020", "2020")
    assert [one.element for one in refused.errors] == ["DocNumber", "CustomerRef", "Line"]
    assert refused.errors[2].detail == "Required parameter Line is missing in the request"


def test_a_line_needs_an_amount_and_a_detail_type(books: Books) -> None:
    customer = books.customer()
    detail = {"ItemRef": {"value": "1"}}
    without = {"DetailType": "SalesItemLineDetail", "SalesItemLineDetail": detail}
    assert books.refuses(lambda: books.invoice(customer, without)).codes == ("2020",)
    assert books.refuses(lambda: books.invoice(customer, {"Amount": 1})).codes == ("2020",)


def test_switch_line_without_item(open_books: OpenBooks) -> None:
    """.NET SDK 53 and a sandbox of September 2026; the invoice page has it as documentation."""
    detail = {"ServiceDate": "2026-03-01"}
    remark = {"Amount": 99, "DetailType": "SalesItemLineDetail", "SalesItemLineDetail": detail}
    found = {}
    for value in ("item", "documentation"):
        books = open_books(line_without_item=value)
        made = books.invoice(books.customer(), line(10), remark, {**remark, "Amount": 0})
        found[value] = ([one["DetailType"] for one in made["Line"][1:3]], made["TotalAmt"])
    assert found == {
        "item": (["SalesItemLineDetail", "DescriptionOnly"], 109),
        "documentation": (["DescriptionOnly", "DescriptionOnly"], 10),
    }


def test_a_sales_line_needs_its_detail(books: Books) -> None:
    """quickbooks-ruby 220; one that holds nothing is none."""
    (error,) = books.refuses(
        lambda: books.invoice(books.customer(), {"Amount": 1, "DetailType": "SalesItemLineDetail"})
    ).errors
    assert (error.code, error.element) == ("2020", "Line.SalesItemLineDetail")
    assert error.detail == "Required parameter Line.SalesItemLineDetail is missing in the request"


def test_a_line_of_words_keeps_the_code_that_it_has(open_books: OpenBooks) -> None:
    """JonBeak/Nexus, November 2025, Canada: "NON" and a blank description are left out, a code is kept and taxes nothing."""
    books = open_books(CANADA)
    sent = [
        {"DetailType": "DescriptionOnly", "Description": text, "DescriptionLineDetail": {"TaxCodeRef": {"value": code}}}
        for text, code in ((" ", "2"), ("words", "NON"))
    ]
    made = books.invoice(books.customer(), line(100, TaxCodeRef={"value": "2"}), *sent)
    blank, words = made["Line"][1:3]
    assert ("Description" in blank, blank["DescriptionLineDetail"]) == (False, {"TaxCodeRef": {"value": "2"}})
    assert (words["Description"], words["DescriptionLineDetail"]) == ("words", {})
    assert (made["TxnTaxDetail"]["TotalTax"], made["Line"][-1]["Amount"]) == (13, 100)


def test_a_category_on_a_line_is_2500(books: Books) -> None:
    customer = books.customer()
    refused = books.refuses(lambda: books.invoice(customer, line(1, ItemRef={"value": CATEGORY})))
    assert refused.codes == ("2500",)
    assert refused.errors[0].detail.endswith("is set up as a category instead of a product or service.")


def test_switch_missing_item_detail(open_books: OpenBooks) -> None:
    """PHP SDK 102: the member, without the Id."""
    member = "Line.SalesItemLineDetail.ItemRef"
    said = {"path": (member, member), "element_id": ("Item element id 777 not found", "Reference Id")}
    for value, (detail, element) in said.items():
        books = open_books(missing_item_detail=value)
        (error,) = books.refuses(
            lambda books=books: books.invoice(books.customer(), line(1, ItemRef={"value": "777"}))
        ).errors  # type: ignore[misc]
        assert (error.code, error.detail, error.element) == ("2500", f"Invalid Reference Id : {detail}", element)


def test_missing_references_are_2500_in_the_words_of_each_list(books: Books) -> None:
    customer = books.customer()

    def detail(**members: object) -> str:
        refused = books.refuses(lambda: books.invoice(customer, line(1, **members)))
        assert refused.codes == ("2500",)
        return refused.errors[0].detail

    assert detail(ClassRef={"value": "778"}) == "Invalid Reference Id : Klasses element id 778 not found"
    refused = books.refuses(lambda: books.invoice({"Id": "779"}))
    assert refused.errors[0].detail == "Invalid Reference Id : Names element id 779 not found"


def test_inactive_references_are_610_or_as_switched(open_books: OpenBooks) -> None:
    for code in ("610", "2500"):
        books = open_books(inactive_reference_code=code)
        customer = books.customer()
        item = {"value": INACTIVE_ITEM}
        refused = books.refuses(lambda: books.invoice(customer, line(1, ItemRef=item)))  # noqa: B023
        assert refused.codes == (code,)
        assert "Something you're trying to use has been made inactive" in refused.errors[0].detail
    for code in ("610", "2500", "6250"):
        books = open_books(inactive_customer_code=code)
        gone = books.update("Customer", books.customer(), Active=False)
        assert books.refuses(lambda: books.invoice(gone)).codes == (code,)  # noqa: B023


def test_an_update_may_keep_a_reference_that_became_inactive(books: Books) -> None:
    made = books.invoice(books.customer(), line(10, ItemRef={"value": "2"}))
    bookkeeper.edit(books.company, {"action": "deactivate", "entity": "Item", "id": "2"})
    changed = books.update("Invoice", books.get("Invoice", made["Id"]), PrivateNote="x")
    assert changed["Line"][0]["SalesItemLineDetail"]["ItemRef"]["name"] == "Design (deleted)"


@pytest.mark.parametrize(
    ("quantity", "price", "amount", "taken"),
    [(128.35, 14.5, 1861.08, True), (128.35, 14.5, 1861.07, False), (0.5, 0.01, 0.01, True), (3, 33.33, 100, False)],
)
def test_amount_is_quantity_times_price_rounded_half_up(
    books: Books, quantity: float, price: float, amount: float, taken: bool
) -> None:
    customer = books.customer()
    sold = line(amount, Qty=quantity, UnitPrice=price)
    if taken:
        assert books.invoice(customer, sold)["TotalAmt"] == amount
        return
    refused = books.refuses(lambda: books.invoice(customer, sold))
    assert refused.codes == ("6070",)
    assert refused.errors[0].detail == f"Amount is not equal to UnitPrice * Qty. Supplied value:{amount:,}"
    # A refusal that a public file of 2026 quotes names the member.
    assert refused.errors[0].element == "Line.Amount"


def test_a_quantity_and_price_of_zero_are_taken_for_not_given(books: Books) -> None:
    made = books.invoice(books.customer(), line(100, Qty=0, UnitPrice=0))
    assert made["TotalAmt"] == 100
    assert "Qty" not in made["Line"][0]["SalesItemLineDetail"]


def test_switch_amount_tolerance_cents(open_books: OpenBooks) -> None:
    books = open_books(amount_tolerance_cents=1)
    assert books.invoice(books.customer(), line(99.99, Qty=3, UnitPrice=33.33))["TotalAmt"] == 99.99
    assert books.invoice(books.get("Customer", "6"), line(100, Qty=3, UnitPrice=33.33))["TotalAmt"] == 100


def test_negative_lines_are_taken_while_the_total_is_not_negative(books: Books) -> None:
    customer = books.customer()
    assert books.invoice(customer, line(100), line(-100))["TotalAmt"] == 0
    refused = books.refuses(lambda: books.invoice(customer, line(100), line(-100.01)))
    assert (refused.codes, "must be positive" in refused.errors[0].detail) == (("6000",), True)


def test_switch_negative_total_code(open_books: OpenBooks) -> None:
    books = open_books(negative_total_code="2290")
    customer = books.customer()
    assert books.refuses(lambda: books.invoice(customer, line(-1))).codes == ("2290",)


def test_a_document_number_is_used_once(books: Books) -> None:
    customer = books.customer()
    first = books.invoice(customer, DocNumber="1038")
    refused = books.refuses(lambda: books.invoice(customer, DocNumber="1038"))
    assert refused.codes == ("6140",)
    assert refused.errors[0].detail == (
        "Duplicate Document Number Error : You must specify a different number. This number has already been used. "
        f"DocNumber=1038 is assigned to TxnType=Invoice with TxnId={first['Id']}"
    )
    other = books.invoice(customer, DocNumber="1039")
    assert books.refuses(lambda: books.update("Invoice", other, DocNumber="1038")).codes == ("6140",)


def test_switch_docnumber_scope(open_books: OpenBooks) -> None:
    books = open_books(docnumber_scope="type")
    books.invoice(books.customer(), DocNumber="7")
    assert books.memo(books.get("Customer", "6"), DocNumber="7")["DocNumber"] == "7"
    books = open_books(docnumber_scope="sales")
    customer = books.customer()
    books.invoice(customer, DocNumber="7")
    assert books.refuses(lambda: books.memo(customer, DocNumber="7")).codes == ("6140",)


def test_a_company_that_does_not_warn_takes_a_number_twice(books: Books) -> None:
    bookkeeper.edit(books.company, {"action": "profile", "members": {"warn_duplicate_numbers": False}})
    customer = books.customer()
    books.invoice(customer, DocNumber="7")
    assert books.invoice(customer, DocNumber="7")["DocNumber"] == "7"


def test_without_custom_numbers_quickbooks_numbers_itself(open_books: OpenBooks) -> None:
    books = open_books(SELF_NUMBERED)
    customer = books.customer()
    first, second = books.invoice(customer), books.invoice(customer, DocNumber="A7")
    assert (first["DocNumber"], second["DocNumber"]) == ("1001", "1002")
    assert books.refuses(lambda: books.invoice(customer, EmailStatus="NeedToSend")).codes == ("6420",)
    changed = books.update("Invoice", second, DocNumber="A7")
    assert (changed["DocNumber"], books.invoice(customer)["DocNumber"]) == ("A7", "1003")


def test_with_custom_numbers_a_missing_number_stays_missing(books: Books) -> None:
    assert "DocNumber" not in books.invoice(books.customer())


def test_the_due_date_follows_the_term_of_the_customer(books: Books) -> None:
    customer = books.customer(SalesTermRef={"value": "3"})
    made = books.invoice(customer)
    assert (made["TxnDate"], made["DueDate"], made["SalesTermRef"]["name"]) == ("2026-03-10", "2026-04-09", "Net 30")
    assert books.invoice(customer, TxnDate="2026-01-01", DueDate="2026-01-05")["DueDate"] == "2026-01-05"


def test_the_due_date_follows_the_default_term_of_the_company(books: Books) -> None:
    """Recorded (create/invoice): 30 days after TxnDate, without a SalesTermRef in the answer."""
    made = books.invoice(books.customer())
    assert (made["DueDate"], "SalesTermRef" in made) == ("2026-04-09", False)
    none = {"action": "preferences", "group": "SalesFormsPrefs", "members": {"DefaultTerms": None}}
    bookkeeper.edit(books.company, none)
    assert books.invoice(books.customer("Birch"))["DueDate"] == "2026-03-10"


def test_addresses_come_from_the_customer(books: Books) -> None:
    customer = books.customer(BillAddr={"Line1": "1 High Street"})
    assert books.invoice(customer)["BillAddr"] == {"Id": "1", "Line1": "1 High Street"}


def test_mail_needs_an_address(books: Books) -> None:
    customer = books.customer()
    assert books.refuses(lambda: books.invoice(customer, EmailStatus="NeedToSend")).codes == ("6420",)


def test_custom_fields_are_the_three_text_fields_in_use(books: Books) -> None:
    customer = books.customer()

    def fields(*values: tuple[str, str]) -> list[dict[str, str]]:
        return [{"DefinitionId": key, "Type": "StringType", "StringValue": value} for key, value in values]

    made = books.invoice(customer, CustomField=fields(("2", "Ann")))
    assert [(one["Name"], one.get("StringValue")) for one in made["CustomField"]] == [
        ("Kompass reference", None),
        ("Account manager", "Ann"),
        ("Order confirmation", None),
    ]
    assert books.refuses(lambda: books.invoice(customer, CustomField=fields(("4", "x")))).codes == ("3000",)
    assert books.refuses(lambda: books.invoice(customer, CustomField=fields(("1", "x" * 32)))).codes == ("2050",)


def test_switch_custom_field_length(open_books: OpenBooks) -> None:
    books = open_books(custom_field_length=100)
    field = {"DefinitionId": "1", "Type": "StringType", "StringValue": "x" * 100}
    assert books.invoice(books.customer(), CustomField=[field])["CustomField"][0]["StringValue"] == "x" * 100


def test_classes_go_where_the_company_tracks_them(books: Books) -> None:
    customer = books.customer()
    tracked = {"value": "5000000000000000001"}
    made = books.invoice(customer, line(1, ClassRef=tracked), ClassRef=tracked)
    assert made["Line"][0]["SalesItemLineDetail"]["ClassRef"] == {**tracked, "name": "Architecture"}
    assert "ClassRef" not in made


def test_switch_class_when_tracking_is_off(open_books: OpenBooks) -> None:
    tracked = {"value": "5000000000000000001"}
    off = {"action": "preferences", "group": "AccountingInfoPrefs", "members": {"ClassTrackingPerTxnLine": False}}
    for how in ("drop", "refuse"):
        books = open_books(class_when_tracking_is_off=how)
        bookkeeper.edit(books.company, off)
        customer = books.customer()
        if how == "drop":
            made = books.invoice(customer, line(1, ClassRef=tracked))
            assert "ClassRef" not in made["Line"][0]["SalesItemLineDetail"]
        else:
            assert books.refuses(lambda: books.invoice(customer, line(1, ClassRef=tracked))).codes == ("6000",)  # noqa: B023


def test_a_document_has_the_currency_of_its_customer(open_books: OpenBooks) -> None:
    books = open_books(UK, omitted_exchange_rate="day", currency_ref_required="foreign")
    customer = books.customer(CurrencyRef={"value": "EUR"})
    euro, pound = {"value": "EUR"}, {"value": "GBP"}
    zero = line(100, "3")
    made = books.invoice(customer, zero, CurrencyRef=euro)
    assert (made["ExchangeRate"], made["TotalAmt"], made["HomeTotalAmt"], made["HomeBalance"]) == (0.86, 100, 86, 86)
    assert books.refuses(lambda: books.invoice(customer, zero, CurrencyRef=pound)).codes == ("6000",)
    assert books.refuses(lambda: books.invoice(customer, zero, CurrencyRef=None)).codes == ("2020",)


def test_switch_currency_ref_required(open_books: OpenBooks) -> None:
    taken = {}
    for rule in ("never", "foreign", "always"):
        books = open_books(UK, currency_ref_required=rule)
        home, foreign = books.customer("Home"), books.customer("Abroad", CurrencyRef={"value": "EUR"})
        taken[rule] = []
        for customer in (home, foreign):
            try:
                books.invoice(customer, line(1, "3"), CurrencyRef=None)
                taken[rule].append(True)
            except Exception:  # noqa: BLE001 - what matters is whether it was taken
                taken[rule].append(False)
    assert taken == {"never": [True, True], "foreign": [True, False], "always": [False, False]}


def test_the_home_currency_alone_is_taken_without_multicurrency(books: Books) -> None:
    customer = books.customer()
    assert books.invoice(customer, CurrencyRef={"value": "USD"})["CurrencyRef"]["value"] == "USD"
    assert books.refuses(lambda: books.invoice(customer, CurrencyRef={"value": "EUR"})).codes == ("6000",)


def test_void_empties_amounts_and_keeps_the_document(books: Books) -> None:
    made = books.invoice(books.customer(), line(100, Qty=2, UnitPrice=50), PrivateNote="Kompass invoice 7")
    gone = books.remove("Invoice", "void", made)
    assert (gone["TotalAmt"], gone["Balance"], gone["SyncToken"]) == (0, 0, "1")
    assert gone["PrivateNote"] == "Voided - Kompass invoice 7"
    assert [one["Amount"] for one in gone["Line"]] == [0, 0]
    assert gone["Line"][0]["SalesItemLineDetail"]["Qty"] == 0
    assert books.remove("Invoice", "void", gone) == gone


def test_a_credit_memo_cannot_be_voided(books: Books) -> None:
    made = books.memo(books.customer())
    assert books.refuses(lambda: books.remove("CreditMemo", "void", made)).codes == ("500",)


def test_a_credit_memo_has_a_remaining_credit_and_no_due_date(books: Books) -> None:
    made = books.memo(books.customer(), DueDate="2026-04-01")
    assert (made["RemainingCredit"], made["Balance"], "DueDate" in made) == (100, 100, False)


def test_delete_leaves_nothing_to_read(books: Books) -> None:
    made = books.invoice(books.customer())
    assert books.remove("Invoice", "delete", made) == {"domain": "QBO", "status": "Deleted", "Id": made["Id"]}
    refused = books.refuses(lambda: books.remove("Invoice", "delete", made))
    assert refused.codes == ("610",)
    assert refused.errors[0].detail == "Object Not Found : Another user has deleted this transaction."
    assert books.refuses(lambda: books.remove("Customer", "delete", books.get("Customer", "6"))).codes == ("500",)


def test_closed_books_refuse_create_update_void_and_delete(open_books: OpenBooks) -> None:
    books = open_books(closed_period_code="6210")
    customer = books.customer()
    made = books.invoice(customer, TxnDate="2026-01-31")
    bookkeeper.edit(books.company, {"action": "close_books", "date": "2026-01-31"})
    for work in (
        lambda: books.invoice(customer, TxnDate="2026-01-15"),
        lambda: books.invoice(customer, TxnDate="2026-01-31"),
        lambda: books.update("Invoice", made, PrivateNote="x"),
        lambda: books.update("Invoice", made, TxnDate="2026-02-01"),
        lambda: books.remove("Invoice", "void", made),
        lambda: books.remove("Invoice", "delete", made),
    ):
        assert books.refuses(work).codes == ("6210",)
    assert books.invoice(customer, TxnDate="2026-02-01")["TxnDate"] == "2026-02-01"


def test_switch_closed_period_code(open_books: OpenBooks) -> None:
    books = open_books(closed_period_code="6200")
    bookkeeper.edit(books.company, {"action": "close_books", "date": "2026-12-31"})
    customer = books.customer()
    assert books.refuses(lambda: books.invoice(customer)).codes == ("6200",)


def test_an_ended_subscription_refuses_writes_with_6190(books: Books) -> None:
    bookkeeper.edit(books.company, {"action": "profile", "members": {"status": "subscription_ended"}})
    refused = books.refuses(books.customer)
    assert (refused.codes, refused.errors[0].message) == (("6190",), "Invalid Company Status")


def test_too_many_lines_are_refused(open_books: OpenBooks) -> None:
    books = open_books(UK)
    customer = books.customer()
    assert books.invoice(customer, *[line(1, "3")] * 750)["TotalAmt"] == 750
    assert books.refuses(lambda: books.invoice(customer, *[line(1, "3")] * 751)).codes == ("6000",)


@pytest.mark.parametrize("how", ["any", "taxed"])
def test_switch_line_limit(open_books: OpenBooks, how: str) -> None:
    books = open_books(USA, line_limit=how)
    customer = books.customer()
    untaxed = [line(1, "NON")] * 751
    if how == "any":
        assert books.refuses(lambda: books.invoice(customer, *untaxed)).codes == ("6000",)
    else:
        assert books.invoice(customer, *untaxed)["TotalAmt"] == 751
    assert books.refuses(lambda: books.invoice(customer, *untaxed[1:], line(1, "TAX"))).codes == ("6000",)


def test_discounts_come_off_the_total(books: Books) -> None:
    tenth = {"DetailType": "DiscountLineDetail", "DiscountLineDetail": {"PercentBased": True, "DiscountPercent": 10}}
    made = books.invoice(books.customer(), line(200), tenth)
    assert (made["TotalAmt"], made["Line"][1]["Amount"], made["Line"][2]["Amount"]) == (180, 20, 200)


def test_a_deposit_comes_off_the_balance(books: Books) -> None:
    made = books.invoice(books.customer(), Deposit=30)
    assert (made["TotalAmt"], made["Balance"]) == (100, 70)
    assert books.update("Invoice", made, Line=[line(200)])["Balance"] == 170


def test_a_deposit_needs_the_preference(books: Books) -> None:
    off = {"action": "preferences", "group": "SalesFormsPrefs", "members": {"AllowDeposit": False}}
    bookkeeper.edit(books.company, off)
    customer = books.customer()
    assert books.refuses(lambda: books.invoice(customer, Deposit=30)).codes == ("6000",)


def test_a_custom_field_that_was_switched_off_hurts_only_a_request_that_sends_it(books: Books) -> None:
    customer = books.customer()
    fields = [{"DefinitionId": one, "Type": "StringType", "StringValue": f"value {one}"} for one in ("1", "2")]
    made = books.invoice(customer, CustomField=fields)
    names = [
        {"Name": f"SalesFormsPrefs.SalesCustomName{place}", "Type": "StringType", "StringValue": name}
        for place, name in ((1, ""), (2, "Account manager"))
    ]
    members = {"CustomField": [{"CustomField": names}]}
    bookkeeper.edit(books.company, {"action": "preferences", "group": "SalesFormsPrefs", "members": members})
    changed = books.update("Invoice", made, PrivateNote="x")
    assert [(one["DefinitionId"], one["StringValue"]) for one in changed["CustomField"]] == [("2", "value 2")]
    assert books.invoice(customer, CustomField=fields[1:])["CustomField"][0]["StringValue"] == "value 2"
    assert books.refuses(lambda: books.update("Invoice", changed, CustomField=fields[:1])).codes == ("3000",)
    assert books.refuses(lambda: books.invoice(customer, CustomField=fields)).codes == ("3000",)
