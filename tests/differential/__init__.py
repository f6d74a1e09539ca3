"""The same worlds pushed by two commits, and the requests that QuickBooks got of each compared: ``make differential``."""
