"""Quickbooks Online in Django Admin: configurations, mappings, links to QBO, sync errors. Owns the database schema."""
