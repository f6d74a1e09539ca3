"""A document that is written after its month was filed is mailed to the recipients, once a day."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import text

from schemas.events import Step
from store.filing import Filed, file_month
from tests.builders import event, invoice, line
from tests.integration.notifier.harness import ADMIN, Post, html, plain

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
    pipeline.ingest(event(invoice("i1", sequence=4, lines=(line("201.00"),), date=april)))
    pipeline.drive()
    assert post.later(hours=2) == [], "a mail a day"
    (mail,) = post.later(hours=22)
    with pipeline.engine.begin() as db:
        mailed = db.execute(
            text("SELECT count(*) FROM qbo_history WHERE what = 'mailed' AND outcome = 'filed'")
        ).scalar_one()
    assert mailed == 5
