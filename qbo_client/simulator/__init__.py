"""A stand-in for Intuit: OAuth 2.0 and the QuickBooks Online Accounting API, for people and tests to run against.

``python -m qbo_client.simulator --port 8765`` runs it alone; ``with Simulator() as intuit:`` inside a test. It is never more
lenient than QuickBooks; docs/simulator.md says what it does, and how sure each behaviour is.
"""

from qbo_client.simulator.clock import Clock
from qbo_client.simulator.oauth import DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET
from qbo_client.simulator.runner import Simulator
from qbo_client.simulator.seeds import CANADA, IRELAND, REALMS, SELF_NUMBERED, UK, USA, USA_AUTOMATED_TAX
from qbo_client.simulator.settings import Settings

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
