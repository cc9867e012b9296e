"""The rows of a frame split by a column of account ids, and the check that they are split as they should be.

Arrow compares the keys byte by byte. The hash table of pandas does not: before pandas 3.1 it reads a text up to its
first NUL character, so that all texts that are equal up to there are one key for `groupby` and `factorize`.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from digime_pandas._tabular.account_keys import (
    SHOWN,
    AccountCheck,
    account_text,
    account_texts,
    check_accounts,
    check_visible_difference,
    shown_key,
)
from digime_pandas._tabular.arrow import as_array, rule_of_type
from digime_pandas._tabular.frames.pandas_columns import raw_values
from digime_pandas.errors import InputError
from digime_pandas.errors.names import did_you_mean

Positions = npt.NDArray[np.integer]  # in 32 bits where that is enough: of millions of rows they take memory

_COMPARED_ROWS = 1 << 18


@dataclass(frozen=True, slots=True)
class AccountSplit:
    """The rows of a frame by account.

    Attributes:
        accounts: The account ids in order of first appearance. No two are the same.
        positions: For each account the positions of its rows, counted from 0, ascending. Together each row once, but
            for those that were left out.
        left_out: How many rows have no account id and are in no part.
    """

    accounts: tuple[str, ...]
    positions: tuple[Positions, ...]
    left_out: int = 0


def split_rows(
    frame: pd.DataFrame, by: Hashable, check_account: AccountCheck, *, drop_null: bool = False
) -> AccountSplit:
    """Split the rows of a frame by account, and check the result before returning it.

    Args:
        frame: The rows of all persons. Not changed, and not copied: only positions are returned.
        by: Label of the column of account ids. Its values are text or whole numbers (taken as their decimal text), in
            any dtype that holds such: str, string, object, category, integers, and their Arrow forms.
        check_account: Raises `DescriptorError` for a text that cannot be an account id.
        drop_null: Whether rows without an account id are left out, instead of refused.

    Returns:
        The accounts and the positions of their rows.

    Raises:
        InputError: `by` names no single column, a row has no account id, a value is neither text nor a whole number,
            two different keys would be one account, or the rows are not split as they should be.
        DescriptorError: `check_account` refuses a value; the message names its row.
    """
    column = key_column(frame, by)
    name = _name(column, by)
    missing = column.isna().to_numpy()
    left_out = int(missing.sum())
    if left_out and not drop_null:
        raise InputError(
            f"{name} has no account id in row {int(missing.argmax())}; every row needs one. Fill it in, or leave such "
            "rows out with drop_null=True."
        )
    if left_out == len(column):
        return AccountSplit((), (), left_out)
    kept = np.flatnonzero(~missing).astype(_positions_type(len(column))) if left_out else None
    rows: Sequence[int] = range(len(column)) if kept is None else kept.tolist()
    filled = column if kept is None else column.iloc[kept]
    try:
        keys, codes = _factorize(filled, rows, name)
    except UnicodeEncodeError:
        # Arrow names no row; a text without UTF-8 form cannot be an account id either.
        texts = account_texts(_objects(filled), rows, name)
        check_accounts(texts, rows, name, check_account)
        raise
    ends = np.cumsum(np.bincount(codes, minlength=len(keys)))
    order = _sorted_positions(codes, ends)
    del codes  # of millions of rows it takes memory
    order = order if kept is None else kept[order]
    positions = tuple(order[start:end] for start, end in pairwise([0, *ends.tolist()]))
    first_rows = [int(own[0]) for own in positions]
    accounts = tuple(account_texts(keys, first_rows, name))
    check_accounts(accounts, first_rows, name, check_account)
    check_visible_difference(accounts, keys, first_rows, name)
    split = AccountSplit(accounts, positions, left_out)
    check_split(column, split, by)
    return split


def key_column(frame: pd.DataFrame, by: Hashable) -> pd.Series[Any]:
    """Return the column of account ids, of plain values where it is sparse, an Arrow dictionary or Arrow views.

    Args:
        frame: The frame.
        by: Label of the column.

    Returns:
        The column.

    Raises:
        InputError: `by` is no label, or not that of exactly one column.
    """
    try:
        hash(by)
    except TypeError:
        raise InputError(
            f"by={SHOWN.repr(by)} is a {type(by).__name__}; pass the label of one column of account ids, for example "
            "by='patient'."
        ) from None
    # Found by hash: labels may be NA, which is not equal to anything.
    places: dict[Hashable, list[int]] = {}
    for place, label in enumerate(frame.columns):
        places.setdefault(label, []).append(place)
    found = places.get(by, [])
    if len(found) > 1:
        raise InputError(
            f"by={by!r} names no single column: columns {' and '.join(map(str, found))} (from 0) are called so. "
            "Rename all but the column of account ids."
        )
    if not found:
        is_level = by is not None and by in set(frame.index.names)
        advice = " It is in the index: call reset_index() first." if is_level else ""
        names = [each for each in frame.columns if isinstance(each, str)]
        near = did_you_mean(by, names) if isinstance(by, str) else ""
        raise InputError(
            f"by={by!r} names no single column; pass the column of account ids.{advice} "
            f"The columns are {SHOWN.repr(list(frame.columns))}.",
            remedy=near,
        )
    column: pd.Series[Any] = frame.iloc[:, found[0]]
    return _plain(column)


def check_split(column: pd.Series[Any], split: AccountSplit, by: Hashable) -> None:
    """Check that each row is in exactly one part and that each part has exactly one key, its account's.

    The check shares nothing with what made the split: it compares the values with each other.

    Args:
        column: What `key_column` returned.
        split: How its rows were split.
        by: Its label.

    Raises:
        InputError: The split is wrong; the message says where.
    """
    name = _name(column, by)
    advice = "Nothing was sent. Was frame changed by another thread meanwhile? If not, please report this."
    rows, sizes = len(column), [len(own) for own in split.positions]
    if 0 in sizes or len(sizes) != len(split.accounts) or len(sizes) != len(set(split.accounts)):
        raise InputError(
            f"{name}: {len(split.accounts)} account ids do not match {len(sizes)} parts of {min(sizes, default=0)} or "
            f"more rows. {advice}"
        )
    seen = np.zeros(rows, dtype=bool)
    for piece, _ in _pieces(split.positions):
        seen[piece[(piece >= 0) & (piece < rows)]] = True
    left_out = np.flatnonzero(~seen)
    is_complete = sum(sizes) == rows - len(left_out) and len(left_out) == split.left_out
    if not is_complete or not column.iloc[left_out].isna().all():
        raise InputError(f"{name}: not every row is in exactly one of {len(sizes)} persons' parts. {advice}")
    firsts = np.array([own[0] for own in split.positions], np.intp)
    differing = _first_difference(column, split.positions, firsts)
    if differing is not None:
        raise InputError(f"{name}: rows {differing[0]} and {differing[1]} of one part differ. {advice}")
    keys = _objects(column.iloc[firsts])
    for account_id, row, key in zip(split.accounts, firsts.tolist(), keys, strict=True):
        if account_text(key, row, name) != account_id:
            raise InputError(f"{name} holds {shown_key(key)} in row {row}, which is not {account_id!r}. {advice}")


def _name(column: pd.Series[Any], by: Hashable) -> str:
    return f"Column {by!r} ({column.dtype})"


def _plain(column: pd.Series[Any]) -> pd.Series[Any]:
    dtype = column.dtype
    if isinstance(dtype, pd.SparseDtype):
        values: Any = column.array
        return pd.Series(values.to_dense())
    if not isinstance(dtype, pd.ArrowDtype):
        return column
    arrow_type = dtype.pyarrow_dtype
    if pa.types.is_dictionary(arrow_type):
        # A dictionary may hold a value twice, or null, and each chunk may have one of its own.
        return _cast(column, arrow_type.value_type)
    # Of views pyarrow takes no rows.
    return _cast(column, pa.large_string()) if pa.types.is_string_view(arrow_type) else column


def _cast(column: pd.Series[Any], arrow_type: pa.DataType) -> pd.Series[Any]:
    return pd.Series(pd.arrays.ArrowExtensionArray(pa.chunked_array(pa.array(column.array)).cast(arrow_type)))


def _factorize(column: pd.Series[Any], rows: Sequence[int], name: str) -> tuple[list[Any], Positions]:
    """Return the distinct keys in order of first appearance, and for each value the position of its key among them.

    The values are those of `rows` of the frame; none is missing.
    """
    dtype: Any = column.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        used, codes = _encode(pa.array(column.cat.codes.to_numpy()))
        return _objects(pd.Series(dtype.categories.take(used))), codes
    values = raw_values(column)
    if _is_integer(dtype):
        return _encode(pa.array(values))
    if _is_text(dtype):
        return _encode_texts(values)
    values = np.asarray(values, dtype=object)
    inferred = pd.api.types.infer_dtype(values, skipna=False)
    if inferred == "string":
        return _encode_texts(values)
    if inferred == "integer":
        with suppress(OverflowError, pa.ArrowException):  # wider than 64 bits
            return _encode(pa.array(values, type=pa.int64()))
    return _factorize_mixed(values, rows, name)


def _factorize_mixed(values: npt.NDArray[np.object_], rows: Sequence[int], name: str) -> tuple[list[Any], Positions]:
    texts = account_texts(values, rows, name)
    are_text = np.fromiter((isinstance(value, str) for value in values), dtype=bool, count=len(values))
    found, codes = _encode_texts(texts)
    # A number and the text of the same digits are two keys.
    pairs, codes = _encode(pa.array(2 * codes + are_text))
    return [found[pair // 2] if pair % 2 else int(found[pair // 2]) for pair in pairs], codes


def _encode_texts(values: Any) -> tuple[list[Any], Positions]:
    # What Arrow makes of objects is a copy, and more than 2 GiB of text do not fit in one array of `string`.
    return _encode_pieces(values, lambda piece: pa.array(piece, type=pa.large_string()).cast(pa.large_string()))


def _encode(values: pa.Array | pa.ChunkedArray) -> tuple[list[Any], Positions]:
    return _encode_pieces(values, lambda piece: piece)


def _encode_pieces(values: Any, as_arrow: Callable[[Any], pa.Array | pa.ChunkedArray]) -> tuple[list[Any], Positions]:
    """Return the distinct values in order of first appearance, and for each value its position among them."""
    found: dict[Any, int] = {}
    codes = np.empty(len(values), _positions_type(len(values)))
    for start in range(0, len(values), _COMPARED_ROWS):
        encoded = as_array(as_arrow(values[start : start + _COMPARED_ROWS])).dictionary_encode()
        places = [found.setdefault(each, len(found)) for each in encoded.dictionary.to_pylist()]
        codes[start : start + len(encoded)] = np.array(places)[encoded.indices.to_numpy()]
    return list(found), codes


def _sorted_positions(codes: Positions, ends: Positions) -> Positions:
    """Return the positions of codes in their order, those of one code ascending.

    Sorted piece by piece, since to sort takes several times the memory of what is sorted.

    Args:
        codes: The codes, from 0.
        ends: How many codes are at most 0, 1, 2 and so on.
    """
    order = np.empty(len(codes), _positions_type(len(codes)))
    places = np.concatenate([[0], ends[:-1]])  # where the next position of each code goes
    size = max(_COMPARED_ROWS, len(ends))
    for start in range(0, len(codes), size):
        piece = codes[start : start + size]
        own = np.argsort(piece.astype(np.min_scalar_type(len(ends))), kind="stable")
        counts = np.bincount(piece, minlength=len(ends))
        begins = places - np.cumsum(counts) + counts
        order[np.repeat(begins, counts) + np.arange(len(piece))] = start + own
        places += counts
    return order


def _positions_type(count: int) -> type[np.integer]:
    return np.int32 if count <= np.iinfo(np.int32).max else np.int64


def _pieces(positions: Sequence[Positions]) -> Iterator[tuple[Positions, Positions]]:
    """Yield the positions of all parts, so many at a time, and for each the number of its part."""
    ends = np.cumsum([len(own) for own in positions], dtype=np.intp)
    for start in range(0, int(ends[-1]) if len(ends) else 0, _COMPARED_ROWS):
        stop = min(start + _COMPARED_ROWS, int(ends[-1]))
        first, last = np.searchsorted(ends, [start, stop - 1], side="right").tolist()
        parts = list(positions[first : last + 1])
        parts[-1] = parts[-1][: stop - int(ends[last]) + len(parts[-1])]
        parts[0] = parts[0][start - int(ends[first]) + len(positions[first]) :]
        numbers = np.repeat(np.arange(first, last + 1), [len(own) for own in parts])
        yield np.concatenate(parts), numbers


def _is_integer(dtype: Any) -> bool:
    if isinstance(dtype, pd.ArrowDtype):
        return bool(pa.types.is_integer(dtype.pyarrow_dtype))
    plain = getattr(dtype, "numpy_dtype", dtype)  # of masked integers
    return isinstance(plain, np.dtype) and plain.kind in "iu" and bool(plain.isnative)


def _is_text(dtype: Any) -> bool:
    if isinstance(dtype, pd.ArrowDtype):
        return rule_of_type(dtype.pyarrow_dtype) == "text"
    return isinstance(dtype, pd.StringDtype)


def _objects(column: pd.Series[Any]) -> list[Any]:
    return list(column.astype(object).array)


def _first_difference(
    column: pd.Series[Any], positions: Sequence[Positions], firsts: Positions
) -> tuple[int, int] | None:
    """Return the first row whose value is not that of the first row of its part, with that row before it."""
    values: Any = column.cat.codes.to_numpy() if isinstance(column.dtype, pd.CategoricalDtype) else raw_values(column)
    found: list[tuple[int, int]] = []
    for rows, numbers in _pieces(positions):  # whose values are copied
        others = firsts[numbers]
        differs = ~np.asarray(values.take(rows) == values.take(others), dtype=bool)
        if differs.any():
            row = int(rows[differs].min())
            found.append((row, int(others[rows == row][0])))
    return min(found)[::-1] if found else None
