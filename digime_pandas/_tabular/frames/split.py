"""The rows of a frame split by a column of account ids, and the check that they are split as they should be.

Arrow compares the keys byte by byte. The hash table of pandas does not: before pandas 3.1 it reads a text up to its
first NUL character, so that all texts that are equal up to there are one key for `groupby` and `factorize`.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Hashable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from reprlib import Repr
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from digime_pandas._tabular.arrow import as_array, rule_of_type
from digime_pandas._tabular.frames.pandas_columns import raw_values
from digime_pandas.errors import DescriptorError, InputError

Positions = npt.NDArray[np.intp]
AccountCheck = Callable[[str], object]  # raises DescriptorError for what cannot be an account id

_COMPARED_ROWS = 1 << 18
_SHOWN = Repr()
_SHOWN.maxstring = _SHOWN.maxother = 200
_ALLOWED = "Account ids are text or whole numbers, the same one in every row of a person."


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
    kept = np.flatnonzero(~missing) if left_out else None
    rows: Sequence[int] = range(len(column)) if kept is None else kept.tolist()
    filled = column if kept is None else column.iloc[kept]
    try:
        keys, codes = _factorize(filled, rows, name)
    except UnicodeEncodeError:
        # Arrow names no row; a text without UTF-8 form cannot be an account id either.
        texts = _account_texts(_objects(filled), rows, name)
        _check_accounts(texts, rows, name, check_account)
        raise
    order = np.argsort(codes.astype(np.min_scalar_type(len(keys))), kind="stable")
    order = order if kept is None else kept[order]
    ends = np.cumsum(np.bincount(codes, minlength=len(keys))).tolist()
    positions = tuple(order[start:end] for start, end in zip([0, *ends], ends, strict=False))
    first_rows = [int(own[0]) for own in positions]
    accounts = tuple(_account_texts(keys, first_rows, name))
    _check_accounts(accounts, first_rows, name, check_account)
    _check_visible_difference(accounts, keys, first_rows, name)
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
            f"by={_SHOWN.repr(by)} is a {type(by).__name__}; pass the label of one column of account ids, for example "
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
        advice = " It is in the index: call reset_index() first." if by in set(frame.index.names) else ""
        raise InputError(
            f"by={by!r} names no single column; pass the column of account ids.{advice} "
            f"The columns are {_SHOWN.repr(list(frame.columns))}."
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
    order = np.concatenate([np.empty(0, np.intp), *split.positions])
    seen = np.zeros(rows, dtype=bool)
    seen[order[(order >= 0) & (order < rows)]] = True
    left_out = np.flatnonzero(~seen)
    is_complete = len(order) == rows - len(left_out) and len(left_out) == split.left_out
    if not is_complete or not column.iloc[left_out].isna().all():
        raise InputError(f"{name}: not every row is in exactly one of {len(sizes)} persons' parts. {advice}")
    firsts = np.array([own[0] for own in split.positions], np.intp)
    differing = _first_difference(column, order, firsts, np.cumsum(sizes))
    if differing is not None:
        raise InputError(f"{name}: rows {differing[0]} and {differing[1]} of one part differ. {advice}")
    keys = _objects(column.iloc[firsts])
    for account_id, row, key in zip(split.accounts, firsts.tolist(), keys, strict=True):
        if _account_text(key, row, name) != account_id:
            raise InputError(f"{name} holds {_shown(key)} in row {row}, which is not {account_id!r}. {advice}")


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
    texts = _account_texts(values, rows, name)
    are_text = np.fromiter((isinstance(value, str) for value in values), dtype=bool, count=len(values))
    found, codes = _encode_texts(texts)
    # A number and the text of the same digits are two keys.
    pairs, codes = _encode(pa.array(2 * codes + are_text))
    return [found[pair // 2] if pair % 2 else int(found[pair // 2]) for pair in pairs], codes


def _encode_texts(values: Any) -> tuple[list[Any], Positions]:
    # Values of Arrow keep their own type here, and more than 2 GiB of them do not fit in one array of `string`.
    return _encode(pa.array(values, type=pa.large_string()).cast(pa.large_string()))


def _encode(array: pa.Array | pa.ChunkedArray) -> tuple[list[Any], Positions]:
    encoded = as_array(array).dictionary_encode()
    return encoded.dictionary.to_pylist(), encoded.indices.to_numpy()


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
    column: pd.Series[Any], order: Positions, firsts: Positions, ends: Positions
) -> tuple[int, int] | None:
    """Return the first row whose value is not that of the first row of its part, with that row before it."""
    values: Any = column.cat.codes.to_numpy() if isinstance(column.dtype, pd.CategoricalDtype) else raw_values(column)
    found: list[tuple[int, int]] = []
    for start in range(0, len(order), _COMPARED_ROWS):  # the values of so many rows are copied
        rows = order[start : start + _COMPARED_ROWS]
        others = firsts[np.searchsorted(ends, np.arange(start, start + len(rows)), side="right")]
        differs = ~np.asarray(values.take(rows) == values.take(others), dtype=bool)
        if differs.any():
            row = int(rows[differs].min())
            found.append((row, int(others[rows == row][0])))
    return min(found)[::-1] if found else None


def _account_texts(keys: Iterable[Any], rows: Iterable[int], name: str) -> list[str]:
    """Return the account ids of keys, which are (first) in `rows`."""
    return [_account_text(key, row, name) for key, row in zip(keys, rows, strict=True)]


def _check_visible_difference(accounts: Sequence[str], keys: Sequence[Any], rows: Sequence[int], name: str) -> None:
    """Refuse two keys whose account ids look the same."""
    seen: dict[str, int] = {}
    for place, account_id in enumerate(accounts):
        other = seen.setdefault(_visible(account_id), place)
        if other != place:
            raise InputError(
                f"{name} holds {_shown(keys[other])} in row {rows[other]} and {_shown(keys[place])} in row "
                f"{rows[place]}, which are one account id, written in two ways. Use one of them in every row, or two "
                "ids that differ visibly."
            )


def _account_text(key: object, row: int, name: str) -> str:
    if isinstance(key, str):
        return str.__str__(key)  # the text itself, also of a member of an Enum
    if isinstance(key, int | np.integer) and not isinstance(key, bool):
        try:
            return str(int(key))
        except ValueError:
            raise InputError(
                f"{name} holds a whole number in row {row} with more digits than Python turns into text. {_ALLOWED}"
            ) from None
    raise InputError(
        f"{name} holds {_SHOWN.repr(key)}, a {type(key).__name__}, in row {row}. {_ALLOWED} Convert them, for "
        "example with astype('Int64') or astype('string')."
    )


def _check_accounts(account_ids: Iterable[str], rows: Iterable[int], name: str, check_account: AccountCheck) -> None:
    """Refuse what cannot be an account id, with its row."""
    for account_id, row in zip(account_ids, rows, strict=True):
        try:
            check_account(account_id)
        except DescriptorError as error:
            raise DescriptorError(f"{name}, row {row}: {error}") from None


def _visible(account_id: str) -> str:
    """Return the form that is equal for two account ids that look the same: composed, without blanks at the ends.

    Ids that differ in case or in leading zeros look different.
    """
    if account_id.isascii():
        return account_id.strip()
    shown = "".join(letter for letter in account_id if unicodedata.category(letter) != "Cf")
    return unicodedata.normalize("NFC", shown).strip()


def _shown(key: object) -> str:
    text = _SHOWN.repr(key)
    return text if text.isascii() else f"{text} ({ascii(text)[1:-1]})"
