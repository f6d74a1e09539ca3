"""Where the parts of a demo listen: the documented ports, or free ones where something else has them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from demo.embedded.ports import HOST, free_port, is_free
from sync.settings import DEMO_DEFAULTS

_PROCESSES = ("clients", "projects", "invoices", "notify", "admin")
_FIRST_METRICS_PORT = 19101


@dataclass(frozen=True, slots=True)
class Addresses:
    postgres: int
    broker: int
    simulator: int
    mail: int
    admin: int
    metrics: Mapping[str, int]
    """Process → port."""
    moved: bool
    """Whether one of the documented ports was taken."""

    def environment(self) -> dict[str, str]:
        """The settings that every process of this demo runs with."""
        return {
            **DEMO_DEFAULTS,
            "DATABASE_URL": DEMO_DEFAULTS["DATABASE_URL"].replace(":15432/", f":{self.postgres}/"),
            "KAFKA_BOOTSTRAP_SERVERS": f"{HOST}:{self.broker}",
            "INTUIT_ENVIRONMENT": f"http://{HOST}:{self.simulator}",
            "PUBLIC_URL": f"http://{HOST}:{self.admin}",
            "SMTP_URL": f"smtp://{HOST}:{self.mail}",
        }

    def moved_settings(self) -> dict[str, str]:
        """Those that differ from the defaults: what another terminal must set."""
        return {name: value for name, value in self.environment().items() if DEMO_DEFAULTS[name] != value}


def find_addresses() -> Addresses:
    """Take each documented port that is free, and another one in place of each that is not."""
    moved = False

    def port(documented: int) -> int:
        nonlocal moved
        if is_free(documented):
            return documented
        moved = True
        return free_port()

    return Addresses(
        postgres=port(15432),
        broker=port(19092),
        simulator=port(18080),
        mail=port(11025),
        admin=port(8000),
        metrics={name: port(_FIRST_METRICS_PORT + place) for place, name in enumerate(_PROCESSES)},
        moved=moved,
    )
