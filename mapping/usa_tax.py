"""USA: no tax codes on lines, so what becomes of sales tax that Kompass billed is the admin's choice."""

from __future__ import annotations

from mapping import problems
from mapping.members import Draft, ref
from mapping.money import cents
from schemas.company import BilledTax, CompanyFacts, Configuration
from schemas.events import Invoice, InvoiceType

LINE_TEXT = "Sales tax"

_REFUSED = (
    "In the Configuration, choose under “Billed tax (USA)” a line of an item that goes to your sales tax payable account, or let "
    "QuickBooks' automated sales tax decide. If nothing is taxable, bill it in Kompass without tax."
)
_NO_ITEM = "Choose the Sales tax Item ID in the Configuration."
_NOT_AUTOMATED = (
    "Turn on automated sales tax in QuickBooks (Taxes → Sales tax), or choose another answer under “Billed tax (USA)” in the "
    "Configuration."
)


def map_usa_tax(
    draft: Draft, invoice: Invoice, configuration: Configuration, facts: CompanyFacts, *, lines: int
) -> dict[str, object] | None:
    """Give the line that carries the billed tax, where there is one; a refusal goes into ``draft``.

    :param lines: how many lines the document has besides.
    """
    draft.choose("Line.TaxCodeRef", "", "Locale USA: no tax codes on lines")
    if facts.automated_tax:
        draft.choose(
            "TxnTaxDetail",
            "",
            "Automated sales tax is on: QuickBooks may add tax by the customer's address and the item's own setting",
        )
    billed = invoice.amount_vat or next((line.amount_vat for line in invoice.lines if line.amount_vat), None)
    if not billed:
        return None

    def refuse(why: str, remedy: str) -> None:
        draft.refuse(problems.tax_not_booked(draft.record, amount=billed, why=why, remedy=remedy))

    match configuration.billed_tax:
        case BilledTax.ITEM_LINE if configuration.tax_item_id:
            return _line(draft, invoice, configuration.tax_item_id, number=lines + 1)
        case BilledTax.ITEM_LINE:
            refuse("the Configuration names no Sales tax Item ID", _NO_ITEM)
        case BilledTax.AUTOMATED if facts.automated_tax:
            draft.choose(
                "TotalAmt",
                "",
                f"QuickBooks computes its own sales tax; Kompass billed {problems.money(abs(billed))}, and a difference is shown",
            )
        case BilledTax.AUTOMATED:
            refuse("automated sales tax is off in this company", _NOT_AUTOMATED)
        case BilledTax.REFUSE:
            refuse("the Locale USA sends no tax codes", _REFUSED)
    return None


def _line(draft: Draft, invoice: Invoice, item_id: str, *, number: int) -> dict[str, object] | None:
    if not invoice.amount_vat:
        return None
    sign = -1 if invoice.type is InvoiceType.CREDIT_NOTE else 1
    draft.choose(f"Line[{number}].ItemRef", item_id, "Billed tax (USA): a line of the Sales tax Item")
    return {
        "LineNum": number,
        "Description": LINE_TEXT,
        "Amount": cents(sign * invoice.amount_vat),
        "DetailType": "SalesItemLineDetail",
        "SalesItemLineDetail": {"ItemRef": ref(item_id)},
    }
