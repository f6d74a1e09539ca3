"""What was deleted in QuickBooks is created again when a person presses the button, and only then."""

from __future__ import annotations

from admin.quickbooks_online.models import Failure, Link
from simulator import UK, bookkeeper
from tests.builders import event, invoice, line
from tests.integration.admin.conftest import Section


def test_a_deleted_invoice_is_recreated_at_the_press_of_a_button(section: Section) -> None:
    pipeline = section.pipeline
    pipeline.link()
    pipeline.map_vat_rate("vat-20", "20.0% S")
    pipeline.ingest(event(invoice()))
    pipeline.drive()
    wanted = {"action": "delete", "entity": "Invoice", "id": pipeline.objects("Invoice")[0]["Id"]}
    pipeline.simulator.call(lambda world: bookkeeper.edit(world.companies[UK], wanted))
    pipeline.ingest(event(invoice(sequence=2, lines=(line("200.00"),))))
    pipeline.drive()
    failure = Failure.objects.get(closed_at=None)
    address = f"/admin/quickbooks_online/failure/{failure.pk}/"
    ada = section.person(group=True)
    assert b'value="recreate"' in ada.get(f"{address}change/").content
    pipeline.drive()
    assert pipeline.objects("Invoice") == []
    ada.post(f"{address}choose/", {"side": "recreate"})
    pipeline.drive()
    assert len(pipeline.objects("Invoice")) == 1
    assert Link.objects.get(kompass_id="i1", kind="invoice").state == "synced"
    failure.refresh_from_db()
    assert failure.closed_at is not None
    assert b'value="recreate"' not in ada.get(f"{address}change/").content
