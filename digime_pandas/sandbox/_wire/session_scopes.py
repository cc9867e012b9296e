"""The scope of a reading session: which files of a library it lists.

The members are those of the vendor's Node SDK 16 (observed in its types); what they mean here is inferred: a file has
to meet one criterion, and for that each member of it; of a list, it needs one value. `from` is in Unix seconds.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from digime_pandas.sandbox._wire.error_replies import ErrorReply

_LISTS = ("appId", "contractId", "mimeType", "reference", "tags")


@dataclass(frozen=True, slots=True)
class StoredFile:
    """What of a file a scope is compared with.

    Attributes:
        descriptor: As the writer sent it.
        created: Unix milliseconds.
        application_id: Application of the contract that wrote it; None: not known.
        contract_id: That contract's id; None: not known.
    """

    descriptor: Mapping[str, Any]
    created: int
    application_id: str | None
    contract_id: str | None

    def values(self, name: str) -> set[str]:
        """Return what the file has for a member of a criterion's metadata."""
        if name in {"appId", "contractId"}:
            writer = self.application_id if name == "appId" else self.contract_id
            return set() if writer is None else {writer}
        if name == "accounts":
            return {account["accountId"] for account in self.descriptor["accounts"]}
        found = self.descriptor.get(name, [])
        return {found} if isinstance(found, str) else set(found)


@dataclass(frozen=True, slots=True)
class SessionScope:
    """The scope of a session.

    Attributes:
        criteria: As the client sent them, checked.
    """

    criteria: tuple[Mapping[str, Any], ...]

    @classmethod
    def from_json(cls, text: str) -> SessionScope:
        """Return the scope that `to_json` made the text of."""
        return cls(tuple(json.loads(text)))

    def to_json(self) -> str:
        """Return the scope as text, to be stored."""
        return json.dumps(self.criteria)

    def admits(self, file: StoredFile) -> bool:
        """Tell whether the session lists a file."""
        return any(_meets(file, criterion) for criterion in self.criteria)


def parse_scope(options: Mapping[str, Any]) -> SessionScope | None:
    """Return the scope among the options of a session; None: it lists all files.

    `timeRanges` and `serviceGroups`, which are about other data than files, are ignored, as are unknown members.

    Raises:
        ErrorReply: ``ScopeOutOfBounds``; the message names the member.
    """
    scope = options.get("scope", {})
    if not isinstance(scope, Mapping):
        raise _out_of_bounds("scope is not a JSON object")
    criteria = scope.get("criteria", [])
    if not isinstance(criteria, list) or not all(isinstance(criterion, Mapping) for criterion in criteria):
        raise _out_of_bounds("scope.criteria is not an array of objects")
    for criterion in criteria:
        _check_criterion(criterion)
    return SessionScope(tuple(criteria)) if criteria else None


def _check_criterion(criterion: Mapping[str, Any]) -> None:
    start = criterion.get("from", 0)
    if not isinstance(start, int | float) or isinstance(start, bool) or not start >= 0:
        raise _out_of_bounds("from is not a number of seconds")
    if "last" in criterion:
        raise _out_of_bounds("this sandbox does not know the member last; use from")
    metadata = criterion.get("metadata", {})
    if not isinstance(metadata, Mapping):
        raise _out_of_bounds("metadata is not a JSON object")
    for name in _LISTS:
        values = metadata.get(name, [])
        if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
            raise _out_of_bounds(f"metadata.{name} is not an array of strings")
    accounts = metadata.get("accounts", [])
    if not isinstance(accounts, list) or not all(
        isinstance(account, Mapping) and isinstance(account.get("accountId"), str) for account in accounts
    ):
        raise _out_of_bounds('metadata.accounts is not an array of {"accountId": string}')


def _meets(file: StoredFile, criterion: Mapping[str, Any]) -> bool:
    metadata = criterion.get("metadata", {})
    wanted = {name: set(metadata[name]) for name in _LISTS if name in metadata}
    if "accounts" in metadata:
        wanted["accounts"] = {account["accountId"] for account in metadata["accounts"]}
    is_recent = file.created >= criterion.get("from", 0) * 1000
    return is_recent and all(values & file.values(name) for name, values in wanted.items())


def _out_of_bounds(reason: str) -> ErrorReply:
    return ErrorReply("ScopeOutOfBounds", f"The scope cannot be used: {reason}")
