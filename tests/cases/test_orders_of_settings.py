"""Settings, connections and choices switch between any two steps: Enable, a class, a tax code, a number, Recreate, a doubt."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

from schemas.events import Step
from simulator.seeds import CANADA, UK, USA, USA_AUTOMATED_TAX
from tests.cases.orders import call, gross, keep, later, owed, send, well
from tests.cases.scenes import FAILED, SYNCED, THREE, Plots, Scene, story, test_it_ends_right

__all__ = ["test_it_ends_right"]

PLOTS: Plots = {}
GONE = (FAILED, "deleted-in-qbo")


def _ready(one: Scene) -> Iterator[float | None]:
    """The client and its project are there."""
    one.say(one.client("c1"))
    one.say(one.project("p1"))
    yield


def _deleted(one: Scene) -> Iterator[float | None]:
    """i1 was deleted in QuickBooks, and that is known."""
    one.say(one.invoice("i1"))
    yield
    one.bookkeeper("delete", entity="Invoice", id=one.link().qbo_id)
    one.say(one.again("i1", details="text"))
    yield
    assert one.stands() == GONE, one.why()


@story(PLOTS, CANADA)
def _recreate_and_void_at_once(one: Scene) -> Iterator[float | None]:
    """Recreate is pressed, and Kompass voids it before it goes; then approves it again: it is made, or a person is asked."""
    yield from _deleted(one)
    send(one)
    one.say(one.again("i1", step=Step.VOIDED))
    yield
    assert owed(one) == 0
    one.say(one.again("i1", step=Step.APPROVED))
    yield
    if one.stands() == GONE:
        send(one)
        yield
    well(one)
    assert owed(one) == gross(one, "100.00"), one.why()


@story(PLOTS, *THREE)
def _recreate_while_enable_is_off(one: Scene) -> Iterator[float | None]:
    """It is made once Enable is on again."""
    yield from _deleted(one)
    # Kompass says again what was sent once.
    one.say(one.again("i1", details=None))
    yield
    assert one.stands() == GONE, one.why()
    one.configure(enabled=False)
    send(one)
    yield
    one.configure(enabled=True)
    yield
    if one.stands() == GONE:
        send(one)
        yield
    well(one)
    assert owed(one) == gross(one, "100.00"), one.why()


@story(PLOTS, UK)
def _recreate_of_a_customer_that_comes_back_first(one: Scene) -> Iterator[float | None]:
    """The bookkeeper makes the customer active again after Recreate was pressed: it is linked by hand, or made; never lost."""
    one.configure(project_customers=False)
    yield from _ready(one)
    customer = one.link("c1", "client").qbo_id
    one.bookkeeper("deactivate", entity="Customer", id=customer)
    one.say(one.again("c1", "client", name="Birch"))
    yield
    assert one.stands("c1", "client") == GONE, one.why("c1", "client")
    send(one, "c1", "client")
    one.bookkeeper("reactivate", entity="Customer", id=customer)
    yield
    one.say(one.invoice("i1"))
    yield
    well(one)
    assert "Birch" in {each["DisplayName"] for each in one.objects("Customer")}


@story(PLOTS, USA)
def _send_while_enable_is_off_and_paid_meanwhile(one: Scene) -> Iterator[float | None]:
    """Kompass's side is chosen of an edited document; it is paid before Enable is on: a person sees the payment first."""
    one.say(one.invoice("i1"))
    yield
    one.bookkeeper("update", entity="Invoice", id=one.link().qbo_id, members={"TxnDate": "2026-03-09"})
    one.say(one.again("i1", date=dt.date(2026, 3, 10)))
    yield
    assert one.stands() == (FAILED, "conflict:edited-in-qbo"), one.why()
    one.configure(enabled=False)
    send(one)
    yield
    one.pay()
    one.configure(enabled=True)
    yield
    assert one.document()["TxnDate"] == "2026-03-09", one.why()
    assert one.stands()[0] == FAILED
    send(one)
    yield
    well(one)
    assert one.document()["TxnDate"] == "2026-03-10"


@story(PLOTS, UK)
def _enable_goes_off_between_claim_and_answer(one: Scene) -> Iterator[float | None]:
    """The call that was claimed is made once, and its answer counts."""
    yield from _ready(one)
    one.say(one.invoice("i1"))
    call(one, before=lambda: one.configure(enabled=False))
    one.say(one.again("i1", **one.sums("150.00")))
    yield
    assert owed(one) == gross(one, "100.00")
    one.configure(enabled=True)
    yield
    well(one)
    assert owed(one) == gross(one, "150.00")


@story(PLOTS, CANADA)
def _a_date_is_kept_in_its_month_and_the_period_opens(one: Scene) -> Iterator[float | None]:
    """It is to move into closed March: kept in April. March opens; Kompass moves it to May, and it goes there."""
    one.say(one.invoice("i1", date=dt.date(2026, 4, 5)))
    yield
    one.bookkeeper("close_books", date="2026-03-31")
    one.say(one.again("i1", date=dt.date(2026, 3, 5)))
    yield 3 * 3600
    assert one.stands() == (FAILED, "books-closed"), one.why()
    keep(one)
    yield
    one.bookkeeper("close_books", date=None)
    one.say(one.again("i1", details="text"))
    yield
    assert one.document()["TxnDate"] == "2026-04-05"
    one.say(one.again("i1", date=dt.date(2026, 5, 5), **one.sums("150.00")))
    yield
    if one.stands()[0] == FAILED:
        send(one)
        yield
    well(one)
    assert (one.document()["TxnDate"], owed(one)) == ("2026-05-05", gross(one, "150.00"))


@story(PLOTS, USA)
def _class_tracking_goes_off_is_kept_and_comes_back(one: Scene) -> Iterator[float | None]:
    """Off between claim and call; kept; on again; the class goes with the next change of lines."""
    there = one.objects("Class")
    one.configure(default_class_id=there[0]["Id"])
    yield from _ready(one)
    one.say(one.invoice("i1"))
    call(one, before=lambda: one.switch("class_tracking", False))
    yield
    if one.stands()[0] == FAILED:
        keep(one)
        yield
    assert one.failures() == []
    one.switch("class_tracking", True)
    one.execute("UPDATE qbo_company_facts SET refetch_at = now() WHERE realm_id = :realm", realm=one.realm)
    one.say(one.again("i1", **one.sums("150.00")))
    yield
    well(one)
    (line,) = [each for each in one.document()["Line"] if each["DetailType"] == "SalesItemLineDetail"]
    assert line["SalesItemLineDetail"].get("ClassRef", {}).get("value") == there[0]["Id"]


@story(PLOTS, UK, CANADA)
def _a_tax_code_is_deactivated_and_the_row_is_changed_after(one: Scene) -> Iterator[float | None]:
    """A document that was sent changes a text and goes; a new one waits for the row, and goes without a button."""
    one.say(one.invoice("i1"))
    yield
    code = one.world.pipeline.object_id(one.realm, "TaxCode", "20.0% S" if one.like == UK else "HST ON")
    one.bookkeeper("deactivate_tax_code", id=code)
    one.execute("UPDATE qbo_company_facts SET refetch_at = now() WHERE realm_id = :realm", realm=one.realm)
    one.say(one.invoice("i2"))
    yield
    assert one.stands("i2")[0] == FAILED, one.why("i2")
    found = one.world.pipeline.objects("TaxCode", one.realm)
    old = next(each for each in found if each["Id"] == code)
    made = dict(old) | {"Name": "New code", "Active": True, "Id": "777"}
    one.world.simulator.call(lambda world: world.companies[one.realm].tables["TaxCode"].update({"777": made}))
    one.execute("UPDATE qbo_company_facts SET refetch_at = now() WHERE realm_id = :realm", realm=one.realm)
    one.execute(
        "UPDATE qbo_tax_code_vat_rate SET tax_code_id = '777', tax_code_name = 'New code' WHERE realm_id = :realm",
        realm=one.realm,
    )
    yield
    # What was sent keeps its code until it changes, or a person sends it again from the page of the impact.
    assert (one.failures(), one.stands("i2")) == ([], SYNCED)
    assert owed(one) == 2 * gross(one, "100.00")
    one.say(one.again("i1", **one.sums("150.00")))
    yield
    well(one)


@story(PLOTS, USA)
def _automated_tax_goes_on_between_two_documents(one: Scene) -> Iterator[float | None]:
    """Nothing fails; a tax that Kompass did not bill is shown as a difference."""
    one.say(one.invoice("i1"))
    yield
    one.switch("automated_tax", True)
    one.say(one.invoice("i2"), one.again("i1", **one.sums("150.00")))
    yield
    assert one.failures() == [], [each.message for each in one.failures()]
    assert one.stands("i1") == one.stands("i2") == SYNCED


@story(PLOTS, USA_AUTOMATED_TAX)
def _automated_tax_goes_off_again(one: Scene) -> Iterator[float | None]:
    """The difference is over with the next change."""
    one.say(one.invoice("i1"))
    yield
    one.switch("automated_tax", False)
    one.say(one.again("i1", **one.sums("150.00")))
    yield
    assert one.failures() == [], [each.message for each in one.failures()]
    assert one.stands() == SYNCED


@story(PLOTS, UK)
def _a_document_in_doubt_is_another_and_is_linked_by_nobody(one: Scene) -> Iterator[float | None]:
    """The call never arrived, and the bookkeeper typed one of that number: it is another, so ours is made under another number."""
    yield from _ready(one)
    one.say(one.invoice("i0"))
    yield
    typed = dict(one.document("i0"))
    members: dict[str, Any] = {
        name: typed[name] for name in ("CustomerRef", "TxnDate", "CurrencyRef", "GlobalTaxCalculation") if name in typed
    }
    members["Line"] = [
        {name: value for name, value in each.items() if name not in ("Id", "LineNum")}
        for each in typed["Line"] if each["DetailType"] == "SalesItemLineDetail"
    ]  # fmt: skip
    one.bookkeeper("profile", members={"warn_duplicate_numbers": True})
    one.say(one.invoice("i1"))
    one.trouble(kind="reset_before", count=1)
    call(one, lost=True)
    one.bookkeeper("create", entity="Invoice", members={**members, "DocNumber": "INV-i1"})
    later(one, 11)
    yield 900
    assert one.stands() == (FAILED, "conflict:in-doubt"), one.why()
    send(one)
    yield
    assert one.stands() == (FAILED, "number-taken"), one.why()
    one.say(one.again("i1", reference="INV-1b"))
    yield
    well(one)
    assert owed(one) == 3 * gross(one, "100.00")


@story(PLOTS, UK)
def _disconnected_between_claim_and_call(one: Scene) -> Iterator[float | None]:
    """The connection ends with an attempt claimed; changed while disconnected; authorised again: once, in its newest state."""
    yield from _ready(one)
    one.say(one.invoice("i1"))
    one.trouble(kind="reset_after", count=1)
    call(one, lost=True)
    one.execute(
        "UPDATE qbo_connection SET state = 'disconnected', version = version + 1 WHERE realm_id = :realm",
        realm=one.realm,
    )
    one.say(one.again("i1", **one.sums("150.00")))
    yield 900
    one.world.pipeline.link(one.org.id, one.name, realm=one.realm)
    yield
    well(one)
    assert owed(one) == gross(one, "150.00")


@story(PLOTS, CANADA)
def _a_job_is_moved_in_quickbooks_kept_and_renamed(one: Scene) -> Iterator[float | None]:
    """The bookkeeper puts the sub-customer under another customer; kept; Kompass renames the project: it stays there."""
    one.say(one.client("c2", name="Birch"))
    yield from _ready(one)
    job, other = one.link("p1", "project").qbo_id, one.link("c2", "client").qbo_id
    one.bookkeeper("update", entity="Customer", id=job, members={"ParentRef": {"value": other}})
    one.say(one.again("p1", "project", name="Tower"))
    yield
    assert one.stands("p1", "project") == (FAILED, "not-taken:parent"), one.why("p1", "project")
    keep(one, "p1", "project")
    yield
    one.say(one.again("p1", "project", name="Bridge"))
    yield
    well(one)
    (there,) = [each for each in one.objects("Customer") if each["Id"] == job]
    assert (there["ParentRef"]["value"], there["DisplayName"]) == (other, "24-p1 Bridge")


@story(PLOTS, USA)
def _a_number_that_the_bookkeeper_took_is_wanted_by_another_of_ours(one: Scene) -> Iterator[float | None]:
    """i1 was given i2's number by hand. i2 is refused, and goes once the bookkeeper gives it back."""
    one.bookkeeper("profile", members={"warn_duplicate_numbers": True})
    one.say(one.invoice("i1"))
    yield
    one.bookkeeper("update", entity="Invoice", id=one.link().qbo_id, members={"DocNumber": "INV-i2"})
    one.say(one.invoice("i2"))
    yield
    assert one.stands("i2") == (FAILED, "number-taken"), one.why("i2")
    assert "INV-i1" in one.link("i2").reason
    one.bookkeeper("update", entity="Invoice", id=one.link().qbo_id, members={"DocNumber": "INV-i1"})
    one.press("i2")
    yield
    well(one)


@story(PLOTS, UK)
def _one_cause_one_mail(one: Scene) -> Iterator[float | None]:
    """Paid; changed twice; kept; void; kept: a mail for each cause that is new, and none twice."""
    one.say(one.invoice("i1"))
    yield
    one.pay()
    one.say(one.again("i1", **one.sums("150.00")))
    yield
    first = len(one.mails())
    one.say(one.again("i1", **one.sums("160.00")))
    yield
    assert len(one.mails()) == first == 1, one.mails()
    keep(one)
    yield
    one.say(one.again("i1", details="text"))
    yield
    subjects = [each.splitlines()[0].partition(":")[0].partition(" needs")[0] for each in one.mails()]
    assert subjects == ["1 invoice", "1 document differs from QuickBooks", "All clear"], subjects
    well(one)
