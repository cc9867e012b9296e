"""How things stand with each account's consent: given, asked for, refused or over."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from digime_pandas._service.authorization import Access, Authorization
from digime_pandas._service.oauth.authorizations import ContractAuthorizations
from digime_pandas._service.oauth.pending.record import PendingAuthorization, digest

Standing = Literal["given", "pending", "refused", "expired"]
# Which one counts where an account has several.
_ORDER: tuple[Standing, ...] = ("given", "pending", "refused", "expired")


@dataclass(frozen=True, slots=True)
class ConsentStatus:
    """How things stand with one account's consent.

    Args:
        account_id: The person's id in your own system.
        access: ``"write"`` or ``"read"``.
        status: ``"given"``, ``"pending"``, ``"refused"`` or ``"expired"``.
        until: When that ends or ended, Unix seconds; None for a refusal, of the person or of tokens by the service.
        user_id: The person's id at the service, where it is known.
    """

    account_id: str
    access: Access
    status: Standing
    until: float | None
    user_id: str | None = None


def consent_statuses(consents: Iterable[ContractAuthorizations], now: Callable[[], float]) -> list[ConsentStatus]:
    """Return one status per account and access, sorted by account, writing before reading.

    Args:
        consents: The authorizations of each contract, writing first.
        now: Clock, Unix seconds.
    """
    found: dict[tuple[str, int], ConsentStatus] = {}
    for number, each in enumerate(consents):
        for status in _statuses(each, now()):
            known = found.setdefault((status.account_id, number), status)
            if _ORDER.index(status.status) < _ORDER.index(known.status):
                found[status.account_id, number] = status
    return [found[key] for key in sorted(found)]


def _statuses(consents: ContractAuthorizations, now: float) -> Iterator[ConsentStatus]:
    records = consents.pending.records()
    ended = {key for key, pending in records if pending.status == "ended"}  # as earlier versions noted it
    for authorization in consents.stored():
        yield _of_authorization(authorization, ended, now)
    # The newest first, so that of several links of one kind it is the one that is told of.
    for _, pending in sorted(records, key=lambda record: -record[1].begun):
        if pending.status in {"pending", "exchanging", "refused"}:
            yield _of_pending(pending, now)


def _of_authorization(authorization: Authorization, ended: set[str], now: float) -> ConsentStatus:
    pair = authorization.user_access_token
    is_refused = authorization.refused or (bool(ended) and digest(pair.refresh_token.secret) in ended)
    return ConsentStatus(
        authorization.account_id,
        authorization.access,
        "refused" if is_refused else "expired" if pair.is_over(now) else "given",
        None if is_refused else float(max(pair.refresh_token.expiry, pair.access_token.expiry)),
        authorization.user_id,
    )


def _of_pending(pending: PendingAuthorization, now: float) -> ConsentStatus:
    if pending.status == "refused":
        return ConsentStatus(pending.account_id, pending.access, "refused", None)
    is_open = pending.verifier is not None and pending.expires > now
    return ConsentStatus(pending.account_id, pending.access, "pending" if is_open else "expired", pending.expires)
