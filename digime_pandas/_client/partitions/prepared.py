"""A part of a frame as the bytes of its file, where it was computed, and what is known of it."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import pandas as pd

from digime_pandas._client.write_plan import WriteRequest, plan_write
from digime_pandas._service.descriptor import FileDescriptor
from digime_pandas.errors import InputError, collected_warnings


@dataclass(frozen=True, slots=True, kw_only=True)
class PartFacts:
    """What is known of a part before it is sent: all that granting takes.

    Attributes:
        key: Names the part within its run.
        file_name: Name of its file.
        descriptor: What the library will be told about it.
        rows: Its rows.
        size: Bytes of the file.
        sha256: Their SHA-256, as hex digits.
        losses: As of a receipt.
        renews_write_id: As of an `Upload`.
    """

    key: str
    file_name: str
    descriptor: FileDescriptor
    rows: int
    size: int
    sha256: str
    losses: tuple[str, ...]
    renews_write_id: bool


@dataclass(frozen=True, slots=True)
class PreparedPart:
    """A part that is ready to be sent.

    Args:
        facts: What is known of it.
        pieces: The bytes of its file.
    """

    facts: PartFacts
    pieces: tuple[bytes, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class RefusedPart:
    """A part that cannot be written.

    Args:
        key: Names it within its run.
        error: Why.
    """

    key: str
    error: Exception


@dataclass(frozen=True, slots=True, eq=False)
class Labels:
    """The labels of a frame's columns and the names of its index levels, in which all its parts have to agree.

    Args:
        columns: The labels of the columns.
        levels: The names of the index levels.
    """

    columns: pd.Index[Any]
    levels: pd.Index[Any]

    @classmethod
    def of(cls, part: pd.DataFrame | pd.Series[Any]) -> Labels:
        """Return those of a frame or series."""
        columns = pd.Index([part.name], dtype=object) if isinstance(part, pd.Series) else part.columns.astype(object)
        return cls(columns, pd.Index(list(part.index.names), dtype=object))

    def check(self, part: pd.DataFrame | pd.Series[Any]) -> None:
        """Check that a part has these.

        Raises:
            InputError: It has others.
        """
        found = Labels.of(part)
        for what, own, expected in (
            ("columns", found.columns, self.columns),
            ("index levels", found.levels, self.levels),
        ):
            if not own.equals(expected):
                raise InputError(
                    f"The partition has the {what} {list(own)}, and its Dask frame says {list(expected)}. Make all "
                    "partitions alike, or pass the right meta= where the frame is made."
                )


def prepare_one(
    part: pd.DataFrame | pd.Series[Any], key: str, request: WriteRequest, labels: Labels
) -> tuple[PreparedPart]:
    """Serialize a part of a frame, as the only one of its partition; see `prepare_part`.

    Raises:
        InputError: It cannot be written as asked, or has other labels.
    """
    labels.check(part)
    return (prepare_part(part, key, request),)


def prepare_part(part: object, key: str, request: WriteRequest) -> PreparedPart:
    """Serialize a part of a frame. What there is to warn of is among the facts.

    Args:
        part: The rows.
        key: Names the part within its run.
        request: The checked arguments of its write.

    Raises:
        InputError: It cannot be written as asked.
    """
    with collected_warnings():
        plan = plan_write(part, request)
        with closing(plan.frame), closing(plan.frame.chunks()) as chunks:
            pieces = tuple(bytes(chunk) for chunk in chunks)
    digest = sha256()
    for piece in pieces:
        digest.update(piece)
    facts = PartFacts(
        key=key,
        file_name=plan.file_name,
        descriptor=plan.descriptor,
        rows=plan.frame.rows or 0,
        size=sum(map(len, pieces)),
        sha256=digest.hexdigest(),
        losses=plan.frame.warnings,
        renews_write_id=plan.renews_write_id,
    )
    return PreparedPart(facts, pieces)
