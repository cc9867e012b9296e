"""A frame of any kind split by account: rows are taken for many accounts at once, and cut into one part for each."""

from __future__ import annotations

import sys
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from digime_pandas._tabular.account_keys import AccountCheck
from digime_pandas._tabular.columns import raise_about_frame
from digime_pandas._tabular.frames.source import arrow_reader
from digime_pandas._tabular.frames.split import AccountSplit, check_split, key_column, split_rows
from digime_pandas.errors import InputError

BLOCK_ROWS = 65_536
BLOCK_PARTS = 512


@dataclass(frozen=True, slots=True)
class Block:
    """The rows of several accounts.

    Attributes:
        places: The accounts, as positions in `SplitFrame.accounts`.
        rows: Their rows, account by account.
        bounds: Where the rows of each account begin, and where the last ones end.
    """

    places: Sequence[int]
    rows: Any
    bounds: Sequence[int]

    def part(self, number: int) -> Any:
        """Return the rows of an account, by its number in the block."""
        return rows_between(self.rows, self.bounds[number], self.bounds[number + 1])

    def parts(self) -> Iterator[tuple[int, Any]]:
        """Yield each account's place and its rows."""
        for number, place in enumerate(self.places):
            yield place, self.part(number)


class SplitFrame:
    """A frame, and which of its rows are whose.

    Args:
        frame: A pandas DataFrame, or an object that exports Arrow streams. A stream that can be read once is read here.
            It is not changed.
        by: Label of the column of account ids.
        check_account: Raises `DescriptorError` for a text that cannot be an account id.
        keep_key: Whether the parts have that column.
        drop_null: Whether rows without an account id are left out, instead of refused.

    Attributes:
        accounts: The account ids in order of first appearance.
        counts: How many rows each has.
        left_out: How many rows without an account id are left out.

    Raises:
        InputError: It is no such frame, or cannot be split; see `split_rows`.
    """

    def __init__(
        self, frame: object, by: Hashable, check_account: AccountCheck, *, keep_key: bool, drop_null: bool
    ) -> None:
        self._frame = _readable(frame)
        self._by = by
        self._keep_key = keep_key
        self._split = split_rows(_keys(self._frame, by), by, check_account, drop_null=drop_null)
        self.accounts = self._split.accounts
        self.counts = [len(own) for own in self._split.positions]
        self.left_out = self._split.left_out

    @property
    def index(self) -> pd.Index[Any] | None:
        """The index of a pandas frame; None for others, which have none."""
        return self._frame.index if isinstance(self._frame, pd.DataFrame) else None

    def whole(self) -> Any:
        """Return the frame as all parts together are: with or without the column of account ids."""
        return self._frame if self._keep_key else _without(self._frame, self._by)

    def blocks(self, places: Sequence[int]) -> Iterator[tuple[Sequence[int], Block | InputError]]:
        """Yield the rows of some accounts, for several at once.

        Args:
            places: The accounts, as positions in `accounts`, in the wanted order.

        Yields:
            Accounts and their block; in its place an error where the rows are not theirs, because the frame was changed
            after it was split.
        """
        for group in self._groups(places):
            try:
                yield group, self._block(group)
            except InputError as error:
                yield group, error

    def _groups(self, places: Sequence[int]) -> Iterator[Sequence[int]]:
        group: list[int] = []
        rows = 0
        for place in places:
            if group and (len(group) == BLOCK_PARTS or rows + self.counts[place] > BLOCK_ROWS):
                yield group
                group, rows = [], 0
            group.append(place)
            rows += self.counts[place]
        if group:
            yield group

    def _block(self, group: Sequence[int]) -> Block:
        bounds = [0, *np.cumsum([self.counts[place] for place in group]).tolist()]
        try:
            rows = _take(self._frame, np.concatenate([self._split.positions[place] for place in group]))
        except BaseException as error:  # noqa: BLE001 - raised again
            raise_about_frame(error, "split by account")
        own = tuple(np.arange(start, stop, dtype=np.intp) for start, stop in pairwise(bounds))
        # Compared again, since another thread may have changed the frame after it was split.
        keys = key_column(_keys(rows, self._by), self._by)
        check_split(keys, AccountSplit(tuple(self.accounts[place] for place in group), own), self._by)
        return Block(group, rows if self._keep_key else _without(rows, self._by), bounds)


def rows_between(frame: Any, start: int, stop: int) -> Any:
    """Return rows `start` to `stop` of a frame that `SplitFrame.whole` returned, or that a block has."""
    return frame.iloc[start:stop] if isinstance(frame, pd.DataFrame) else frame.slice(start, stop - start)


def _readable(frame: Any) -> Any:
    """Return a frame whose rows can be taken: of pandas or polars, or a table of Arrow."""
    if isinstance(frame, pd.DataFrame) or _is_of_polars(frame):
        return frame
    if isinstance(frame, pd.Series):
        raise InputError("frame is a Series, which has no column of account ids; pass a frame.")
    try:
        if isinstance(frame, pa.RecordBatch):
            frame = pa.Table.from_batches([frame])
        table = frame if isinstance(frame, pa.Table) else arrow_reader(frame).read_all()
        table.validate(full=True)
        return pa.table([_without_views(each) for each in table.columns], names=table.column_names)
    except BaseException as error:  # noqa: BLE001 - raised again
        raise_about_frame(error, "split by account")


def _is_of_polars(frame: object) -> bool:
    polars = sys.modules.get("polars")
    return polars is not None and isinstance(frame, polars.DataFrame)


def _without_views(values: pa.ChunkedArray) -> pa.ChunkedArray:
    # Of views some versions of pyarrow take no rows.
    for is_view, plain in ((pa.types.is_string_view, pa.large_string()), (pa.types.is_binary_view, pa.large_binary())):
        if is_view(values.type):
            return values.cast(plain)
    return values


def _keys(frame: Any, by: Hashable) -> pd.DataFrame:
    """Return a pandas frame with the columns of a frame, of which only that of account ids need have its values."""
    if isinstance(frame, pd.DataFrame):
        return frame
    names = frame.columns if _is_of_polars(frame) else frame.column_names
    found = [_arrow_column(frame, place) if name == by else pa.nulls(len(frame)) for place, name in enumerate(names)]
    keys = pd.DataFrame({place: pd.arrays.ArrowExtensionArray(each) for place, each in enumerate(found)})
    return keys.set_axis(pd.Index(names, dtype=object), axis=1)


def _arrow_column(frame: Any, place: int) -> pa.ChunkedArray:
    if isinstance(frame, pa.Table):
        return frame.column(place)
    values = frame.to_series(place).to_arrow()
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    return _without_views(pa.chunked_array([values]))


def _take(frame: Any, positions: Any) -> Any:
    if isinstance(frame, pd.DataFrame):
        return frame.take(positions)
    return frame.take(pa.array(positions)) if isinstance(frame, pa.Table) else frame[positions]


def _without(frame: Any, by: Hashable) -> Any:
    if isinstance(frame, pd.DataFrame):
        places: dict[Hashable, int] = dict(zip(frame.columns, range(frame.shape[1]), strict=True))
        key = places[by]  # found by hash: labels may be NA, which is not equal to anything
        return frame.iloc[:, [place for place in range(frame.shape[1]) if place != key]]
    return frame.drop_columns([by]) if isinstance(frame, pa.Table) else frame.drop(by)
