"""Every cause for which a record does not reach QuickBooks, in words: what happened, what to do, and who can do it."""
