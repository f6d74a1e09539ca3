"""The agreement sheet: a month's documents in Kompass against those in QuickBooks, for a bookkeeper to file."""
