"""Everything the simulator knows: companies, grants, quotas, rules, the log. One object, no transport."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import orjson

from simulator import seeds
from simulator.clock import Clock
from simulator.company import Company, Profile
from simulator.company_file import CompanyFile
from simulator.journal import Journal
from simulator.name_lock import NameLocks
from simulator.oauth import Authority
from simulator.quota import Metered, Quotas
from simulator.requestids import RequestIds
from simulator.settings import Settings
from simulator.trouble import Troubles

STATE_VERSION = 2


class StateError(ValueError):
    """A state that cannot be imported."""


class World:
    """The state behind one simulator."""

    def __init__(
        self,
        *,
        settings: Settings | None = None,
        clock: Clock | None = None,
        companies: CompanyFile | None = None,
    ) -> None:
        """:raises CompanyFileError: for a company of the file that cannot be made."""
        self._file = companies or CompanyFile(())
        self.clock = clock or Clock()
        self.settings = settings or Settings.from_environment()
        self.journal = Journal()
        self.troubles = Troubles()
        self.name_locks = NameLocks()
        self._set_background()
        self._start_over()

    def _start_over(self) -> None:
        seeded = {} if self._file.only else seeds.companies(self.clock, self.settings)
        self.companies: dict[str, Company] = {**seeded, **self._file.build(self.clock, self.settings)}
        self.authority = Authority(self.clock)
        self.quotas = Quotas(self.clock)
        self.requestids = RequestIds(self.clock)

    def reset(self, *, keep_tokens: bool = False) -> None:
        """Back to the seeded companies, no rules, an empty log. Settings and clock stay."""
        authority = self.authority
        self._start_over()
        if keep_tokens:
            self.authority = authority
        self.journal.clear()
        self.troubles.remove()

    def change_settings(self, changes: dict[str, Any]) -> Settings:
        """:raises SettingsError: for a switch or a value that does not exist; nothing has changed then."""
        self.settings = self.settings.replace(changes)
        if any(name.startswith("background_") for name in changes):
            self._set_background()
        for company in self.companies.values():
            company.settings = self.settings
            if "inner_spaces" in changes:
                company.reindex()
        return self.settings

    def _set_background(self) -> None:
        settings = self.settings
        self.troubles.set_background(
            settings.background_trouble,
            settings.background_settings,
            per_thousand=settings.background_per_thousand,
            seed=settings.background_seed,
        )

    def add_company(self, *, realm: str, name: str, like: str, changes: dict[str, Any]) -> Company:
        company = seeds.new_company(self.clock, self.settings, realm=realm, name=name, like=like, changes=changes)
        self.companies[realm] = company
        return company

    # --- state as JSON

    def shown(self) -> dict[str, Any]:
        """All companies and their objects, as responses would show them."""
        return {
            "time": self.clock.envelope_stamp(),
            "companies": {realm: company_shown(company) for realm, company in self.companies.items()},
        }

    def export(self) -> bytes:
        """Everything that has to survive a restart, as JSON: companies, apps, grants and tokens, the metered reads."""
        return orjson.dumps(
            {
                "version": STATE_VERSION,
                "companies": {
                    realm: {
                        "profile": asdict(company.profile),
                        "tables": company.tables,
                        "deleted": company.deleted,
                        "counters": company.counters,
                        "line_counters": company.line_counters,
                        "trail": company.trail.as_state(),
                    }
                    for realm, company in self.companies.items()
                },
                "authority": self.authority.as_state(),
                "metered": {client: asdict(one) for client, one in self.quotas.metered.items()},
            }
        )

    def load(self, state: bytes) -> None:
        """Take over an exported state.

        :raises StateError: when it is not one; nothing has changed then.
        """
        try:
            found = orjson.loads(state)
            if found["version"] != STATE_VERSION:
                raise StateError(f"the state has version {found['version']}; this simulator reads {STATE_VERSION}")
            companies = {realm: self._company(one) for realm, one in found["companies"].items()}
            authority = Authority.from_state(self.clock, found["authority"])
            metered = {client: Metered(**one) for client, one in found["metered"].items()}
        except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
            raise StateError(f"this is not a state that the simulator exported: {error}") from error
        self._start_over()
        self.companies, self.authority = companies, authority
        self.quotas.metered.update(metered)

    def _company(self, found: dict[str, Any]) -> Company:
        company = Company(Profile(**found["profile"]), clock=self.clock, settings=self.settings)
        company.tables.update(found["tables"])
        company.deleted.update(found["deleted"])
        company.counters = dict(found["counters"])
        company.line_counters = dict(found["line_counters"])
        company.trail.load(found.get("trail", []))
        company.reindex()
        return company


def company_shown(company: Company) -> dict[str, Any]:
    return {
        "profile": asdict(company.profile),
        "objects": {
            entity: [company.render(entity, stored) for stored in table.values()]
            for entity, table in company.tables.items()
        },
    }
