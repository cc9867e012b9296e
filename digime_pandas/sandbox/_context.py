"""What all endpoints share: settings, contracts, keys, stores and scripted replies."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from digime_pandas._service.contract import Contract
from digime_pandas.errors import ConfigurationError
from digime_pandas.sandbox._store.authorizations import AuthorizationStore
from digime_pandas.sandbox._store.keys import ServiceKeys
from digime_pandas.sandbox._store.library import Library
from digime_pandas.sandbox._wire.envelope import Compression
from digime_pandas.sandbox._wire.redirect_uris import is_registered

Access = Literal["write", "read"]
ScopeMode = Literal["applied", "ignored", "refused"]


@dataclass(frozen=True, slots=True)
class Registration:
    """A registered contract.

    Attributes:
        contract: The contract.
        access: Whether it writes or reads.
    """

    contract: Contract
    access: Access


@dataclass(slots=True)
class ScriptedReplies:
    """How many of the next replies differ from the normal ones; each number counts down to 0.

    Attributes:
        pending_writes: Postbox writes that are answered ``pending``, and not stored.
        pending_lists: File lists that are not complete: ``pending``, the last one ``running``.
    """

    pending_writes: int = 0
    pending_lists: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The options of a sandbox.

    Attributes:
        postbox: Whether a write consent is answered with a postbox (for SDKs up to v8) or not (for later ones).
        compression: How files are compressed for readers; None: not at all.
        access_token_lifetime: Seconds.
        refresh_token_lifetime: Seconds.
        clock_window: Maximum difference of a request's timestamp from the clock, seconds.
        max_file_size: Maximum length of a file in plain bytes.
        redirects: Addresses that are registered on both contracts, beside their own.
        scope: What comes of the scope that a session is asked for with.
        clock: Returns the Unix time in seconds.
        random_bytes: Returns the given number of random bytes.

    Raises:
        ConfigurationError: `compression` or `scope` is not a known one.
    """

    postbox: bool
    compression: Compression | None
    access_token_lifetime: float
    refresh_token_lifetime: float
    clock_window: float
    max_file_size: int
    redirects: frozenset[str]
    scope: ScopeMode
    clock: Callable[[], float]
    random_bytes: Callable[[int], bytes]

    def __post_init__(self) -> None:
        if self.compression not in {None, *get_args(Compression)}:
            raise ConfigurationError(f"compression is {self.compression!r}; use None, 'gzip' or 'brotli'.")
        if self.scope not in get_args(ScopeMode):
            raise ConfigurationError(f"scope is {self.scope!r}; use 'applied', 'ignored' or 'refused'.")


@dataclass(frozen=True, slots=True)
class SandboxContext:
    """What all endpoints share.

    Attributes:
        settings: The sandbox's options.
        registrations: The registered contracts by client id.
        keys: The sandbox's own keys.
        authorizations: Consents, tokens, sessions.
        library: People and files.
        scripted_replies: Which of the next replies differ from the normal ones.
    """

    settings: Settings
    registrations: Mapping[str, Registration]
    keys: ServiceKeys
    authorizations: AuthorizationStore
    library: Library
    scripted_replies: ScriptedReplies

    def may_redirect(self, address: str, contract: Contract) -> bool:
        """Tell whether the consent page of a contract may redirect a browser to an address."""
        return address == contract.redirect_uri or is_registered(address, self.settings.redirects)

    def now(self) -> float:
        """Return the Unix time in seconds."""
        return self.settings.clock()
