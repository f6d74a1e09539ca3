"""Mail addresses as people typed them, and the admin pages that a mail points to."""

from __future__ import annotations

import re
from collections.abc import Iterable
from email.utils import parseaddr
from urllib.parse import urlencode

_ADDRESS = re.compile(r"[^\s<>@,;:\"()\[\]\\\x00-\x1f\x7f]+@[^\s<>@,;:\"()\[\]\\\x00-\x1f\x7f]+")


def usable(addresses: Iterable[str]) -> tuple[str, ...]:
    """Give the plain addresses among these, each once, in any case of letters: nothing that could become a header or a second address."""
    found: dict[str, str] = {}
    for one in addresses:
        if any(ord(character) < 32 or ord(character) == 127 for character in one.strip()):
            continue
        address = parseaddr(one)[1]
        if _ADDRESS.fullmatch(address) and len(address) <= 254:
            found.setdefault(address.lower(), address)
    return tuple(found.values())


class AdminPages:
    """Addresses of the admin site's pages, below PUBLIC_URL."""

    def __init__(self, public_url: str) -> None:
        self._base = f"{public_url.rstrip('/')}/admin/quickbooks_online"

    def cause(self, org_id: str, cause: str) -> str:
        """Every record of one cause."""
        return f"{self._base}/failure/?{urlencode({'org': org_id, 'cause': cause})}"

    def failure(self, failure_id: int) -> str:
        return f"{self._base}/failure/{failure_id}/change/"

    def sync_errors(self, org_id: str) -> str:
        return f"{self._base}/failure/?{urlencode({'org': org_id})}"

    def invoice(self, link_id: int) -> str:
        return f"{self._base}/invoice/{link_id}/change/"

    def record(self, kind: str, link_id: int) -> str:
        """One client, project or invoice."""
        page = "customer" if kind == "client" else kind
        return f"{self._base}/{page}/{link_id}/change/"

    def differing(self, org_id: str, cause: str) -> str:
        """Every document that QuickBooks totals otherwise, for one reason."""
        return f"{self._base}/invoice/?{urlencode({'org': org_id, 'sums': cause})}"

    def configurations(self) -> str:
        return f"{self._base}/configuration/"

    def agreement(self, configuration_id: int) -> str:
        """The agreement sheet."""
        return f"{self._base}/configuration/{configuration_id}/agreement/"
