"""A look-up that is refused says nothing: it is asked in another way, the record goes on retrying, and nothing is made meanwhile."""

from __future__ import annotations

from decimal import Decimal

from sync.budget import Budget
from tests.integration.situations.company import SYNCED, Company
from tests.integration.situations.test_no_second_create import refused_but_saved, restored
from tests.integration.situations.world import World

BROKEN = {"BillEmail": {"Address": "anna@x.com ben@x.com"}}
"""Typed by hand in QuickBooks' own pages."""


def break_queries(one: Company, id: str) -> None:
    one.simulator.call(lambda world: world.change_settings({"bad_email_in_query": "4002"}))
    one.bookkeeper("type", entity="Invoice", id=one.there("invoice", id)["Id"], members=BROKEN)


def repair(one: Company, id: str) -> None:
    one.bookkeeper(
        "type", entity="Invoice", id=one.there("invoice", id)["Id"], members={"BillEmail": {"Address": "a@x.com"}}
    )


def test_a_question_that_is_refused_twice_in_two_ways_is_asked_until_it_is_answered(three: list[Company]) -> None:
    """8a. The answer is lost; the questions get 404 with HTML, then 4002, then 400 "unsupported"."""
    for one in three:
        one.said(one.project())
        one.say(one.invoice())
        one.lost()
        for kind in ("not_found_page", "bad_email", "unsupported"):
            one.trouble(kind=kind, entity="Invoice", operation="query", count=2)
        one.later()
        one.turn()
        assert one.link().state == "retrying", one.why()
        one.hours(1)
        assert one.stands() == SYNCED, one.why()
        assert len(one.marked()) == 1
        assert one.failures(ever=True) == []
        assert one.mails(hours=1) == []


def test_our_own_lost_document_is_the_one_that_breaks_every_query(three: list[Company]) -> None:
    """8b. The bookkeeper mistypes the address of the very document whose answer was lost, before anybody looked."""
    for one in three:
        one.said(one.invoice("i0"))
        one.say(one.invoice())
        one.lost()
        break_queries(one, "i1")
        one.later()
        one.hours(2)
        assert len(one.marked()) == 1, one.why()
        repair(one, "i1")
        one.try_again()
        one.hours(1)
        assert one.stands() == SYNCED, one.why()
        assert len(one.marked()) == 1


def test_a_look_up_of_a_name_that_is_refused_for_an_hour_loses_nothing(three: list[Company]) -> None:
    """8c. A client's answer is lost, no query is answered for an hour, and its invoice waits behind it."""
    for one in three:
        one.say(one.client(), one.project(), one.invoice())
        one.lost()
        one.trouble(kind="unsupported", operation="query")
        one.later()
        one.hours(1)
        assert one.failures(ever=True) == [], one.why("client", "c1")
        one.no_more_trouble()
        one.hours(1)
        assert [row["DisplayName"] for row in one.objects("Customer")].count("Harbour & Sons c1") == 1
        assert one.stands() == SYNCED, one.why()
        assert one.failures(ever=True) == []


def test_a_look_up_that_is_answered_as_if_the_permission_were_lost_disconnects_nobody(company: Company) -> None:
    """8d. HTTP 500 with code 3100, then with 120."""
    company.said(company.project())
    company.say(company.invoice())
    company.lost()
    for code in ("3100", "120"):
        company.trouble(kind="server_error", operation="query", code=code, count=2)
    company.later()
    company.hours(1)
    assert company.stands() == SYNCED, company.why()
    (connection,) = [one for one in company.pipeline.rows("qbo_connection") if one.realm_id == company.realm]
    assert connection.state == "connected"
    assert len(company.marked()) == 1
    assert company.mails(hours=2) == []


def test_an_update_whose_reading_again_is_refused_overwrites_nothing(three: list[Company]) -> None:
    """8e. A bookkeeper edited the lines, Kompass changes them too; the read that compares both is refused 4002 and 404."""
    for one in three:
        one.said(one.invoice())
        there = one.there()
        (first, *_) = [row for row in there["Line"] if row["DetailType"] == "SalesItemLineDetail"]
        one.change("invoice", "i1", Line=[{**first, "Amount": 77}], TrackingNum="T1")
        before = one.there()
        for kind in ("bad_email", "not_found_page"):
            one.trouble(kind=kind, entity="Invoice", operation="read", count=2)
            one.trouble(kind=kind, entity="Invoice", operation="query", count=2)
        one.say(one.invoice("i1", "300.00"))
        one.turn()
        one.turn()
        assert one.there() == before
        one.hours(1)
        assert one.stands() == ("failed", "conflict:edited-in-qbo"), one.why()
        assert one.there() == before
        one.choose_kompass()
        one.go()
        assert one.there()["TrackingNum"] == "T1"
        assert one.there()["TotalAmt"] == one.gross("300.00")


def test_a_restored_company_with_a_broken_document_is_looked_through_before_anything_is_made(company: Company) -> None:
    """8f. The stock-taking meets a document that no query returns."""
    company.said(company.invoice("i0"), company.invoice("i1"))
    break_queries(company, "i0")
    restored(company, without="i1")
    company.sequences["invoice i1"] = 0
    company.say(company.invoice("i1"), company.invoice("i2"))
    company.go()
    company.hours(1)
    assert [len(company.marked(which)) for which in ("i0", "i1", "i2")] == [1, 1, 1], company.why()
    assert company.stands() == SYNCED


def test_a_restored_company_whose_only_document_is_broken_is_looked_through(three: list[Company]) -> None:
    """8f. No other document says near which Id it is."""
    for one in three:
        one.said(one.invoice("i0"))
        break_queries(one, "i0")
        restored(one, without="i0")
        one.sequences["invoice i0"] = 0
        one.say(one.invoice("i0"), one.invoice("i1"))
        one.go()
        one.hours(1)
        assert [one.stands("invoice", which) for which in ("i0", "i1")] == [SYNCED, SYNCED], one.why("invoice", "i0")
        assert [len(one.marked(which)) for which in ("i0", "i1")] == [1, 1]


def test_a_month_without_reads_makes_no_second_document(world: World) -> None:
    """8g. The month's reads are used up when the answer is lost; Try again is pressed all the same."""
    one = world.company()
    one.said(one.project())
    one.say(one.invoice())
    one.lost()
    one.later()
    pipeline = world.pipeline
    spent = pipeline.another(budget=Budget(calls=0))
    for _ in range(3):
        claimed = spent.claim(world.due([one.realm]), calls_allowed={})
        assert claimed.attempts == []
        assert one.link().cause == "no-budget", one.why()
        one.press_try_again()
    assert len(one.marked()) == 1
    one.go()
    assert one.stands() == SYNCED, one.why()
    assert len(one.marked()) == 1


def test_a_document_whose_customer_was_merged_before_we_looked_is_found_at_the_survivor(three: list[Company]) -> None:
    """8h. The sub-customer of a lost invoice is merged into another one; the first question is about a customer who is gone."""
    for one in three:
        one.said(one.project("p1"), one.project("p2"))
        one.say(one.invoice(of=one.project("p1")))
        one.lost()
        gone, stays = one.link("project", "p1").qbo_id, one.link("project", "p2").qbo_id
        one.bookkeeper("merge", id=gone, into=stays)
        one.later()
        one.hours(1)
        assert len(one.marked()) == 1, one.why()
        assert one.link().qbo_id == one.marked()[0]["Id"], one.why()
        assert one.marked()[0]["CustomerRef"]["value"] == stays


def test_a_refused_question_about_a_refused_and_saved_document_is_no_answer_either(company: Company) -> None:
    """8a and 7a together: refused and saved, then each question refused for two hours, and a person presses Try again each time."""
    refused_but_saved(company)
    company.trouble(kind="try_again", operation="query")
    company.trouble(kind="unsupported", operation="query")
    for _ in range(4):
        company.later(1800)
        company.press_try_again()
        company.turn()
    assert len(company.marked()) == 1, company.why()
    company.no_more_trouble()
    company.hours(1)
    assert company.stands() == SYNCED
    assert [row["TotalAmt"] for row in company.objects()] == [Decimal("120.00")]
