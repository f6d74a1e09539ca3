"""A bookkeeper works in QuickBooks too: what is theirs survives, and where both sides changed the same, a person decides."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from sqlalchemy import text

from qbo_client.calls import update
from tests.builders import client, event, invoice, line
from tests.pipeline import Pipeline


def edit(pipeline: Pipeline, entity: str, **members: Any) -> None:
    """Change the newest object of an entity by hand in QBO, with a token of its own."""
    document = pipeline.objects(entity)[-1]
    token = pipeline.simulator.authorize("9130347000000000002")["access_token"]
    # A page of QuickBooks' sends the customer with the lines.
    whose = {"CustomerRef": document["CustomerRef"]} if "Line" in members else {}
    body = {"Id": document["Id"], "SyncToken": document["SyncToken"], "sparse": True, **whose, **members}
    outcome = pipeline.transport.send(
        "9130347000000000002", token, update(entity, body, request_id=None), deadline=10.0
    )
    assert type(outcome).__name__ == "Done", outcome


def try_again(pipeline: Pipeline) -> None:
    with pipeline.engine.begin() as db:
        db.execute(text("UPDATE qbo_link SET due_at = now(), again = true WHERE state = 'failed'"))


def test_a_note_of_the_bookkeepers_survives_a_change_in_kompass(pipeline: Pipeline) -> None:
    pipeline.ingest(event(client()))
    pipeline.drive()
    edit(pipeline, "Customer", Notes="pays late")
    pipeline.ingest(event(client(sequence=2, email="new@example.com")))
    pipeline.drive()
    (customer,) = pipeline.objects("Customer")
    assert customer["Notes"] == "pays late"
    assert customer["PrimaryEmailAddr"]["Address"] == "new@example.com"


def test_lines_changed_on_both_sides_stop_and_are_read_again_when_asked(pipeline: Pipeline) -> None:
    pipeline.ingest(event(invoice()))
    pipeline.drive()
    (document,) = pipeline.objects("Invoice")
    lines = [one for one in document["Line"] if one["DetailType"] == "SalesItemLineDetail"]
    before = {**lines[0]}
    edit(pipeline, "Invoice", Line=[{**before, "Amount": Decimal("77.00"), "Description": "agreed by phone"}])
    pipeline.ingest(event(invoice(sequence=2, lines=(line("200.00"),))))
    pipeline.drive()
    link = pipeline.one("invoice", "i1")
    assert (link.state, link.cause) == ("failed", "conflict:edited-in-qbo")
    edit(pipeline, "Invoice", Line=[before])
    try_again(pipeline)
    pipeline.drive()
    (document,) = pipeline.objects("Invoice")
    assert pipeline.one("invoice", "i1").state == "synced"
    assert Decimal(str(document["TotalAmt"])) == Decimal("240.00")
