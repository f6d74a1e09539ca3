"""How long a company's backlog takes under Intuit's real quotas, by a clock that is moved: in batches, and one by one."""

from __future__ import annotations

import pytest
from sqlalchemy.engine import URL

from tests.simulated_time import push_backlog


@pytest.mark.usefixtures("no_background_trouble")
@pytest.mark.timeout(120)
def test_a_backlog_in_batches_is_more_than_twice_as_fast_as_one_by_one(
    database_server: URL, template_database: URL
) -> None:
    singly = push_backlog(database_server, template_database, 240, together=1)
    batches = push_backlog(database_server, template_database, 240, together=30)
    assert singly.calls == 240
    assert batches.calls <= 0.05 * 240
    assert singly.metered == batches.metered == 0
    # 10 calls in any 1.2 seconds is what the second's limit allows.
    assert singly.seconds >= 240 / 10 * 1.2 - 1.2
    assert singly.seconds / batches.seconds >= 2.2, (singly, batches)
