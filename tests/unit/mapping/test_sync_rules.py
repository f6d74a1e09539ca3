from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from mapping.case import not_synced
from schemas.events import InvoiceType, Step


@pytest.mark.parametrize("step", [Step.APPROVED, Step.POSTED, Step.VOIDED])
def test_what_goes(make: Any, step: Step) -> None:
    configuration = make.configuration(start_date=dt.date(2025, 3, 1))
    for record in (make.invoice(step=step), make.credit_note(step=step), make.project(), make.client()):
        assert not_synced(record, deleted=False, configuration=configuration) is None


@pytest.mark.parametrize(
    ("changes", "cause", "words"),
    [
        ({"synchronize": False}, "synchronize-off", "Synchronize is off"),
        ({"type": InvoiceType.JOURNAL}, "journal", "journal"),
        ({"type": InvoiceType.UNKNOWN}, "type:unknown", "does not know"),
        ({"step": Step.UNKNOWN}, "step:unknown", "does not know"),
        ({"step": Step.DRAFT}, "step:draft", "its step is Draft"),
        ({"step": Step.SUBMITTED}, "step:submitted", "its step is Submitted"),
        ({"step": Step.REJECTED}, "step:rejected", "its step is Rejected"),
        ({"date": dt.date(2025, 2, 28)}, "before-start-date", "dated 2025-02-28, before the start date 2025-03-01"),
        # The first reason is the one that is shown.
        ({"synchronize": False, "type": InvoiceType.JOURNAL, "step": Step.DRAFT}, "synchronize-off", "Synchronize"),
        ({"type": InvoiceType.JOURNAL, "step": Step.DRAFT}, "journal", "journal"),
        ({"step": Step.DRAFT, "date": dt.date(2020, 1, 1)}, "step:draft", "Draft"),
    ],
)
def test_what_does_not_go(make: Any, changes: dict[str, Any], cause: str, words: str) -> None:
    configuration = make.configuration(start_date=dt.date(2025, 3, 1))
    answer = not_synced(make.invoice(**changes), deleted=False, configuration=configuration)
    assert answer is not None
    assert answer[0] == cause
    assert words in answer[1]


def test_deleted_comes_first(make: Any) -> None:
    for record in (make.invoice(synchronize=False), make.project(), make.client()):
        answer = not_synced(record, deleted=True, configuration=make.configuration(project_customers=False))
        assert answer == ("deleted", "deleted in Kompass")


def test_projects_without_project_customers(make: Any) -> None:
    configuration = make.configuration(project_customers=False)
    answer = not_synced(make.project(), deleted=False, configuration=configuration)
    assert answer == ("project-customers-off", "Project customers is off in the Configuration")
    assert not_synced(make.invoice(), deleted=False, configuration=configuration) is None


def test_without_a_start_date_everything_goes(make: Any) -> None:
    invoice = make.invoice(date=dt.date(1999, 1, 1))
    assert not_synced(invoice, deleted=False, configuration=make.configuration()) is None
