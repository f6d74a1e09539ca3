"""`docs/settings.md`, generated from the declarations: ``python -m sync.settings.reference > docs/settings.md``."""

from __future__ import annotations

from collections.abc import Iterator

from sync.settings.declarations import SETTINGS, Setting
from sync.settings.policies import POLICIES, numbers

_INTRODUCTION = """# Settings

This page is generated from `sync/settings`: `python -m sync.settings.reference > docs/settings.md`.

Every process takes its settings from the environment. With `INTUIT_ENVIRONMENT` unset or naming a simulator, each has the default of
the demo. With `production` or `sandbox` those marked * must be given. Those marked † are secret: no message repeats their value, and
each may come from a file instead, `TOKEN_KEYS_FILE=/run/secrets/keys`. A setting that is missing or malformed ends the process at start,
with exit code 3 and one line that names it.

Write the characters `@ : / ? # [ ] %` and spaces of a user or password in an address as `%40 %3A %2F %3F %23 %5B %5D %25 %20`.
"""

_KAFKA = (
    "| `KAFKA_…` | any setting of librdkafka: `KAFKA_SECURITY_PROTOCOL` is `security.protocol`. "
    "Passwords, passphrases, secrets and keys among them are † | | consumers |"
)


def reference() -> str:
    """The text of docs/settings.md."""
    return "\n".join([_INTRODUCTION, *_settings(), "", *_policies()])


def _settings() -> Iterator[str]:
    yield "| variable | what it is | default of the demo | read by |"
    yield "|---|---|---|---|"
    for setting in SETTINGS:
        yield _row(setting)
        if setting.name == "KAFKA_BOOTSTRAP_SERVERS":
            yield _KAFKA


def _row(setting: Setting) -> str:
    marks = (" *" if setting.required else "") + (" †" if setting.secret else "")
    demo = f"`{setting.demo}`" if setting.demo else ""
    return f"| `{setting.name}`{marks} | {setting.about} | {demo} | {setting.reader} |"


def _policies() -> Iterator[str]:
    yield "## Times and sizes"
    yield ""
    yield "Seconds unless the name says otherwise. An unknown name that begins with `KOMPASS_QBO_` is refused."
    for policy in POLICIES.values():
        yield ""
        yield f"### {(policy.__doc__ or policy.__name__).rstrip('.')}"
        yield ""
        yield "| variable | what it is | default |"
        yield "|---|---|---|"
        for name, item in numbers(policy):
            yield f"| `{name}` | {item.metadata['about']} | {item.default:.10g} |"


if __name__ == "__main__":
    print(reference())
