"""One Org with its company, as a story of a module changes it: what Kompass says, a bookkeeper does and an admin presses."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import text

from consumers.dead_letter_tools.commands import dead_letters_command
from consumers.inquiry.why import why
from schemas.events import Action, Client, Invoice, InvoiceLine, InvoiceType, OrgRef, Project, Record, VatRate, kind_of
from schemas.link_state import Because
from simulator import bookkeeper
from simulator.seeds import CANADA, SELF_NUMBERED, UK, USA, USA_AUTOMATED_TAX
from store.engine import retrying
from sync.companies import refetch_facts_for
from sync.link import Wish, make_due
from tests import builders
from tests.integration.notifier.harness import plain

if TYPE_CHECKING:
    from tests.cases.scenes import World

SYNCED: Final = ("synced", "")
FAILED: Final = "failed"
VAT, HST = VatRate("vat-20", "Standard 20 %", Decimal(20)), VatRate("hst-on", "HST Ontario", Decimal(13))
MONEY: Final[dict[str, tuple[str, VatRate | None, str]]] = {
    UK: ("GBP", VAT, "20.0% S"), CANADA: ("CAD", HST, "HST ON"), USA: ("USD", None, ""), SELF_NUMBERED: ("USD", None, ""),
    USA_AUTOMATED_TAX: ("USD", None, ""),
}  # fmt: skip


@dataclass
class Scene:
    """One Org with its company, as Kompass, a bookkeeper and an admin change it in turns."""

    world: World
    name: str
    like: str
    org: OrgRef
    realm: str
    sequences: Counter[tuple[str, str]] = field(default_factory=Counter)
    said: dict[tuple[str, str], Record] = field(default_factory=dict)

    @property
    def currency(self) -> str:
        return MONEY[self.like][0]

    # Kompass

    def client(self, id: str = "c1", **more: Any) -> Client:
        return builders.client(id, sequence=self._next("client", id), org=self.org, **more)

    def project(self, id: str = "p1", of: Client | None = None, **more: Any) -> Project:
        owner = of or self.said.get(("client", "c1")) or self.client()
        assert isinstance(owner, Client)
        return builders.project(id, sequence=self._next("project", id), of=owner, org=self.org, **more)

    def invoice(self, id: str = "i1", *nets: str, of: Project | None = None, **more: Any) -> Invoice:
        """Make the next state of an invoice, or of a credit note where its lines come to less than nothing."""
        owner = of or self.said.get(("project", "p1")) or self.project()
        assert isinstance(owner, Project)
        more = {"currency": self.currency, "lines": self.lines(*(nets or ("100.00",))), **more}
        return builders.invoice(id, sequence=self._next("invoice", id), of=owner, org=self.org, **more)

    def lines(self, *nets: str, **more: Any) -> tuple[InvoiceLine, ...]:
        vat = MONEY[self.like][1]
        return tuple(builders.line(net, vat=vat, position=at, **more) for at, net in enumerate(nets, 1))

    def sums(self, *nets: str) -> dict[str, Any]:
        """Give the lines of an invoice and the header that goes with them."""
        lines = self.lines(*nets)
        net = sum((one.amount_net for one in lines), Decimal(0))
        vat = sum((one.amount_vat for one in lines), Decimal(0))
        return {"lines": lines, "amount_net": net, "amount_vat": vat, "amount_gross": net + vat}

    def credit(self, id: str, net: str, **more: Any) -> Invoice:
        return self.invoice(id, net, **{"type": InvoiceType.CREDIT_NOTE, **more})

    def again(self, id: str = "i1", kind: str = "invoice", **more: Any) -> Any:
        """Give the next state of a record: as it was said last, with so much changed."""
        last = self.said[kind, id]
        return replace(last, sequence=self._next(kind, id), **more)

    def say(self, *records: Record) -> None:
        """Kompass says these, all of them at once."""
        for one in records:
            self.said[kind_of(one).value, one.id] = one
            if isinstance(one, Invoice) and one.project is not None:
                self.said.setdefault(("project", one.project.id), one.project)
        self.world.pipeline.ingest(*(builders.event(one) for one in records))

    def delete(self, id: str, kind: str) -> None:
        record = self.again(id, kind)
        self.world.pipeline.ingest(builders.event(record, action=Action.DELETE))

    def _next(self, kind: str, id: str) -> int:
        self.sequences[kind, id] += 1
        return self.sequences[kind, id]

    # QuickBooks

    def bookkeeper(self, action: str, **more: Any) -> list[dict[str, Any]]:
        wanted = {"action": action, **more}
        made: list[dict[str, Any]] = self.world.simulator.call(
            lambda world: bookkeeper.edit(world.companies[self.realm], wanted)
        )
        return made

    def switch(self, setting: str, on: bool) -> None:
        self.bookkeeper("setting", setting=setting, on=on)

    def pay(self, id: str = "i1", amount: str | None = None) -> None:
        self.bookkeeper("pay", id=self.link(id).qbo_id, **({} if amount is None else {"amount": amount}))

    def apply(self, credit: str, to: str, amount: str) -> None:
        """Apply a credit note to an invoice, with a payment of nothing, as QuickBooks' own page does."""
        customer = self.document(to)["CustomerRef"]
        links = [
            {"Amount": Decimal(amount), "LinkedTxn": [{"TxnId": self.link(one).qbo_id, "TxnType": kind}]}
            for one, kind in ((to, "Invoice"), (credit, "CreditMemo"))
        ]
        members = {"CustomerRef": {"value": customer["value"]}, "TotalAmt": 0, "Line": links}
        if self.like in (UK, CANADA):
            members["CurrencyRef"] = {"value": self.currency}
        self.bookkeeper("create", entity="Payment", members=members)

    def objects(self, entity: str) -> list[dict[str, Any]]:
        return self.world.pipeline.objects(entity, self.realm)

    def document(self, id: str = "i1", kind: str = "invoice") -> dict[str, Any]:
        link = self.link(id, kind)
        (found,) = [one for one in self.objects(link.entity) if one["Id"] == link.qbo_id] or [{}]
        assert found, f"{kind} {id} is not in the books: {link.state} {link.cause} {link.reason}"
        return found

    def marked(self, id: str = "i1") -> list[dict[str, Any]]:
        """Give what the books have with the mark of an invoice and a total. The link is not asked."""
        mark = f"Kompass invoice {id} ("
        documents = self.objects("Invoice") + self.objects("CreditMemo")
        return [one for one in documents if mark in str(one.get("PrivateNote", "")) and one["TotalAmt"]]

    def trouble(self, **rule: Any) -> None:
        self.world.simulator.call(lambda world: world.troubles.add({"realm": self.realm, **rule}))

    def no_more_trouble(self) -> None:
        def remove(world: Any) -> None:
            world.troubles.rules[:] = [one for one in world.troubles.rules if one.realm != self.realm]

        self.world.simulator.call(remove)

    def calls(self, *, metered: bool = False) -> list[Any]:
        """Give the requests for the company so far; those that Intuit meters if asked."""
        mine = [one for one in self.world.pipeline.requests() if one.realm == self.realm]
        return [one for one in mine if not metered or one.metering == "core-plus"]

    # An admin

    def execute(self, statement: str, **values: Any) -> None:
        with self.world.pipeline.engine.begin() as db:
            db.execute(text(statement), {"org": self.org.id, **values})

    def configure(self, **columns: Any) -> None:
        """Save the Configuration as the admin does."""
        set_to = ", ".join(f"{name} = :{name}" for name in columns)
        self.execute(f"UPDATE qbo_configuration SET {set_to} WHERE org_id = :org", **columns)

    def custom_field(self, template: str, definition: str = "1") -> None:
        self.execute(
            "INSERT INTO qbo_custom_field (configuration_id, realm_id, definition_id, name, template)"
            " SELECT id, realm_id, :definition, 'Order', :template FROM qbo_configuration WHERE org_id = :org",
            definition=definition, template=template,
        )  # fmt: skip

    def press(self, id: str = "i1", kind: str = "invoice", *, wish: Wish | None = None) -> None:
        """Press Try again, or choose Kompass's side, as the admin's pages do."""
        ids = [one.id for one in self.world.pipeline.links(org_id=self.org.id, kind=kind, kompass_id=id)]

        def ask(db: Any) -> None:
            make_due(db, ids, Because.RESEND, "an admin", wishes=(wish,) if wish is not None else ())
            refetch_facts_for(db, ids)

        retrying(self.world.pipeline.engine, ask)

    def replay(self) -> None:
        result = self.world.run(dead_letters_command, "replay", "--org", self.org.id, "--force")
        assert result.exit_code == 0, result.output

    def by_hand(self, deed: Callable[[Any], Any]) -> None:
        retrying(self.world.pipeline.engine, deed)

    # Looking

    def link(self, id: str = "i1", kind: str = "invoice", **where: Any) -> Any:
        return self.world.pipeline.one(kind, id, org_id=self.org.id, **where)

    def stands(self, id: str = "i1", kind: str = "invoice") -> tuple[str, str]:
        link = self.link(id, kind)
        return link.state, link.cause

    def failures(self, *, ever: bool = False) -> list[Any]:
        rows = [one for one in self.world.pipeline.rows("qbo_failure") if one.org_id == self.org.id]
        return [one for one in rows if ever or one.closed_at is None]

    def remarks(self) -> list[str]:
        """Give the causes of what is in QuickBooks otherwise than Kompass says, sums and members."""
        rows = self.world.pipeline.rows("qbo_difference")
        mine = {one.id for one in self.world.pipeline.links(org_id=self.org.id)}
        return sorted(one.cause for one in rows if one.link_id in mine)

    def why(self, id: str = "i1", kind: str = "invoice") -> str:
        result = self.world.run(why, kind, id, "--org", self.org.id)
        assert result.exit_code == 0, result.output
        return str(result.output)

    def mails(self) -> list[str]:
        """Have the notifier write what is to be written by two hours later; gives the texts of the Org's mails so far."""
        for _ in range(2):
            self.world.post.later(hours=2)
        return [
            f"{one['Subject']}\n{plain(one)}"
            for one in self.world.post.mail.messages
            if self.address in str(one["To"])
        ]  # fmt: skip

    @property
    def address(self) -> str:
        return f"{self.org.id}@books.example"
