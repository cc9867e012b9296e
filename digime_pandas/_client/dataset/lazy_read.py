"""A dataset as a Dask frame: each file is fetched and decrypted when its partition is computed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn

import pandas as pd

from digime_pandas._client.dataset.reading import Dataset
from digime_pandas._tabular.reading.arguments import check_columns
from digime_pandas.errors import ReadError, SecretError


class PartReader:
    """Reads the files of a dataset by their number. It stays in this process.

    Args:
        dataset: The dataset.
        columns: As for `read_frame`.
        meta: A frame without rows, with the dtypes of all partitions.
        token: Tells datasets apart.
    """

    def __init__(self, dataset: Dataset, columns: Sequence[str] | None, meta: pd.DataFrame, token: str) -> None:
        self._dataset = dataset
        self._columns = columns
        self._meta = meta
        self._token = token

    def __call__(self, number: int) -> pd.DataFrame:
        part = self._dataset.parts[number]
        return with_dtypes(part.to_frame(self._columns), self._meta, part.part.name)

    def __dask_tokenize__(self) -> Any:
        return self._token, self._columns

    def __reduce__(self) -> NoReturn:
        raise SecretError(
            "What reads a dataset has the private key and tokens of its client, and is not sent to other processes. "
            "Compute with scheduler='threads', or read with digime_pandas.read_frame and distribute the frame."
        )


def with_dtypes(frame: pd.DataFrame, meta: pd.DataFrame, name: str) -> pd.DataFrame:
    """Return a frame with the dtypes of another one. Categories stay as they are.

    Args:
        frame: The frame, which came from a file.
        meta: The other one.
        name: The file's name, for errors.

    Raises:
        ReadError: It has other columns, or values that one of those dtypes does not hold.
    """
    if list(frame.columns) != list(meta.columns):
        raise ReadError(f"{name!r} has the columns {list(frame.columns)}, and the dataset has {list(meta.columns)}.")
    for position, (found, wanted) in enumerate(zip(frame.dtypes, meta.dtypes, strict=True)):
        if found == wanted or isinstance(wanted, pd.CategoricalDtype):
            continue
        column = frame.iloc[:, position]
        try:
            converted = column.astype(wanted)
            # Back again, since numbers may be cut; compared too, since they may wrap around both ways.
            is_same = converted.astype(found).equals(column) and bool(((converted == column) | column.isna()).all())
        except (ValueError, TypeError, OverflowError):
            is_same = False
        if not is_same:
            raise ReadError(
                f"Column {column.name!r} of {name!r} is {found}, and that of the dataset {wanted}, which does not hold "
                "its values: the partition was not of the dtype that its Dask frame said. Read it with "
                "digime_pandas.read_frame, which finds a dtype for all files."
            )
        frame = frame.copy(deep=False)
        frame.isetitem(position, converted.array)
    return frame


def lazy_frame(dataset: Dataset, columns: Sequence[str] | None) -> Any:
    """Return a dataset as a Dask frame. No file is fetched now, where the manifest says the dtypes.

    Args:
        dataset: The dataset.
        columns: As for `read_frame`.
    """
    import dask.dataframe as dd  # here, because it is an optional part

    columns = check_columns(columns)
    meta = dd.utils.clear_known_categories(dataset.head(columns))
    token = ":".join(part.part.sha256 for part in dataset.parts)
    return dd.from_map(PartReader(dataset, columns, meta, token), range(len(dataset.parts)), meta=meta)
