"""How one setting is read: from its variable or its file, with the demo's default where Intuit is a simulator.

A setting is read when a process needs it, so a process is never refused for a secret that it was not given.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from sync.settings.declarations import DECLARED, DEMO_DEFAULTS, is_secret

_FILE: Final = "_FILE"
_REAL_INTUIT: Final = ("production", "sandbox")


class BadSetting(Exception):
    """A setting is missing or malformed. The message names the variable, its value unless it is secret, and the remedy."""

    def __init__(self, name: str, problem: str, remedy: str) -> None:
        super().__init__(f"{name} {problem}; {remedy}")
        self.name = name


class Environment:
    """The variables that a process was started with, read one setting at a time."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._variables = variables

    def given(self, name: str) -> str:
        """Give the value that was set, from ``name`` or, for a secret, from the file that ``name_FILE`` names; else ''.

        Raises
        ------
        BadSetting
            both are set, or the file cannot be read.
        """
        value = self._variables.get(name, "")
        path = self._variables.get(name + _FILE, "") if is_secret(name) else ""
        if not path:
            return value if name.startswith("KAFKA_") else value.strip()
        if value.strip():
            raise BadSetting(name + _FILE, f"is set and {name} too", "give one of them")
        try:
            return Path(path).read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not text"
            raise BadSetting(
                name + _FILE, f"is {path!r}, which cannot be read ({reason})", "check its path and permissions"
            ) from None

    def value(self, name: str) -> str:
        """Give the value that was set, or the demo's default.

        Raises
        ------
        BadSetting
            it is not set, and Intuit is the real one: the demo's defaults are known to everybody.
        """
        value = self.given(name)
        if value:
            return value
        if DECLARED[name].required and self.intuit_is_real:
            raise BadSetting(
                name,
                "is not set",
                f"INTUIT_ENVIRONMENT={self.given('INTUIT_ENVIRONMENT')} needs it: the defaults are those of the demo",
            )
        return DEMO_DEFAULTS.get(name, "")

    def choice(self, name: str, choices: Sequence[str]) -> str:
        """Give one of the choices, the first when nothing is set."""
        value = (self.given(name) or choices[0]).lower()
        if value not in choices:
            raise BadSetting(name, f"is {self.given(name)!r}", f"give {' or '.join(choices)}")
        return value

    def names(self, prefix: str) -> Iterator[str]:
        """Give the settings that begin so and are set, by variable or by file."""
        for name in self._variables:
            if name.startswith(prefix):
                setting = name.removesuffix(_FILE)
                if setting == name or not is_secret(setting):
                    yield name
                elif not self._variables.get(setting):
                    yield setting

    @property
    def intuit_is_real(self) -> bool:
        return self.given("INTUIT_ENVIRONMENT") in _REAL_INTUIT
