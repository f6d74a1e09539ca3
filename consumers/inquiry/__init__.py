"""Questions that are asked of the pipeline without moving it: what would be sent and why, and what happened to a record."""
