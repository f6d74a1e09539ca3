"""Which refusals prove that a request will never go, and which prove nothing."""

from __future__ import annotations

import pytest

from qbo_client.calls import Operation
from qbo_client.faults import Fault, FaultCode
from qbo_client.outcomes import Outcome, Refused, of_faults
from qbo_client.transport import report_of
from qbo_client.verdicts import BY_CODE, TABLE, Verdict, verdict

WRITES = (Operation.CREATE, Operation.UPDATE, Operation.VOID)


def refused(*codes: str, status: int = 400) -> Refused:
    return Refused(status, tuple(Fault(code, "", "", None) for code in codes))


def test_each_code_has_one_verdict_with_its_source() -> None:
    codes = [code for rule in TABLE for code in rule.codes]
    assert len(codes) == len(set(codes))
    assert all(rule.source for rule in TABLE)


@pytest.mark.parametrize("operation", WRITES)
@pytest.mark.parametrize(
    "outage",
    [
        refused("6000"), refused("500"), refused("4002"), refused(), refused(status=404), refused("99999"),
        refused("10000"), refused("3001"), refused(""),
    ],
)  # fmt: skip
def test_a_refusal_that_may_end_is_no_proof(outage: Refused, operation: Operation) -> None:
    assert verdict(outage, operation) is Verdict.PASSING


@pytest.mark.parametrize("code", ["6240", "6140", "610", "2500", "6210", "2050", "6100", "5020", "6070"])
def test_what_a_person_has_to_change_is_final(code: str) -> None:
    assert {verdict(refused(code), one) for one in WRITES} == {Verdict.FINAL}


def test_what_is_new_is_never_stale() -> None:
    assert verdict(refused("5010"), Operation.CREATE) is Verdict.PASSING
    assert {verdict(refused("5010"), one) for one in (Operation.UPDATE, Operation.VOID)} == {Verdict.FINAL}


def test_one_final_code_is_enough_whatever_comes_with_it() -> None:
    assert verdict(refused("6000", "2020"), Operation.CREATE) is Verdict.FINAL


@pytest.mark.parametrize("code", ["610", "4002", "6000", "6240", ""])
def test_a_refused_question_is_no_answer(code: str) -> None:
    assert verdict(refused(code), Operation.QUERY) is Verdict.PASSING


def test_only_final_codes_are_called_so() -> None:
    assert BY_CODE[FaultCode.BUSINESS_VALIDATION].verdict is Verdict.PASSING
    assert BY_CODE[FaultCode.SYSTEM_FAILURE].verdict is Verdict.UNKNOWN


def outcome_of(body: str, status: int) -> Outcome:
    return of_faults(report_of(body.encode()), status=status)


@pytest.mark.parametrize(
    ("body", "status", "becomes"),
    [
        ("<html><body>Not Found</body></html>", 404, "Refused"),
        ('{"Fault":{"Error":[{"code":"3100"}]}}', 500, "Unknown"),
        ('{"Fault":{"Error":[{"code":"120"}]}}', 500, "Unknown"),
        ('{"Fault":{"Error":[{"code":"10000"}]}}', 400, "Unknown"),
        (
            '<IntuitResponse><Fault type="SERVICE"><Error code="3001" element=""/></Fault></IntuitResponse>',
            403,
            "Throttled",
        ),
        (
            '<IntuitResponse><Fault type="ValidationFault"><Error code="6000" element=""/></Fault></IntuitResponse>',
            400,
            "Refused",
        ),
    ],
)
def test_no_dress_of_an_outage_is_a_disconnection_or_a_verdict(body: str, status: int, becomes: str) -> None:
    outcome = outcome_of(body, status)
    assert type(outcome).__name__ == becomes
    assert not isinstance(outcome, Refused) or verdict(outcome, Operation.CREATE) is Verdict.PASSING
