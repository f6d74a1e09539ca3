"""The settings of a company that get switched in its mid-life, and the preferences that show them."""

from __future__ import annotations

from collections.abc import Mapping

WARN_DUPLICATES = "warn_duplicates"
"""The one that no preference shows."""
SHOWN_BY: Mapping[str, tuple[str, str]] = {
    "custom_numbers": ("SalesFormsPrefs", "CustomTxnNumbers"),
    "class_tracking": ("AccountingInfoPrefs", "ClassTrackingPerTxnLine"),
    "class_tracking_by_document": ("AccountingInfoPrefs", "ClassTrackingPerTxn"),
    "locations": ("AccountingInfoPrefs", "TrackDepartments"),
    "multicurrency": ("CurrencyPrefs", "MultiCurrencyEnabled"),
    "sales_tax": ("TaxPrefs", "UsingSalesTax"),
    "automated_tax": ("TaxPrefs", "PartnerTaxEnabled"),
    "auto_apply_credit": ("SalesFormsPrefs", "AutoApplyCredit"),
}
COMPANY_SETTINGS = (*SHOWN_BY, WARN_DUPLICATES)
