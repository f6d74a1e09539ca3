"""QuickBooks says that it has saved a document, and has another: that is shown, mailed, and decided again with fresh facts.

Then the facts themselves: when they are read again, and what that lets go.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

from simulator.seeds import CANADA, UK, USA
from sync.link import Wish
from tests.cases.scenes import FAILED, SYNCED, THREE, Plots, Scene, story, test_it_ends_right

__all__ = ["test_it_ends_right"]

PLOTS: Plots = {}
HOURS = 3600.0


def _classes(one: Scene, id: str) -> list[str]:
    details = [row["SalesItemLineDetail"] for row in one.document(id)["Line"] if "SalesItemLineDetail" in row]
    return [detail["ClassRef"]["value"] for detail in details if "ClassRef" in detail]


def _facts_read(one: Scene) -> int:
    """So many times were the settings of the company read."""
    return sum("/preferences" in str(call.path) for call in one.calls())


def _activate(company: Any, code: str) -> None:
    found = company.tables["TaxCode"][code]
    company.replace("TaxCode", found, {**found, "Active": True})


# The answer


@story(PLOTS, UK)
def _class_tracking_goes_off_between_claim_and_answer(one: Scene) -> Iterator[float | None]:
    one.configure(default_class_id=one.objects("Class")[0]["Id"])
    one.say(one.invoice("i0"))
    yield
    reads = _facts_read(one)
    one.trouble(kind="setting", setting="class_tracking", on=False, entity="Invoice", operation="create", count=1)
    one.say(one.invoice("i1"), one.invoice("i2"), one.invoice("i3"))
    yield
    assert [_classes(one, which) for which in ("i1", "i2", "i3")] == [[], [], []]
    assert one.remarks().count("difference:class") >= 1, (one.remarks(), one.stands("i1"), one.stands("i2"))
    assert any("class" in mail for mail in one.mails())
    assert _facts_read(one) - reads <= 2
    one.switch("class_tracking", on=True)
    for which in ("i1", "i2", "i3"):
        one.press(which)
    yield
    assert [len(_classes(one, which)) for which in ("i1", "i2", "i3")] == [1, 1, 1]
    assert (one.remarks(), one.failures()) == ([], [])


@story(PLOTS, USA)
def _numbers_go_off_for_the_second_of_two(one: Scene) -> Iterator[float | None]:
    one.say(one.invoice("i1"))
    yield
    one.switch("custom_numbers", on=False)
    one.say(one.invoice("i2"))
    yield
    assert one.document("i1")["DocNumber"] == "INV-i1"
    assert one.document("i2").get("DocNumber") != "INV-i2"
    assert "difference:number" in one.remarks() or one.link("i2").cause == "not-taken:number"
    one.switch("custom_numbers", on=True)
    one.press("i2")
    yield
    assert one.document("i2")["DocNumber"] == "INV-i2", one.why("i2")
    assert (one.stands("i2"), one.remarks(), one.failures()) == (SYNCED, [], [])


@story(PLOTS, UK)
def _the_bookkeeper_types_the_number_that_quickbooks_did_not_take(one: Scene) -> Iterator[float | None]:
    one.say(one.invoice("i1"))
    yield
    one.trouble(kind="setting", setting="custom_numbers", on=False, entity="Invoice", operation="create", count=1)
    one.say(one.invoice("i2"))
    yield
    assert one.remarks() == ["difference:number"]
    one.switch("custom_numbers", on=True)
    one.bookkeeper("update", entity="Invoice", id=one.link("i2").qbo_id, members={"DocNumber": "INV-i2"})
    one.press("i2")
    yield
    assert one.link("i2").state == "synced"
    assert (one.remarks(), one.failures()) == ([], [])


@story(PLOTS, UK, CANADA)
def _tax_goes_off_in_mid_run(one: Scene) -> Iterator[float | None]:
    one.say(one.invoice("i0"))
    yield
    one.switch("sales_tax", on=False)
    one.say(one.invoice("i1"))
    yield
    there = one.document("i1")
    assert there["TotalAmt"] < one.said["invoice", "i1"].amount_gross  # type: ignore[union-attr]
    assert one.stands("i1") != SYNCED or one.remarks(), one.why("i1")
    assert any("INV-i1" in mail for mail in one.mails())
    one.say(one.invoice("i2"))
    yield
    assert one.stands("i2") == (FAILED, "tax-not-booked")
    assert one.marked("i2") == []
    one.switch("sales_tax", on=True)
    one.press("i2")
    yield
    assert one.stands("i2") == SYNCED
    one.press("i1", wish=Wish.OVERWRITE)
    yield
    assert one.document("i1")["TotalAmt"] == one.said["invoice", "i1"].amount_gross  # type: ignore[union-attr]
    assert (one.stands("i1"), one.remarks(), one.failures()) == (SYNCED, [], [])


@story(PLOTS, USA)
def _automated_tax_goes_on(one: Scene) -> Iterator[float | None]:
    one.say(one.invoice("i0"))
    yield
    one.switch("automated_tax", on=True)
    one.say(one.invoice("i1"))
    yield
    if one.document("i1")["TotalAmt"] != 100:
        assert one.remarks() == ["difference:automated-tax"]
        assert any("INV-i1" in mail for mail in one.mails())
    assert one.document("i1")["DocNumber"] == "INV-i1"


@story(PLOTS, USA)
def _a_sub_customer_is_moved_under_another_parent_and_renamed_in_kompass(one: Scene) -> Iterator[float | None]:
    one.say(one.client("c2"), one.invoice())
    yield
    if one.link("p1", "project").qbo_id is None:
        return
    other = one.link("c2", "client").qbo_id
    job = one.document("p1", "project")
    one.bookkeeper("update", entity="Customer", id=job["Id"], members={"ParentRef": {"value": other}, "Job": True})
    one.say(one.again("p1", "project", name="Another name"))
    yield
    now = one.document("p1", "project")
    assert now["DisplayName"] == "24-p1 Another name"
    own = one.link("c1", "client").qbo_id
    shown = one.stands("p1", "project") != SYNCED or bool(one.remarks())
    assert now["ParentRef"]["value"] == own or shown, one.why("p1", "project")


@story(PLOTS, *THREE)
def _what_is_no_difference_raises_no_alarm(one: Scene) -> Iterator[float | None]:
    one.configure(default_class_id=one.objects("Class")[0]["Id"])
    one.custom_field("{{ invoice.reference }}")
    lines = one.lines("0.13", "0.13", "0.13", "17.49")
    one.say(one.invoice("i1", lines=lines))
    yield
    item = next(row for row in one.objects("Item") if row["Name"] == "Surveying")
    one.bookkeeper("rename", entity="Item", id=item["Id"], name="Surveys")
    one.bookkeeper("rename", entity="Class", id=one.objects("Class")[0]["Id"], name="Office")
    one.say(one.again("i1", details="Thank you"), one.invoice("i2", "33.33"))
    yield
    assert (one.stands("i1"), one.stands("i2")) == (SYNCED, SYNCED)
    assert [one for one in one.remarks() if one != "difference:tax-rounding"] == []
    assert one.failures(ever=True) == []


@story(PLOTS, UK)
def _class_tracking_moves_from_the_lines_to_the_document(one: Scene) -> Iterator[float | None]:
    one.configure(default_class_id=one.objects("Class")[0]["Id"])
    one.say(one.invoice("i1"))
    yield
    one.switch("class_tracking", on=False)
    one.switch("class_tracking_by_document", on=True)
    one.say(one.again("i1", **one.sums("110.00")), one.invoice("i2"))
    yield
    # The facts are read after the first answer, and decide what both are to have.
    one.say(one.again("i1", details="One"), one.again("i2", details="Two"))
    yield
    for which in ("i1", "i2"):
        assert one.document(which)["ClassRef"]["value"] == one.objects("Class")[0]["Id"], one.why(which)
        assert one.stands(which) == SYNCED
    assert one.remarks() == []


# The facts


@story(PLOTS, USA)
def _multicurrency_goes_on_and_two_hours_later_nobody_presses(one: Scene) -> Iterator[float | None]:
    one.say(one.invoice("i1", currency="CAD"))
    yield
    assert one.link("i1").state == "waiting"
    one.bookkeeper("preferences", group="CurrencyPrefs", members={"MultiCurrencyEnabled": True})
    yield 2 * HOURS
    one.say(one.invoice("i2", currency="CAD"))
    yield
    for which in ("i1", "i2"):
        assert one.stands(which) == SYNCED, one.why(which)
        assert one.document(which)["CurrencyRef"]["value"] == "CAD"
    assert one.failures() == []


@story(PLOTS, USA)
def _one_press_rereads_once_for_all_that_wait(one: Scene) -> Iterator[float | None]:
    one.say(
        *(
            one.invoice(f"i{number}", currency="CAD", of=one.project(f"p{number}", of=one.client(f"c{number}")))
            for number in range(8)
        )
    )
    yield
    one.bookkeeper("preferences", group="CurrencyPrefs", members={"MultiCurrencyEnabled": True})
    before = _facts_read(one)
    one.press(one.failures()[0].kompass_id, one.failures()[0].kind)
    yield
    assert [one.stands(f"i{number}") for number in range(8)] == [SYNCED] * 8
    assert _facts_read(one) - before == 1
    assert one.failures() == []


@story(PLOTS, CANADA)
def _a_tax_code_is_made_inactive_and_active_again(one: Scene) -> Iterator[float | None]:
    one.say(one.invoice("i0"))
    yield
    code = next(row for row in one.objects("TaxCode") if row["Name"] in ("20.0% S", "HST ON"))
    one.bookkeeper("deactivate_tax_code", id=code["Id"])
    one.say(one.invoice("i1"), one.again("i0", details="Thank you"))
    yield
    # The simulator refuses any write of a document whose code is inactive.
    for which in ("i0", "i1"):
        assert one.link(which).cause.startswith("tax-code-inactive:"), one.link(which).reason
        assert code["Name"] in one.link(which).reason
    one.world.simulator.call(lambda world: _activate(world.companies[one.realm], code["Id"]))
    one.press("i1")
    yield
    assert (one.stands("i0"), one.stands("i1")) == (SYNCED, SYNCED)
    assert one.failures() == []


@story(PLOTS, UK)
def _contradicting_answers_do_not_read_for_ever(one: Scene) -> Iterator[float | None]:
    one.configure(default_class_id=one.objects("Class")[0]["Id"])
    one.say(one.invoice("i0"))
    yield
    before = len(one.calls(metered=True))
    # QuickBooks drops the class and says that it tracks classes all the same.
    one.switch("class_tracking", on=False)
    for number in range(1, 11):
        one.say(one.invoice(f"i{number}"))
        yield
    assert len(one.calls(metered=True)) - before <= 12


@story(PLOTS, CANADA)
def _a_custom_field_is_switched_off(one: Scene) -> Iterator[float | None]:
    one.custom_field("{{ project.order_confirmation or '' }}")
    plain, ordered = one.project("p1"), one.project("p2", order_confirmation="PO 7")
    one.say(plain, ordered)
    yield
    used = [
        {"Name": f"SalesFormsPrefs.UseSalesCustom{n}", "Type": "BooleanType", "BooleanValue": n > 1} for n in (1, 2, 3)
    ]
    one.bookkeeper("preferences", group="SalesFormsPrefs", members={"CustomField": [{"CustomField": used}]})
    one.say(one.invoice("i1", of=plain), one.invoice("i2", of=ordered))
    yield
    assert one.stands("i1") == SYNCED
    assert one.link("i2").state == FAILED
    assert "Order" in one.link("i2").reason, one.link("i2").reason
    one.execute(
        "DELETE FROM qbo_custom_field WHERE configuration_id = (SELECT id FROM qbo_configuration WHERE org_id = :org)"
    )
    yield
    assert one.stands("i2") == SYNCED
    assert one.failures() == []


@story(PLOTS, USA)
def _a_period_is_reopened_and_a_replay_asked_for(one: Scene) -> Iterator[float | None]:
    one.say(one.invoice("i0"))
    yield
    one.bookkeeper("close_books", date="2026-03-31")
    one.say(one.invoice("i1"))
    yield
    assert one.stands("i1") == (FAILED, "books-closed")
    one.bookkeeper("close_books", date="2026-01-31")
    one.replay()
    yield
    assert one.stands("i1") == SYNCED
    assert one.failures() == []


@story(PLOTS, UK)
def _a_period_is_reopened_and_nobody_presses(one: Scene) -> Iterator[float | None]:
    """What the facts refuse and what QuickBooks refuses both go within a day or so."""
    one.say(one.invoice("i0"), one.invoice("i1"))
    yield
    one.bookkeeper("close_books", date="2026-03-31")
    one.say(one.invoice("i2"), one.again("i1", **one.sums("300.00")))
    yield
    one.execute("UPDATE qbo_company_facts SET refetch_at = now() WHERE realm_id = :realm", realm=one.realm)
    one.say(one.again("i0", **one.sums("400.00")))
    yield
    for which in ("i0", "i1", "i2"):
        assert one.stands(which) == (FAILED, "books-closed"), one.why(which)
    one.bookkeeper("close_books", date="2026-01-31")
    yield 26 * HOURS
    yield 26 * HOURS
    assert [one.stands(which) for which in ("i0", "i1", "i2")] == [SYNCED] * 3
    assert one.failures() == []
    assert [row["Amount"] for row in one.document("i0")["Line"] if row.get("Id")] == [Decimal(400)]


@story(PLOTS, USA)
def _a_wrong_currency_of_a_client_is_corrected(one: Scene) -> Iterator[float | None]:
    wrong = one.client("c1", currency="EUR")
    one.say(wrong)
    yield
    assert one.link("c1", "client").state == FAILED
    one.say(replace(wrong, sequence=2, currency="USD"))
    yield
    assert [link.state for link in one.world.pipeline.links(org_id=one.org.id)] == ["synced"], one.why("c1", "client")
    assert one.failures() == []
    assert len(one.objects("Customer")) == 1
