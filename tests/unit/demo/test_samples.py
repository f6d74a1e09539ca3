"""What the sample events promise: enough of everything, and the same end in any order of delivery."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

import pytest

from demo.expectation import Expectation, expect
from demo.orgs import COMPANIES, DEMO_ORGS
from demo.samples import DEMO_FILE, REJECTED
from demo.samples.__main__ import as_lines
from demo.samples.summary import newest, summary, within
from schemas.codec import Codec
from schemas.events import Action, Client, Event, Invoice, InvoiceType, Kind, Project, Record, Step, kind_of
from schemas.jsonlines import read_json_lines
from simulator.company_file import read
from simulator.world import World

CENT = Decimal("0.01")
REACHED = (Step.APPROVED, Step.POSTED)
REJECTED_NAMES = {rejection.name for rejection in REJECTED}


@pytest.fixture(scope="module")
def events() -> list[Event]:
    with DEMO_FILE.open("rb") as lines:
        return [event for _, event in read_json_lines(lines)]


@pytest.fixture(scope="module")
def states(events: list[Event]) -> dict[tuple[Kind, str], dict[int, Record]]:
    """Every state of every record, carried ones included, in the order of its sequence."""
    found: dict[tuple[Kind, str], dict[int, Record]] = defaultdict(dict)
    for event in events:
        for record in within(event.object):
            other = found[kind_of(record), record.id].setdefault(record.sequence, record)
            assert other == record, f"{kind_of(record)} {record.id} has two contents for sequence {record.sequence}"
    return {key: dict(sorted(by_sequence.items())) for key, by_sequence in found.items()}


@pytest.fixture(scope="module")
def invoices(states: dict[tuple[Kind, str], dict[int, Record]]) -> list[list[Invoice]]:
    """The states of each invoice, oldest first."""
    found = []
    for (kind, _), by_sequence in states.items():
        if kind is Kind.INVOICE:
            found.append([record for record in by_sequence.values() if isinstance(record, Invoice)])
    return found


@pytest.fixture(scope="module")
def expected(events: list[Event]) -> dict[str, Expectation]:
    by_realm = expect(events, DEMO_ORGS)
    return {rules.org_id: by_realm[rules.realm_id] for rules in DEMO_ORGS}


def test_the_file_is_what_the_generator_makes() -> None:
    assert DEMO_FILE.read_bytes() == as_lines(), "run python -m demo.samples --write"


def test_the_documentation_counts_what_is_inside(events: list[Event]) -> None:
    page = Path(__file__).parents[3] / "docs" / "events.md"
    assert summary(events) in page.read_text("utf-8"), "paste python -m demo.samples --summary into docs/events.md"


def test_the_documentation_lists_what_is_rejected() -> None:
    page = (Path(__file__).parents[3] / "docs" / "events.md").read_text("utf-8")
    for rejection in REJECTED:
        assert f"| `{rejection.org_id}` | {rejection.kind} {rejection.name} | {rejection.cause} |" in page


def test_every_event_goes_through_avro(events: list[Event]) -> None:
    codec = Codec()
    for event in events:
        assert codec.decode(kind_of(event.object), codec.encode(event)) == event


def test_there_is_enough_of_everything(events: list[Event], invoices: list[list[Invoice]]) -> None:
    kinds = Counter(kind for kind, _ in newest(events))
    assert kinds[Kind.CLIENT] >= 40
    assert kinds[Kind.PROJECT] >= 60
    assert kinds[Kind.INVOICE] >= 200
    last = [history[-1] for history in invoices]
    lines = [line for invoice in last for line in invoice.lines]
    exact = [o for o in lines if o.quantity and o.unit_price and _cents(o.quantity * o.unit_price) == o.amount_net]
    other = [o for o in lines if o.quantity and o.unit_price and _cents(o.quantity * o.unit_price) != o.amount_net]
    clients = [record for record, _ in newest(events).values() if isinstance(record, Client)]
    for what, found in {
        "credit notes": [o for o in last if o.type is InvoiceType.CREDIT_NOTE and o.amount_gross < 0],
        "journals": [o for o in last if o.type is InvoiceType.JOURNAL and o.amount_net == 0],
        "voids after approval": [
            h for h in invoices if h[-1].step is Step.VOIDED and any(s.step in REACHED for s in h)
        ],
        "voids of something never sent": [
            h for h in invoices if h[-1].step is Step.VOIDED and not any(s.step in REACHED for s in h)
        ],
        "Synchronize off": [o for o in last if not o.synchronize],
        "drafts": [o for o in last if o.step is Step.DRAFT],
        "rejected in Kompass": [o for o in last if o.step is Step.REJECTED],
        "pounds billed in euros": [o for o in last if o.org.id == "org-uk" and o.currency == "EUR"],
        "dollars in Canada": [o for o in last if o.org.id == "org-ca" and o.currency == "USD"],
        "percentages": [o for o in lines if o.percentage],
        "quantities that multiply": exact,
        "quantities that do not": other,
        "lines without a rate": [o for o in lines if o.vat_rate is None],
        "zero-rated lines": [o for o in lines if o.vat_rate is not None and not o.vat_rate.rate],
        "lines without a service": [o for o in lines if o.service is None],
        "clients of two Orgs": [c for c in clients if len(c.orgs) == 2],
        "inactive clients": [c for c in clients if c.inactive],
        "accents": [c for c in clients if not c.name.isascii()],
        "apostrophes": [c for c in clients if "'" in c.name],
        "ampersands": [c for c in clients if "&" in c.name],
        "other payers": [
            r for r, _ in newest(events).values() if isinstance(r, Project) and r.client.id != r.billing_client.id
        ],
        "deletes": [e for e in events if e.action is Action.DELETE],
        "ten changes at once": [h for h in invoices if len(h) > 10],
        "invoices with two rates": [o for o in last if len({line.vat_rate for line in o.lines}) > 1],
    }.items():
        assert found, what


def _cents(amount: Decimal) -> Decimal:
    return amount.quantize(CENT, ROUND_HALF_UP)


def test_some_come_twice_late_or_stale(events: list[Event]) -> None:
    assert len(events) - len({event.id for event in events}) >= 20
    seen: dict[tuple[Kind, str], int] = {}
    late = 0
    for event in events:
        key = kind_of(event.object), event.object.id
        late += event.object.sequence < seen.get(key, 0)
        seen[key] = max(seen.get(key, 0), event.object.sequence)
    assert late >= 20


def test_some_clients_are_only_ever_carried(events: list[Event]) -> None:
    own = {event.object.id for event in events if isinstance(event.object, Client)}
    carried = {r.id for event in events for r in within(event.object) if isinstance(r, Client)}
    assert len(carried - own) == 3


def test_what_was_approved_stays_so_or_is_voided(events: list[Event], invoices: list[list[Invoice]]) -> None:
    deleted = {event.object.id for event in events if event.action is Action.DELETE}
    for history in invoices:
        reached = next((n for n, state in enumerate(history) if state.step in REACHED), None)
        assert len({state.currency for state in history}) == 1
        assert len({state.type for state in history}) == 1
        assert len({state.synchronize for state in history}) == 1
        assert len({state.reference for state in history}) == 1
        assert len({state.client.id for state in history}) == 1
        if reached is not None:
            assert {state.step for state in history[reached:]} <= {*REACHED, Step.VOIDED}, history[-1].reference
            assert history[-1].id not in deleted


def test_payers_and_currencies_never_change(states: dict[tuple[Kind, str], dict[int, Record]]) -> None:
    for by_sequence in states.values():
        records = list(by_sequence.values())
        assert len({r.currency for r in records if isinstance(r, Client)}) <= 1
        assert len({r.orgs for r in records if isinstance(r, Client)}) <= 1
        assert len({(r.billing_client.id, r.client.id, r.reference) for r in records if isinstance(r, Project)}) <= 1


def test_names_and_numbers_are_unique_in_an_org(events: list[Event]) -> None:
    seen: Counter[tuple[str, Kind, str]] = Counter()
    for record, _ in newest(events).values():
        orgs = record.orgs if isinstance(record, Client) else (record.org,)
        name = record.name if isinstance(record, Client) else record.reference
        seen.update((org.id, kind_of(record), name.casefold()) for org in orgs)
    assert [key for key, count in seen.items() if count > 1] == []


def test_every_header_is_the_sum_of_its_lines_but_one(invoices: list[list[Invoice]]) -> None:
    for history in invoices:
        for state in history:
            net = sum((line.amount_net for line in state.lines), Decimal(0))
            vat = sum((line.amount_vat for line in state.lines), Decimal(0))
            right = (net, vat, net + vat) == (state.amount_net, state.amount_vat, state.amount_gross)
            assert right == (state.reference != "US-SUM-01")


def test_tax_is_the_same_cent_by_line_and_by_rate(invoices: list[list[Invoice]]) -> None:
    """QuickBooks rounds per rate on the summed net, or per line: the samples must not depend on which."""
    for history in invoices:
        for state in history:
            if state.reference in REJECTED_NAMES:
                continue
            nets: dict[Decimal, Decimal] = defaultdict(Decimal)
            for line in state.lines:
                rate = line.vat_rate.rate if line.vat_rate else Decimal(0)
                assert line.amount_vat == _cents(line.amount_net * rate / 100), state.reference
                nets[rate] += line.amount_net
            assert state.amount_vat == sum((_cents(net * rate / 100) for rate, net in nets.items()), Decimal(0))


def test_exactly_the_listed_records_are_rejected(
    events: list[Event], expected: dict[str, Expectation], invoices: list[list[Invoice]]
) -> None:
    listed: dict[str, set[str]] = defaultdict(set)
    for rejection in REJECTED:
        listed[rejection.org_id].add(rejection.name)
    assert len({rejection.cause for rejection in REJECTED if rejection.behind is None}) >= 8
    last = {history[-1].reference: history[-1] for history in invoices}
    for org_id, found in expected.items():
        never = {
            name
            for name in found.absent
            if name in last
            and (
                not last[name].synchronize
                or last[name].type is InvoiceType.JOURNAL
                or last[name].step not in (*REACHED, Step.VOIDED)
            )
        }
        assert set(found.absent) - never == listed[org_id]
        assert not found.contested


def test_every_state_of_a_record_is_decided_alike(
    events: list[Event], invoices: list[list[Invoice]], expected: dict[str, Expectation]
) -> None:
    """Each state on its own, as if it were the newest: rejected if and only if the newest one is."""
    by_reference = {rejection.name for rejection in REJECTED}
    for place in range(max(map(len, invoices))):
        stage = [history[place] for history in invoices if place < len(history) and history[place].step in REACHED]
        others = [event for event in events if event.resource != "invoice"]
        template = next(event for event in events if event.resource == "invoice")
        staged = [_as_event(template, invoice) for invoice in stage]
        found = expect([*others, *staged], DEMO_ORGS)
        absent = {name for one in found.values() for name in one.absent}
        for invoice in stage:
            if invoice.synchronize and invoice.type is not InvoiceType.JOURNAL:
                assert (invoice.reference in absent) == (invoice.reference in by_reference), invoice.reference


def _as_event(template: Event, invoice: Invoice) -> Event:
    return Event(template.id, "invoice.update", "invoice", Action.UPDATE, template.created, template.metadata, invoice)


def test_the_end_is_the_same_in_any_order(events: list[Event], expected: dict[str, Expectation]) -> None:
    for seed in range(3):
        shuffled = list(events)
        random.Random(seed).shuffle(shuffled)
        found = expect(shuffled, DEMO_ORGS)
        for rules in DEMO_ORGS:
            for what in ("customers", "documents", "voided", "absent"):
                assert getattr(found[rules.realm_id], what) == getattr(expected[rules.org_id], what)


def test_a_company_of_the_demo_has_one_name_everywhere() -> None:
    books = World(companies=read(COMPANIES)).companies
    for rules in DEMO_ORGS:
        company = books[rules.realm_id]
        assert company.profile.name == company.tables["CompanyInfo"]["1"]["CompanyName"] == rules.company
        assert company.profile.country == {"USA": "US", "EU": "GB", "Canada": "CA"}[rules.locale]
