"""A dataset as a Dask frame: each file is fetched and decrypted when its partition is computed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn

import pandas as pd

from digime_pandas._client.dataset.reading import Dataset
from digime_pandas._tabular.parse import check_columns
from digime_pandas.errors import SecretError


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
        frame = self._dataset.parts[number].to_frame(self._columns)
        wanted = {
            name: dtype for name, dtype in self._meta.dtypes.items() if not isinstance(dtype, pd.CategoricalDtype)
        }
        return frame.astype(wanted)

    def __dask_tokenize__(self) -> Any:
        return self._token, self._columns

    def __reduce__(self) -> NoReturn:
        raise SecretError(
            "What reads a dataset has the private key and tokens of its client, and is not sent to other processes. "
            "Compute with scheduler='threads', or read with digime_pandas.read_frame and distribute the frame."
        )


def lazy_frame(dataset: Dataset, columns: Sequence[str] | None) -> Any:
    """Return a dataset as a Dask frame. Its first file is fetched now, for the dtypes.

    Args:
        dataset: The dataset.
        columns: As for `read_frame`.
    """
    import dask.dataframe as dd  # here, because it is an optional part

    columns = check_columns(columns)
    meta = dd.utils.clear_known_categories(dataset.parts[0].to_frame(columns, 0))
    token = ":".join(part.part.sha256 for part in dataset.parts)
    return dd.from_map(PartReader(dataset, columns, meta, token), range(len(dataset.parts)), meta=meta)
