"""The Django Admin site in which a Kompass admin sets up the sync; its app `quickbooks_online` owns the database schema.

Interface: `urls` and `wsgi` for a server; `quickbooks_online` as an app of Kompass's own site. It speaks to the pipeline only through the
database: what is saved raises a version, what is asked makes a link due.

Units: amounts are shown in the document's currency, times in the zone of the person who looks.

Errors: `quickbooks_online.companies.CompanyError` says why a company cannot be asked, with a remedy; a page shows both.

Source: the set-up article of Kompass; docs/admin.md.
"""
