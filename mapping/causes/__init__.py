"""Every cause for which a record does not reach QuickBooks: what happened, what to do, and who can do it."""
