"""A Configuration that is created again, and a company that moves from one Org to another."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from schemas.events import OrgRef
from simulator.seeds import IRELAND, UK
from tests.builders import UK_ORG, client, event, invoice, project
from tests.pipeline import Pipeline

SECOND_ORG = OrgRef("org-2", "Meridian Second")


def execute(pipeline: Pipeline, statement: str) -> None:
    with pipeline.engine.begin() as db:
        db.execute(text(statement))


def version(pipeline: Pipeline) -> int:
    (row,) = pipeline.rows("qbo_configuration")
    return int(row.version)


def test_a_configuration_made_anew_is_not_taken_for_the_former_one(pipeline: Pipeline) -> None:
    pipeline.ingest(event(client("c1")))
    pipeline.drive()
    while version(pipeline) < 50:
        execute(pipeline, "UPDATE qbo_configuration SET client_name_template = client_name_template || ' old'")
    pipeline.ingest(event(client("c2", name="Second")))
    pipeline.claim()
    execute(pipeline, "UPDATE qbo_link SET epoch = epoch + 1")
    execute(pipeline, "DELETE FROM qbo_attempt")
    execute(pipeline, "DELETE FROM qbo_configuration")
    pipeline.link()
    while version(pipeline) < 50:
        execute(
            pipeline, "UPDATE qbo_configuration SET notification_recipients = notification_recipients || '{a@b.ie}'"
        )
    execute(pipeline, "UPDATE qbo_link SET due_at = now() WHERE kompass_id = 'c2'")
    (attempt,) = [one for one in pipeline.claim().attempts if one.link.kompass_id == "c2"]
    assert attempt.name == "Second"


@pytest.mark.parametrize("sent", [True, False])
def test_a_company_that_moves_to_another_org_takes_the_links_of_shared_clients_along(
    pipeline: Pipeline, sent: bool
) -> None:
    shared = client("c1", orgs=(UK_ORG, SECOND_ORG))
    if sent:
        pipeline.ingest(event(shared))
        pipeline.drive()
    else:
        execute(pipeline, "UPDATE qbo_configuration SET enabled = false")
        pipeline.ingest(event(shared))
        pipeline.drive()
    execute(pipeline, "UPDATE qbo_configuration SET realm_id = NULL")
    execute(pipeline, "DELETE FROM qbo_connection")
    pipeline.link("org-2", "Meridian Second", realm=UK)
    pipeline.map_vat_rate("vat-20", "20.0% S", org_id="org-2")
    pipeline.ingest(event(client("c1", orgs=(UK_ORG, SECOND_ORG), sequence=2, name="Renamed")))
    pipeline.ingest(event(invoice(of=project(of=shared, org=SECOND_ORG), org=SECOND_ORG)))
    pipeline.drive()
    assert pipeline.one("invoice", "i1").state == "synced"
    assert "Renamed" in {one["DisplayName"] for one in pipeline.objects("Customer")}
    assert {row.org_id for row in pipeline.links(realm_id=UK)} == {"org-2"}
    assert IRELAND != UK
