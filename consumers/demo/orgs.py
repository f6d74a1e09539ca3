"""The three Orgs of the sample events, as their admins set them up."""

from __future__ import annotations

from typing import Final

from consumers.demo.rules import OrgRules

DEMO_ORGS: Final[tuple[OrgRules, ...]] = ()
