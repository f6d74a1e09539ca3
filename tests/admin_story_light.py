"""One row of everything, for tests that need a page of each kind."""

from __future__ import annotations

from simulator import UK
from tests.builders import event, invoice
from tests.pipeline import Pipeline


def full_house(pipeline: Pipeline) -> dict[str, int]:
    """Link the UK company, push one invoice, and leave a conflict open; gives the id of one row of each model."""
    pipeline.link(notification_recipients=[])
    pipeline.map_vat_rate("vat-20", "20.0% S")
    pipeline.ingest(event(invoice("i1")))
    pipeline.drive()
    with pipeline.engine.begin() as db:
        for statement in (
            "INSERT INTO qbo_item_service (configuration_id, realm_id, service_id, item_id, item_name)"
            f" SELECT 1, '{UK}', id, '2', 'Design' FROM qbo_service LIMIT 1",
            "INSERT INTO qbo_department_class (configuration_id, realm_id, department_id, class_id, class_name)"
            f" SELECT 1, '{UK}', id, '5000000000000000001', 'Architecture' FROM qbo_department LIMIT 1",
            "INSERT INTO qbo_custom_field (configuration_id, realm_id, definition_id, name, template)"
            f" VALUES (1, '{UK}', '1', 'Kompass reference', '{{{{ project.reference }}}}')",
            "INSERT INTO qbo_failure (org_id, realm_id, link_id, kind, kompass_id, reference, stage, cause, message)"
            " SELECT org_id, realm_id, id, kind, kompass_id, reference, 'map', 'conflict:edited-in-qbo', 'edited'"
            " FROM qbo_link WHERE kind = 'invoice'",
        ):
            db.exec_driver_sql(statement)
        kinds = {"client": "customer", "project": "project", "invoice": "invoice"}
        rows = db.exec_driver_sql("SELECT kind, min(id) FROM qbo_link GROUP BY kind").all()
        ids = {kinds[kind]: number for kind, number in rows}
        ids["failure"] = db.exec_driver_sql("SELECT id FROM qbo_failure").scalar_one()
    return ids
