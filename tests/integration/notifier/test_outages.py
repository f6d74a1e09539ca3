"""An outage that lasts is one mail, for any number of waiting records and tries; one that passes is none."""

from __future__ import annotations

from sqlalchemy import text

from tests.builders import client, event
from tests.integration.notifier.harness import ADMIN, Post, html, plain


def away(post: Post, *ids: str) -> None:
    """Have records retried, and nothing else of the company go through."""
    post.pipeline.ingest(*(event(client(one)) for one in ids))
    with post.pipeline.engine.begin() as db:
        db.execute(
            text(
                "UPDATE qbo_link SET state = 'retrying', cause = 'no-answer', due_at = now() + interval '1 minute',"
                " first_failed_at = now() + :ahead WHERE state = 'pending'"
            ),
            {"ahead": post.ahead},
        )


def back(post: Post) -> None:
    with post.pipeline.engine.begin() as db:
        db.execute(
            text(
                "UPDATE qbo_link SET state = 'synced', cause = '', due_at = NULL, due_since = NULL, synced_at = now() + :ahead"
            ),
            {"ahead": post.ahead},
        )


def test_an_outage_is_mailed_once_however_long_it_lasts(post: Post) -> None:
    away(post, "c1", "c2")
    assert post.later(minutes=29) == []
    (message,) = post.later(minutes=2)
    assert message["To"] == ADMIN
    assert message["Subject"].startswith("QuickBooks does not answer since ")
    assert "2 clients are waiting" in plain(message)
    assert "Nothing is lost" in html(message)
    away(post, "c3")
    assert [post.later(hours=5) for _ in range(4)] == [[]] * 4
    back(post)
    assert post.later(hours=1) == []
    # The next one is another outage.
    away(post, "c4")
    assert len(post.later(minutes=31)) == 1


def test_one_that_passes_is_no_mail(post: Post) -> None:
    away(post, "c1")
    assert post.later(minutes=20) == []
    back(post)
    away(post, "c2")
    assert post.later(minutes=20) == []


def test_a_record_that_is_retried_while_others_go_is_no_outage(post: Post) -> None:
    away(post, "c1")
    post.ahead += post.notifier._policy.pacing.outage_after
    post.pipeline.ingest(event(client("c2")))
    with post.pipeline.engine.begin() as db:
        db.execute(
            text(
                "UPDATE qbo_link SET state = 'synced', due_at = NULL, due_since = NULL, synced_at = now() + :ahead WHERE kompass_id = 'c2'"
            ),
            {"ahead": post.ahead},
        )
    assert post.later(minutes=5) == []
