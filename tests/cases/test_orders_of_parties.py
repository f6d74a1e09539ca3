"""Clients and projects change hands, currencies, names and companies, in every order, with documents on them."""

from __future__ import annotations

from collections.abc import Iterator

from schemas.events import Step
from simulator.seeds import CANADA, UK, USA
from sync.by_hand import override_name
from tests.cases.orders import (
    call,
    cannot,
    later,
    link_client,
    link_object,
    owed,
    remove_link,
    send,
    well,
)
from tests.cases.scenes import FAILED, Plots, Scene, story, test_it_ends_right

__all__ = ["test_it_ends_right"]

PLOTS: Plots = {}


def _names(one: Scene) -> list[str]:
    return sorted(each["DisplayName"] for each in one.objects("Customer") if each["Active"])


def _payer(one: Scene, id: str = "i1") -> str:
    return str(one.document(id)["CustomerRef"]["name"])


@story(PLOTS, USA)
def _a_project_moves_to_another_client_and_back(one: Scene) -> Iterator[float | None]:
    c1, c2 = one.client("c1", name="Alder"), one.client("c2", name="Birch")
    one.say(one.invoice("i1", of=one.project("p1", c1)))
    yield
    one.say(one.invoice("i1", of=one.project("p1", c2)))
    yield
    well(one)
    assert "Birch" in str(one.document()["CustomerRef"]), one.document()["CustomerRef"]
    one.say(one.invoice("i1", of=one.project("p1", c1)))
    yield
    well(one)
    assert _names(one) == ["24-p1 Survey p1", "24-p1 Survey p1 (Birch)", "Alder", "Birch"]
    assert _payer(one) == "Alder:24-p1 Survey p1" or _payer(one) == "24-p1 Survey p1"


@story(PLOTS, CANADA)
def _a_project_moves_and_back_before_anything_is_sent(one: Scene) -> Iterator[float | None]:
    c1, c2 = one.client("c1", name="Alder"), one.client("c2", name="Birch")
    one.say(one.invoice("i1", of=one.project("p1", c1)))
    one.say(one.invoice("i1", of=one.project("p1", c2)))
    one.say(one.invoice("i1", of=one.project("p1", c1)))
    yield
    well(one)
    assert _names(one) == ["24-p1 Survey p1", "Alder", "Birch"]


@story(PLOTS, UK)
def _project_customers_goes_off_and_on_and_off(one: Scene) -> Iterator[float | None]:
    """What was sent stays where it is; what is new goes where the switch says."""
    one.say(one.invoice("i1", of=one.project("p1", one.client("c1", name="Alder"))))
    yield
    for number, on in ((2, False), (3, True), (4, False)):
        one.configure(project_customers=on)
        one.say(one.invoice(f"i{number}"), one.again("i1", details=f"text {number}"))
        yield
        well(one)
    assert [("24-p1" in _payer(one, f"i{number}")) for number in (1, 2, 3, 4)] == [True, False, True, False]


@story(PLOTS, USA)
def _project_customers_goes_off_while_the_job_is_on_its_way(one: Scene) -> Iterator[float | None]:
    one.say(one.invoice("i1", of=one.project("p1", one.client("c1", name="Alder"))))
    call(one, kinds=("client", "invoice", "project"))
    call(one, kinds=("client",))
    call(one, kinds=("project",), lost=True)
    one.configure(project_customers=False)
    yield 900
    well(one)
    assert _payer(one) == "Alder"


@story(PLOTS, UK)
def _a_project_moves_while_project_customers_is_off(one: Scene) -> Iterator[float | None]:
    """Off, to another client, on again and back."""
    c1, c2 = one.client("c1", name="Alder"), one.client("c2", name="Birch")
    one.say(one.invoice("i1", of=one.project("p1", c1)))
    yield
    one.configure(project_customers=False)
    one.say(one.invoice("i1", of=one.project("p1", c2)))
    yield
    well(one)
    assert _payer(one) == "Birch"
    one.configure(project_customers=True)
    one.say(one.invoice("i1", of=one.project("p1", c1)))
    yield
    well(one)
    assert "Birch" not in _payer(one)


@story(PLOTS, UK, CANADA)
def _a_client_in_two_currencies_is_renamed(one: Scene) -> Iterator[float | None]:
    one.configure(project_customers=False)
    one.say(one.client("c1", name="Alder"))
    p = one.project("p1")
    one.say(one.invoice("i1", of=p), one.invoice("i2", of=p, currency="EUR"))
    yield
    well(one)
    assert _names(one) == ["Alder", "Alder (EUR)"]
    one.say(one.again("c1", "client", name="Birch"))
    yield
    well(one)
    assert _names(one) == ["Birch", "Birch (EUR)"]


@story(PLOTS, UK, CANADA)
def _a_client_changes_its_currency_with_documents_in_both(one: Scene) -> Iterator[float | None]:
    """No third customer is made, and each new document finds its own."""
    one.say(one.client("c1", name="Alder"))
    p = one.project("p1")
    one.say(one.invoice("i1", of=p), one.invoice("i2", of=p, currency="EUR"))
    yield
    changed = one.again("c1", "client", currency="EUR")
    one.say(changed)
    yield
    p = one.project("p1", changed)
    one.say(one.invoice("i3", of=p), one.invoice("i4", of=p, currency="EUR"))
    yield
    well(one)
    assert len(_names(one)) == 4, _names(one)
    assert _payer(one, "i3") == _payer(one, "i1")
    assert _payer(one, "i4") == _payer(one, "i2")


@story(PLOTS, UK)
def _a_client_is_deleted_and_comes_back(one: Scene) -> Iterator[float | None]:
    """Before it is sent, and after."""
    one.say(one.client("c1", name="Alder"))
    one.delete("c1", "client")
    yield
    assert one.link("c1", "client").state == "skipped"
    one.say(one.again("c1", "client", name="Birch"))
    yield
    well(one)
    one.delete("c1", "client")
    yield
    one.say(one.again("c1", "client", name="Cedar"))
    one.say(one.invoice("i1"))
    yield
    well(one)
    assert "Cedar" in _names(one)
    assert "Birch" not in _names(one)


@story(PLOTS, CANADA)
def _a_deleted_clients_name_is_given_to_a_new_one(one: Scene) -> Iterator[float | None]:
    """The customer of the deleted one is still there under the name: the remedy is followed for the deleted one."""
    one.say(one.client("c1", name="Alder"))
    yield
    one.delete("c1", "client")
    one.say(one.invoice("i2", of=one.project("p2", one.client("c2", name="Alder"))))
    yield
    assert one.stands("c2", "client") == (FAILED, "name-held-by-another"), one.why("c2", "client")
    (failure,) = one.failures()
    assert "DisplayName override" in failure.remedy
    one.by_hand(lambda db: override_name(db, one.link("c1", "client").id, "Alder (old)", by="ada"))
    yield
    well(one)
    assert {"Alder", "Alder (old)"} <= set(_names(one))


@story(PLOTS, USA)
def _a_deleted_clients_customer_is_given_to_a_new_one(one: Scene) -> Iterator[float | None]:
    """The other way: the customer is linked by hand to the new client."""
    one.say(one.client("c1", name="Alder"))
    yield
    one.delete("c1", "client")
    one.say(one.client("c2", name="Alder"))
    one.say(one.invoice("i2", of=one.project("p2", one.said["client", "c2"])))
    yield
    (customer,) = one.objects("Customer")
    link_client(one, "c2", customer)
    yield
    well(one)
    one.say(one.again("c2", "client", name="Birch"))
    yield
    well(one)
    assert "Birch" in _names(one)


@story(PLOTS, USA)
def _merged_and_linked_and_then_edited(one: Scene) -> Iterator[float | None]:
    """c1 is merged into c2. Paid and open documents of c1 get another text then: nobody is asked."""
    one.configure(project_customers=False)
    one.say(one.invoice("i1", of=one.project("p1", one.client("c1", name="Alder"))))
    one.say(
        one.invoice(
            "i2",
            of=one.project("p1", one.said["client", "c1"])
            if ("client", "c1") in one.said
            else one.project("p1", one.client("c1", name="Alder")),
        )
    )
    one.say(one.client("c2", name="Birch"))
    yield
    one.pay("i1")
    one.say(one.again("i1", details="first"))
    yield
    gone = str(one.link("c1", "client").qbo_id)
    stays = next(each for each in one.objects("Customer") if each["DisplayName"] == "Birch")
    one.bookkeeper("merge", id=gone, into=stays["Id"])
    link_client(one, "c1", stays, gone=gone)
    yield
    one.say(one.again("i1", details="second"), one.again("i2", details="second"))
    yield
    well(one)
    assert one.failures(ever=True) == [], [each.message for each in one.failures(ever=True)]
    assert {_payer(one, "i1"), _payer(one, "i2")} == {"Birch"}


@story(PLOTS, CANADA)
def _merged_without_documents_linked_and_unlinked(one: Scene) -> Iterator[float | None]:
    """The wrong customer was chosen: the link is removed, and the client gets one of its own."""
    one.say(one.client("c1", name="Alder"), one.client("c2", name="Birch"))
    yield
    gone = str(one.link("c1", "client").qbo_id)
    stays = next(each for each in one.objects("Customer") if each["DisplayName"] == "Birch")
    one.bookkeeper("merge", id=gone, into=stays["Id"])
    link_client(one, "c1", stays, gone=gone)
    yield
    remove_link(one, "c1", "client")
    yield
    well(one)
    assert _names(one) == ["Alder", "Birch"]
    assert one.link("c1", "client").qbo_id != stays["Id"]


@story(PLOTS, UK)
def _merged_linked_and_both_are_renamed(one: Scene) -> Iterator[float | None]:
    """Two clients stand for one customer, and Kompass renames first this and then that."""
    one.configure(project_customers=False)
    one.say(one.client("c1", name="Alder"), one.client("c2", name="Birch"))
    one.say(one.invoice("i1"))
    yield
    gone = str(one.link("c1", "client").qbo_id)
    stays = next(each for each in one.objects("Customer") if each["DisplayName"] == "Birch")
    one.bookkeeper("merge", id=gone, into=stays["Id"])
    link_client(one, "c1", stays, gone=gone)
    yield
    one.say(one.again("c1", "client", name="Cedar"))
    yield
    one.say(one.again("c2", "client", name="Dogwood"))
    yield
    cannot(lambda: remove_link(one, "c1", "client"))
    assert _names(one) == ["Dogwood"], _names(one)
    assert one.failures() == [], [each.message for each in one.failures()]


@story(PLOTS, UK, CANADA)
def _two_swap_names_and_one_of_them_is_merged_away(one: Scene) -> Iterator[float | None]:
    """Birch's customer is merged into Quay: Alder cannot have the name, and keeps its own until a person says whose Quay is."""
    one.say(one.client("c1", name="Alder"), one.client("c2", name="Birch"))
    yield
    gone = str(one.link("c2", "client").qbo_id)
    (quay,) = one.bookkeeper(
        "create", entity="Customer", members={"DisplayName": "Quay", "CurrencyRef": {"value": one.currency}}
    )
    one.bookkeeper("merge", id=gone, into=quay["Id"])
    one.say(one.again("c1", "client", name="Birch"), one.again("c2", "client", name="Alder"))
    yield
    assert one.stands("c2", "client") == (FAILED, "deleted-in-qbo"), one.why("c2", "client")
    assert one.link("c1", "client").name == "Alder", one.why("c1", "client")
    assert _names(one) == ["Alder", "Quay"]
    one.press("c1", "client")
    yield
    assert _names(one) == ["Alder", "Quay"]
    link_client(one, "c2", quay, gone=gone)
    yield
    assert one.link("c1", "client").name == "Birch", one.why("c1", "client")
    well(one)


@story(PLOTS, USA)
def _a_third_takes_the_name_that_cannot_be_given_back(one: Scene) -> Iterator[float | None]:
    """The same, and c3 waits for the name that Alder gives up: one of the two has it, the other waits, and nothing goes round."""
    one.say(one.client("c1", name="Alder"), one.client("c2", name="Birch"))
    yield
    (quay,) = one.bookkeeper("create", entity="Customer", members={"DisplayName": "Quay"})
    one.bookkeeper("merge", id=str(one.link("c2", "client").qbo_id), into=quay["Id"])
    one.say(one.again("c1", "client", name="Birch"), one.again("c2", "client", name="Alder"))
    one.say(one.client("c3", name="Alder"))
    yield
    assert one.stands("c1", "client") == ("waiting", "name-in-use"), one.why("c1", "client")
    assert _names(one).count("Alder") == 1, _names(one)


@story(PLOTS, UK)
def _a_linked_project_moves_to_another_payer(one: Scene) -> Iterator[float | None]:
    """p1 stands for a sub-customer that a person chose, then moves to c2: the sub-customer of before has the name."""
    c1, c2 = one.client("c1", name="Alder"), one.client("c2", name="Birch")
    one.say(one.project("p1", c1))
    yield
    made = str(one.link("p1", "project").qbo_id)
    members = {"DisplayName": "Tower", "Job": True, "ParentRef": {"value": one.link("c1", "client").qbo_id}}
    (tower,) = one.bookkeeper(
        "create", entity="Customer", members={**members, "BillWithParent": True, "CurrencyRef": {"value": one.currency}}
    )
    one.bookkeeper("deactivate", entity="Customer", id=made)
    one.press("p1", "project")
    yield
    link_object(one, "p1", tower, "Customer", "project")
    yield
    one.say(one.invoice("i0", of=one.project("p1", c1)))
    yield
    one.say(one.invoice("i1", of=one.project("p1", c2)))
    yield
    # QuickBooks alone knows that the former sub-customer has the name; the remedy that the failure gives works.
    (failed,) = one.failures()
    assert (failed.cause, "DisplayName override" in failed.remedy) == ("name-taken", True)
    one.by_hand(lambda db: override_name(db, failed.link_id, "Tower of Birch", by="ada"))
    yield
    well(one)
    assert _names(one) == ["Alder", "Birch", "Tower", "Tower of Birch"]


@story(PLOTS, UK)
def _a_job_is_merged_into_a_project_and_moves(one: Scene) -> Iterator[float | None]:
    """Linked to QuickBooks' project, to another client in Kompass, and back."""
    c1, c2 = one.client("c1", name="Alder"), one.client("c2", name="Birch")
    one.say(one.invoice("i1", of=one.project("p1", c1)))
    yield
    parent = one.link("c1", "client").qbo_id
    (there,) = one.bookkeeper("project", name="Tower", customer=parent)
    one.bookkeeper("merge", id=one.link("p1", "project").qbo_id, into=there["Id"])
    link_object(one, "p1", there, "Customer", "project")
    yield
    one.say(one.invoice("i1", of=one.project("p1", c2)))
    yield
    # The merge gave the document another customer there, and Kompass a third.
    assert one.stands() == (FAILED, "conflict:edited-in-qbo"), one.why()
    send(one)
    yield
    well(one)
    one.say(one.invoice("i1", of=one.project("p1", c1)))
    yield
    well(one)
    assert one.document()["CustomerRef"]["value"] == there["Id"]


@story(PLOTS, UK)
def _an_override_comes_and_goes_between_renames(one: Scene) -> Iterator[float | None]:
    one.say(one.client("c1", name="Alder"))
    yield
    name = lambda to: one.by_hand(lambda db: override_name(db, one.link("c1", "client").id, to, by="ada"))  # noqa: E731
    name("Elm")
    one.say(one.again("c1", "client", name="Birch"))
    yield
    assert _names(one) == ["Elm"]
    one.bookkeeper("rename", entity="Customer", id=one.link("c1", "client").qbo_id, name="By hand")
    name("")
    yield
    assert _names(one) == ["Birch"]
    well(one)


@story(PLOTS, UK)
def _an_invoice_gets_another_client_while_its_create_has_no_answer(one: Scene) -> Iterator[float | None]:
    one.configure(project_customers=False)
    c1, c2 = one.client("c1", name="Alder"), one.client("c2", name="Birch")
    one.say(c1, c2)
    yield
    one.say(one.invoice("i1", of=one.project("p1", c1)))
    call(one, lost=True)
    one.say(one.invoice("i1", of=one.project("p1", c2)))
    later(one, 11)
    yield 900
    well(one)
    assert _payer(one) == "Birch"


@story(PLOTS, CANADA)
def _what_arrives_last_is_oldest(one: Scene) -> Iterator[float | None]:
    """Void, then the approval before it, then a client that is older than the one inside."""
    old = one.client("c1", name="Alder")
    new = one.client("c1", name="Birch")
    first = one.invoice("i1", of=one.project("p1", new))
    one.say(first)
    yield
    second = one.again("i1", **one.sums("150.00"))
    one.say(one.again("i1", step=Step.VOIDED))
    one.say(second)
    one.say(old)
    yield
    well(one)
    assert (owed(one), "Birch" in _names(one)) == (0, True)
