"""Every fault in words: the table is complete, and its messages are pinned."""

from __future__ import annotations

import ast
import re
from dataclasses import replace
from pathlib import Path

import pytest

from consumers.causes_page import documentation
from mapping.causes.cause import UNFORESEEN, Who, Words
from mapping.causes.table import ALL, BY_CAUSE, BY_CODE, words_of
from mapping.results import Problem
from qbo_client.faults import Fault, FaultCode
from qbo_client.outcomes import Refused
from schemas import errors
from schemas.events import Kind
from store.links import Link
from store.references import Reference
from sync.decide import link_to_be
from sync.explaining import Known, Learned
from sync.refusals import problem_for
from tests.builders import invoice

ROOT = Path(__file__).parents[3]
# The official list, as Intuit's page "Handling common errors" and recorded answers have it.
INTUITS_CODES = re.findall(
    r"\d+",
    "100 110 120 130 140 150 500 600 610 620 630 700 800 900 1040 2010 2020 2030 2040 2050 2060 2070 2090 2100 2110 2130 2140 "
    "2160 2170 2200 2210 2220 2290 2390 2500 2600 3000 3001 3100 3200 3202 4000 4001 5010 5020 5030 6000 6070 6080 6100 6130 6140 "
    "6150 6160 6170 6180 6190 6200 6210 6220 6230 6240 6250 6280 6420 6440 6450 6470 6540 10000 10100 10200",
)


def link(kind: Kind = Kind.INVOICE, reference: str = "INV-1042") -> Link:
    return replace(link_to_be(invoice(), org_id="org-uk", realm_id="1"), kind=kind, reference=reference)


def told(code: str, detail: str = "", *, entity: str = "Invoice", used: tuple[Reference, ...] = ()) -> Problem:
    fault = Fault(code=code, message="In the company's language", detail=detail, element=None)
    kind = Kind.CLIENT if entity == "Customer" else Kind.INVOICE
    return problem_for(link(kind), entity, Refused(400, (fault,)), used=lambda: used)


@pytest.mark.parametrize(("kind", "page"), [(Kind.CLIENT, "Customers"), (Kind.PROJECT, "Projects")])
@pytest.mark.parametrize("holder", [None, Known("Customer", "7", "Northfield", active=True)])
def test_a_taken_name_names_the_page_where_the_record_is_linked(kind: Kind, page: str, holder: Known | None) -> None:
    refused = Refused(400, (Fault(code="6240", message="", detail="", element=None),))
    problem = problem_for(link(kind), "Customer", refused, learned=Learned(holder=holder))
    assert f"link it by hand under {page};" in problem.remedy
    assert problem.remedy.count("under") == 1


@pytest.mark.parametrize("code", INTUITS_CODES)
def test_every_code_of_intuits_has_words_of_its_own(code: str) -> None:
    words = BY_CODE[code]
    assert words.what
    assert words.remedy
    assert code in documentation()


def test_every_code_that_the_client_names_has_words() -> None:
    named = {value for name, value in vars(FaultCode).items() if name.isupper()}
    assert named <= set(BY_CODE)


def _causes_in(path: str) -> set[str]:
    """The heads of every literal cause that a module gives a Problem or Failure."""
    found = set()
    for node in ast.walk(ast.parse((ROOT / path).read_text("utf-8"))):
        if isinstance(node, ast.keyword) and node.arg == "cause":
            for inner in ast.walk(node.value):
                if isinstance(inner, ast.Constant) and isinstance(inner.value, str) and re.match(r"[a-z]", inner.value):
                    found.add(inner.value)
    return found


@pytest.mark.parametrize(
    "path",
    [
        "mapping/problems.py",
        "mapping/conflicts.py",
        "sync/looking_up.py",
        "sync/settle/refused.py",
        "sync/settle/unanswered.py",
        "sync/disconnection.py",
        "sync/refusals.py",
        "consumers/ingest/batch.py",
    ],
)
def test_every_rejection_of_our_own_has_words(path: str) -> None:
    # The last is a cause of a connection, not of a failure.
    nouns = {"CreditMemo", "inactive", "unknown", "invalid-grant"}
    for cause in _causes_in(path) - nouns:
        if cause.startswith("tax-code-"):
            assert {"tax-code-inactive", "tax-code-unknown"} <= set(BY_CAUSE)
        else:
            assert words_of(cause.rstrip(":") + ":x") is not UNFORESEEN or words_of(cause) is not UNFORESEEN, cause


def test_every_way_of_not_being_an_event_has_words() -> None:
    kinds = [errors.UndecodableEvent, *errors.UndecodableEvent.__subclasses__()]
    assert {kind.cause for kind in kinds} <= set(BY_CAUSE)
    assert {words_of(kind.cause).who for kind in kinds} == {Who.OPERATOR}


def test_no_cause_and_no_code_stands_twice() -> None:
    assert len(BY_CAUSE) == len(ALL)
    assert len(BY_CODE) == sum(len(words.codes) for words in ALL)


@pytest.mark.parametrize("words", ALL, ids=lambda words: words.cause)
def test_words_are_sentences_and_headlines_can_be_filled(words: Words) -> None:
    for text in (words.what, words.remedy):
        assert text[0].isupper() or text[0] in "“'"
        assert text.endswith(".")
        assert len(text) < 240
    for headline in (
        words.headline_for(cause=words.cause),
        words.headline_for(cause=f"{words.cause}:x", field="f", value="v"),
    ):
        assert headline
        assert "{" not in headline
        assert not headline.endswith(".")


@pytest.mark.parametrize(
    ("cause", "value", "headline"),
    [
        ("no-tax-code:vat-21", "VAT 21 %", "VAT 21 % has no QuickBooks tax code"),
        ("no-tax-code:none", "", "lines without a VAT rate have no QuickBooks tax code"),
        ("no-item:svc-1", "LiDAR", "Service LiDAR has no QuickBooks item"),
        ("no-multicurrency:EUR", "EUR", "the QuickBooks company does not keep EUR"),
        ("too-long:DocNumber", "INV", "too long for QuickBooks' DocNumber"),
        ("disconnected", "", "the connection to QuickBooks is lost"),
        ("fault:7777", "", "QuickBooks refuses it (code 7777)"),
        ("something-new", "", "of a cause that is not in our table"),
    ],
)
def test_headlines(cause: str, value: str, headline: str) -> None:
    assert words_of(cause).headline_for(cause=cause, value=value) == headline


@pytest.mark.parametrize(
    ("problem", "cause", "message"),
    [
        (
            told("6240", "Ce nom existe déjà. : Id=425", entity="Customer"),
            "name-taken",
            "Customer INV-1042: a customer, vendor or employee of that name is in QuickBooks already (Id 425, perhaps inactive)",
        ),
        (
            told("6240", "The name supplied already exists. : null", entity="Customer"),
            "name-taken",
            "Customer INV-1042: a customer, vendor or employee of that name is in QuickBooks already",
        ),
        (
            told("6140", "… DocNumber=1038 is assigned to TxnType=Invoice with TxnId=396"),
            "number-taken",
            "Invoice INV-1042: its number is used in QuickBooks already, by Invoice with Id 396",
        ),
        (
            told("610", "Something you're trying to use has been made inactive.", used=(Reference("item", "12", "LiDAR"),)),
            "inactive-or-deleted",
            "Invoice INV-1042: its item “LiDAR” (Id 12) is deleted, merged or inactive in QuickBooks (QuickBooks says: "
            "Something you're trying to use has been made inactive.; code 610)",
        ),
        (
            told("2500", "Names element id 583 not found", used=(Reference("item", "12", "LiDAR"), Reference("customer", "583", "A"))),
            "invalid-reference",
            "Invoice INV-1042: its customer “A” (Id 583) is deleted, merged or inactive in QuickBooks (QuickBooks says: "
            "Names element id 583 not found; code 2500)",
        ),
        (
            told(
                "2500", "Invalid Reference Id : Line.SalesItemLineDetail.ItemRef",
                used=(Reference("item", "12", "LiDAR"), Reference("customer", "583", "A")),
            ),
            "invalid-reference",
            "Invoice INV-1042: its item “LiDAR” (Id 12) is deleted, merged or inactive in QuickBooks (QuickBooks says: "
            "Invalid Reference Id : Line.SalesItemLineDetail.ItemRef; code 2500)",
        ),
        (
            told("2500", "Klasses element id 99 not found"),
            "invalid-reference",
            "Invoice INV-1042: it refers to Id 99, which QuickBooks does not have, or which is inactive (QuickBooks says: "
            "Klasses element id 99 not found; code 2500)",
        ),
        (
            told("610", "", used=(Reference("item", "12", "LiDAR"), Reference("class", "5", "North"))),
            "inactive-or-deleted",
            "Invoice INV-1042: one of these is deleted, merged or inactive in QuickBooks: item “LiDAR” (Id 12), class “North” "
            "(Id 5) (QuickBooks says: In the company's language; code 610)",
        ),
        (
            told("6210", "The account period has closed"),
            "books-closed",
            "Invoice INV-1042: its date lies in a period for which the books are closed in QuickBooks (QuickBooks says: "
            "The account period has closed; code 6210)",
        ),
        (
            told("6000", "Make sure all your transactions have a VAT rate before you save."),
            "business-rule",
            "Invoice INV-1042: a rule of the QuickBooks company forbids it (QuickBooks says: Make sure all your "
            "transactions have a VAT rate before you save.; code 6000)",
        ),
        (
            told("2010", "Unrecognized field"),
            "request-refused:2010",
            "Invoice INV-1042: QuickBooks does not take the program's request (QuickBooks says: Unrecognized field; code 2010)",
        ),
        (
            told("7777", "Something else"),
            "fault:7777",
            "Invoice INV-1042: QuickBooks refused it (QuickBooks says: Something else; code 7777)",
        ),
        (
            problem_for(link(), "CreditMemo", Refused(400, ())),
            "fault:400",
            "Credit note INV-1042: QuickBooks refused it with HTTP status 400",
        ),
    ],
)  # fmt: skip
def test_what_quickbooks_refuses(problem: Problem, cause: str, message: str) -> None:
    assert (problem.cause, problem.message) == (cause, message)
    assert problem.remedy


def test_faults_that_come_together_are_all_told() -> None:
    faults = (
        Fault("2050", "", "String length specified does not match the supported length. Min:0 Max:21", "DocNumber"),
        Fault("2020", "", "Required parameter Line is missing in the request", None),
    )
    problem = problem_for(link(), "Invoice", Refused(400, faults))
    assert problem.cause == "value-refused"
    assert problem.field == "DocNumber"
    assert "Max:21; code 2050" in problem.message
    assert "Line is missing in the request; code 2020" in problem.message


def test_the_documentation_is_the_tables() -> None:
    assert (ROOT / "docs/faults.md").read_text("utf-8") == documentation()
