"""The demonstration: a real table is written into a library in every format, by both protocols, and read back."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import pandas as pd
from pandas.testing import assert_frame_equal

from digime_pandas._client.client import Client
from digime_pandas._client.read import read_frame
from digime_pandas._client.write import write
from digime_pandas._service.authorization import ACCESSES, Authorization
from digime_pandas._service.receipt import Receipt, Status
from digime_pandas._tabular.formats import FORMATS
from digime_pandas.data import penguins
from digime_pandas.errors import ReadError

ACCOUNT = "penguin-17"


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundTrip:
    """One file that was written and read back.

    Attributes:
        format: Name of its format.
        protocol: ``"postbox"`` (encrypted for the person) or ``"import"`` (encrypted by the connection only).
        status: As in the receipt.
        size: Bytes of the file.
        rows: Rows written.
        write_ms: Milliseconds the write took.
        read_ms: Milliseconds reading back took.
        difference: How the frame read back differs from the one written, or None.
    """

    format: str
    protocol: Literal["postbox", "import"]
    status: Status
    size: int
    rows: int
    write_ms: float
    read_ms: float
    difference: str | None


def introduction(client: Client) -> str:
    """Return what is about to happen, as text with an empty line at its end."""
    return (
        f"A sandbox digi.me runs inside this command at {client.sandbox.origin}, so no account is needed.\n"
        f"One person ({ACCOUNT}) consents to your writing into their library and to your reading it.\n"
        f"A table of {len(penguins())} penguins is then written in each format over both protocols: sealed into the\n"
        "person's postbox, and by direct import. Each file is fetched, opened and compared with the table.\n"
    )


def deliver_all(client: Client) -> Iterator[RoundTrip]:
    """Get one person's consent in the sandbox, then write and read back one file per format and protocol.

    Args:
        client: A client that is connected to the embedded sandbox.

    Yields:
        Each round trip when it is done.

    Raises:
        DigimeError: A file could not be delivered.
    """
    postbox, _ = (_authorize(client, access) for access in ACCESSES)
    frame = penguins()
    for authorization in (postbox, replace(postbox, postbox=None)):
        for name in FORMATS:
            yield _round_trip(client, frame, name, authorization)


def summary(deliveries: Sequence[RoundTrip]) -> str:
    """Return a table of the deliveries and a closing sentence, as text."""
    lines = ["format   protocol  status       bytes  rows  write ms  read ms  read back"]
    lines += [
        f"{each.format:<8} {each.protocol:<9} {each.status:<9} {each.size:>8,} {each.rows:>5} "
        f"{each.write_ms:>9.0f} {each.read_ms:>8.0f}  {'equal' if each.difference is None else 'DIFFERENT'}"
        for each in deliveries
    ]
    different = [each for each in deliveries if each.difference is not None]
    lines += ["", *(f"{each.format} by {each.protocol}: {each.difference}" for each in different)]
    lines.append(
        f"{len(different)} of {len(deliveries)} files came back different."
        if different
        else f"All {len(deliveries)} files came back equal: values, missing values, dtypes, index and SHA-256."
    )
    return "\n".join(lines)


def _authorize(client: Client, access: Literal["write", "read"]) -> Authorization:
    with client.begin_authorization(ACCOUNT, access=access) as flow:
        return flow.complete(client.sandbox.approve(flow.url))


def _round_trip(client: Client, frame: pd.DataFrame, format: str, authorization: Authorization) -> RoundTrip:
    protocol: Literal["postbox", "import"] = "import" if authorization.postbox is None else "postbox"
    started = time.perf_counter()
    receipt = write(
        frame, f"penguins-{protocol}.{format}", account_id=ACCOUNT, client=client, authorization=authorization
    )
    written = time.perf_counter()
    difference = _difference(client, frame, receipt)
    return RoundTrip(
        format=format,
        protocol=protocol,
        status=receipt.status,
        size=receipt.size,
        rows=len(frame),
        write_ms=1000 * (written - started),
        read_ms=1000 * (time.perf_counter() - written),
        difference=difference,
    )


def _difference(client: Client, frame: pd.DataFrame, receipt: Receipt) -> str | None:
    try:
        receipt.verify(client)
        back = read_frame(receipt.file_name, account_id=ACCOUNT, sha256=receipt.sha256, client=client)
        assert_frame_equal(back, frame, check_exact=True)
    except (AssertionError, ReadError) as error:
        return str(error)
    return None
