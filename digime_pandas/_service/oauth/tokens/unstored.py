"""Authorizations that the token store did not take: kept in this process, and offered to the store again."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress

from digime_pandas._service.authorization import Authorization
from digime_pandas._service.process import reset_after_fork
from digime_pandas.errors import DigimeWarning, TokenStoreError, warn


class UnstoredAuthorizations:
    """Authorizations of one contract that could not be stored. Safe to use from several threads.

    Args:
        read: Returns what the store has of an account, or None.
        put: Stores an authorization.

    Attributes:
        kept: What is kept, by account; empty unless storing failed.
    """

    def __init__(self, read: Callable[[str], Authorization | None], put: Callable[[Authorization], None]) -> None:
        self._read = read
        self._put = put
        self.kept: dict[str, Authorization] = {}
        self._replacing: set[str] = set()  # accounts of which the store had an older one
        self._lock = threading.RLock()
        reset_after_fork(self, UnstoredAuthorizations._renew_lock)

    def keep(self, authorization: Authorization, error: TokenStoreError) -> None:
        """Keep an authorization that could not be stored, and warn of it.

        Args:
            authorization: The authorization.
            error: Why it could not be stored.
        """
        account_id = authorization.account_id
        with self._lock:
            self.kept[account_id] = authorization
            with suppress(TokenStoreError):
                if self._read(account_id) is not None:
                    self._replacing.add(account_id)
        warn(
            f"The tokens of account {account_id!r} could not be stored. This process goes on with them in its memory, "
            "and stores them as soon as that is possible. If it ends before, the person has to authorize again. "
            f"{error}",
            DigimeWarning,
        )

    def get(self, account_id: str) -> Authorization | None:
        """Return the newest authorization of an account, of memory and store; that of memory is stored if possible.

        Raises:
            TokenStoreError: Nothing is kept of it, and the store cannot be used.
        """
        with self._lock:
            kept = self.kept.get(account_id)
            if kept is None:
                return self._read(account_id)
            with suppress(TokenStoreError):
                stored = self._read(account_id)
                forgotten = stored is None and account_id in self._replacing
                if forgotten or (stored is not None and stored.serial >= kept.serial):
                    self.forget(account_id)
                    return stored
                self._put(kept)
                self.forget(account_id)
            return kept

    def forget(self, account_id: str) -> bool:
        """Forget what is kept of an account; tell whether there was anything."""
        with self._lock:
            self._replacing.discard(account_id)
            return self.kept.pop(account_id, None) is not None

    def _renew_lock(self) -> None:
        self._lock = threading.RLock()
