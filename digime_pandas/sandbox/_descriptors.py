"""The descriptor on the wire: as clients send it, and as readers receive it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from digime_pandas._contract import Contract
from digime_pandas._descriptor import FileDescriptor
from digime_pandas.errors import DescriptorError
from digime_pandas.sandbox._refusal import Refusal

# Fields of other vendor clients that readers get back in lower case (digi.me API, SDK-observed).
_LOWERED = {
    "contractId": "contractid",
    "appId": "appid",
    "objectTypes": "objecttypes",
    "serviceGroups": "servicegroups",
}


def read_descriptor(wire: object) -> FileDescriptor:
    """Check a descriptor as it came off the wire, camel case; unknown members are let through.

    Raises:
        Refusal: ``InvalidFileDescriptor``; the message names the member.
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


def received_form(wire: Mapping[str, Any], created: datetime, writer: Contract | None) -> dict[str, Any]:
    """Return the form in which readers receive a descriptor: lower-case names (digi.me API, SDK-observed).

    Args:
        wire: The descriptor as it was sent.
        created: When the file arrived; sent in milliseconds (inferred).
        writer: The contract that wrote it, if it is still known; the descriptor may say another.
    """
    received: dict[str, Any] = {
        "mimetype": wire["mimeType"],
        "accounts": [{"accountid": account["accountId"]} for account in wire["accounts"]],
        "created": round(created.timestamp() * 1000),
    }
    if writer is not None:
        received |= {"contractid": writer.contract_id, "appid": writer.application_id}
    received |= {name: wire[name] for name in ("reference", "tags", "providerName") if name in wire}
    received |= {lower: wire[name] for name, lower in _LOWERED.items() if name in wire}
    return received


def _invalid(reason: str) -> Refusal:
    return Refusal("InvalidFileDescriptor", f"The file descriptor cannot be used: {reason}")
