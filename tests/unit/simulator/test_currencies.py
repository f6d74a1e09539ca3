"""Foreign documents: the rate that is stored when none is sent, the rates that can be asked for, currencies without cents."""

from __future__ import annotations

import pytest

from simulator import CANADA, IRELAND, UK, USA
from simulator.bookkeeper import edit
from simulator.selection import run

from .conftest import Books, OpenBooks, code_of, line


def foreign(books: Books, currency: str = "EUR", **members: object) -> dict[str, object]:
    customer = books.customer(f"{currency} {len(members)}", CurrencyRef={"value": currency})
    code = code_of(books.company, "Exempt")
    return books.invoice(customer, line(200, code), CurrencyRef={"value": currency}, **members)


@pytest.mark.parametrize("realm", [UK, CANADA, IRELAND])
@pytest.mark.parametrize("how", ["one", "day"])
def test_switch_omitted_exchange_rate(open_books: OpenBooks, realm: str, how: str) -> None:
    """wordcamp.org 1250: live QuickBooks stored 1 in 2024, the day's rate in 2017."""
    books = open_books(realm, omitted_exchange_rate=how)
    for day, rate in (("2026-01-31", "0.02"), ("2026-02-15", "0.03")):
        edit(books.company, {"action": "exchange_rate", "currency": "USD", "date": day, "rate": rate})
    made = foreign(books, "USD", TxnDate="2026-02-01")
    rate = 1 if how == "one" else 0.02
    assert (made["ExchangeRate"], made["HomeTotalAmt"], made["HomeBalance"]) == (rate, 200 * rate, 200 * rate)
    # A rate that is sent counts, and an update without one keeps it.
    sent = foreign(books, "USD", TxnDate="2026-02-01", ExchangeRate=0.5)
    assert (sent["ExchangeRate"], sent["HomeTotalAmt"]) == (0.5, 100)
    kept = books.update("Invoice", sent, PrivateNote="x", TxnDate="2026-02-20")
    assert kept["ExchangeRate"] == 0.5


def test_the_rate_of_a_day_is_asked_for_by_query(open_books: OpenBooks) -> None:
    books = open_books(UK)
    edit(books.company, {"action": "exchange_rate", "currency": "EUR", "date": "2026-01-31", "rate": "0.85"})
    text = "select * from ExchangeRate where sourcecurrencycode in ('EUR', 'USD') and asofdate = '{}'"
    for day, rate in (("2026-01-30", 0.86), ("2026-01-31", 0.85), ("2026-03-01", 0.85)):
        first, second = run(books.company, text.format(day))["ExchangeRate"]
        wanted = {"SourceCurrencyCode": "EUR", "TargetCurrencyCode": "GBP", "AsOfDate": day, "Rate": rate}
        assert {name: first[name] for name in wanted} == wanted
        assert second["Rate"] == 0.79
    assert run(books.company, "select count(*) from exchangerate")["totalCount"] == 4
    refused = books.refuses(lambda: run(books.company, "select * from ExchangeRate where Rate = '1'"))
    assert refused.codes == ("4001",)


@pytest.mark.parametrize(("text", "code"), [("sourcecurrencycode = 'XXQ'", "2220"), ("asofdate = 'soon'", "2060")])
def test_a_rate_that_cannot_be_asked_for(open_books: OpenBooks, text: str, code: str) -> None:
    books = open_books(UK)
    assert books.refuses(lambda: run(books.company, f"select * from ExchangeRate where {text}")).codes == (code,)
    books = open_books(USA)
    assert books.refuses(lambda: run(books.company, f"select * from ExchangeRate where {text}")).codes == ("6000",)


def test_tax_in_yen_has_no_decimals(open_books: OpenBooks) -> None:
    for how, wanted in (("per_rate", 41), ("per_line", 40)):
        books = open_books(UK, tax_rounding=how)
        customer = books.customer("Tokyo Sokuryo", CurrencyRef={"value": "JPY"})
        code = code_of(books.company, "20.0% S")
        lines = [line(101, code), line(102, code)]
        made = books.invoice(customer, *lines, CurrencyRef={"value": "JPY"})
        # 203 × 20 % = 40.6; 20.2 and 20.4 line by line.
        assert (made["TxnTaxDetail"]["TotalTax"], made["TotalAmt"]) == (wanted, 203 + wanted)
        gross = books.invoice(customer, *lines, CurrencyRef={"value": "JPY"}, GlobalTaxCalculation="TaxInclusive")
        assert (gross["TotalAmt"], [one["Amount"] for one in gross["Line"][:2]]) == (203, [84, 85])


def test_an_exchange_rate_below_zero_is_2090(open_books: OpenBooks) -> None:
    books = open_books(UK)
    customer = books.customer(CurrencyRef={"value": "EUR"})
    refused = books.refuses(
        lambda: books.invoice(customer, line(100, "3"), CurrencyRef={"value": "EUR"}, ExchangeRate=-1)
    )
    assert refused.codes == ("2090",)
