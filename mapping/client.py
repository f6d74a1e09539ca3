"""A Kompass client becomes a QBO Customer, one for each currency it is billed in."""

from __future__ import annotations

from mapping import problems
from mapping.members import COMPANY_NAME, NOTES, PHONE, TAX_IDENTIFIER, Draft
from mapping.results import Mapped
from mapping.texts import one_line
from schemas.company import CompanyFacts, Configuration, Locale
from schemas.events import Client, OrgRef

NAME_FIELD = "Client DisplayName Template"


def map_client(
    client: Client,
    configuration: Configuration,
    facts: CompanyFacts,
    *,
    currency: str,
    name_override: str | None = None,
    name_suffix: str = "",
    second: bool = False,
) -> Mapped:
    """The Customer for ``client`` in ``currency`` (ISO code), as `docs/fields.md` lists it.

    :param name_override: the DisplayName given to this one record; stands alone, before template and suffix.
    :param name_suffix: added to what the template gives; the currency of a second customer goes through a template of its own.
    :param second: whether the client has another customer already, in another currency.
    :raises Unmappable: with every problem of the record.
    """
    draft = Draft(problems.label(client))
    name = draft.display_name(
        configuration.client_name_template,
        {"client": client, "org": OrgRef(configuration.org_id, configuration.org_name)},
        field=NAME_FIELD,
        override=name_override,
        suffix=name_suffix,
        second=(configuration.currency_name_template, currency) if second else None,
    )
    draft.put("DisplayName", name)
    if len(one_line(client.name)) <= COMPANY_NAME:
        draft.put("CompanyName", draft.text("CompanyName", client.name, COMPANY_NAME, source="the name"))
    else:
        draft.choose("CompanyName", "", f"Left out: the name is longer than {COMPANY_NAME}; the DisplayName carries it")
    email, source = client.accounts_email, "the accounts email"
    if not (email and email.strip()):
        email, source = client.email, "the email"
    address = draft.email("PrimaryEmailAddr", email, source=source)
    if address is not None:
        draft.choose("PrimaryEmailAddr", str(address["Address"]), f"From {source}")
    draft.put("PrimaryEmailAddr", address)
    phone = draft.text("PrimaryPhone", client.phone, PHONE, source="the phone number", otherwise=draft.leave_out)
    draft.put("PrimaryPhone", None if phone is None else {"FreeFormNumber": phone})
    draft.put("WebAddr", draft.website(client.website, source="the website"))
    draft.put("BillAddr", draft.address("BillAddr", client.address, source="the address"))
    notes = draft.text("Notes", client.notes, NOTES, source="the notes", multiline=True, otherwise=draft.leave_out)
    draft.put("Notes", notes)
    _put_vat_number(draft, client, configuration)
    draft.currency(currency, home=facts.home_currency, multicurrency=facts.multicurrency)
    payload, choices = draft.settle()
    return Mapped("Customer", payload, name, choices, draft.left_out)


def _put_vat_number(draft: Draft, client: Client, configuration: Configuration) -> None:
    """The VAT number, for a new customer alone: QuickBooks masks it afterwards (`mapping.difference`)."""
    number = one_line(client.vat_number or "")
    if not number or not configuration.vat_numbers or configuration.locale is not Locale.EU:
        return
    if len(number) > TAX_IDENTIFIER:
        draft.choose("PrimaryTaxIdentifier", "", f"Left out: the VAT number is longer than {TAX_IDENTIFIER}")
        return
    draft.put(
        "PrimaryTaxIdentifier", draft.text("PrimaryTaxIdentifier", number, TAX_IDENTIFIER, source="the VAT number")
    )
    draft.choose("PrimaryTaxIdentifier", number, "The VAT number, when the customer is created")
