"""Writes docs/faults.md from the table of `mapping.causes`: `python -m consumers.causes_page > docs/faults.md`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mapping.causes.cause import UNFORESEEN, Words
from mapping.causes.intuit import REFUSALS
from mapping.causes.ours import CONFLICTS, DECODING, DIFFERENCES, MAPPING, STATES

_HEAD = (
    "# Faults in words",
    "",
    "Every cause for which a record does not reach QuickBooks, or not yet: what happened, what to do, and who can do it. This page",
    "is made from `mapping/causes` by `python -m consumers.causes_page`.",
    "",
    "The cause is stable: failures are grouped by it, and `kompass-qbo dead-letters list --cause` takes it. What follows a colon",
    "in a cause is the VAT rate, Service, member or code that is meant (`no-tax-code:vat-21`). A failure's own message says which",
    "record, field and value it is about. Once you fix the cause, the records sync automatically: saving a mapping, the Configuration",
    "or the record in Kompass is enough. After you fix something inside QuickBooks, press *Try again*. QuickBooks does not say when a",
    "period is reopened, or when an item, class or customer is active again. So one record of each such group is tried once a day;",
    "when it goes through, the others follow.",
    "",
)


def _rows(table: Sequence[Words], *, codes: bool) -> Iterator[str]:
    yield f"| cause |{' codes |' if codes else ''} what happened | what to do | who |"
    yield f"|---|{'---|' if codes else ''}---|---|---|"
    for words in table:
        cells = [f"`{words.cause}`"]
        if codes:
            cells.append(", ".join(words.codes) or "-")
        cells += [words.what, words.remedy, words.who.value]
        yield "| " + " | ".join(cells) + " |"


def documentation() -> str:
    """The text of docs/faults.md."""
    lines = [*_HEAD]
    for title, text, table, codes in (
        ("The record cannot be mapped", "Found before anything is sent; nothing was called.", MAPPING, False),
        ("QuickBooks and Kompass disagree", "Nothing is overwritten; a person decides.", CONFLICTS, False),
        ("QuickBooks refuses", "By Intuit's fault code; QuickBooks' own words are quoted in the message.", REFUSALS, True),
        (
            "QuickBooks totals it otherwise",
            "It is in QuickBooks, and nothing waits; the probable reason of a difference to the cent, with both figures in its message.",
            DIFFERENCES, False,
        ),
        ("Events that cannot be read", "Mailed to OPERATOR_MAIL: they belong to no Org.", DECODING, False),
        ("The company, and what ends without action", "Only the first three are mailed.", STATES, True),
    ):  # fmt: skip
        lines += [f"## {title}", "", text, "", *_rows(table, codes=codes), ""]
    lines += ["## Anything else", "", f"{UNFORESEEN.what} {UNFORESEEN.remedy}"]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(documentation(), end="")
