"""What QuickBooks refuses for an inactive reference is named as people know it, not by its Id."""

from __future__ import annotations

from sqlalchemy import text

from tests.builders import event, invoice, project
from tests.integration.pipeline.test_bookkeeper import edit
from tests.pipeline import Pipeline


def test_an_inactive_customer_is_named(pipeline: Pipeline) -> None:
    pipeline.ingest(event(project()))
    pipeline.drive()
    # The job is the newest customer: somebody makes it inactive in QuickBooks.
    job = pipeline.one("project", "p1")
    edit(pipeline, "Customer", Active=False)
    pipeline.ingest(event(invoice("i2")))
    pipeline.drive()
    (failure,) = pipeline.rows("qbo_failure")
    assert f"customer “{job.name}” (Id {job.qbo_id})" in failure.message
    assert failure.cause in ("inactive-or-deleted", "invalid-reference", "customer-inactive")


def test_an_inactive_item_is_named_by_its_mapping(pipeline: Pipeline) -> None:
    pipeline.ingest(event(invoice("i1")))
    pipeline.drive()
    with pipeline.engine.begin() as db:
        service = db.execute(text("SELECT id FROM qbo_service")).scalar_one()
        db.execute(
            text(
                "INSERT INTO qbo_item_service (configuration_id, realm_id, service_id, item_id, item_name)"
                " SELECT id, realm_id, :service, '99999', 'Laser scanning' FROM qbo_configuration"
            ),
            {"service": service},
        )
    pipeline.ingest(event(invoice("i2")))
    pipeline.drive()
    (failure,) = pipeline.rows("qbo_failure")
    assert "item “Laser scanning” (Id 99999)" in failure.message
    assert failure.value.startswith("Laser scanning")
