"""A write before anything is sent: its arguments, checked once, and with the rows exactly what will be sent."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from uuid import UUID

from digime_pandas._client.arguments import REQUEST_DEFAULTS, WRITE_ARGUMENTS, WRITE_DEFAULTS, WriteArguments
from digime_pandas._service.descriptor import (
    SCHEMA_PREFIX,
    WRITE_ID_PREFIX,
    AccountIds,
    FileDescriptor,
    FileName,
    check_file_name,
)
from digime_pandas._tabular.formats import Format, no_option, resolve_format
from digime_pandas._tabular.serialize import SerializableFrame, inspect_frame
from digime_pandas.errors import InputError, in_words
from digime_pandas.errors.calls.explained import advice_for

_OF_IDS = "write_each and preview_each take the account ids from the column that by= names. Leave it out."


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteRequest:
    """The checked arguments of a write: all that is known without the rows.

    Attributes:
        file_name: Name of the file.
        format: Its format.
        descriptor: Its media type, accounts, references and tags, without the schema.
        index: Whether the index is kept; None keeps any but a default RangeIndex.
        options: Options of the format, as they were given.
        carries_schema: Whether the descriptor's references may have the schema added to them.
        is_part: Whether the rows are a part of a larger frame. No warning is given then for categories and the like
            that are left out because the part does not use them: a part seldom uses all of the frame's.
    """

    file_name: str
    format: Format
    descriptor: FileDescriptor
    index: bool | None
    options: Mapping[str, object] = field(hash=False)
    carries_schema: bool
    is_part: bool = False

    @property
    def about(self) -> str:
        """Which file it is, for what is warned of."""
        accounts = self.descriptor.accounts
        of = "account" if len(accounts) == 1 else "accounts"
        return f"{self.file_name!r} for {of} {', '.join(map(repr, accounts))}"

    def for_part(self, file_name: str, accounts: str | Iterable[str]) -> WriteRequest:
        """Return the request for the file of a part of the rows.

        Args:
            file_name: Name of the part's file.
            accounts: The account ids that its rows are about.

        Raises:
            DescriptorError: One of them is not valid.
        """
        reference = default_reference(check_file_name(file_name)) if self.carries_schema else self.descriptor.reference
        descriptor = FileDescriptor(self.descriptor.mime_type, accounts, reference, self.descriptor.tags)
        return replace(self, file_name=file_name, descriptor=descriptor, is_part=True)


@dataclass(frozen=True, slots=True)
class WritePlan:
    """A write that can be carried out as it is.

    Attributes:
        file_name: Name of the file.
        descriptor: Its media type, accounts, references and tags.
        frame: The rows, ready to be serialized.
        renews_write_id: Whether the write id among the references is this package's, so that a journal may choose it.
    """

    file_name: str
    descriptor: FileDescriptor
    frame: SerializableFrame
    renews_write_id: bool


def check_write_request(
    file_name: FileName, account_id: AccountIds, arguments: WriteArguments, *, is_part: bool = False
) -> WriteRequest:
    """Check what does not depend on the rows.

    Args:
        file_name: As for `write`.
        account_id: As for `write`.
        arguments: As for `write`.
        is_part: As for `WriteRequest`.

    Raises:
        InputError: One of them is not valid.
    """
    file_name = check_file_name(file_name)
    found = resolve_format(file_name, arguments.get("format"))
    unknown = next((name for name in arguments if name not in WRITE_DEFAULTS), None)
    if unknown is not None:
        raise no_option(found, unknown, _OF_IDS if unknown == "account_id" else advice_for(unknown, WRITE_ARGUMENTS))
    mime_type, reference, index = arguments.get("mime_type"), arguments.get("reference"), arguments.get("index")
    if index is not None and not isinstance(index, bool):
        raise InputError(
            f"index is {in_words(index)}.", remedy="Pass True, False, or None for any index but a default one."
        )
    return WriteRequest(
        file_name=file_name,
        format=found,
        descriptor=FileDescriptor(
            found.mime_type if mime_type is None else mime_type,
            account_id,
            default_reference(file_name) if reference is None else reference,
            arguments.get("tags", ()),
        ),
        index=index,
        # Options of other formats are among them, and refused by name once the format is asked.
        options={name: value for name, value in arguments.items() if name not in REQUEST_DEFAULTS},
        carries_schema=reference is None,
        is_part=is_part,
    )


def plan_write(frame: object, request: WriteRequest) -> WritePlan:
    """Inspect the rows and complete the request.

    Args:
        frame: As for `write`.
        request: The checked arguments.

    Raises:
        FidelityError: The format cannot hold a column.
        InputError: The frame or an option is not valid.

    Warns:
        FidelityWarning: The file will not hold everything of the frame, or in another form.
    """
    inspected = inspect_rows(frame, request)
    inspected.about = request.about
    inspected.checked()
    return WritePlan(request.file_name, complete_descriptor(request, inspected), inspected, request.carries_schema)


def inspect_rows(frame: object, request: WriteRequest) -> SerializableFrame:
    """Inspect the rows of a write; neither refuse them nor warn of anything.

    Args:
        frame: As for `write`.
        request: The checked arguments.

    Raises:
        InputError: The frame or an option is not valid.
    """
    return inspect_frame(
        frame, request.format, index=request.index, options=request.options, warn_of_cut=not request.is_part
    )


def complete_descriptor(request: WriteRequest, frame: SerializableFrame) -> FileDescriptor:
    """Return a request's descriptor, with the frame's schema where it has one and the descriptor may carry it."""
    return descriptor_with(request, frame.schema)


def descriptor_with(request: WriteRequest, schema: str | None) -> FileDescriptor:
    """Return a request's descriptor, with a schema where there is one and the descriptor may carry it."""
    if not request.carries_schema or schema is None:
        return request.descriptor
    return request.descriptor.with_reference(SCHEMA_PREFIX + schema)


def default_reference(file_name: str) -> tuple[str, str]:
    """Return the references of a file that is given none: its name and a new write id."""
    return file_name, new_write_ids(1)[0]


def new_write_ids(count: int) -> list[str]:
    """Return so many write ids: random UUIDs of version 4."""
    drawn = os.urandom(16 * count)
    parts = (drawn[start : start + 16] for start in range(0, len(drawn), 16))
    return [f"{WRITE_ID_PREFIX}{UUID(bytes=part, version=4)}" for part in parts]
