"""Every test that SECURITY.md names as the one that holds a defence is there."""

from __future__ import annotations

import re

from tests.artifacts import ROOT

_NAMED = re.compile(r"`([^`]*test_\w+\.py)(?:::(\w+))?`|`…::(\w+)`")


def test_every_test_it_names_is_there() -> None:
    rows = (ROOT / "SECURITY.md").read_text("utf-8")
    path = ""
    found = 0
    for named, function, further in _NAMED.findall(rows):
        if named:
            path = named.replace("…", path.rpartition("/")[0])
        wanted = function or further
        content = (ROOT / path).read_text("utf-8")
        assert f"def {wanted}(" in content if wanted else "def test_" in content, f"{path}::{wanted}"
        found += 1
    assert found > 20
