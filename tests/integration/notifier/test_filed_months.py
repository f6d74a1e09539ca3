"""A document of a filed month that changes afterwards, on whichever way, is mailed to the recipients once a day, and is on its sheet."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import replace
from email.message import EmailMessage

import pytest
from sqlalchemy import text

from schemas.events import Action, Event, Invoice, Step
from store.filing import Filed, file_month
from tests.builders import client, event, invoice, line, project
from tests.integration.agreement.test_month_end import edit, sheet_of
from tests.integration.notifier.harness import ADMIN, Post, html, plain

APRIL = dt.date(2026, 4, 2)
OTHER = project("p2", of=client("c2", name="Another Ltd"))
Change = Callable[[Invoice], Event]


def newer(**changes: object) -> Change:
    def change(one: Invoice) -> Event:
        return event(replace(one, sequence=one.sequence + 1, **changes))

    return change


def credit(one: Invoice) -> Event:
    return event(invoice(one.id, sequence=2, lines=(line("-100.00"),)))


def other_client(one: Invoice) -> Event:
    return event(invoice(one.id, sequence=2, of=OTHER))


def other_amounts(one: Invoice) -> Event:
    return event(invoice(one.id, sequence=2, lines=(line("200.00"),)))


def deleted(one: Invoice) -> Event:
    return event(replace(one, sequence=2), action=Action.DELETE)


# Way → what Kompass says, the words of the mail, the words of the sheet.
WAYS: dict[str, tuple[Change, str, str]] = {
    "rejected": (newer(step=Step.REJECTED), "INV-{name}: 120.00 GBP taken back in Kompass: its step is Rejected", "is withdrawn"),
    "draft": (newer(step=Step.DRAFT), "INV-{name}: 120.00 GBP taken back in Kompass: its step is Draft", "is withdrawn"),
    "deleted": (deleted, "INV-{name}: 120.00 GBP taken back in Kompass: deleted in Kompass", "is withdrawn"),
    "off": (newer(synchronize=False), "INV-{name}: 120.00 GBP taken back in Kompass: Synchronize is off", "is withdrawn"),
    "voided": (newer(step=Step.VOIDED), "was voided in QuickBooks: 120.00 GBP voided in Kompass", "gross in Kompass was 120.00, is 0.00"),
    "out": (
        newer(date=APRIL, due_date=APRIL),
        "was changed in QuickBooks: date was 2026-03-01, is 2026-04-02",
        "is no longer in it: 120.00 GBP",
    ),
    "amounts": (
        other_amounts,
        "was changed in QuickBooks: net in Kompass was 100.00, is 200.00",
        "gross in QuickBooks was 120.00, is 240.00",
    ),
    "client": (
        other_client,
        "was changed in QuickBooks: client was Harbour & Sons c1, is Another Ltd",
        "client was Harbour & Sons c1, is Another Ltd",
    ),
    "number": (newer(reference="INV-new"), "was changed in QuickBooks: number was INV-number, is INV-new", "number was INV-number"),
    "credit": (credit, "kind was invoice, is credit note", "kind was invoice, is credit note"),
    "paid": (other_amounts, "INV-paid: net in Kompass was 100.00, is 200.00", "standing was agrees, is differs"),
    "text": (newer(details="Thank you"), "INV-text was changed in QuickBooks: message", ""),
}  # fmt: skip


def filed_mails(post: Post, **span: float) -> list[EmailMessage]:
    """Let time pass, and give the mails about filed months; some of these changes are sync errors, too."""
    return [one for one in post.later(**span) if "since the month was filed" in one["Subject"]]


@pytest.mark.usefixtures("no_background_trouble")
def test_each_way_by_which_a_filed_month_changes_is_mailed_and_on_its_sheet(post: Post) -> None:
    pipeline = post.pipeline
    before = {one: invoice(one) for one in (*WAYS, "same")}
    pipeline.ingest(
        *map(event, before.values()),
        event(invoice("drafted", step=Step.DRAFT)),
        event(invoice("in", date=APRIL)),
        event(invoice("april", date=APRIL)),
    )
    pipeline.drive()
    edit(pipeline, action="pay", entity="Invoice", id=pipeline.one("invoice", "paid").qbo_id)
    assert sheet_of(pipeline, file_by="ada").agrees
    assert filed_mails(post, hours=2) == [], "what was sent before it was filed is in it"

    pipeline.ingest(
        *(change(before[one]) for one, (change, _, _) in WAYS.items()),
        event(invoice("same", sequence=2)),
        event(invoice("drafted", sequence=2)),
        event(invoice("in", sequence=2)),
        event(invoice("april", sequence=2, date=APRIL, lines=(line("7.00"),))),
        event(invoice("late")),
        event(invoice("late-draft", step=Step.DRAFT)),
    )
    pipeline.drive()
    expected = {one: (words, listed) for one, (_, words, listed) in WAYS.items()} | {
        "drafted": ("INV-drafted was sent for the first time: 120.00 GBP to be in QuickBooks by now", "standing was not-sent, is agrees"),
        "in": ("INV-in was changed in QuickBooks: 120.00 GBP new in the month", "INV-in was not in it: 120.00 GBP"),
        "late": ("INV-late was sent for the first time: 120.00 GBP new in the month", "INV-late was not in it: 120.00 GBP"),
    }  # fmt: skip
    (mail,) = filed_mails(post, hours=25)
    assert mail["Subject"].startswith(f"{len(expected)} documents of 2026-03 changed since the month was filed")
    said = [" ".join(one.split()) for one in plain(mail).split("\n  - ")][1:]
    changes = {one.partition(":")[0].split()[0]: one for one in sheet_of(pipeline).changes}
    for one, (words, listed) in expected.items():
        name = "INV-new" if one == "number" else f"INV-{one}"
        (sentence,) = [each for each in said if each.startswith((f"{name} ", f"{name}: "))]
        assert words.format(name=one) in sentence
        assert listed in changes.get(name, "")
    assert len(said) == len(expected)
    assert changes.keys() - {"INV-late-draft"} == {
        "INV-new" if one == "number" else f"INV-{one}" for one in expected if one != "text"
    }

    # A re-delivery that says the same is no change, and neither is a month's silence.
    pipeline.ingest(event(replace(before["rejected"], sequence=3, step=Step.REJECTED)))
    pipeline.drive()
    assert filed_mails(post, hours=25) == []
    pipeline.ingest(event(replace(before["rejected"], sequence=4)))
    pipeline.drive()
    (mail,) = filed_mails(post, hours=25)
    assert "INV-rejected: 120.00 GBP to be in QuickBooks by now" in plain(mail)

    # What came into the month and leaves it again is said; what becomes of it in April is not March's.
    pipeline.ingest(event(invoice("in", sequence=3, date=APRIL)))
    pipeline.drive()
    (mail,) = filed_mails(post, hours=25)
    assert "INV-in was changed in QuickBooks: date was 2026-03-01, is 2026-04-02" in plain(mail)
    pipeline.ingest(*(event(invoice(one, sequence=4, date=APRIL, lines=(line("9.00"),))) for one in ("in", "out")))
    pipeline.drive()
    assert filed_mails(post, hours=25) == []


UK = "9130347000000000002"


def file(post: Post, month: str) -> None:
    filed = Filed(month, dt.datetime.now(dt.UTC), "ada", "digest", "The month agrees.", ())
    with post.pipeline.engine.begin() as db:
        assert file_month(db, filed, org_id="org-uk", realm_id=UK)


def test_changes_of_a_filed_month_are_mailed_once_a_day(post: Post) -> None:
    pipeline = post.pipeline
    april = dt.date(2026, 4, 2)
    pipeline.ingest(event(invoice("i1")), event(invoice("i2")), event(invoice("i3", date=april)))
    pipeline.drive()
    file(post, "2026-03")
    assert post.later(hours=2) == [], "what was sent before it was filed is in it"

    pipeline.ingest(
        event(invoice("i1", sequence=2, lines=(line("200.00"),))),
        event(invoice("i2", sequence=2, step=Step.VOIDED)),
        event(invoice("i3", sequence=2, date=april, lines=(line("7.00"),))),
        event(invoice("i4")),
    )
    pipeline.drive()
    post.ahead = dt.timedelta()
    assert post.later(minutes=30) == [], "changes gather for an hour"
    (mail,) = post.later(hours=25)
    assert mail["To"] == ADMIN
    assert mail["Subject"] == "3 documents of 2026-03 changed since the month was filed (Meridian Geomatics Ltd)"
    said = plain(mail)
    assert "2026-03, filed by ada on" in said
    for words in ("INV-i1 was changed", "INV-i2 was voided", "INV-i4 was sent for the first time"):
        assert words in said
        assert words in html(mail)
    assert "INV-i3" not in said, "its month is not filed"
    assert "https://kompass.example/admin/quickbooks_online/configuration/" in said
    assert post.later(hours=25) == [], "mailed once"

    # What leaves a filed month is of it, too.
    pipeline.ingest(event(invoice("i1", sequence=3, lines=(line("200.00"),), date=april)))
    pipeline.drive()
    with pipeline.engine.begin() as db:
        # It was in the rows of the sheet; the date on both sides is another by now.
        db.execute(text("""UPDATE qbo_filed_month SET rows = '[{"kompass_id": "i1"}]'"""))
    (mail,) = post.later(hours=1)
    assert mail["Subject"].startswith("1 document of 2026-03 changed")
    pipeline.ingest(event(invoice("i4", sequence=2, lines=(line("201.00"),))))
    pipeline.drive()
    assert post.later(hours=2) == [], "a mail a day"
    (mail,) = post.later(hours=22)
    with pipeline.engine.begin() as db:
        mailed = db.execute(
            text("SELECT count(*) FROM qbo_history WHERE what = 'mailed' AND outcome = 'filed'")
        ).scalar_one()
    assert mailed == 5
