"""The service as its endpoints see it: contracts, keys, settings, and what is kept."""

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

Access = Literal["write", "read"]


@dataclass(frozen=True, slots=True)
class Registration:
    """A contract that the service knows, and what it is for."""

    contract: Contract
    access: Access


@dataclass(slots=True)
class ScriptedReplies:
    """Turns of events that a test or a demonstration asks for; counted down as they happen.

    Attributes:
        pending_writes: How many of the next postbox writes are answered ``pending``, and not stored.
        pending_lists: How many of the next file lists are not complete: ``pending``, the last one ``running``.
    """

    pending_writes: int = 0
    pending_lists: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How the service behaves, fixed at its start.

    Attributes:
        postbox: Whether a write consent answers with a postbox (SDKs up to v8) or not (later ones).
        compression: How files are compressed for readers.
        access_token_lifetime: Seconds.
        refresh_token_lifetime: Seconds.
        clock_window: Most seconds a request's timestamp may be off.
        max_file_size: Most plain bytes of a file.
        clock: Gives the Unix time in seconds.
    """

    postbox: bool
    compression: Compression | None
    access_token_lifetime: float
    refresh_token_lifetime: float
    clock_window: float
    max_file_size: int
    clock: Callable[[], float]

    def __post_init__(self) -> None:
        if self.compression not in {None, *get_args(Compression)}:
            raise ConfigurationError(f"compression is {self.compression!r}; use None, 'gzip' or 'brotli'.")


@dataclass(frozen=True, slots=True)
class Service:
    """Everything the endpoints share.

    Attributes:
        settings: How the service behaves.
        registrations: The known contracts by client id.
        keys: The service's own keys.
        grants: ContractAuthorizations, tokens, sessions.
        library: People and files.
        rehearsals: What to make happen next.
    """

    settings: Settings
    registrations: Mapping[str, Registration]
    keys: ServiceKeys
    grants: AuthorizationStore
    library: Library
    rehearsals: ScriptedReplies

    def now(self) -> float:
        """Return the Unix time in seconds."""
        return self.settings.clock()
