"""What histories of deeds in every order share: a person's choices, a call that somebody comes between, and what is true at rest."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from mapping.books import BOOKS, not_taken
from mapping.case import needed_party, why_not_synced
from mapping.payloads import map_record
from mapping.sheet import TYPED, Sheet
from schemas.observed import Observed, own_lines
from store.searching import links_by_id
from sync.agreement import read_sheet
from sync.by_hand import (
    CannotLink,
    Customer,
    Existing,
    KnownClient,
    link_customer,
    link_existing,
    unlink,
)
from sync.companies import read_company
from sync.decide import predict
from sync.keeping import keep_quickbooks
from sync.link import Wish
from tests.cases.scene import Scene


def keep(one: Scene, id: str = "i1", kind: str = "invoice") -> None:
    """Press Keep what QuickBooks says."""
    one.by_hand(lambda db: keep_quickbooks(db, one.link(id, kind).id, by="ada"))


def send(one: Scene, id: str = "i1", kind: str = "invoice") -> None:
    """Press Send what Kompass says, or Recreate."""
    one.press(id, kind, wish=Wish.OVERWRITE)


def cannot(deed: Callable[[], None]) -> str:
    """A deed that is to be refused; gives the words."""
    try:
        deed()
    except CannotLink as problem:
        return str(problem)
    raise AssertionError("it was done")


def link_client(one: Scene, id: str, customer: dict[str, Any], *, gone: str | None = None) -> None:
    known = KnownClient(one.org.id, id, id, None)
    there = Customer(str(customer["Id"]), str(customer["DisplayName"]), str(customer["CurrencyRef"]["value"]))
    one.by_hand(lambda db: link_customer(db, known, one.realm, there, by="ada", gone=gone))


def link_object(one: Scene, id: str, there: dict[str, Any], entity: str, kind: str = "invoice") -> None:
    name = str(there.get("DisplayName") or there.get("DocNumber"))
    existing = Existing(entity, str(there["Id"]), name, str(there["CurrencyRef"]["value"]))
    one.by_hand(lambda db: link_existing(db, one.link(id, kind).id, existing, by="ada"))


def remove_link(one: Scene, id: str, kind: str = "invoice") -> None:
    one.by_hand(lambda db: unlink(db, one.link(id, kind).id, by="ada"))


def unpay(one: Scene) -> None:
    """The bookkeeper takes every payment back."""
    for payment in one.objects("Payment"):
        one.bookkeeper("delete", entity="Payment", id=payment["Id"])


def call(
    one: Scene,
    *,
    before: Callable[[], None] | None = None,
    after: Callable[[], None] | None = None,
    lost: bool = False,
    kinds: tuple[str, ...] = ("invoice",),
) -> int:
    """Claim what of these kinds is due, call and settle; somebody comes before or after the call. ``lost``: the process dies then."""
    pipeline = one.world.pipeline
    for _ in range(9):
        pipeline.sweep()
        mine = {link.id for link in pipeline.links(org_id=one.org.id) if link.kind in kinds}
        claimed = pipeline.claim([each for each in pipeline.due() if each in mine])
        for realm, org in claimed.unready.items():
            pipeline.jobs.prepare(org, realm, refused_by_facts=realm in claimed.refused_by_facts)
        if claimed.attempts or not claimed.unready:
            break
    if before is not None:
        before()
    answers = pipeline.answers(claimed.attempts)
    if after is not None:
        after()
    if answers and not lost:
        pipeline.settle(*answers)
    if lost:
        # Its heart stopped, and its call is over.
        one.execute(
            "UPDATE qbo_attempt SET heartbeat_at = now() - interval '5 minutes', resend_after = now()"
            " WHERE link_id IN (SELECT id FROM qbo_link WHERE org_id = :org)"
        )
        one.execute("UPDATE qbo_link SET due_at = now() WHERE org_id = :org AND due_at > now()")
    return len(answers)


def later(one: Scene, minutes: float) -> None:
    """Let time go by for the calls of this company that have no answer."""
    one.execute(
        "UPDATE qbo_attempt SET first_sent_at = first_sent_at - :minutes * interval '1 minute'"
        " WHERE link_id IN (SELECT id FROM qbo_link WHERE org_id = :org)",
        minutes=minutes,
    )


def owed(one: Scene) -> Decimal:
    """What the documents of the company come to, in hundreds of nothing but ours."""
    invoices = sum((Decimal(str(each["TotalAmt"])) for each in one.objects("Invoice")), Decimal(0))
    return invoices - sum((Decimal(str(each["TotalAmt"])) for each in one.objects("CreditMemo")), Decimal(0))


def gross(one: Scene, net: str) -> Decimal:
    (line,) = one.lines(net)
    return line.amount_net + line.amount_vat


def agrees(one: Scene) -> None:
    """No synced link differs from what it should say in a member that we own, and no document is there twice."""
    pipeline = one.world.pipeline
    rows = [
        row for row in pipeline.links(org_id=one.org.id) if row.state == "synced" and row.qbo_id and row.cause == ""
    ]
    with pipeline.engine.begin() as db:
        company = read_company(db, one.org.id)
        assert company is not None
        known = links_by_id(db, [row.id for row in rows])
        cases = {each.link.id: each.case for each in predict(db, [(link, company) for link in known.values()])}
    for row in rows:
        where = f"{row.kind} {row.kompass_id} is synced ({row.reason})"
        shown = json.loads(json.dumps(one.objects(row.entity)), parse_float=Decimal)
        there = next((each for each in shown if each["Id"] == row.qbo_id), None)
        if row.voided and "Void" not in row.kept:
            assert there is None or there["TotalAmt"] == 0, f"{where} as void, and {there} is there"
            continue
        assert there is not None, f"{where}, and QuickBooks has no {row.entity} {row.qbo_id}"
        case = cases[row.id]
        if "Void" in row.kept or why_not_synced(case) is not None:
            continue
        payload = map_record(case, case.configuration, needed_party(case)).payload
        missed = not_taken(payload, Observed(there), apart_from={*row.kept, *({*row.by_hand} - BOOKS)})
        assert not missed, f"{where}, and {missed}"
    for row in pipeline.links(org_id=one.org.id, kind="invoice"):
        assert len(one.marked(row.kompass_id)) <= 1, f"{row.kompass_id} is there twice"


def well(one: Scene) -> None:
    """Everything is over: no failure is open, nothing waits, and both sides agree."""
    open_ones = [(each.cause, each.message) for each in one.failures()]
    assert not open_ones, open_ones
    stuck = [
        (row.kind, row.kompass_id, row.state, row.cause, row.reason)
        for row in one.world.pipeline.links(org_id=one.org.id)
        if row.state not in ("synced", "skipped", "withdrawn")
    ]
    assert not stuck, stuck
    agrees(one)


def sheet(one: Scene, month: str = "2026-03") -> Sheet:
    """Make the agreement sheet of a month."""
    pipeline = one.world.pipeline
    pipeline.jobs.prepare(one.org.id, one.realm)
    with pipeline.engine.begin() as db:
        company = read_company(db, one.org.id)
    assert company is not None
    assert company.facts is not None
    token = pipeline.simulator.authorize(one.realm)["access_token"]
    return read_sheet(
        pipeline.engine,
        lambda wanted: pipeline.transport.send(one.realm, token, wanted, deadline=30),
        company.configuration,
        company.facts,
        dt.date.fromisoformat(f"{month}-01"),
    )


def says(one: Scene, id: str = "i1", month: str = "2026-03") -> tuple[bool, str, str]:
    """Give whether a month agrees, and the standing and the remark of a document on its sheet."""
    made = sheet(one, month)
    (line,) = [each for each in made.lines if each.kompass_id == id and each.standing not in TYPED]
    return made.agrees, line.standing.value, line.remark


def amount(one: Scene, net: str, id: str = "i1") -> None:
    """The bookkeeper types another amount over that of the first line."""
    there = one.document(id)
    first, *others = own_lines(there)
    detail = {name: value for name, value in first["SalesItemLineDetail"].items() if name not in ("Qty", "UnitPrice")}
    members = {"Line": [{**first, "Amount": Decimal(net), "SalesItemLineDetail": detail}, *others]}
    members["CustomerRef"] = {"value": there["CustomerRef"]["value"]}
    one.bookkeeper("update", entity=one.link(id).entity, id=there["Id"], members=members)


def edit(one: Scene, id: str = "i1", **members: Any) -> None:
    """The bookkeeper changes members of a document."""
    link = one.link(id)
    one.bookkeeper("update", entity=link.entity, id=link.qbo_id, members=members)
