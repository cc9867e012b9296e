"""Tables whose columns have the same dtypes with and without rows, and in every table that has them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

import pandas as pd

_TIME = "datetime64[us, UTC]"
_DTYPES: Mapping[str, str] = MappingProxyType(
    {
        "rows": "Int64",
        "size": "Int64",
        "estimated_size": "Int64",
        "attempts": "Int64",
        "elapsed": "Float64",
        "started_at": _TIME,
        "ended_at": _TIME,
        "delivered_at": _TIME,
        "expires": _TIME,
        "until": _TIME,
        "updated": _TIME,
    }
)
_TEXT = "string"
OF_FILE = ("rows", "size", "sha256", "write_id", "delivered_at", "attempts")
"""The columns that say what was delivered."""
OF_LOSS = ("lost", "error_type", "error")
"""The columns that say what was not."""


def dtypes_of(*names: str) -> Mapping[str, Any]:
    """Return the dtypes of some columns, in their order. Columns that are not known hold text.

    Args:
        names: Names of the columns.
    """
    return MappingProxyType({name: _DTYPES.get(name, _TEXT) for name in names})


def typed_frame(rows: Iterable[Mapping[str, Any]], dtypes: Mapping[str, Any]) -> pd.DataFrame:
    """Return rows as a frame.

    Args:
        rows: Values by the names of their columns; what a row does not have is missing.
        dtypes: The dtype of each column, as `dtypes_of` returns them.
    """
    every = list(rows)
    return pd.DataFrame(
        {name: pd.Series([row.get(name) for row in every], dtype=kind) for name, kind in dtypes.items()}
    )
