"""What is kept of an authorization from its link to its answer. Values only."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from hashlib import sha256
from typing import Any, Literal, get_args

from digime_pandas._service.authorization import ACCESSES, Access, is_unicode
from digime_pandas._service.masking.secret import MaskedMapping, Secret
from digime_pandas._service.masking.tracebacks import FramesDropped

LATEST = 253_402_300_799.0  # the end of the year 9999, the last that `datetime` knows
PendingStatus = Literal["pending", "exchanging", "given", "refused", "ended", "unverified", "forgotten"]
_SECRETS = ("verifier", "answer")


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingAuthorization:
    """An authorization of one person: asked for, being completed, or answered.

    It is kept under the digest of its `state`, so that the store does not hold the `state` itself.

    Args:
        account_id: The person's id in your own system.
        access: ``"write"`` or ``"read"``.
        environment: Base URL of the API that made the link.
        client_id: The contract's `client_id`.
        begun: When it was begun, Unix seconds.
        expires: Until when an address that comes back is taken, Unix seconds.
        status: ``"pending"``: not answered. ``"exchanging"``: its code was sent to the service, and what came of it was
            not noted, because it is going on or was cut off. ``"given"``: its tokens were stored. ``"refused"``: the
            consent page said no; an address of success is still taken. The others are notes on a code or a refresh
            token, kept under the digest of that. ``"unverified"``: the service's answer to it, of which it is not known
            yet whether it is genuine. ``"forgotten"``: what it leads to is not to be stored. ``"ended"``, of earlier
            versions: the service refused it.
        verifier: The PKCE code verifier, a secret; None once it is not needed any more.
        code: Digest of the code that was sent to the service, or None.
        answer: The service's answer that was not verified, a secret; or None.
    """

    account_id: str
    access: Access
    environment: str
    client_id: str
    begun: float
    expires: float
    status: PendingStatus = "pending"
    verifier: Secret[str] | None = None
    code: str | None = None
    answer: Secret[str] | None = None


def digest(secret: Secret[str]) -> str:
    """Return the SHA-256 (hex) of a secret with too much chance in it to be guessed."""
    return sha256(secret.reveal().encode(errors="surrogatepass")).hexdigest()


def to_json(pending: PendingAuthorization) -> Secret[bytes]:
    """Return the record as JSON, which contains the verifier."""
    members: dict[str, Any] = asdict(pending)
    with FramesDropped():
        return Secret(json.dumps(members, default=lambda secret: secret.reveal()).encode())


def from_json(content: Secret[bytes]) -> PendingAuthorization | None:
    """Return the record that `to_json` wrote, or None for anything else."""
    # None instead of the parser's error: that one carries the content.
    try:
        with FramesDropped():
            members = MaskedMapping({"answer": None, **json.loads(content.reveal())})  # the first records had none
        record = {each.name: Secret(members[each.name]) for each in fields(PendingAuthorization)}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    if not _is_usable(record):
        return None
    verifier, answer = (None if each.reveal() is None else each for each in map(record.pop, _SECRETS))
    clear = {name: value.reveal() for name, value in record.items()}
    return PendingAuthorization(**clear, verifier=verifier, answer=answer)


def _is_usable(record: Mapping[str, Secret[Any]]) -> bool:
    kinds: dict[str, Any] = {"begun": int | float, "expires": int | float}
    kinds |= dict.fromkeys((*_SECRETS, "code"), str | None)
    return (
        all(isinstance(value.reveal(), kinds.get(name, str)) for name, value in record.items())
        and all(is_unicode(value.reveal()) for value in record.values())
        and all(0 <= record[name].reveal() <= LATEST for name in ("begun", "expires"))
        and record["access"].reveal() in ACCESSES
        and record["status"].reveal() in get_args(PendingStatus)
    )
