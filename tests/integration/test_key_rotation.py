"""Token keys are rotated without a pause: a new one is put first, everything is encrypted again, the old one is taken away."""

from __future__ import annotations

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import text
from sqlalchemy.event import listen

from consumers.doctor import _rotated
from simulator.seeds import IRELAND, UK, USA
from store.connections import read_tokens, reencrypt
from store.errors import UnreadableToken
from store.secrets import TokenKeys
from sync.tokens import AccessTokens
from tests.builders import client, event
from tests.integration.pipeline.conftest import pipeline, simulator, unlinked
from tests.pipeline import KEY, KEYS, Pipeline

__all__ = ["pipeline", "simulator", "unlinked"]


def test_a_rotation_with_one_key_says_that_nothing_was_rotated() -> None:
    """Else a shell without the new key would say that the old one can go, and no token could be read any more."""
    assert _rotated(3, keys=1) == (
        "3 connections encrypted with the only key of TOKEN_KEYS: to rotate it, put the new one in front (new,old)"
    )
    assert _rotated(1, keys=2) == "1 connection encrypted with the first of TOKEN_KEYS; older keys can be removed now"


def test_after_a_rotation_the_old_key_is_needed_for_nothing(pipeline: Pipeline) -> None:
    new = Fernet.generate_key().decode()
    both, only_new = TokenKeys([new, KEY]), TokenKeys([new])
    with pipeline.engine.begin() as db:
        before = read_tokens(db, KEYS, UK)
        stored = [(row.access_token, row.refresh_token) for row in db.exec_driver_sql("SELECT * FROM qbo_connection")]
        assert before is not None
        assert before[1].refresh_token not in str(stored)
        with pytest.raises(UnreadableToken):
            read_tokens(db, only_new, UK)
    with pipeline.engine.begin() as db:
        assert reencrypt(db, both) == 1
        assert read_tokens(db, only_new, UK) == before
        with pytest.raises(UnreadableToken):
            read_tokens(db, KEYS, UK)
    # A process that knows both works on, in either order.
    pipeline.tokens._keys = both
    pipeline.ingest(event(client()))
    pipeline.drive()
    assert pipeline.one("client", "c1").state == "synced"


def test_the_tokens_of_many_companies_are_read_in_one_look_and_one_that_no_key_fits_keeps_none_back(
    unlinked: Pipeline,
) -> None:
    for number, realm in enumerate((UK, IRELAND, USA)):
        unlinked.link(f"org-{number}", f"Company {number}", realm=realm)
    with unlinked.engine.begin() as db:
        foreign = Fernet(Fernet.generate_key()).encrypt(b"a token").decode()
        db.execute(
            text("UPDATE qbo_connection SET access_token = :it WHERE realm_id = :usa"), {"it": foreign, "usa": USA}
        )
        rows = db.execute(text("SELECT realm_id, version FROM qbo_connection"))
        versions = {row.realm_id: row.version for row in rows}
    tokens = AccessTokens(unlinked.engine, KEYS)
    committed: list[object] = []
    listen(unlinked.engine, "commit", committed.append)
    tokens.read_ahead(versions)
    assert tokens.get(UK, versions[UK]) != tokens.get(IRELAND, versions[IRELAND])
    tokens.read_ahead({UK: versions[UK], IRELAND: versions[IRELAND]})
    assert len(committed) == 1
    with pytest.raises(UnreadableToken):
        tokens.get(USA, versions[USA])
