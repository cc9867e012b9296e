"""The descriptor on the wire: as clients send it, and as readers receive it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from digime_pandas._service.descriptor import FileDescriptor
from digime_pandas.errors import DescriptorError
from digime_pandas.sandbox._wire.error_replies import Refusal

# Fields of other vendor clients that readers get back in lower case (digi.me API, SDK-observed). Not among them are
# `contractId` and `appId`, which those clients may send too: who wrote a file is known by its signature.
_LOWERED = {
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


def received_form(
    wire: Mapping[str, Any], created: datetime, *, application_id: str | None, contract_id: str | None
) -> dict[str, Any]:
    """Return the form in which readers receive a descriptor: lower-case names (digi.me API, SDK-observed).

    Args:
        wire: The descriptor as it was sent.
        created: When the file arrived; sent in milliseconds (inferred).
        application_id: The application of the contract that wrote it, whatever the descriptor says; None: not known.
        contract_id: That contract's id, likewise.
    """
    received: dict[str, Any] = {
        "mimetype": wire["mimeType"],
        "accounts": [{"accountid": account["accountId"]} for account in wire["accounts"]],
        "created": round(created.timestamp() * 1000),
    }
    writer = {"contractid": contract_id, "appid": application_id}
    received |= {name: value for name, value in writer.items() if value is not None}
    received |= {name: wire[name] for name in ("reference", "tags", "providerName") if name in wire}
    received |= {lower: wire[name] for name, lower in _LOWERED.items() if name in wire}
    return received


def _invalid(reason: str) -> Refusal:
    return Refusal("InvalidFileDescriptor", f"The file descriptor cannot be used: {reason}")
