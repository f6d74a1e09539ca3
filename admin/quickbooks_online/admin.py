"""The section as Django Admin finds it."""

from __future__ import annotations

from django.contrib import admin

from admin.quickbooks_online.models import Configuration, Customer, Failure, Invoice, Project
from admin.quickbooks_online.pages.configurations import ConfigurationAdmin
from admin.quickbooks_online.pages.customers import CustomerAdmin
from admin.quickbooks_online.pages.links import ProjectAdmin
from admin.quickbooks_online.pages.mappings import MAPPING_ADMINS
from admin.quickbooks_online.pages.sync_errors import FailureAdmin
from admin.quickbooks_online.pages.trail import TracedInvoiceAdmin

admin.site.register(Configuration, ConfigurationAdmin)
admin.site.register(Customer, CustomerAdmin)
admin.site.register(Project, ProjectAdmin)
admin.site.register(Invoice, TracedInvoiceAdmin)
admin.site.register(Failure, FailureAdmin)
for model, page in MAPPING_ADMINS.items():
    admin.site.register(model, page)
