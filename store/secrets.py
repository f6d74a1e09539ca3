"""Tokens at rest: Fernet (AES-128-CBC with HMAC-SHA-256), keys from TOKEN_KEYS, the first one encrypts, all decrypt."""

from __future__ import annotations

from collections.abc import Sequence

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from store.errors import BadTokenKeys, UnreadableToken


class TokenKeys:
    """Encrypts and decrypts the tokens of connections.

    To rotate: put a new key first, restart, run `kompass-qbo doctor --rotate-keys`, remove the old key.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        """Take the keys, newest first.

        Raises
        ------
        BadTokenKeys
            none given, or one of them is not 32 url-safe base64 bytes. The message never holds a key.
        """
        if not keys:
            raise BadTokenKeys("TOKEN_KEYS is empty; give one or more Fernet keys, comma-separated, the newest first")
        fernets = []
        for position, key in enumerate(keys, start=1):
            try:
                fernets.append(Fernet(key))
            except ValueError:
                raise BadTokenKeys(
                    f"TOKEN_KEYS: key {position} of {len(keys)} is not a Fernet key (32 bytes in url-safe base64); "
                    "`kompass-qbo doctor` shows how to make one"
                ) from None
        self._fernet = MultiFernet(fernets)

    @classmethod
    def parse(cls, text: str) -> TokenKeys:
        """Read the comma-separated form of TOKEN_KEYS."""
        return cls([key.strip() for key in text.split(",") if key.strip()])

    def encrypt(self, token: str) -> str:
        return self._fernet.encrypt(token.encode()).decode()

    def decrypt(self, stored: str) -> str:
        try:
            return self._fernet.decrypt(stored.encode()).decode()
        except InvalidToken:
            raise UnreadableToken(
                "a stored QuickBooks token cannot be decrypted with any of TOKEN_KEYS; put the key it was encrypted "
                "with back into TOKEN_KEYS, or run Authorize with QuickbooksOnline again"
            ) from None

    def rotate(self, stored: str) -> str:
        """Encrypt again with the first key what any of the keys can read."""
        try:
            return self._fernet.rotate(stored.encode()).decode()
        except InvalidToken:
            raise UnreadableToken("a stored QuickBooks token cannot be decrypted with any of TOKEN_KEYS") from None
