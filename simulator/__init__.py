"""A stand-in for Intuit: OAuth 2.0 and the QuickBooks Online Accounting API, for people and tests to run against.

``python -m simulator --port 8765`` runs it alone; ``with Simulator() as intuit:`` inside a test. It is never more
lenient than QuickBooks; docs/simulator.md says what it does, and how sure each behaviour is.
"""

from simulator.clock import Clock
from simulator.oauth import DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET
from simulator.runner import Simulator
from simulator.seeds import CANADA, IRELAND, REALMS, SELF_NUMBERED, UK, USA, USA_AUTOMATED_TAX
from simulator.settings import Settings

__all__ = [
    "CANADA",
    "DEFAULT_CLIENT_ID",
    "DEFAULT_CLIENT_SECRET",
    "IRELAND",
    "REALMS",
    "SELF_NUMBERED",
    "UK",
    "USA",
    "USA_AUTOMATED_TAX",
    "Clock",
    "Settings",
    "Simulator",
]
