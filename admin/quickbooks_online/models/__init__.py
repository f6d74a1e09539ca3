"""The tables. `store.tables` describes the same ones for the consumers; a test holds the two together."""

from admin.quickbooks_online.models.activity import Activity
from admin.quickbooks_online.models.authorizations import PendingAuthorization
from admin.quickbooks_online.models.backfills import Backfill
from admin.quickbooks_online.models.company import CompanyConnection, CompanyFacts, ExchangeRate, FiledMonth, QuotaLease
from admin.quickbooks_online.models.configuration import (
    Configuration,
    CustomField,
    DepartmentClass,
    ItemService,
    Mapping,
    Sweep,
    TaxCodeVatRate,
)
from admin.quickbooks_online.models.differences import Difference
from admin.quickbooks_online.models.failures import Failure, Outbox, Probe
from admin.quickbooks_online.models.gauges import GaugeKeeper
from admin.quickbooks_online.models.inventory import Existing, Inventory
from admin.quickbooks_online.models.kompass import Department, Org, Record, Service, VatRate
from admin.quickbooks_online.models.links import Attempt, Customer, History, Invoice, Link, Project
from admin.quickbooks_online.models.lists import CompanyList
from admin.quickbooks_online.models.mails import Mail, Notice
from admin.quickbooks_online.models.restores import Reached, Restore, Stock, Stocktaking
from admin.quickbooks_online.models.stretches import Stretch

__all__ = [
    "Activity",
    "Attempt",
    "Backfill",
    "CompanyConnection",
    "CompanyFacts",
    "CompanyList",
    "Configuration",
    "CustomField",
    "Customer",
    "Department",
    "DepartmentClass",
    "Difference",
    "ExchangeRate",
    "Existing",
    "Failure",
    "FiledMonth",
    "GaugeKeeper",
    "History",
    "Inventory",
    "Invoice",
    "ItemService",
    "Link",
    "Mail",
    "Mapping",
    "Notice",
    "Org",
    "Outbox",
    "PendingAuthorization",
    "Probe",
    "Project",
    "QuotaLease",
    "Reached",
    "Record",
    "Restore",
    "Service",
    "Stock",
    "Stocktaking",
    "Stretch",
    "Sweep",
    "TaxCodeVatRate",
    "VatRate",
]
