"""Settle: write back what QBO answered, in one short transaction for many answers, each only if its epoch is still ours."""

from sync.settle.answers import Settle
from sync.settle.transaction import Answer, Settled

__all__ = ["Answer", "Settle", "Settled"]
