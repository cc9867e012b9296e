"""The arguments of one file per person, checked, with the rows split by account."""

from __future__ import annotations

import json
from collections.abc import Hashable
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any

import pandas as pd

from digime_pandas._client.arguments import WriteArguments
from digime_pandas._client.write_plan import WriteRequest, check_write_request
from digime_pandas._service.descriptor import (
    SCHEMA_PREFIX,
    FileDescriptor,
    FileName,
    check_accounts,
    check_file_name,
)
from digime_pandas._tabular.formats import check_options
from digime_pandas._tabular.frames.parts import SplitFrame
from digime_pandas._tabular.frames.source import is_default_index
from digime_pandas.errors import DescriptorError, InputError

_FIELD = "{account_id}"
_SAME_NAME = f"Leave {_FIELD} out: each file goes into a library of its own, so that all may have one name."
_ANYONE = "account"  # in the place of an account id in what is checked for all accounts


@dataclass(frozen=True, slots=True, kw_only=True)
class EachJob:
    """The files to write, one per account.

    Attributes:
        by: Label of the column of account ids.
        template: Name of the files, with the place of the account id.
        request: What all of them have in common; of an account without a name that counts.
        split: The rows by account.
        keep_key: Whether the files have the column of account ids.
        left_out_attrs: The frame's `attrs` are left out of all files.
    """

    by: Hashable
    template: str
    request: WriteRequest
    split: SplitFrame
    keep_key: bool
    left_out_attrs: dict[Any, Any]

    @property
    def accounts(self) -> tuple[str, ...]:
        """The account ids in order of first appearance."""
        return self.split.accounts

    def file_name(self, account_id: str) -> str:
        """Return the name of an account's file."""
        return self.template.replace(_FIELD, account_id)

    def request_for(self, account_id: str) -> WriteRequest:
        """Return the request for an account's file."""
        return self.request.for_part(self.file_name(account_id), account_id)

    def descriptor_for(self, account_id: str, file_name: str, write_id: str, schema: str | None) -> FileDescriptor:
        """Return the descriptor of an account's file, as `request_for` would and `descriptor_with` complete it.

        Args:
            account_id: The account.
            file_name: Name of its file.
            write_id: A new write id.
            schema: The schema that is sent beside it, if there is one.
        """
        request = self.request
        if not request.carries_schema:
            return request.descriptor.with_checked((account_id,), request.descriptor.reference)
        schemas = () if schema is None else (SCHEMA_PREFIX + schema,)
        return request.descriptor.with_checked((account_id,), (file_name, write_id, *schemas))

    def run_id(self, environment: str, client_id: str) -> str:
        """Return what names this call in a journal: the same where the same call is made again.

        Args:
            environment: Base URL of the API.
            client_id: The contract that writes.
        """
        request = self.request
        described = [environment, client_id, repr(self.by), self.template, request.format.name, request.index]
        options = sorted((name, repr(value)) for name, value in request.options.items())
        reference = None if request.carries_schema else request.descriptor.reference
        known = [*described, options, self.keep_key, request.descriptor.mime_type, request.descriptor.tags, reference]
        return sha256(json.dumps(known).encode()).hexdigest()


def check_each(
    frame: object,
    by: Hashable,
    file_name: FileName,
    arguments: WriteArguments,
    *,
    drop_null: bool,
    keep_key: bool,
) -> EachJob:
    """Check the arguments and split the rows.

    Args:
        frame: The rows of all persons, of any kind that `write_each` takes.
        by: The column of account ids.
        file_name: May have ``{account_id}`` in it.
        arguments: As for `write`.
        drop_null: Whether rows without an account id are left out.
        keep_key: Whether the parts have the column `by`.

    Raises:
        InputError: One of them is not valid.
    """
    file_name = _checked_template(file_name)
    request = check_write_request(file_name.replace(_FIELD, _ANYONE), _ANYONE, arguments, is_part=True)
    check_options(request.format, request.options)
    left_out: dict[Any, Any] = {}
    if isinstance(frame, pd.DataFrame) and frame.attrs and not request.options.get("attrs"):
        left_out = frame.attrs
        frame = frame.copy(deep=False)
        frame.attrs = {}  # pandas would copy them for each part
    split = SplitFrame(frame, by, check_accounts, keep_key=keep_key, drop_null=drop_null)
    if request.index is None and split.index is not None:
        request = replace(request, index=not is_default_index(split.index))
    job = EachJob(by=by, template=file_name, request=request, split=split, keep_key=keep_key, left_out_attrs=left_out)
    _check_names(job)
    return job


def _checked_template(given: object) -> str:
    file_name = check_file_name(given)
    if any(brace in piece for piece in file_name.split(_FIELD) for brace in "{}"):
        raise DescriptorError(
            f"file_name is {file_name!r}; of braces, only {_FIELD} may be in it, which each account id takes the place "
            "of."
        )
    return file_name


def _check_names(job: EachJob) -> None:
    if _FIELD not in job.template:
        return
    for account_id in job.accounts:
        try:
            check_file_name(job.file_name(account_id))
        except DescriptorError as error:
            raise DescriptorError(
                f"{_FIELD} in file_name cannot be filled in for account {account_id!r}: {error.args[0]}",
                remedy=_SAME_NAME,
            ) from None


def check_choice(name: str, value: object, choices: tuple[str, ...]) -> None:
    """Check an argument that has a few possible values.

    Raises:
        InputError: It has another one.
    """
    if value not in choices:
        raise InputError(f"{name} is {value!r}; pass {' or '.join(map(repr, choices))}.")


def check_flags(**flags: object) -> None:
    """Check arguments that are True or False.

    Raises:
        InputError: One is neither.
    """
    for name, value in flags.items():
        if not isinstance(value, bool):
            raise InputError(f"{name} is {value!r}; pass True or False.")
