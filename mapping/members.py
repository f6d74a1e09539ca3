"""Members that several of QBO's objects share, checked before they are sent: texts, email, web, addresses, references.

Limits are those of Intuit's Customer, Invoice and CreditMemo pages. A value that does not fit is never cut. Contact details,
which the books do not need, are left out with a notice; for anything else the record is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from unicodedata import category
from urllib.parse import urlsplit

from mapping import problems, templates
from mapping.results import Choice, Problem, Unmappable
from mapping.texts import one_line
from schemas.events import Address

DISPLAY_NAME = 500
COMPANY_NAME = 100
PHONE = 30
EMAIL = 100
WEBSITE = 1000
NOTES = 2000
TAX_IDENTIFIER = 20
ADDRESS_LINE = 500
ADDRESS_PART = 255
POSTAL_CODE = 30
DOC_NUMBER = 21
PRIVATE_NOTE = 4000
MEMO = 1000
DESCRIPTION = 4000
CUSTOM_VALUE = 31
SECOND_NAME_FIELD = "Second-currency DisplayName Template"

# No part between two dots is empty, and no part of the domain starts or ends with a hyphen: QuickBooks refuses those (2210).
_WORD = r"[^\s@,;<>\"().]+"
_LABEL = r"[^\s@,;<>\"().-](?:[^\s@,;<>\"().]*[^\s@,;<>\"().-])?"
_EMAIL = re.compile(rf"{_WORD}(?:\.{_WORD})*@{_LABEL}(?:\.{_LABEL})+")
_HOST = re.compile(r"[^\s.@/:]+(?:\.[^\s.@/:]+)+")
# What JSON or QBO would not carry: Unicode's categories Cc and Cs, save for tabs and line feeds.
_CONTROL = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


def _is_written(address: str) -> bool:
    """Whether it has no pictures, as no address has."""
    return address.isascii() or all(category(character) != "So" for character in address)


class Draft:
    """One payload in the making: its members, the choices made and every problem found on the way."""

    __slots__ = ("_problems", "choices", "left_out", "members", "record")

    def __init__(self, record: str) -> None:
        self.record = record
        self.members: dict[str, object] = {}
        self.choices: list[Choice] = []
        self.left_out: dict[str, str] = {}
        """Why a member is missing that QuickBooks would not take, by member."""
        self._problems: dict[tuple[str, str], list[Problem]] = {}

    def choose(self, member: str, value: str, reason: str) -> None:
        self.choices.append(Choice(member, value, reason))

    def refuse(self, problem: Problem) -> None:
        self._problems.setdefault((problem.cause, problem.field), []).append(problem)

    def leave_out(self, problem: Problem) -> None:
        """Send the record without a member that the books do not need."""
        self.left_out[problem.field] = problem.message
        self.choose(problem.field, "", f"Left out: {problem.message.removeprefix(f'{self.record}: ')}")

    @property
    def refused(self) -> bool:
        """Whether a problem was found so far."""
        return bool(self._problems)

    def settle(self) -> tuple[Mapping[str, object], tuple[Choice, ...]]:
        """The members and the choices.

        :raises Unmappable: with every problem, when there is one; those alike in cause and field become one.
        """
        if self._problems:
            raise Unmappable(tuple(problems.told_once(alike) for alike in self._problems.values()))
        return self.members, tuple(self.choices)

    def text(
        self,
        member: str,
        value: str | None,
        limit: int,
        *,
        source: str,
        multiline: bool = False,
        otherwise: Callable[[Problem], None] | None = None,
    ) -> str | None:
        """``value`` trimmed, or None when it is empty or not acceptable.

        :param otherwise: gets the problem of a value that is not acceptable; the record is refused unless it is `leave_out`.
        """
        refuse = otherwise or self.refuse
        if value is None:
            return None
        # Most texts are printable: they have neither line breaks nor anything that JSON or QBO would not carry.
        printable = value.isprintable()
        if printable:
            text = value.strip()
        elif multiline:
            text = value.replace("\r\n", "\n").replace("\r", "\n").strip()
        else:
            text = one_line(value)
        if not text:
            return None
        if not printable and (found := _CONTROL.search(text)) is not None:
            refuse(
                problems.control_character(self.record, member=member, source=source, value=text, character=found[0])
            )
            return None
        if len(text) > limit:
            refuse(problems.too_long(self.record, member=member, source=source, value=text, limit=limit))
            return None
        return text

    def email(self, member: str, value: str | None, *, source: str) -> dict[str, object] | None:
        address = self.text(member, value, EMAIL, source=source, otherwise=self.leave_out)
        if address is None:
            return None
        if not all(_EMAIL.fullmatch(one.strip()) and _is_written(one) for one in address.split(",")):
            self.leave_out(problems.bad_email(self.record, member=member, source=source, value=address))
            return None
        return {"Address": address}

    def website(self, value: str | None, *, source: str) -> dict[str, object] | None:
        uri = self.text("WebAddr", value, WEBSITE, source=source, otherwise=self.leave_out)
        if uri is None:
            return None
        if "://" not in uri:
            # A browser completes it in the same way; whether QBO takes an address without a scheme is not documented.
            uri = f"http://{uri}"
        try:
            parts = urlsplit(uri)
            host, _ = parts.hostname, parts.port
        except ValueError:
            host = None
        acceptable = host is not None and _HOST.fullmatch(host) and parts.scheme in ("http", "https")
        if not acceptable or any(character.isspace() for character in uri):
            self.leave_out(problems.bad_website(self.record, source=source, value=value or ""))
            return None
        if len(uri) > WEBSITE:
            self.leave_out(problems.too_long(self.record, member="WebAddr", source=source, value=uri, limit=WEBSITE))
            return None
        return {"URI": uri}

    def address(
        self, member: str, address: Address | None, *, source: str, addressee: str | None = None
    ) -> dict[str, object] | None:
        """A PhysicalAddress; ``addressee`` takes the first line, so that the printed form names who pays."""
        lines = [(addressee, "name of the addressee")] if addressee else []
        if address is not None:
            lines += [(address.line1, "line 1"), (address.line2 or "", "line 2")]
        made: dict[str, object] = {}
        for value, part in lines:
            number = len(made) + 1
            text = self.text(
                f"{member}.Line{number}", value, ADDRESS_LINE, source=f"{source}, {part}", otherwise=self.leave_out
            )
            if text is not None:
                made[f"Line{number}"] = text
        if address is not None:
            for name, part_value, part, limit in (
                ("City", address.town, "town", ADDRESS_PART),
                ("CountrySubDivisionCode", address.county, "county", ADDRESS_PART),
                ("PostalCode", address.postcode, "postcode", POSTAL_CODE),
                ("Country", address.country, "country", ADDRESS_PART),
            ):
                text = self.text(
                    f"{member}.{name}", part_value, limit, source=f"{source}, {part}", otherwise=self.leave_out
                )
                if text is not None:
                    made[name] = text
        return made or None

    def put(self, member: str, value: object | None) -> None:
        """A member that has no value is left out."""
        if value is not None:
            self.members[member] = value

    def rendered(self, template: str, variables: Mapping[str, object], *, field: str) -> str | None:
        """What a template of the admin gives, on one line; None (with a problem noted) when it fails."""
        try:
            return templates.render(template, variables, field=field)
        except templates.TemplateProblem as problem:
            self.refuse(
                problems.template_error(
                    self.record,
                    field=field,
                    line=problem.line,
                    template=template,
                    reason=problem.reason,
                    remedy=problem.remedy,
                )
            )
            return None

    def display_name(
        self,
        template: str,
        variables: Mapping[str, object],
        *,
        field: str,
        override: str | None,
        suffix: str,
        second: tuple[str, str] | None = None,
    ) -> str | None:
        """The DisplayName: what the admin gave this one record, else the template's result and ``suffix``.

        :param second: for a further currency, the template that tells the name apart, and the currency.
        """
        if override is not None and override.strip():
            name, field = override.strip(), "name given to this one record"
            self.choose("DisplayName", name, "The name given to this one record")
        else:
            made = self.rendered(template, variables, field=field)
            if made is None:
                return None
            if not made:
                self.refuse(problems.empty_result(self.record, member="DisplayName", field=field, template=template))
                return None
            if second is not None:
                named = {"name": made, "currency": second[1], "client": variables["client"], "org": variables["org"]}
                told_apart = self.rendered(second[0], named, field=SECOND_NAME_FIELD)
                if told_apart is None:
                    return None
                made = told_apart or made
            name = made + suffix
            reason = f"{field} {template}" + (f", with{suffix} so that it is unique" if suffix else "")
            self.choose("DisplayName", name, reason)
        forbidden = "".join(character for character in ":\t\n\r" if character in name)
        if forbidden:
            self.refuse(problems.name_characters(self.record, source=field, value=name, characters=forbidden))
            return None
        return self.text("DisplayName", name, DISPLAY_NAME, source=f"what the {field} gives")

    def currency(self, currency: str, *, home: str, multicurrency: bool) -> None:
        """CurrencyRef: always when it is not the home currency, and always in a company with multicurrency.

        Intuit's Invoice page requires it there; in practice the home currency may be left out, and saying it never hurts.
        QBO fixes a customer's at create.
        """
        if not re.fullmatch(r"[A-Z]{3}", currency):
            self.refuse(problems.bad_currency(self.record, value=currency))
        elif currency != home:
            if not multicurrency:
                self.refuse(problems.no_multicurrency(self.record, currency=currency, home=home))
            self.put("CurrencyRef", ref(currency))
            self.choose("CurrencyRef", currency, f"Not the company's home currency {home}")
        elif multicurrency:
            self.put("CurrencyRef", ref(currency))


def ref(value: str) -> dict[str, object]:
    """A ReferenceType."""
    return {"value": value}
