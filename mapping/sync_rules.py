"""Which records are not to be synced, and why. Such a record needs no mapping and raises no error."""

from __future__ import annotations

from schemas.company import Configuration
from schemas.events import Invoice, InvoiceType, Project, Record, Step

SYNCED_STEPS = frozenset({Step.APPROVED, Step.POSTED, Step.VOIDED})
"""An invoice goes once it reaches one of these (set-up article, "How the sync runs after setup")."""

VOID_NEVER_SENT = "void-never-sent"
"""For `mapping.decide`, which knows what was sent: a void of a document that QBO never had."""


def not_synced(
    record: Record, *, deleted: bool, configuration: Configuration, sent: bool = False
) -> tuple[str, str] | None:
    """The stable cause and the reason in words, when ``record`` is not to be in QBO; else None.

    Causes: ``deleted``, ``project-customers-off``, ``synchronize-off``, ``journal``, ``type:unknown``,
    ``step:<step in lower case>``, ``before-start-date``.

    :param sent: whether QuickBooks has it: the start date decides only about what was never sent.
    """
    if deleted:
        return "deleted", "deleted in Kompass"
    if isinstance(record, Project):
        if not configuration.project_customers:
            return "project-customers-off", "Project customers is off in the Configuration"
        return None
    if isinstance(record, Invoice):
        return _document_not_synced(record, configuration, sent=sent)
    return None


def _document_not_synced(invoice: Invoice, configuration: Configuration, *, sent: bool) -> tuple[str, str] | None:
    if not invoice.synchronize:
        return "synchronize-off", "Synchronize is off in Kompass"
    if invoice.type is InvoiceType.JOURNAL:
        return "journal", "a journal, whose allocations come to zero; journals are not sent"
    if invoice.type is InvoiceType.UNKNOWN:
        return "type:unknown", "of a type that this version of the sync does not know"
    if invoice.step is Step.UNKNOWN:
        return "step:unknown", "at a step that this version of the sync does not know"
    if invoice.step not in SYNCED_STEPS:
        step = invoice.step.value
        return f"step:{step.lower()}", f"its step is {step.capitalize()}; it goes once it is Approved"
    start = configuration.start_date
    if start is not None and invoice.date < start and not sent:
        return "before-start-date", f"dated {invoice.date}, before the start date {start}"
    return None
