"""docs/rooms.md: every file of every room in one line, from the first line of its docstring: ``python docs/tools/rooms.py``."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "rooms.md"

ROOMS: dict[str, tuple[str, str]] = {
    "schemas": (
        "The event contract: Avro schemas, typed events, codec and registry; and small types that several rooms share.",
        "SQL, QuickBooks payloads, settings.",
    ),
    "mapping": (
        "Pure functions: record, Configuration and facts become a payload, with the reason for each choice.",
        "I/O, clocks, randomness, the database.",
    ),
    "qbo_client": (
        "Intuit's API: authorisation, transport, faults, quota, queries, and what each answer proves.",
        "Records, links, mappings: it knows nothing of Kompass.",
    ),
    "store": ("The SQL, one module for each table or question.", "Decisions, calls, words for people."),
    "sync": (
        "The core that pipeline and admin share: the life of a link, the one decision, an attempt, a company's permission to call.",
        "Threads, commands, pages, SQL that `store/` could have.",
    ),
    "consumers": (
        "The processes and the commands: ingest, the runner's threads, outbox, notifier.",
        "Decisions about a link: `sync/` has them.",
    ),
    "admin": (
        "The Django Admin site; its app owns the database schema.",
        "Decisions about a link, a second way to call Intuit. It never imports `consumers/`.",
    ),
    "simulator": (
        "A stand-in for Intuit, a package of its own.",
        "Any import of ours. Production does not install it.",
    ),
    "demo": (
        "What `make demo` adds: embedded PostgreSQL, broker and mail, sample events, the comparison.",
        "What production needs.",
    ),
}
"""Room → what belongs there, and what does not."""

TASKS: tuple[tuple[str, str], ...] = (
    ("a field of an event", "[add a field](how-to/add-a-field.md): `schemas/`"),
    ("which Item, Class or tax code a line gets, and its description", "`mapping/lines.py`, `mapping/tax.py`"),
    ("the tax that QuickBooks will come to", "`mapping/tax_amounts.py`, asked by `_check_tax` in `mapping/tax.py`"),
    ("the exchange rate of a document", "`mapping/rates.py`; reading it: `_read_rates` in `sync/company.py`"),
    ("the agreement sheet and its verdict", "`mapping/agreement.py`, `mapping/sheet.py`; read by `sync/agreement.py`"),
    ("which members are sent", "`mapping/client.py`, `project.py`, `invoice.py`; [fields](fields.md)"),
    ("whether a record is to be synced at all", "`why_not_synced` in `mapping/case.py`"),
    (
        "which currency fits",
        "`Draft.currency` in `mapping/members.py`; changed or linked by hand: `_same_currency`, `_adopt` in `mapping/decide.py`; which "
        "customer: `party_key` in `mapping/case.py`",
    ),
    (
        "what templates may do",
        "`mapping/sandbox.py`; lengths and bounds: `MAX_` in `mapping/templates.py`, `mapping/template_functions.py`",
    ),
    ("how long a text may be, which email or address goes", "`mapping/members.py`"),
    (
        "what payments, closed books or a bookkeeper's hand forbid",
        "`_conflict` in `mapping/decide.py`; which members: `mapping/books.py`; words: `mapping/conflicts.py`",
    ),
    (
        "what becomes of a record, and in which order it is asked",
        "`mapping/decide.py`; `sync/decide.py` for names and numbers",
    ),
    ("the headline and general remedy of a cause", "[add a cause](how-to/add-a-cause.md): `mapping/causes/`"),
    (
        "the sentence about one record",
        "`mapping/problems.py`, `mapping/conflicts.py`; of a refusal: `sync/refusals.py`, with what `sync/explaining.py` read",
    ),
    ("whether a refusal is final", "`qbo_client/verdicts.py`; how long a passing one is tried: `sync/patience.py`"),
    (
        "how often a call without an answer is tried (503, timeout)",
        "`sync/settle.py`, numbers in `sync/settings/policies.py`",
    ),
    (
        "how many links a claim takes, live or backlog",
        "`_free` and `_candidates` in `consumers/runner.py`, with `sync/pace.py`",
    ),
    ("what makes a link due", "`sync/sweep.py`, `store/due.py`"),
    (
        "the state of a link",
        "`sync/link.py` alone, with its statements in `store/due.py`: [add a state](how-to/add-a-state.md)",
    ),
    ("what is claimed, and by which process", "`sync/claim.py`, `store/links.py`"),
    ("what an answer means for a link", "`sync/settle.py`"),
    (
        "whether a lost call is repeated or looked up",
        "`Attempt.taken_over` in `sync/attempt.py`; the look-up: `sync/looking_up.py`",
    ),
    (
        "tokens; a company that is disconnected",
        "`sync/tokens.py` refreshes, notices a refusal and disconnects (`store/connections.py`); `sync/disconnection.py` writes the "
        "one failure",
    ),
    (
        "Intuit's limits",
        "`qbo_client/quota.py` the rule, `store/quota.py` the shared row, `sync/permits.py` the permits",
    ),
    ("records of Kafka that cannot be read", "`consumers/ingest/batch.py`; [replay](how-to/replay.md)"),
    ("the text of a mail", "`consumers/notifier/templates/`; when it goes: `consumers/notifier/pacing.py`"),
    ("who gets a mail", "`_recipients` in `consumers/notifier/notifier.py`"),
    ("the dead-letter topic and its outbox", "`consumers/dead_letters.py`, `store/failures.py`"),
    (
        "a column of a list of records",
        "`list_display` in `admin/quickbooks_online/pages/customers.py` (Customers) or `pages/links.py` (Projects, Invoices); its method "
        "in `pages/links.py`",
    ),
    ("a page of the admin", "`admin/quickbooks_online/pages/`"),
    (
        "a filter of those lists",
        "its class in `admin/quickbooks_online/pages/link_filters.py`, entered in `list_filter` of `pages/links.py`",
    ),
    ("the words of a state on a page", "`STATE_WORDS` in `admin/quickbooks_online/pages/link_rows.py`"),
    (
        "a page of an Org",
        "a mixin as in `admin/quickbooks_online/pages/overview.py`, among the bases of `ConfigurationAdmin` in `pages/configurations.py`",
    ),
    ("how tokens are encrypted", "`store/secrets.py`; [rotate the keys](how-to/rotate-keys.md)"),
    ("a column of the database", "[add a column](how-to/add-a-column.md)"),
    ("a setting", "[add a setting](how-to/add-a-setting.md)"),
    ("a metric or an alert", "[add a metric](how-to/add-a-metric.md)"),
    ("a command", "[add a command](how-to/add-a-command.md)"),
    ("what the simulator answers", "[teach the simulator](how-to/teach-the-simulator.md)"),
    ("which room may import which, and what mapping may not do", "`tests/unit/test_rooms.py`"),
    ("what a kill at any moment may cost", "`tests/chaos/`; how long it ran: [reliability](reliability.md)"),
)
"""What somebody wants to change, and where it is."""

_LEFT_OUT = ("/migrations/", "/formats/", "/build/")


def modules(room: str) -> list[Path]:
    """The room's Python files in their order."""
    found = sorted(path for path in (ROOT / room).rglob("*.py"))
    return [path for path in found if not any(part in path.as_posix() for part in _LEFT_OUT)]


def first_line(path: Path) -> str:
    docstring = ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""
    return docstring.partition("\n")[0].replace("``", "`").replace("|", "\\|")


def _rows(room: str) -> Iterator[str]:
    for path in modules(room):
        says = first_line(path)
        name = path.relative_to(ROOT / room)
        if says and not (name.name == "__init__.py" and len(name.parts) == 1):
            yield f"| `{name}` | {says} |"


def documentation() -> str:
    """The text of docs/rooms.md."""
    lines = [
        "# A map of the rooms",
        "",
        "This page is made from the first line of each module: `python docs/tools/rooms.py`. Change the module, not the page.",
        "The arrows between the rooms are in [architecture.md](architecture.md); Django's migrations are left out here.",
        "",
        "## To change something",
        "",
        "| to change | look in |",
        "|---|---|",
        *(f"| {what} | {where} |" for what, where in TASKS),
        "",
    ]
    for room, (belongs, does_not) in ROOMS.items():
        lines += [f"## {room}/", "", f"**Belongs here:** {belongs}", "", f"**Does not:** {does_not}", ""]
        lines += ["| file | what it is |", "|---|---|", *_rows(room), ""]
    return "\n".join(lines)


if __name__ == "__main__":
    PAGE.write_text(documentation(), "utf-8")
