"""What a write would send, worked out and checked before anything is sent. Write and preview both start here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from uuid import uuid4

from digime_pandas._service.descriptor import FileDescriptor, check_accounts, check_file_name
from digime_pandas._service.receipt import SCHEMA_PREFIX, WRITE_ID_PREFIX
from digime_pandas._tabular.formats import Format, resolve_format
from digime_pandas._tabular.serialize import SerializableFrame, inspect_frame


@dataclass(frozen=True, slots=True)
class WriteRequest:
    """What is known of a write without its rows."""

    file_name: str
    format: Format
    descriptor: FileDescriptor
    carries_schema: bool


@dataclass(frozen=True, slots=True)
class WritePlan:
    """A write that can be carried out as it stands."""

    file_name: str
    descriptor: FileDescriptor
    prepared: SerializableFrame


def check_write_request(
    file_name: str,
    *,
    account_id: str | Iterable[str],
    format: str | None,
    reference: Iterable[str] | None,
    tags: Iterable[str],
    mime_type: str | None,
) -> WriteRequest:
    """Check what does not depend on the rows; the arguments are those of `write`.

    Raises:
        InputError: One of them is not valid.
    """
    found = resolve_format(check_file_name(file_name), format)
    descriptor = FileDescriptor(
        found.mime_type if mime_type is None else mime_type,
        check_accounts(account_id),
        default_reference(file_name) if reference is None else reference,
        tags,
    )
    return WriteRequest(file_name, found, descriptor, carries_schema=reference is None)


def plan_write(
    frame: object, outline: WriteRequest, *, index: bool | None, options: Mapping[str, object], warn_of_cut: bool = True
) -> WritePlan:
    """Look at the rows and complete the outline.

    Args:
        frame: The frame.
        outline: What is known without it.
        index: Whether the index is kept.
        options: Options of the format.
        warn_of_cut: Whether to warn of categories and the like that are left out because no row has them. False suits
            a part of a larger frame, and an empty frame that stands for its dtypes.

    Raises:
        FidelityError: The format cannot hold a column.
        InputError: The frame or an option is not valid.
    """
    prepared = inspect_frame(frame, outline.format, index=index, options=options, warn_of_cut=warn_of_cut)
    descriptor = outline.descriptor
    if outline.carries_schema and prepared.schema is not None:
        descriptor = replace(descriptor, reference=(*descriptor.reference, SCHEMA_PREFIX + prepared.schema))
    return WritePlan(outline.file_name, descriptor, prepared)


def default_reference(file_name: str) -> tuple[str, str]:
    """Return what a file is found by where nobody says: its name and a new write id."""
    return file_name, f"{WRITE_ID_PREFIX}{uuid4()}"
