from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qbo_client.faults import (
    CollidingDocument,
    Fault,
    FaultCode,
    colliding_document,
    colliding_id,
    normalise_code,
    report_in,
    report_in_xml,
)
from qbo_client.transport import report_of

STEADY = settings(derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def test_the_services_shape_with_several_errors() -> None:
    report = report_in(
        {
            "Fault": {
                "Error": [
                    {"Message": "m1", "Detail": "d1", "code": "2050", "element": "DocNumber"},
                    {"Message": "m2", "Detail": "d2", "code": "2020", "element": ""},
                    {"Message": "m3", "code": 6000},
                ],
                "type": "ValidationFault",
            },
            "time": "2020-09-29T05:58:07.300-07:00",
        }
    )
    assert report is not None
    assert report.type == "ValidationFault"
    assert report.faults == (
        Fault("2050", "m1", "d1", "DocNumber"),
        Fault("2020", "m2", "d2", None),
        Fault("6000", "m3", "", None),
    )
    assert report.codes == {"2050", "2020", "6000"}


def test_the_gateways_shape_in_lower_case_among_nulls() -> None:
    report = report_in(
        {
            "warnings": None,
            "fault": {
                "error": [
                    {
                        "message": "message=AuthenticationFailed; errorCode=003200; statusCode=401",
                        "detail": "Token expired: AB01",
                        "code": "3200",
                        "element": None,
                    }
                ],
                "type": "AUTHENTICATION",
            },
            "batchItemResponse": [],
            "time": 1601391072830,
        }
    )
    assert report is not None
    assert report.type == "AUTHENTICATION"
    assert [fault.code for fault in report.faults] == [FaultCode.TOKEN_REFUSED]
    assert report.faults[0].element is None


def test_the_gateways_machine_text_gives_the_code_when_the_member_is_missing() -> None:
    report = report_in(
        {"fault": {"error": [{"message": "message=ThrottleExceeded; errorCode=003001; statusCode=429"}]}}
    )
    assert report is not None
    assert report.codes == {FaultCode.THROTTLE_EXCEEDED}


XML = """<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<IntuitResponse time="2016-06-01T11:53:11.386-07:00" xmlns="http://schema.intuit.com/finance/v3">
  <Fault type="SERVICE"><Error code="3001">
    <Message>message=ThrottleExceeded; errorCode=003001; statusCode=403</Message>
    <Detail>The request limit was reached.  Try again later</Detail>
  </Error></Fault>
</IntuitResponse>"""


def test_the_throttle_in_xml() -> None:
    report = report_of(XML.encode())
    assert report is not None
    assert report.type == "SERVICE"
    assert report.faults[0].code == FaultCode.THROTTLE_EXCEEDED
    assert report.faults[0].detail == "The request limit was reached.  Try again later"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<html><body>502 Bad Gateway</body></html>",
        "<Fault",
        "<Fault><Error code='1'>",
        '<!DOCTYPE x [<!ENTITY a "aaaaaaaa">]><Fault type="&a;"/>',
    ],
)
def test_no_fault_is_found_where_there_is_none(text: str) -> None:
    assert report_in_xml(text) is None
    assert report_of(text.encode()) is None


@pytest.mark.parametrize("fault", ["text", {"Error": None}, {"Error": []}, {"Error": ["odd"]}, {"Error": 5}, [1]])
def test_a_fault_that_cannot_be_understood_is_still_a_fault(fault: object) -> None:
    report = report_in({"Fault": fault})
    assert report is not None
    assert report.codes == {""}


@pytest.mark.parametrize("body", [{}, {"Fault": None}, {"fault": None}, {"Invoice": {}}])
def test_no_fault(body: dict[str, object]) -> None:
    assert report_in(body) is None


@pytest.mark.parametrize(
    ("code", "expected"), [("003001", "3001"), (3001, "3001"), (" 610 ", "610"), (None, ""), ("", ""), ("0", "0")]
)
def test_codes_are_normalised(code: object, expected: str) -> None:
    assert normalise_code(code) == expected


def fault(code: str, detail: str) -> Fault:
    return Fault(code=code, message="Nom en double", detail=detail, element=None)


@pytest.mark.parametrize(
    ("detail", "expected"),
    [
        ("The name supplied already exists. : Id=123", "123"),
        ("Ce nom existe déjà. : Id=425", "425"),
        ("The name supplied already exists. : null", None),
        ("Another customer, vendor or employee is already using this name.", None),
        ("TxnId=12", None),
    ],
)
def test_the_id_of_a_colliding_name(detail: str, expected: str | None) -> None:
    assert colliding_id(fault("6240", detail)) == expected
    assert colliding_id(fault("6000", detail)) is None


def test_the_document_that_holds_a_number() -> None:
    english = "This number has already been used. DocNumber=1038 is assigned to TxnType=Invoice with TxnId=396"
    french = "Ce numéro est déjà utilisé. DocNumber=1038 est attribué à TxnType=Facture avec le TxnId=396"
    assert colliding_document(fault("6140", english)) == CollidingDocument("396", "Invoice")
    assert colliding_document(fault("6140", french)) == CollidingDocument("396", "Facture")
    assert colliding_document(fault("6140", "no id here: DocNumber=12")) is None
    assert colliding_document(fault("6240", english)) is None


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["Fault", "fault", "Error", "error", "code", "Message", "type", "x"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)


@STEADY
@given(st.dictionaries(st.sampled_from(["Fault", "fault", "x"]), JSON_VALUES, max_size=3))
def test_no_json_makes_the_parser_fail(body: dict[str, object]) -> None:
    report = report_in(body)
    if report is not None:
        assert report.faults
        for found in report.faults:
            colliding_id(found)
            colliding_document(found)


@STEADY
@given(st.binary(max_size=60) | st.text(max_size=60).map(lambda text: f"<Fault>{text}</Fault>".encode()))
def test_no_bytes_make_the_parser_fail(body: bytes) -> None:
    report_of(body)
