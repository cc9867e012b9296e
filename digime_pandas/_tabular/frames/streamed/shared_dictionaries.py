"""Dictionaries of values that come batch by batch, made one for all batches as they are for rows in memory."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from digime_pandas._tabular.frames.used_values import (
    DictionaryUse,
    KeptValues,
    TypePath,
    index_blocks,
    used_positions,
    visible_dictionaries,
    with_dictionaries,
    with_used_values,
    writable_type,
)

_Positions = npt.NDArray[np.intp]


class SharedDictionaries:
    """Gives the batches of a column the same dictionaries, of what the rows of all batches use.

    `add` is called with every batch, then `finish`, then `apply` with every batch of each further reading.

    Args:
        type: The type of the column, which has a dictionary somewhere.
        keep_unused: Whether dictionary values that no row has stay.
    """

    def __init__(self, type: pa.DataType, *, keep_unused: bool) -> None:
        self._written = writable_type(type)
        self._keep_unused = keep_unused
        self._unions: dict[TypePath, _Union] = {}
        self._kept: dict[TypePath, KeptValues] | None = None

    def add(self, array: pa.Array) -> None:
        """Note which dictionary values a batch has and uses."""
        for path, each in visible_dictionaries(array, ()):
            self._unions.setdefault(path, _Union(each)).add(each)

    def finish(self) -> int:
        """Decide what is kept; return how many dictionary values no row uses."""
        uses = {path: each.use() for path, each in self._unions.items()}
        unused = sum(each.unused() for each in uses.values())
        if self._keep_unused:
            for each in uses.values():
                each.used[:] = True
        kept = {path: each.kept() for path, each in uses.items()}
        if all(self._unions[path].holds(len(each.values)) for path, each in kept.items()):
            self._kept = kept
        return unused

    def apply(self, array: pa.Array) -> pa.Array:
        """Return a batch with the shared dictionaries, or with its own where one type of indices is too small.

        A value that no batch had before becomes null.
        """
        if self._kept is None:
            return with_used_values(pa.chunked_array([array]), keep_unused=self._keep_unused)[0].chunk(0)
        kept = {}
        for path, each in visible_dictionaries(array, ()):
            values, positions = self._kept.get(path), self._unions.get(path)
            if values is None or positions is None:
                kept[path] = KeptValues(each.dictionary.slice(0, 0), np.full(len(each.dictionary) + 1, -1, np.int32))
            else:
                kept[path] = KeptValues(values.values, values.positions[positions.known(each.dictionary)])
        return with_dictionaries(array, self._written, kept, ())


class _Union:
    """All values of the dictionaries in one place of a type, and which of them rows use.

    Args:
        array: Any of the arrays.
    """

    def __init__(self, array: pa.DictionaryArray) -> None:
        self._index_type = array.type.index_type
        self._values: pa.Array = array.dictionary.slice(0, 0)
        self._used = np.zeros(0, bool)
        self._latest: tuple[pa.Array, _Positions] | None = None

    def add(self, array: pa.DictionaryArray) -> None:
        positions = self._positions(array.dictionary, grow=True)
        used = used_positions(index_blocks(array.indices), len(array.dictionary))
        rows_have = positions[used]
        self._used[rows_have[rows_have >= 0]] = True

    def use(self) -> DictionaryUse:
        return DictionaryUse(self._values, self._used)

    def holds(self, count: int) -> bool:
        """Return whether the indices can tell so many values apart."""
        bits: int = self._index_type.bit_width - pa.types.is_signed_integer(self._index_type)
        return count <= 1 << bits

    def known(self, dictionary: pa.Array) -> _Positions:
        """Return the position of each value of a dictionary, -1 for one that is not among the values."""
        positions = self._positions(dictionary, grow=False)
        return np.where(positions < len(self._values), positions, -1)

    def _positions(self, dictionary: pa.Array, *, grow: bool) -> _Positions:
        if self._latest is None or not self._latest[0].equals(dictionary):
            self._latest = dictionary, self._found(dictionary, grow=grow)
        return self._latest[1]

    def _found(self, dictionary: pa.Array, *, grow: bool) -> _Positions:
        """Return the position of each value among the values, at their end where it is new; -1 of a null."""
        is_valid = np.asarray(dictionary.is_valid(), bool)
        both = pa.chunked_array([_all_of(self._values), _all_of(dictionary.drop_null())]).unify_dictionaries()
        if grow and len(both.chunk(0).dictionary) > len(self._values):
            self._values = both.chunk(0).dictionary
            self._used = np.append(self._used, np.zeros(len(self._values) - len(self._used), bool))
        positions = np.full(len(dictionary), -1, np.intp)
        positions[is_valid] = np.asarray(both.chunk(1).indices)
        return positions


def _all_of(values: pa.Array) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(pa.array(np.arange(len(values))), values)
