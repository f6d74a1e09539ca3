"""A company's backlog in batches and one by one, under Intuit's real quotas, in simulated time.

``python tests/benchmarks/backfill.py [invoices] [many]``; one to two minutes: the first is what one company's backlog is measured with,
``many`` (three times as many) shows the rate that lasts, once the first minute's batches are spent.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from bench.figures import Figure, publish

from tests.database import embedded_server, migrate
from tests.simulated_time import Backlog, latency, push_backlog

INVOICES = 1_000
_ASSUMED = f"Assumed of Intuit: {latency(1):.1f} s for a single call, {latency(30):.1f} s for a batch of 30"


def main(count: int, many: int) -> None:
    with tempfile.TemporaryDirectory(prefix="kqbench", ignore_cleanup_errors=True) as directory:
        os.chmod(directory, 0o755)
        with embedded_server(Path(directory) / "data") as server:
            # The maintenance database itself is the template: nobody is connected to it while a copy is made.
            migrate(server)
            maintenance = server.set(database="template1")

            def push(invoices: int, together: int) -> Backlog:
                return push_backlog(maintenance, server, invoices, together=together)

            singly, batches = push(count, 1), push(count, 30)
            longer_singly, longer = push(many, 1), push(many, 30)
    publish(
        Figure(
            "backfill-calls", "Backfill", "Calls an invoice in a backlog", "", [batches.calls / count], "lower", 0.05,
            f"{batches.calls} calls for {count:,} invoices of one company whose customer and job exist, {singly.calls:,} one by one; "
            f"{batches.metered} metered reads. Counted by the simulator.",
        ),
        Figure(
            "backfill-speed", "Backfill", f"{count:,} invoices: one by one ÷ in batches", "times",
            [singly.seconds / batches.seconds], "higher", 2.2,
            f"{singly.seconds:.0f} s against {batches.seconds:.0f} s of simulated time, no call refused for a limit. {_ASSUMED}; "
            "500 requests and 40 batches a minute, 10 requests a second, 10 at once.",
        ),
        Figure(
            "backfill-speed-lasting", "Backfill", f"{many:,} invoices: one by one ÷ in batches", "times",
            [longer_singly.seconds / longer.seconds], "higher", None,
            f"{longer_singly.seconds:.0f} s against {longer.seconds:.0f} s. What lasts is 40 batches of 30 a minute against 500 single "
            "calls: 2.4 times; the first minute's 40 batches go at once.",
        ),
    )  # fmt: skip


if __name__ == "__main__":
    wanted = int(sys.argv[1]) if len(sys.argv) > 1 else INVOICES
    main(wanted, int(sys.argv[2]) if len(sys.argv) > 2 else 3 * wanted)
