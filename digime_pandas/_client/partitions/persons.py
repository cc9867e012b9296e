"""The rows of each person in the partitions of a Dask frame: found on workers, once rows of one person are together."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from typing import Any

import pandas as pd

from digime_pandas._client.partitions.prepared import PreparedPart, RefusedPart, prepare_part
from digime_pandas._client.partitions.sending import Channel, send_prepared
from digime_pandas._client.write_plan import WriteRequest
from digime_pandas._service.descriptor import check_accounts
from digime_pandas._tabular.frames.parts import SplitFrame
from digime_pandas._tabular.frames.split import split_rows
from digime_pandas.errors import InputError

COUNT = "\nrows"  # no label that a frame has
_FIELD = "{account_id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonsRequest:
    """What is written of a partition, for each person in it.

    Attributes:
        by: Label of the column of account ids.
        template: Name of the files, with the place of the account id.
        request: What all of them have in common.
        keep_key: Whether the files have that column.
        drop_null: Whether rows without an account id are left out.
    """

    by: Hashable
    template: str
    request: WriteRequest
    keep_key: bool
    drop_null: bool


def count_persons(part: pd.DataFrame, by: Hashable, drop_null: bool) -> pd.DataFrame:
    """Return one row per person in a partition: the key as it stands there, and how many rows have it.

    Args:
        part: The column of account ids.
        by: Its label.
        drop_null: Whether rows without an account id are left out.
    """
    split = split_rows(part, by, check_accounts, drop_null=drop_null)
    firsts = [int(own[0]) for own in split.positions]
    keys = part.iloc[firsts, 0].astype(object)
    return pd.DataFrame({by: keys.array, COUNT: [len(own) for own in split.positions]}, dtype=object)


def prepare_persons(part: pd.DataFrame, asked: PersonsRequest) -> tuple[PreparedPart | RefusedPart, ...]:
    """Serialize the rows of each person in a partition."""
    return tuple(_prepared(part, asked))


def deliver_persons(part: pd.DataFrame, asked: PersonsRequest, channel: Channel) -> None:
    """Serialize the rows of each person in a partition and send them, one person after the other."""
    send_prepared(_prepared(part, asked), channel)


def _prepared(part: pd.DataFrame, asked: PersonsRequest) -> Iterator[PreparedPart | RefusedPart]:
    if not asked.request.options.get("attrs"):
        part = part.copy(deep=False)
        part.attrs = {}
    split = SplitFrame(part, asked.by, check_accounts, keep_key=asked.keep_key, drop_null=asked.drop_null)
    for group, block in split.blocks(range(len(split.accounts))):
        if isinstance(block, InputError):
            yield from (RefusedPart(split.accounts[place], block) for place in group)
            continue
        for place, rows in block.parts():
            yield _prepared_person(rows, split.accounts[place], asked)


def _prepared_person(rows: Any, account_id: str, asked: PersonsRequest) -> PreparedPart | RefusedPart:
    try:
        name = asked.template.replace(_FIELD, account_id)
        return prepare_part(rows, account_id, asked.request.for_part(name, account_id))
    except InputError as error:
        return RefusedPart(account_id, error)
