"""What a sender may say of a document's tax, in `TxnTaxDetail`, in the place of what its rates make.

Outside the USA a tax line names its rate, each at most once, and holds the amount or how far it lies from the computed one. In
the USA `TotalTax` alone is enough. The computed rest stays: the net, the percent, and the rates that nobody speaks of.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from simulator.amounts import ZERO, cents, dec
from simulator.company import Company
from simulator.faults import ApiFault, business, missing, not_found
from simulator.members import Object
from simulator.references import value_of
from simulator.tax import TaxLine

_KIND = "TaxLineDetail"


def overridden(company: Company, entries: Sequence[TaxLine], sent: Object, *, applies: bool) -> list[TaxLine]:
    """The computed entries, with the sender's amounts.

    :param applies: whether the document has tax at all; without, tax lines are not looked at.
    :raises ApiFault: 2020 for a tax line without its kind or its rate, 2500 for a rate that does not exist, 6000 for one that is
        given twice or that no line of the document has.
    """
    said = _said(company, sent) if applies else {}
    made = [entry.moved_by(_delta(said[entry.rate.id], entry)) if entry.rate.id in said else entry for entry in entries]
    charged = {entry.rate.id for entry in entries}
    for rate, line in said.items():
        # What comes back from an older answer of a document in the USA is passed by: the engine puts its own rates.
        if rate not in charged and dec(line.get("Amount")) and not company.american:
            raise business(f"The tax rate {rate} in TxnTaxDetail is not one of the transaction's lines.")
    total = dec(sent.get("TotalTax"))
    if company.american and total and made and not said:
        made[0] = made[0].moved_by(cents(total) - sum((entry.tax for entry in made), ZERO))
    return made


def _said(company: Company, sent: Object) -> dict[str, Object]:
    """Id of a rate → the tax line that speaks of it."""
    said: dict[str, Object] = {}
    for line in sent.get("TaxLine") or []:
        if "DetailType" not in line:
            raise ApiFault(missing("TxnTaxDetail.TaxLine.DetailTypeEnum"))
        if line["DetailType"] != _KIND:
            raise business(f"A tax line cannot be of type {line['DetailType']}.")
        rate = value_of(line.get(_KIND, {}).get("TaxRateRef"))
        if rate is None:
            raise ApiFault(missing("TxnTaxDetail.TaxLine.TaxLineDetail.TaxRateRef"))
        if company.get("TaxRate", rate) is None:
            raise not_found("TaxRate", rate)
        if rate in said:
            raise business("Each tax rate can be used only once in TxnTaxDetail.")
        said[rate] = line
    return said


def _delta(line: Object, entry: TaxLine) -> Decimal:
    if "Amount" in line:
        return cents(dec(line["Amount"])) - entry.tax
    return cents(dec(line[_KIND].get("OverrideDeltaAmount")))
