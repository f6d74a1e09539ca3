"""Names for the ids in payloads, from what is stored: the lists of the company, its facts, and our links. Makes no call."""

from __future__ import annotations

from functools import cached_property

from admin.quickbooks_online.lists import facts_of
from admin.quickbooks_online.models import CompanyList, Link

_LISTS = {"ItemRef": "items", "ClassRef": "classes"}


class Names:
    """The names of one company's things; without a company, of none."""

    def __init__(self, realm_id: str = "") -> None:
        self._realm_id = realm_id

    def of(self, member: str, identifier: str) -> str:
        """Give the name of what ``member`` refers to; the id itself where no name is known."""
        if not self._realm_id or not identifier:
            return identifier
        if member in ("CustomerRef", "ParentRef"):
            return self._customer(identifier) or identifier
        return self._known.get(member, {}).get(identifier) or identifier

    @cached_property
    def _known(self) -> dict[str, dict[str, str]]:
        bodies = dict(CompanyList.objects.filter(realm_id=self._realm_id).values_list("what", "body"))
        known = {member: {str(row[0]): str(row[1]) for row in bodies.get(what, ())} for member, what in _LISTS.items()}
        facts = facts_of(self._realm_id)
        if facts is not None:
            known["TaxCodeRef"] = {code.id: code.name for code in facts.tax_codes.values()}
            known["DefinitionId"] = dict(facts.custom_fields)
        return known

    def _customer(self, identifier: str) -> str:
        found = Link.objects.filter(realm_id=self._realm_id, qbo_id=identifier, kind__in=("client", "project"))
        return found.values_list("name", flat=True).first() or ""


NO_NAMES = Names()
