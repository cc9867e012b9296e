"""The keys with which the service signs its answers: fetched, kept, and looked at once more where none fits."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from digime_pandas._service.crypto.jws import (
    TokenTimeError,
    check_key_set,
    find_key,
    key_address,
    same_origin,
    verify,
)
from digime_pandas._service.masking.secret import Secret
from digime_pandas.errors import APIError

_KEPT_SECONDS = 15 * 60  # as long as the iOS SDK keeps it
_NOT_FOUND = 404


class KeySets:
    """The key sets of a service. One that holds no key that can be read is not kept.

    Args:
        fetch: Returns the parsed document at an address; raises an `APIError` where it cannot.
        base_url: Versioned API base, with its trailing slash.
        now: Clock, Unix seconds.
    """

    def __init__(self, fetch: Callable[[str], object], base_url: str, *, now: Callable[[], float] = time.time) -> None:
        self._fetch = fetch
        self._base_url = base_url
        self._now = now
        self._kept: dict[str, tuple[float, object]] = {}
        self._named: str | None = None  # by the last token that was verified

    def clear(self) -> None:
        """Forget all key sets."""
        self._kept.clear()

    def prepare(self) -> None:
        """Fetch the key set that the next answer will most likely name, unless it is kept.

        Raises:
            ValueError: It holds no key that can be read.
            APIError: It cannot be fetched.
        """
        # Before an answer has named one: where the iOS SDK fetches it (observed).
        address = self._named or f"{self._base_url}jwks/oauth"
        try:
            self._at(address)
        except APIError as error:
            if self._named is None and error.status == _NOT_FOUND:
                return  # the service has its keys elsewhere, and its answer will say where
            if not isinstance(error, ValueError):
                raise
            self._at(address, anew=True)
        except ValueError:
            self._at(address, anew=True)

    def verified(self, token: Secret[str], received: float | None = None) -> Mapping[str, Any]:
        """Return the payload of a token of the service, masked.

        Args:
            token: The token.
            received: As for `verify`.

        Raises:
            ValueError: It is not genuine, or not valid now.
            APIError: The key set cannot be fetched.
        """
        address, key_id = key_address(token)
        if not same_origin(address, self._base_url):
            raise ValueError("its key set (jku) is at another address than the API")
        try:
            payload = self._payload(token, address, key_id, received)
        except TokenTimeError:
            raise
        except ValueError:
            # The keys may have been replaced, or what came instead of them once.
            payload = self._payload(token, address, key_id, received, anew=True)
        self._named = address
        return payload

    def _payload(
        self, token: Secret[str], address: str, key_id: str, received: float | None, *, anew: bool = False
    ) -> Mapping[str, Any]:
        key = find_key(self._at(address, anew=anew), key_id)
        if key is None:
            raise ValueError("its key set has no such key (kid)")
        return verify(token, key, received=received, now=self._now)

    def _at(self, address: str, *, anew: bool = False) -> object:
        fetched, key_set = self._kept.get(address, (0.0, None))
        if anew or key_set is None or not 0 <= self._now() - fetched <= _KEPT_SECONDS:
            key_set = self._fetch(address)
            check_key_set(key_set)
            self._kept[address] = (self._now(), key_set)
        return key_set
