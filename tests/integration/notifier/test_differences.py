"""Differences to the cent are told in the digest: one mail a reason, however many documents, and no alarm."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

from tests.builders import event, invoice, line
from tests.integration.notifier.harness import Post, html, plain


def differ(post: Post, *ids: str, sequence: int = 1) -> None:
    """Three lines of 0.33: QuickBooks comes to a tax of 0.20 and Kompass to 0.21, unless it too rounds line by line."""
    post.pipeline.simulator.call(lambda world: world.change_settings({"tax_rounding": "per_rate"}))
    lines = tuple(line("0.33", position=number) for number in (1, 2, 3))
    post.pipeline.ingest(*(event(invoice(one, lines=lines, sequence=sequence)) for one in ids))
    post.pipeline.drive()


def agree(post: Post, *ids: str, sequence: int) -> None:
    post.pipeline.ingest(*(event(invoice(one, lines=(line("1.00"),), sequence=sequence)) for one in ids))
    post.pipeline.drive()


def test_five_hundred_documents_of_one_reason_are_one_mail(post: Post) -> None:
    differ(post, *(f"i{number}" for number in range(20)))
    assert post.later(minutes=59) == []
    (message,) = post.later(minutes=2)
    assert message["Subject"] == (
        "20 documents differ from QuickBooks: tax is rounded by the line on one side, on the sum on the other"
        " (Meridian Geomatics Ltd)"
    )
    for body in (plain(message), html(message)):
        assert "QuickBooks has 1.19 (tax 0.20), Kompass 1.20 (tax 0.21)" in body
        assert "and 14 more" in body
        assert "Nothing waits for this" in body
    (address,) = {word for word in plain(message).split() if "sums=" in word}
    assert parse_qs(urlsplit(address).query) == {"org": ["org-uk"], "sums": ["difference:tax-rounding"]}
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
    assert message["Subject"].startswith("1 invoice is waiting: ")
    assert "earlier cause" not in plain(message)


def test_a_digest_carries_what_differs(post: Post) -> None:
    post.reject("r1")
    differ(post, "i1")
    (message,) = post.later(seconds=6)
    assert message["Subject"].startswith("1 invoice is waiting: ")
    assert "1 document differs from QuickBooks" in plain(message)
    assert post.later(hours=30) == []
    post.mend()
    post.later(seconds=1)
    (clear,) = post.later(seconds=62)
    assert "rounded" not in plain(clear)
