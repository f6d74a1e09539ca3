"""Companies that wait for an answer while Intuit answers nobody: seen long before their calls are given up."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class Silence:
    """Of one process. Moments are of a monotonic clock. Not locked: `sync.gates` does."""

    _in_flight: Counter[str] = field(default_factory=Counter)
    _asked: dict[str, float] = field(default_factory=dict)
    """Realm → since when it has waited for a first answer."""
    _heard: float = float("-inf")

    def called(self, realm_id: str, now: float) -> None:
        """Note that a call goes out."""
        self._in_flight[realm_id] += 1
        self._asked.setdefault(realm_id, now)

    def over(self, realm_id: str, now: float, *, answered: bool | None) -> None:
        """Note the end of a call: with an answer, without one, or (None) that it was not sent after all."""
        self._in_flight[realm_id] = max(self._in_flight[realm_id] - 1, 0)
        if answered:
            self._heard = now
        if answered is not False and not self._in_flight[realm_id]:
            self._asked.pop(realm_id, None)

    def companies(self, now: float, *, seconds: float) -> int:
        """Count the companies that have waited for so long, in which nobody had an answer."""
        return sum(1 for since in self._asked.values() if now - max(since, self._heard) >= seconds)
