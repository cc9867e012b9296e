"""Descriptors in the two forms of the protocol: as writers send them, and as readers receive them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from digime_pandas._service.descriptor import FileDescriptor
from digime_pandas.errors import DescriptorError
from digime_pandas.sandbox._wire.error_replies import ErrorReply

# Members sent by other vendor clients that readers receive in lower case (digi.me API, SDK-observed). `contractId` and
# `appId`, which those clients may send too, are not among them: the writer of a file is known by its signature.
_LOWER_CASE_NAMES = {
    "objectTypes": "objecttypes",
    "serviceGroups": "servicegroups",
}


def parse_descriptor(wire: object) -> FileDescriptor:
    """Parse a descriptor as a writer sends it, in camel case; unknown members are ignored.

    Args:
        wire: The parsed JSON.

    Returns:
        The descriptor, checked.

    Raises:
        ErrorReply: ``InvalidFileDescriptor``; the message names the member.
    """
    if not isinstance(wire, Mapping):
        raise _invalid("it is not a JSON object")
    missing = {"mimeType", "accounts"} - wire.keys()
    if missing:
        raise _invalid(f"it lacks {' and '.join(sorted(missing))}")
    accounts = wire["accounts"]
    if not isinstance(accounts, list) or not all(
        isinstance(account, Mapping) and isinstance(account.get("accountId"), str) for account in accounts
    ):
        raise _invalid('accounts is not an array of {"accountId": string}')
    for name in ("reference", "tags"):
        if not isinstance(wire.get(name, []), list):
            raise _invalid(f"{name} is not an array")
    try:
        return FileDescriptor(
            wire["mimeType"],
            [account["accountId"] for account in accounts],
            wire.get("reference", []),
            wire.get("tags", []),
        )
    except DescriptorError as error:
        raise _invalid(str(error)) from None


def descriptor_for_readers(
    wire: Mapping[str, Any], created: datetime, *, application_id: str | None, contract_id: str | None
) -> dict[str, Any]:
    """Return a descriptor in the form that readers receive, with lower-case names (digi.me API, SDK-observed).

    Args:
        wire: The descriptor as the writer sent it.
        created: When the file arrived; readers receive it in Unix milliseconds (inferred).
        application_id: Application of the contract that signed the write, regardless of what the descriptor claims;
            None: not known.
        contract_id: Id of that contract; None: not known.

    Returns:
        The object to send as JSON.
    """
    received: dict[str, Any] = {
        "mimetype": wire["mimeType"],
        "accounts": [{"accountid": account["accountId"]} for account in wire["accounts"]],
        "created": round(created.timestamp() * 1000),
    }
    writer = {"contractid": contract_id, "appid": application_id}
    received |= {name: value for name, value in writer.items() if value is not None}
    received |= {name: wire[name] for name in ("reference", "tags", "providerName") if name in wire}
    received |= {lower: wire[name] for name, lower in _LOWER_CASE_NAMES.items() if name in wire}
    return received


def _invalid(reason: str) -> ErrorReply:
    return ErrorReply("InvalidFileDescriptor", f"The file descriptor cannot be used: {reason}")
