"""A Kompass project becomes a QBO sub-customer (Job) of its billing client."""

from __future__ import annotations

from mapping import problems
from mapping.members import NOTES, Draft, ref
from mapping.results import Mapped
from schemas.company import CompanyFacts, Configuration
from schemas.events import Client, Project

NAME_FIELD = "Project/Sub-customer DisplayName Template"


def map_job(
    project: Project,
    configuration: Configuration,
    facts: CompanyFacts,
    *,
    billing_client: Client,
    currency: str,
    parent_id: str,
    name_override: str | None = None,
    name_suffix: str = "",
    second: bool = False,
) -> Mapped:
    """The Job for ``project`` under the Customer ``parent_id`` of its billing client.

    :param currency: that of the parent: a job has its parent's currency.
    :param parent_id: the QBO Id of the billing client's Customer (Job without ParentRef is refused with 6150).
    :param name_override: the DisplayName given to this one record; stands alone, before template and suffix.
    :param name_suffix: added to what the template gives.
    :param second: whether the project has another job already, in another currency.
    :raises Unmappable: with every problem of the record.
    """
    draft = Draft(problems.label(project))
    name = draft.display_name(
        configuration.project_name_template,
        {
            "project": project,
            "client": project.client,
            "billing_client": billing_client,
            "org": project.org,
        },
        field=NAME_FIELD,
        override=name_override,
        suffix=name_suffix,
        second=(configuration.currency_name_template, currency) if second else None,
    )
    draft.put("DisplayName", name)
    draft.put("Job", True)
    draft.put("ParentRef", ref(parent_id))
    draft.choose("ParentRef", parent_id, f"Billing client {problems.quoted(billing_client.name)}")
    draft.put("BillWithParent", True)
    draft.put("ShipAddr", draft.address("ShipAddr", project.address, source="the project's address"))
    notes = draft.text("Notes", project.details, NOTES, source="the details", multiline=True, otherwise=draft.leave_out)
    draft.put("Notes", notes)
    draft.currency(currency, home=facts.home_currency, multicurrency=facts.multicurrency)
    payload, choices = draft.settle()
    return Mapped("Customer", payload, name, choices, draft.left_out)
