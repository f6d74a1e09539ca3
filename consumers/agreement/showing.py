"""The agreement sheet for paper and for programs."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from consumers.inquiry.showing import plain
from mapping.problems import money
from mapping.sheet import Amounts, Sheet, Side, Standing, Sums, blocks
from mapping.sheet_rows import cells
from schemas.counting import counted

_HEAD = f"  {'Number':<22} {'Date':<10} {'':<11} {'':<3} {'Kompass':>15} {'QuickBooks':>15} {'Difference':>13}"


def printed(sheet: Sheet) -> Iterator[str]:
    """The sheet for paper: what prevents agreement first, the sums last."""
    yield plain(f"Agreement sheet {sheet.month}: {sheet.org_name} in Kompass, {sheet.company_name} in QuickBooks")
    yield f"Made {sheet.made_at:%Y-%m-%d %H:%M} UTC with {counted(sheet.reads, 'read')}."
    yield plain(sheet.verdict)
    if sheet.filed:
        yield plain(sheet.filed + ("" if sheet.changes else " Nothing changed since."))
    for change in sheet.changes:
        yield plain(f"  Changed since it was filed: {change}")
    if sheet.control:
        yield plain(sheet.control)
    for title, lines in blocks(sheet):
        yield ""
        yield f"{title} ({len(lines):,})"
        yield _HEAD
        for line in lines:
            yield plain(
                f"  {line.reference[:22]:<22} {line.date} {line.what:<11} {line.currency:<3} {_gross(line.ours):>15} "
                f"{_gross(line.theirs):>15} {money(line.difference) if line.difference else '-':>13}"
            )
            if line.remark:
                yield plain(f"      {line.remark}")
    for title, sums in (
        ("Sums of what belongs in the month", sheet.totals()),
        ("By client", sheet.by_client()),
        ("By tax code", sheet.by_tax_code()),
    ):
        yield from _table(title, sums)
    if sheet.lines:
        ours, theirs = sheet.home()
        yield ""
        yield f"{f'Gross in {sheet.home_currency}':<38} {money(ours):>15} {money(theirs):>15} {_less(theirs - ours):>13}"
    for currency, gross in sheet.without_rate().items():
        yield f"{f'Without a known rate, not in it: {currency}':<38} {money(gross):>15}"
    for currency, amounts in sheet.hand_typed().items():
        yield f"{f'Typed by hand in {currency}, not in the sums':<38} {'':>15} {money(amounts.gross):>15}"
    not_sent = len(sheet.of(Standing.NOT_SENT))
    if not_sent:
        yield f"Not meant for QuickBooks, not in the sums: {not_sent:,}"


def _table(title: str, sums: Sums) -> Iterator[str]:
    for name, (ours, theirs) in sums.items():
        yield ""
        yield plain(f"{title}: {name[:60]}")
        yield f"  {'':<36} {'Kompass':>15} {'QuickBooks':>15} {'Difference':>13}"
        for part in ("net", "tax", "gross"):
            mine, other = getattr(ours, part), getattr(theirs, part)
            yield f"  {part:<36} {money(mine):>15} {money(other):>15} {_less(other - mine):>13}"


def _less(difference: Decimal) -> str:
    return money(difference) if difference else "-"


def _gross(side: Side | None) -> str:
    return "" if side is None else money(side.amounts.gross)


def to_json(sheet: Sheet) -> dict[str, object]:
    ours, theirs = sheet.home()
    return {
        "org": sheet.org_name,
        "company": sheet.company_name,
        "month": sheet.month,
        "made_at": sheet.made_at,
        "reads": sheet.reads,
        "agrees": sheet.agrees,
        "empty": sheet.empty,
        "verdict": sheet.verdict,
        "filed": sheet.filed,
        "changes": list(sheet.changes),
        "control": sheet.control,
        "not_given": sheet.hidden,
        "counts": {standing.value: len(sheet.of(standing)) for standing in Standing if sheet.of(standing)},
        "lines": [cells(line) for line in sheet.lines],
        "totals": _sums(sheet.totals()),
        "clients": _sums(sheet.by_client()),
        "tax_codes": _sums(sheet.by_tax_code()),
        "home": {
            "currency": sheet.home_currency,
            "kompass": ours,
            "quickbooks": theirs,
            "without_rate": sheet.without_rate(),
        },
        "hand_typed": {currency: _amounts(amounts) for currency, amounts in sheet.hand_typed().items()},
    }


def _amounts(amounts: Amounts) -> dict[str, object]:
    return {name: getattr(amounts, name) for name in ("net", "tax", "gross")}


def _sums(sums: Sums) -> dict[str, object]:
    return {name: {"kompass": _amounts(ours), "quickbooks": _amounts(theirs)} for name, (ours, theirs) in sums.items()}
