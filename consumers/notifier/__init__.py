"""Telling people: a digest of what waits, at once when it begins, bundled while it lasts, and an all clear when all is resolved."""
