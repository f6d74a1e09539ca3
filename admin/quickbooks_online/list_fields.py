"""Dropdowns of what a company has in QuickBooks. Long lists are searched on the server."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from django import forms
from django.urls import reverse

from admin.quickbooks_online.entries import CompanyListing, Entry
from admin.quickbooks_online.lists import any_listing
from admin.quickbooks_online.suggestions import words_of

MANY = 100
"""A list with more entries is searched on the server."""
FOUND_AT_ONCE = 20
AFTER_LINKING = "Available once the company is linked."
NO_CLASSES = "This QuickBooks company does not use Classes (Account and settings → Advanced → Categories)."


@dataclass(frozen=True)
class Offer:
    """What a dropdown offers: a list of the company, and its entries that may be chosen."""

    listing: CompanyListing
    usable: tuple[Entry, ...]
    ids: frozenset[str] = field(default_factory=frozenset)

    @classmethod
    def of(cls, realm_id: str | None, what: str) -> Offer:
        listing = any_listing(realm_id, what)
        usable = tuple(one for one in listing.entries if (one.usable_item if what == "items" else one.active))
        return cls(listing, usable, frozenset(one.id for one in usable))

    @property
    def many(self) -> bool:
        return len(self.usable) > MANY

    def found(self, words: str, page: int) -> tuple[list[Entry], bool]:
        """Give a page of the entries that hold all these words, and whether there are more. The ones that begin with them come first."""
        wanted = words_of(words)
        hits = []
        for entry in self.usable:
            text = " ".join(words_of(entry.name))
            if all(word in text for word in wanted):
                hits.append((not text.startswith(" ".join(wanted)), entry.name.casefold(), entry))
        hits.sort(key=lambda hit: hit[:2])
        first = max(page - 1, 0) * FOUND_AT_ONCE
        return [hit[2] for hit in hits[first : first + FOUND_AT_ONCE]], len(hits) > first + FOUND_AT_ONCE


Offers = dict[tuple[str | None, str], Offer]
"""Keeps the lists between the rows of one page."""


def search_address(configuration_pk: int, what: str) -> str:
    return reverse("admin:quickbooks_online_configuration_search_list", args=[configuration_pk, what])


def searched(address: str) -> dict[str, str]:
    """Give the attributes that make Django's autocomplete of a dropdown."""
    return {
        "class": "admin-autocomplete",
        "data-ajax--url": address,
        "data-ajax--cache": "true",
        "data-ajax--delay": "250",
        "data-ajax--type": "GET",
        "data-theme": "admin-autocomplete",
        "data-allow-clear": "true",
        "data-placeholder": "Type to search",
        # Otherwise as wide as its empty option.
        "data-width": "100%",
    }


class QuickbooksSelect(forms.Select):
    """A dropdown of things in QuickBooks; a value that the list lacks stays, and says so."""

    template_name = "admin/quickbooks_online/widgets/quickbooks_select.html"

    def __init__(self, listing: CompanyListing | None = None, **options: Any) -> None:
        super().__init__(**options)
        self.listing = listing

    def get_context(self, name: str, value: Any, attrs: Any) -> dict[str, Any]:
        context = super().get_context(name, value, attrs)
        context["listing"] = self.listing
        return context

    def optgroups(self, name: str, value: list[str], attrs: Any = None) -> Any:
        # What was searched for and chosen is not among the choices of the page.
        offered = {str(key) for key, _ in self.choices}
        if self.listing is not None:
            more = [(one, self.listing.name_of(one)) for one in value if one and one not in offered]
            self.choices = [*self.choices, *((key, label) for key, label in more if label)]
        return super().optgroups(name, value, attrs)


class QuickbooksField(forms.ChoiceField):
    """One thing of a list of the company."""

    def __init__(self, offer: Offer, *, current: str, empty: str, address: str, **options: Any) -> None:
        self.offer = offer
        shown: Sequence[Entry] = () if offer.many else offer.usable
        choices = [("", empty), *((entry.id, entry.name) for entry in shown)]
        if current and all(key != current for key, _ in choices):
            name = offer.listing.name_of(current)
            if current in offer.ids:
                choices.append((current, str(name)))
            else:
                choices.append(
                    (current, f"{name} (no longer active)" if name else f"{current} (name not known at the moment)")
                )
        widget = QuickbooksSelect(offer.listing, attrs=searched(address) if offer.many else None)
        super().__init__(choices=choices, widget=widget, **options)
        self.error_messages["invalid_choice"] = (
            "Choose one from the list; the one chosen is not in QuickBooks any more."
        )

    def valid_value(self, value: Any) -> bool:
        return str(value) in self.offer.ids or super().valid_value(value)

    def label_of(self, value: str) -> str:
        return self.offer.listing.name_of(value) or value


def quickbooks_field(
    linked: tuple[str | None, int],
    what: str,
    *,
    current: str,
    like: forms.Field,
    required: bool,
    offers: Offers | None = None,
) -> forms.ChoiceField:
    """Make the dropdown of a company's items, classes, tax codes or custom fields, with label and help of the field ``like``.

    ``linked``: the company of a Configuration, and the Configuration.
    """
    realm_id, configuration_pk = linked
    label, help_text = str(like.label), str(like.help_text)
    if not realm_id:
        return forms.ChoiceField(
            choices=[("", AFTER_LINKING)], required=False, disabled=True, label=label, help_text=help_text
        )
    memo = {} if offers is None else offers
    if (realm_id, what) not in memo:
        memo[realm_id, what] = Offer.of(realm_id, what)
    offer = memo[realm_id, what]
    field = QuickbooksField(
        offer,
        current=current,
        empty="---------",
        address=search_address(configuration_pk, what),
        required=required,
        label=label,
        help_text=help_text,
    )
    if what == "classes" and offer.listing.fetched_at is None and not offer.listing.problem:
        field.help_text = NO_CLASSES
        field.required = False
    return field
