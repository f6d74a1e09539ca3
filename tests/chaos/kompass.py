"""A seeded Kompass: records that change at random, as the events that say so, repeated, late and out of order."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from schemas.events import Action, Client, Event, Invoice, InvoiceLine, OrgRef, Project, Step
from tests.builders import client, event, invoice, line, project

CURRENCIES = ("GBP", "GBP", "GBP", "EUR")


@dataclass(slots=True)
class Kompass:
    """What Kompass has of some Orgs. Every step changes one record and gives the events of it."""

    orgs: tuple[OrgRef, ...]
    chance: random.Random
    clients: dict[str, Client] = field(default_factory=dict)
    projects: dict[str, Project] = field(default_factory=dict)
    invoices: dict[str, Invoice] = field(default_factory=dict)
    said: list[Event] = field(default_factory=list)
    """Every event there was, so that old ones can come again."""

    def steps(self, count: int) -> Iterator[Event]:
        """Give the events of ``count`` changes; now and then one that was said already, or one before its predecessor."""
        waiting: list[Event] = []
        for _ in range(count):
            news = self.change()
            self.said.append(news)
            if self.chance.random() < 0.2:
                waiting.append(news)
                continue
            yield news
            if waiting and self.chance.random() < 0.5:
                yield waiting.pop(self.chance.randrange(len(waiting)))
            if self.chance.random() < 0.15:
                yield self.chance.choice(self.said)
        self.chance.shuffle(waiting)
        yield from waiting

    def change(self) -> Event:
        """Change one record, or make one."""
        dice = self.chance.random()
        if not self.clients or dice < 0.08:
            return event(self._new_client(), action=Action.CREATE)
        if dice < 0.2:
            return event(self._changed_client())
        if not self.projects or dice < 0.3:
            return event(self._new_project(), action=Action.CREATE)
        if dice < 0.38:
            return event(self._changed_project())
        if not self.invoices or dice < 0.68:
            return event(self._new_invoice(), action=Action.CREATE)
        return event(self._changed_invoice())

    def _new_client(self) -> Client:
        org = self.chance.choice(self.orgs)
        made = client(f"{org.id}-c{len(self.clients)}", org=org)
        return self._keep_client(made)

    def _changed_client(self) -> Client:
        one = self.chance.choice(sorted(self.clients.values(), key=lambda client: client.id))
        number = one.sequence + 1
        changes: dict[str, object] = self.chance.choice(
            [{"name": f"{one.id} renamed {number}"}, {"notes": f"Note {number}"}, {"notes": None}, {"email": None},
             {"email": f"{one.id}.{number}@example.com"}, {"phone": f"+44 {number}"}]
        )  # fmt: skip
        return self._keep_client(replace(one, sequence=number, **changes))  # type: ignore[arg-type]

    def _keep_client(self, one: Client) -> Client:
        self.clients[one.id] = one
        return one

    def _new_project(self) -> Project:
        owner = self.chance.choice(sorted(self.clients.values(), key=lambda client: client.id))
        made = project(f"{owner.id}-p{len(self.projects)}", of=owner, org=owner.orgs[0])
        self.projects[made.id] = made
        return made

    def _changed_project(self) -> Project:
        one = self.chance.choice(sorted(self.projects.values(), key=lambda project: project.id))
        number, owner = one.sequence + 1, self.clients[one.client.id]
        changed = replace(one, sequence=number, name=f"Survey {number}", client=owner, billing_client=owner)
        self.projects[changed.id] = changed
        return changed

    def _new_invoice(self) -> Invoice:
        of = self.chance.choice(sorted(self.projects.values(), key=lambda project: project.id))
        of = replace(of, client=self.clients[of.client.id], billing_client=self.clients[of.client.id])
        made = invoice(
            f"i{len(self.invoices)}",
            of=of,
            org=of.org,
            lines=self._lines(-1 if self.chance.random() < 0.2 else 1),
            step=self.chance.choice([Step.APPROVED, Step.APPROVED, Step.POSTED, Step.DRAFT]),
            currency=self.chance.choice(CURRENCIES),
        )
        if self.chance.random() < 0.15:
            made = replace(made, project=None)
        self.invoices[made.id] = made
        return made

    def _changed_invoice(self) -> Invoice:
        one = self.chance.choice(sorted(self.invoices.values(), key=lambda invoice: invoice.id))
        number, dice = one.sequence + 1, self.chance.random()
        if one.step is Step.VOIDED:
            changed = one
        elif one.step is Step.DRAFT:
            changed = replace(one, step=Step.APPROVED)
        elif dice < 0.25:
            changed = replace(one, step=Step.VOIDED)
        elif dice < 0.6:
            changed = replace(one, details=f"Details {number}")
        else:
            lines = self._lines(-1 if one.amount_net < 0 else 1)
            net, vat = sum(row.amount_net for row in lines), sum(row.amount_vat for row in lines)
            changed = replace(one, lines=lines, amount_net=net, amount_vat=vat, amount_gross=net + vat)  # type: ignore[arg-type]
        changed = replace(changed, sequence=number)
        self.invoices[changed.id] = changed
        return changed

    def _lines(self, sign: int) -> tuple[InvoiceLine, ...]:
        count = self.chance.randint(1, 3)
        return tuple(
            line(str(sign * self.chance.randint(1, 900) * 5) + ".00", position=number) for number in range(1, count + 1)
        )
