"""Differences to the cent are in the digest: one mail a reason, however many documents, and no alarm."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

from simulator.seeds import UK
from tests.builders import event, invoice, line
from tests.integration.notifier.harness import Post, html, plain


def charge(post: Post, percent: int) -> None:
    """Have QuickBooks charge another percent than the facts of the company say."""

    def change(world: Any) -> None:
        (rate,) = [one for one in world.companies[UK].tables["TaxRate"].values() if one["Name"] == "20% S"]
        rate["EffectiveTaxRate"][0]["RateValue"] = percent

    post.pipeline.simulator.call(change)


def differ(post: Post, *ids: str, sequence: int = 1) -> None:
    """20 % of 100.00 was billed, and QuickBooks charges 21 %."""
    charge(post, 21)
    post.pipeline.ingest(*(event(invoice(one, sequence=sequence)) for one in ids))
    post.pipeline.drive()


def agree(post: Post, *ids: str, sequence: int) -> None:
    charge(post, 20)
    post.pipeline.ingest(*(event(invoice(one, lines=(line("1.00"),), sequence=sequence)) for one in ids))
    post.pipeline.drive()


def test_rounding_is_no_reason_for_a_mail(post: Post) -> None:
    """Three lines of 0.33: by line 0.066 → 0.07, × 3 = 0.21; by sum 0.198 → 0.20."""
    post.pipeline.simulator.call(lambda world: world.change_settings({"tax_rounding": "per_rate"}))
    lines = tuple(line("0.33", position=number) for number in (1, 2, 3))
    post.pipeline.ingest(event(invoice("i1", lines=lines)))
    post.pipeline.drive()
    assert [row.cause for row in post.pipeline.rows("qbo_difference")] == ["difference:tax-rounding"]
    assert post.later(hours=30) == []


def test_five_hundred_documents_of_one_reason_are_one_mail(post: Post) -> None:
    differ(post, *(f"i{number}" for number in range(20)))
    assert post.later(minutes=59) == []
    (message,) = post.later(minutes=2)
    assert message["Subject"] == (
        "20 documents differ from QuickBooks: the tax code has another rate on the document's date (Meridian Geomatics Ltd)"
    )
    for body in (plain(message), html(message)):
        assert "QuickBooks has 121.00 (tax 21.00), Kompass 120.00 (tax 20.00)" in body
        assert "and 14 more" in body
        assert "Nothing waits for this" in body
    (address,) = {word for word in plain(message).split() if "sums=" in word}
    assert parse_qs(urlsplit(address).query) == {"org": ["org-uk"], "sums": ["difference:tax-rate-by-date"]}
    differ(post, "j1", "j2")
    for _ in range(4):
        assert post.later(hours=13) == []


def test_what_is_told_stands_in_the_history_of_each(post: Post) -> None:
    differ(post, "i1")
    post.later(hours=2)
    assert [one.message[:15] for one in post.pipeline.rows("qbo_history") if one.what == "mailed"] == [
        "QuickBooks has "
    ]


def test_when_all_agree_there_is_no_all_clear_and_the_next_is_news(post: Post) -> None:
    differ(post, "i1", "i2")
    assert len(post.later(hours=2)) == 1
    agree(post, "i1", "i2", sequence=2)
    for _ in range(3):
        assert post.later(hours=2) == []
    differ(post, "i1", sequence=3)
    (message,) = post.later(hours=2)
    assert message["Subject"].startswith("1 document differs from QuickBooks: ")
    assert "it is in QuickBooks" in plain(message)


def test_it_goes_along_with_a_digest_and_does_not_hold_up_the_next(post: Post) -> None:
    differ(post, "i1")
    assert len(post.later(hours=2)) == 1
    post.reject("r1")
    (message,) = post.later(seconds=6)
    assert message["Subject"].startswith("1 invoice needs attention: ")
    assert "earlier cause" not in plain(message)


def test_a_digest_carries_what_differs(post: Post) -> None:
    post.reject("r1")
    differ(post, "i1")
    (message,) = post.later(seconds=6)
    assert message["Subject"].startswith("1 invoice needs attention: ")
    assert "1 document differs from QuickBooks" in plain(message)
    assert post.later(hours=30) == []
    post.mend()
    post.later(seconds=1)
    (clear,) = post.later(seconds=62)
    assert "another rate" not in plain(clear)
