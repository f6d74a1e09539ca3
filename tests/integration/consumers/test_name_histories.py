"""Random histories of names and numbers: in any order and batches they come, QuickBooks ends with what Kompass says.

A handful runs always; ``pytest tests/integration/consumers/test_name_histories.py --histories 1000`` runs as many, of 30 records each.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal

import pytest

from schemas.events import Client, Event, VatRate
from simulator.seeds import CANADA, UK, USA
from tests.builders import STANDARD, client, event, invoice, line, project
from tests.pipeline import Pipeline

ALWAYS = 8
GST = VatRate("vat-5", "GST 5 %", Decimal("5"))
LOCALES = ((UK, "GBP", STANDARD, "20.0% S"), (USA, "USD", None, ""), (CANADA, "CAD", GST, "GST"))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "seed" in metafunc.fixturenames:
        count = metafunc.config.getoption("--histories", default=0)
        first = metafunc.config.getoption("--first-history", default=1)
        metafunc.parametrize("seed", range(first, first + (count or ALWAYS)))


@dataclass
class Kompass:
    """What Kompass says: every name and number once at any time."""

    rng: random.Random
    records: int
    currency: str
    rate: VatRate | None
    names: dict[str, int] = field(default_factory=dict)
    """Client or project → which name it has."""
    numbers: dict[str, int] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    sequences: dict[str, int] = field(default_factory=dict)
    fresh: int = 0
    owner: Client = field(default_factory=lambda: client("owner", name="The owner"))

    def live(self) -> None:
        self.events.append(event(self.owner))
        for number in range(self.records):
            kind = self.rng.choice("ccppiii")
            held = self.numbers if kind == "i" else self.names
            held[f"{kind}{number}"] = self._another()
            self.say(f"{kind}{number}")
        for _ in range(self.records):
            held = self.rng.choice([self.names, self.numbers])
            chosen = self.rng.sample(sorted(held), min(len(held), self.rng.choice([1, 1, 2, 2, 3, 5])))
            if not chosen:
                continue
            # One takes a new name, or each the name of the next: all of them, or the last a new one.
            taken = [held[one] for one in chosen[1:]]
            taken.append(held[chosen[0]] if self.rng.random() < 0.6 and taken else self._another())
            for one, name in zip(chosen, taken, strict=True):
                held[one] = name
            # Between two events of Kompass, two may have one name for a moment; in the end none has.
            self.rng.shuffle(chosen)
            for one in chosen:
                self.say(one)

    def say(self, one: str) -> None:
        sequence = self.sequences[one] = self.sequences.get(one, 0) + 1
        if one[0] == "i":
            sold = "-100.00" if int(one[1:]) % 4 == 0 else "100.00"
            lines = (line(sold, vat=self.rate, service=None),)
            record = invoice(
                one,
                reference=f"N-{self.numbers[one]}",
                client=self.owner,
                project=None,
                lines=lines,
                currency=self.currency,
                sequence=sequence,
            )
            self.events.append(event(record))
        elif one[0] == "c":
            self.events.append(event(client(one, name=self.named(one), sequence=sequence)))
        else:
            reference, name = self.named(one).split(" ", 1)
            self.events.append(event(project(one, of=self.owner, reference=reference, name=name, sequence=sequence)))

    def named(self, one: str) -> str:
        """Clients and projects have names of one kind, so that they exchange them with each other."""
        number = self.names[one]
        return f"24-{number} Survey {number}"

    def _another(self) -> int:
        self.fresh += 1
        return self.fresh


def step(pipeline: Pipeline, rng: random.Random, between: Callable[[], object]) -> None:
    """Claim what is due, call, and settle in any order; something may come between."""
    pipeline.sweep()
    claimed = pipeline.claim(together=rng.choice([1, 30]))
    for realm, org in claimed.unready.items():
        pipeline.jobs.prepare(org, realm)
    if rng.random() < 0.3:
        between()
    answers = pipeline.answers(claimed.attempts)
    rng.shuffle(answers)
    while answers:
        some = rng.randint(1, len(answers))
        pipeline.settle(*answers[:some])
        answers = answers[some:]


def test_any_history_ends_with_what_kompass_says(unlinked: Pipeline, seed: int, request: pytest.FixtureRequest) -> None:
    rng = random.Random(seed)
    realm, currency, rate, tax_code = LOCALES[seed % len(LOCALES)]
    unlinked.link(realm=realm)
    if rate is not None:
        unlinked.map_vat_rate(rate.id, tax_code, realm=realm)
    detail = rng.choice(["null", "id", "sentence"])
    unlinked.simulator.call(lambda world: world.change_settings({"duplicate_name_detail": detail}))
    unlinked.together = rng.choice([1, 30])
    kompass = Kompass(rng, 30 if request.config.getoption("--histories", default=0) else 12, currency, rate)
    kompass.live()
    coming = iter(list(batches(kompass.events, rng)))
    for batch in coming:
        unlinked.ingest(*batch)
        for _ in range(rng.choice([0, 0, 1, 1, 2, 5])):
            step(unlinked, rng, lambda: unlinked.ingest(*next(coming, [])))
    unlinked.drive(rounds=40 * kompass.records)
    assert [
        (row.kompass_id, row.state, row.cause, row.reason) for row in unlinked.links() if row.state != "synced"
    ] == []
    assert [row.message for row in unlinked.rows("qbo_failure") if row.closed_at is None] == []
    assert found(unlinked, realm) == {
        **{one: kompass.named(one) for one in kompass.names},
        **{one: f"N-{number}" for one, number in kompass.numbers.items()},
        "owner": "The owner",
    }


def batches(events: list[Event], rng: random.Random) -> Iterator[list[Event]]:
    """Deliver in any batches and nearly any order: sometimes as they were said, mostly mixed."""
    left = list(events)
    if rng.random() < 0.7:
        rng.shuffle(left)
    while left:
        some = rng.choice([1, 2, 5, len(left)])
        yield left[:some]
        left = left[some:]


def found(pipeline: Pipeline, realm: str) -> dict[str, str]:
    there = {
        (entity, one["Id"]): one.get("DisplayName") or one["DocNumber"]
        for entity in ("Customer", "Invoice", "CreditMemo")
        for one in pipeline.objects(entity, realm)
    }
    return {link.kompass_id: there[link.entity, link.qbo_id] for link in pipeline.links() if link.qbo_id}
