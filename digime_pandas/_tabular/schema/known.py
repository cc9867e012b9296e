"""What follows from the columns of a frame but not from their rows, worked out once for many frames of a schema.

It is kept by value, and nothing that is kept refers to a frame.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from contextlib import suppress
from functools import lru_cache
from typing import Generic, TypeVar

import pyarrow as pa

from digime_pandas._tabular.columns import CategoryParameters, ColumnSpec
from digime_pandas._tabular.frames.source import ColumnSource

T = TypeVar("T")
_MOST_COLUMNS = 128  # of a frame that is kept
# Of these, specifications that are equal have one stored form, as 0.0 and -0.0 of a sparse column have not.
_FAMILIES = frozenset(("numpy", "masked", "string", "object", "arrow"))


class KnownBySchema(Generic[T]):
    """Keeps what follows from schemas, for use by several threads.

    Args:
        most: How many schemas it is kept of; the oldest ones are given up.
    """

    def __init__(self, most: int = 128) -> None:
        self._most = most
        # Without a lock, which a forked child would find held for ever: each step on a dict is a single one.
        self._kept: dict[Hashable, T] = {}

    def get(self, key: Hashable | None, make: Callable[[], T]) -> T:
        """Return what is kept by a key, or else is made; it is shared, and not to be changed.

        Args:
            key: What it follows from; None where it has to be made each time.
            make: Makes it.
        """
        if key is None:
            return make()
        found = self._kept.get(key)
        if found is None:
            found = self._kept[key] = make()
            while len(self._kept) > self._most:
                with suppress(KeyError, RuntimeError, StopIteration):  # another thread was quicker
                    del self._kept[next(iter(self._kept))]
        return found


def key_of(source: ColumnSource) -> Hashable | None:
    """Return the schema of a frame as a key: frames of equal keys differ in nothing but rows, of which there are some.

    Args:
        source: The frame.

    Returns:
        The key; None where there is none, such as of frames with an index, `attrs`, or labels that are not just text.
    """
    labels, columns = source.labels, source.columns
    if not source.rows or len(columns) > _MOST_COLUMNS:
        return None
    label_name = None
    if labels is not None:
        label_name = labels.columns.name
        if labels.index or labels.levels or labels.attrs or not (label_name is None or type(label_name) is str):
            return None
    if not all(_is_known_by_value(each.spec) for each in columns):
        return None
    described = [(each.name, each.rule, each.dtype, each.type, each.spec, each.findings) for each in columns]
    return labels is None, label_name, *described


def _is_known_by_value(spec: ColumnSpec) -> bool:
    """Return whether equal specifications are the same in everything that follows from them."""
    if spec.dtype_family in _FAMILIES:
        return _is_flat(spec.type)
    parameters = spec.parameters
    if not isinstance(parameters, CategoryParameters) or spec.inner is None:
        return False
    is_implied = parameters.categories is None and parameters.freq is None and parameters.name is None
    return is_implied and spec.inner.dtype_family in _FAMILIES and _is_flat(spec.inner.type)


@lru_cache(maxsize=1024)
def _is_flat(type: pa.DataType) -> bool:
    # Types that have others inside can be equal and have different forms.
    return not (isinstance(type, pa.BaseExtensionType) or pa.types.is_nested(type) or pa.types.is_dictionary(type))
