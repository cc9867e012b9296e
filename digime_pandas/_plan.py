"""What a write would send, worked out and checked before anything is sent. Write and preview both start here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from uuid import uuid4

from digime_pandas._descriptor import FileDescriptor, check_accounts, check_file_name
from digime_pandas._formats import resolve_format
from digime_pandas._receipt import SCHEMA_PREFIX, WRITE_ID_PREFIX
from digime_pandas._serialize import Prepared, prepare


@dataclass(frozen=True, slots=True)
class Plan:
    """A write that can be carried out as it stands."""

    file_name: str
    descriptor: FileDescriptor
    prepared: Prepared


def plan_write(
    frame: object,
    file_name: str,
    *,
    account_id: str | Iterable[str],
    format: str | None,
    reference: Iterable[str] | None,
    tags: Iterable[str],
    index: bool | None,
    mime_type: str | None,
    options: Mapping[str, object],
) -> Plan:
    """Work out a write; the arguments are those of `write`.

    Raises:
        InputError: Something cannot be done as asked.
    """
    accounts = check_accounts(account_id)
    found = resolve_format(check_file_name(file_name), format)
    # Made early, so that a wrong tag is noticed before a large frame is looked through.
    descriptor = FileDescriptor(
        found.mime_type if mime_type is None else mime_type, accounts, () if reference is None else reference, tags
    )
    prepared = prepare(frame, found, index=index, options=options)
    if reference is None:
        texts = default_reference(file_name, prepared.schema)
        descriptor = FileDescriptor(descriptor.mime_type, accounts, texts, descriptor.tags)
    return Plan(file_name, descriptor, prepared)


def default_reference(file_name: str, schema: str | None = None) -> list[str]:
    """Return what a file is found by where nobody says: its name, a new write id and the schema, if it has one."""
    texts = [file_name, f"{WRITE_ID_PREFIX}{uuid4()}"]
    return texts if schema is None else [*texts, SCHEMA_PREFIX + schema]
