"""What this room raises. What Intuit or the network does to an API call is not here: that is an `Outcome`."""

from __future__ import annotations


class QboClientError(Exception):
    """Base of everything this room raises."""


class EnvironmentInvalid(QboClientError, ValueError):
    """The name of the Intuit environment cannot be understood."""


class CallInvalid(QboClientError, ValueError):
    """A call was put together in a way that Intuit cannot take: our mistake, found before anything is sent."""


class BodyInvalid(QboClientError, ValueError):
    """A body holds a value that JSON has no form for, such as NaN: our mistake, found before anything is sent."""


class ReadFailed(QboClientError):
    """A read that needs an answer did not get one. `outcome` holds what came instead."""

    def __init__(self, message: str, outcome: object) -> None:
        super().__init__(message)
        self.outcome = outcome


class FactMissing(QboClientError):
    """Intuit answered, and the answer lacks something that every company has."""


class OAuthError(QboClientError):
    """Base of what can go wrong at Intuit's OAuth endpoints. Messages never hold a token, a code or a secret."""

    def __init__(self, message: str, *, intuit_tid: str | None = None) -> None:
        super().__init__(message)
        self.intuit_tid = intuit_tid


class GrantRefused(OAuthError):
    """`invalid_grant`: the code or the refresh token is dead. Only a person can connect the company again."""


class ClientRefused(OAuthError):
    """`invalid_client` and its like: our keys or redirect address are wrong. An operator's matter."""


class OAuthUnavailable(OAuthError):
    """Network, timeout, 5xx or an answer that cannot be read.

    Intuit may have done it, unless `sent` is False: then not one byte left this machine.
    """

    def __init__(self, message: str, *, intuit_tid: str | None = None, sent: bool = True) -> None:
        super().__init__(message, intuit_tid=intuit_tid)
        self.sent = sent
