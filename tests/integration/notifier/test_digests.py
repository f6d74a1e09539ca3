"""Who is notified of what, and when: at once, then bundled, never twice, and an all clear when all is resolved."""

from __future__ import annotations

import re
from decimal import Decimal
from urllib.parse import parse_qs, urlsplit

from sqlalchemy import text

from consumers.inquiry.why import find_one, story
from schemas.events import Kind, Step, VatRate
from store import connections
from store.records import SourceEvent
from sync.disconnection import refuse_grant
from tests.builders import client, event, invoice, line, project
from tests.integration.notifier.harness import ADMIN, OPERATOR, Post, html, plain
from tests.integration.pipeline.test_bookkeeper import edit


def test_what_fails_together_is_one_mail_whose_subject_says_it_all(post: Post) -> None:
    post.reject("i1", "i2", "i3")
    assert post.later(seconds=0) == []
    (message,) = post.later(seconds=6)
    assert message["Subject"] == (
        "3 invoices need attention: VAT 21 % has no QuickBooks tax code (Meridian Geomatics Ltd)"
    )
    assert message["X-Envelope-To"] == ADMIN
    assert message["From"] == "Kompass <sync@kompass.example>"
    assert message["Auto-Submitted"] == "auto-generated"
    for body in (plain(message), html(message)):
        assert "Add a row for VAT rate “VAT 21 %” to Tax Code VAT Rates." in body
        assert "INV-i1" in body
        assert "no-tax-code:vat-21-%" in body
    assert "Who can:       a Kompass admin" in plain(message)
    (link,) = set(re.findall(r"https://kompass\.example/admin/quickbooks_online/failure/\?\S+", plain(message)))
    assert parse_qs(urlsplit(link).query) == {"org": ["org-uk"], "cause": ["no-tax-code:vat-21-%"]}
    assert len(bytes(message)) < 100_000


def test_a_mail_names_client_and_amount_and_the_sum_that_waits(post: Post) -> None:
    pipeline = post.pipeline
    owner = client("c7", name="Équipements & Fils")
    vat = VatRate("vat-21", "VAT 21 %", Decimal(20))
    for one, amount, currency in (("i1", "1000.00", "GBP"), ("i2", "200.00", "GBP"), ("i3", "50.00", "EUR")):
        bill = invoice(one, of=project("p7", of=owner), lines=(line(amount, vat=vat),), currency=currency)
        pipeline.ingest(event(bill))
    pipeline.drive()
    (message,) = post.later(seconds=6)
    assert "Amount:        GBP 1,440.00 and EUR 60.00" in plain(message)
    assert "  - INV-i1, Équipements & Fils, GBP 1,200.00" in plain(message)
    assert "GBP 1,440.00 and EUR 60.00" in html(message)
    assert "Équipements &amp; Fils, GBP 1,200.00" in html(message)

    # One alone, and what waits behind a client.
    wrong = client("c8", name="A:B")
    pipeline.ingest(event(invoice("i8", of=project("p8", of=wrong), lines=(line("300.00", vat=None),))))
    pipeline.drive()
    (behind,) = post.later(hours=1)
    assert "Amount:        GBP 300.00" in plain(behind)


def test_no_failure_is_told_twice_and_no_cause_while_it_is_open(post: Post) -> None:
    post.reject("i1")
    assert len(post.later(seconds=6)) == 1
    post.reject("i2", "i3")
    post.pipeline.ingest(event(invoice("i1", sequence=2, lines=(line("7.00", vat=None),))))
    for _ in range(8):
        assert post.later(hours=7) == []


def test_the_next_causes_are_bundled_at_growing_intervals(post: Post) -> None:
    post.reject("i1", rate="VAT 21 %")
    assert len(post.later(seconds=6)) == 1
    post.reject("i2", "i3", rate="VAT 9 %")
    assert post.later(minutes=14) == []
    post.reject("i4", rate="VAT 6 %")
    (second,) = post.later(minutes=1, seconds=1)
    assert second["Subject"].startswith(
        "3 invoices need attention: VAT 9 % has no QuickBooks tax code and 1 other cause"
    )
    assert "1 earlier cause, mailed before, is still open" in plain(second)
    post.reject("i5", rate="VAT 3 %")
    assert post.later(minutes=59) == []
    assert len(post.later(minutes=2)) == 1
    post.reject("i6", rate="VAT 2 %")
    assert post.later(hours=3, minutes=59) == []
    assert len(post.later(minutes=2)) == 1
    post.reject("i7", rate="VAT 1 %")
    assert post.later(hours=23) == []
    assert len(post.later(hours=2)) == 1


def test_one_all_clear_when_it_is_over_and_quiet_makes_the_next_a_first(post: Post) -> None:
    post.reject("i1", "i2")
    (first,) = post.later(seconds=6)
    post.mend()
    assert post.later(seconds=30) == []
    (clear,) = post.later(seconds=61)
    assert clear["Subject"] == "All clear: nothing needs attention any more (Meridian Geomatics Ltd)"
    assert "VAT 21 % has no QuickBooks tax code" in plain(clear)
    assert clear["References"] == first["Message-ID"]
    assert post.later(hours=2) == []
    post.reject("i3", rate="VAT 9 %")
    (again,) = post.later(seconds=6)
    assert again["References"] is None


def test_trouble_that_comes_back_soon_after_the_all_clear_waits_its_turn(post: Post) -> None:
    post.reject("i1")
    post.later(seconds=6)
    post.mend()
    post.later(seconds=1)
    assert len(post.later(seconds=61)) == 1
    post.reject("i2", rate="VAT 9 %")
    assert post.later(minutes=10) == []
    assert len(post.later(minutes=5)) == 1


def test_there_is_no_all_clear_while_anything_is_open(post: Post) -> None:
    post.reject("i1")
    post.reject("i2", rate="VAT 9 %")
    post.later(seconds=6)
    post.mend()
    post.later(minutes=1)
    assert post.later(days=2) == []
    post.mend("VAT 9 %")
    post.later(seconds=1)
    assert len(post.later(seconds=61)) == 1


def test_each_record_with_a_trouble_of_its_own_is_named(post: Post) -> None:
    post.pipeline.ingest(event(invoice("i1", details="x" * 1001)), event(invoice("i2", details="y" * 1002)))
    post.pipeline.drive()
    (message,) = post.later(seconds=6)
    body = plain(message)
    assert "Invoice INV-i1: the details has 1,001 characters" in body
    assert "Invoice INV-i2: the details has 1,002 characters" in body
    post.pipeline.ingest(event(invoice("i3", details="z" * 1003)))
    post.pipeline.drive()
    (next_one,) = post.later(minutes=16)
    assert "1,003 characters" in plain(next_one)
    assert "1,001 characters" not in plain(next_one)


def test_what_waits_behind_a_rejected_client_counts_under_its_cause(post: Post) -> None:
    owner = client(name="A:B")
    post.pipeline.ingest(*(event(invoice(one, of=project(of=owner))) for one in ("i1", "i2", "i3")))
    post.pipeline.drive()
    assert post.pipeline.one("invoice", "i3").state == "waiting"
    (message,) = post.later(seconds=6)
    assert message["Subject"].startswith(
        "3 invoices, 1 client and 1 project need attention: a name has a character that QuickBooks does not allow"
    ) or message["Subject"].startswith(
        "3 invoices, 1 project and 1 client need attention: a name has a character that QuickBooks does not allow"
    )
    assert "3 invoices and 1 project wait behind it" in plain(message)


def test_a_lost_connection_is_one_mail_however_many_records_it_holds_up(post: Post) -> None:
    pipeline = post.pipeline
    with pipeline.engine.begin() as db:
        version = connections.read_connections(db, ["9130347000000000002"])["9130347000000000002"].version
        assert refuse_grant(db, realm_id="9130347000000000002", version=version, tid="1-abc")
    pipeline.ingest(*(event(invoice(f"i{number}")) for number in range(5)))
    pipeline.drive()
    (message,) = post.later(seconds=6)
    assert re.match(r"\d+ .* waiting: the connection to QuickBooks is lost", message["Subject"])
    assert "Run Authorize with QuickbooksOnline" in plain(message)
    assert "https://kompass.example/admin/quickbooks_online/configuration/" in plain(message)
    assert "intuit_tid 1-abc" in plain(message)
    assert post.later(days=1) == []


def test_a_refusal_of_quickbooks_carries_its_code_and_tid(post: Post) -> None:
    post.pipeline.ingest(event(invoice("i1")))
    post.pipeline.drive()
    post.pipeline.ingest(event(invoice("i2", reference="INV-i1")))
    post.pipeline.drive()
    (message,) = post.later(seconds=6)
    (failure,) = post.pipeline.rows("qbo_failure")
    assert f"(cause number-taken, fault code 6140, intuit_tid {failure.intuit_tid})" in plain(message)
    assert f"/failure/{failure.id}/change/" in plain(message)
    assert message["Subject"].startswith("1 invoice needs attention: the number is taken in QuickBooks")


def test_what_belongs_to_no_org_goes_to_the_operator(post: Post) -> None:
    bad = SourceEvent(topic="kompass.clients", partition=0, offset=1, key=b"client/c9", value=b"\xc3\x01garbage")
    post.pipeline.ingests[Kind.CLIENT].write([bad])
    (message,) = post.later(seconds=6)
    assert message["X-Envelope-To"] == OPERATOR
    assert "1 client needs attention" in message["Subject"]
    assert "these belong to no Org" in plain(message)


def test_an_org_without_recipients_is_told_to_the_operator_with_a_note(post: Post) -> None:
    post.recipients()
    post.reject("i1")
    (message,) = post.later(seconds=6)
    assert message["X-Envelope-To"] == OPERATOR
    assert "names no Notification recipients" in plain(message)


def test_with_nobody_to_tell_nothing_counts_as_told(post: Post) -> None:
    post.recipients("no address", "evil@example.com\nBcc: all@example.com")
    nobody = Post(post.pipeline, post.mail, operator=None)
    post.reject("i1")
    assert nobody.later(seconds=6) == []
    post.recipients(ADMIN)
    assert len(nobody.later(seconds=1)) == 1


def test_a_document_that_was_taken_back_is_told_after_a_day(post: Post) -> None:
    post.pipeline.ingest(event(invoice("i7", lines=(line("1000.00"),))))
    post.pipeline.drive()
    post.pipeline.ingest(event(invoice("i7", sequence=2, lines=(line("1000.00"),), step=Step.REJECTED)))
    post.pipeline.drive()
    assert post.pipeline.one("invoice", "i7").state == "withdrawn"
    assert post.later(hours=23) == []
    (message,) = post.later(hours=2)
    assert message["Subject"] == "Invoice INV-i7 is still in QuickBooks with GBP 1,200.00 (Meridian Geomatics Ltd)"
    link = post.pipeline.one("invoice", "i7")
    assert f"/admin/quickbooks_online/invoice/{link.id}/change/" in plain(message)
    assert post.later(days=2) == []
    post.pipeline.ingest(event(invoice("i7", sequence=3, lines=(line("1000.00"),))))
    post.pipeline.drive()
    assert post.later(days=2) == []
    assert [row.cleared_at is not None for row in post.pipeline.rows("qbo_notice")] == [True]


def test_each_org_has_its_own_digest_and_pace(post: Post) -> None:
    post.reject("i1")
    assert len(post.later(seconds=6)) == 1
    with post.pipeline.engine.begin() as db:
        db.execute(text("INSERT INTO qbo_org (id, name) VALUES ('org-b', 'Other')"))
        db.execute(
            text("INSERT INTO qbo_configuration (org_id, notification_recipients) VALUES ('org-b', '{b@example.com}')")
        )
        db.execute(
            text(
                "INSERT INTO qbo_failure (org_id, kind, kompass_id, stage, cause, message) VALUES"
                " ('org-b', 'client', 'c1', 'map', 'bad-website', 'it is none')"
            )
        )
    (message,) = post.later(seconds=6)
    assert message["X-Envelope-To"] == "b@example.com"
    assert "Meridian" not in message.as_string()


def test_why_shows_the_mail(post: Post) -> None:
    post.reject("i1")
    post.later(seconds=6)
    with post.pipeline.engine.connect() as db:
        told = story(db, find_one(db, Kind.INVOICE, "INV-i1", None))
    (mailed,) = [one for one in told.happened if one.what == "mailed"]
    assert f"sent to {ADMIN}" in mailed.message


def test_a_cause_beyond_our_table_is_told_honestly(post: Post) -> None:
    with post.pipeline.engine.begin() as db:
        db.execute(
            text(
                "INSERT INTO qbo_failure (org_id, kind, kompass_id, stage, cause, message) VALUES"
                " ('org-uk', 'client', 'c1', 'push', 'brand-new', 'Client A: something new')"
            )
        )
    (message,) = post.later(seconds=6)
    assert message["Subject"].startswith("1 client needs attention: of a cause that is not in our table")
    assert "Client A: something new" in plain(message)


def test_the_bookkeepers_conflict_is_named_with_its_page(post: Post) -> None:
    post.pipeline.ingest(event(invoice()))
    post.pipeline.drive()
    (document,) = post.pipeline.objects("Invoice")
    lines = [one for one in document["Line"] if one["DetailType"] == "SalesItemLineDetail"]
    edit(post.pipeline, "Invoice", Line=[{**lines[0], "Amount": Decimal("77.00")}])
    post.pipeline.ingest(event(invoice(sequence=2, lines=(line("200.00"),))))
    post.pipeline.drive()
    (message,) = post.later(seconds=6)
    assert message["Subject"].startswith("1 invoice needs attention: changed in QuickBooks and in Kompass")
    assert "Who can:       a bookkeeper, in QuickBooks" in plain(message)
