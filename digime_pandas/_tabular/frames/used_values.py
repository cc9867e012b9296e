"""Which categories or dictionary values rows use, and Arrow dictionaries without the others.

Filtering rows leaves a dictionary as it was: with the values of all the rows that are gone. A value counts as used
where a row has it: not in a null slot, not inside a null struct or list, and not outside of a slice.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from digime_pandas._tabular.arrow import with_inner_types
from digime_pandas._tabular.columns import BLOCK_ROWS

_FEW_ROWS = 256  # that Python goes through in less time than calls of numpy take

Codes = npt.NDArray[np.integer]
Used = npt.NDArray[np.bool_]
TypePath = tuple[int, ...]


def used_positions(blocks: Iterable[Codes], count: int) -> Used:
    """Return, for each of `count` values, whether a code is its position.

    Args:
        blocks: The codes in blocks; -1 is a missing value. Once all values are used, no more blocks are read.
        count: How many values there are.
    """
    used = np.zeros(count + 1, dtype=bool)  # the last one is where the code -1 points
    for codes in blocks:
        if used[:count].all():
            break
        used[codes] = True
    return used[:count]


def are_all_used(codes: Codes, count: int) -> bool:
    """Return whether each of `count` values is used, as far as that shows in a few rows.

    Args:
        codes: The codes of all rows; -1 is a missing value.
        count: How many values there are.
    """
    return len(codes) <= _FEW_ROWS and len({*codes.tolist(), -1}) == count + 1


def code_blocks(codes: Codes) -> Iterator[Codes]:
    """Yield the codes of all rows in blocks of at most 65,536."""
    return (codes[start : start + BLOCK_ROWS] for start in range(0, len(codes), BLOCK_ROWS))


def new_positions(used: Used) -> npt.NDArray[np.int32]:
    """Return the position of each used value among the used ones; -1 at the end, where the code -1 points."""
    positions = np.full(len(used) + 1, -1, dtype=np.int32)
    positions[:-1][used] = np.arange(np.count_nonzero(used), dtype=np.int32)
    return positions


def dictionaries_in(type: pa.DataType) -> Iterator[pa.DictionaryType]:
    """Yield the dictionary types in a type, its own first; none for types that cannot be written."""
    if isinstance(type, pa.BaseExtensionType):
        yield from dictionaries_in(type.storage_type)
    elif pa.types.is_dictionary(type):
        yield type
    elif pa.types.is_struct(type) or pa.types.is_map(type) or _is_list(type):
        for i in range(type.num_fields):
            yield from dictionaries_in(type.field(i).type)


@lru_cache(maxsize=1024)
def has_dictionary(type: pa.DataType) -> bool:
    """Return whether there is a dictionary anywhere in a type."""
    return any(True for _ in dictionaries_in(type))


def with_used_values(values: pa.ChunkedArray, *, keep_unused: bool = False) -> tuple[pa.ChunkedArray, int]:
    """Return values with dictionaries of what they use, and how many dictionary values they do not use.

    Args:
        values: Values of a type that has a dictionary somewhere.
        keep_unused: Whether to leave the dictionaries as they are, and only count.

    Returns:
        The values, in as many chunks, which share their dictionaries where they can; and the count of unused
        dictionary values. The order of the others stays. The type is that of `writable_type`. A null among the
        values of a dictionary, which Parquet does not have, becomes a null of the rows.
    """
    shared = _with_shared_dictionaries(values)
    if shared is None:
        parts = [with_used_values(pa.chunked_array([each]), keep_unused=keep_unused) for each in values.chunks]
        chunks = [each for part, _ in parts for each in part.chunks]
        return pa.chunked_array(chunks, writable_type(values.type)), sum(count for _, count in parts)
    uses = _uses(shared.chunks)
    unused = sum(each.unused() for each in uses.values())
    if keep_unused:
        for each in uses.values():
            each.used[:] = True
    written = writable_type(values.type)
    has_nulls = any(each.dictionary.null_count for each in uses.values())
    if written.equals(values.type) and (keep_unused or not unused) and not has_nulls:
        return shared, unused
    kept = {path: each.kept() for path, each in uses.items()}
    return pa.chunked_array([with_dictionaries(each, written, kept, ()) for each in shared.chunks], written), unused


def writable_type(type: pa.DataType) -> pa.DataType:
    """Return the type in which values with dictionaries are written.

    What is inside of a null struct becomes null, so that members are nullable; and since there are no Parquet
    dictionaries of views, these become plain text or bytes.
    """
    if not has_dictionary(type) or isinstance(type, pa.BaseExtensionType):
        return type
    if pa.types.is_dictionary(type):
        return pa.dictionary(type.index_type, _without_view(type.value_type), ordered=type.ordered)
    return with_inner_types(type, writable_type)


def _without_view(type: pa.DataType) -> pa.DataType:
    if pa.types.is_string_view(type):
        return pa.large_string()
    return pa.large_binary() if pa.types.is_binary_view(type) else type


def _is_list(type: pa.DataType) -> bool:
    types = pa.types
    return bool(types.is_list(type) or types.is_large_list(type) or types.is_fixed_size_list(type))


@dataclass(frozen=True, slots=True)
class KeptValues:
    """The values of a dictionary that are used, and the new position of each old one."""

    values: pa.Array
    positions: npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class DictionaryUse:
    """A dictionary, and which of its values are used."""

    dictionary: pa.Array
    used: Used

    def unused(self) -> int:
        """Return how many values, nulls left out, are not used."""
        return int(np.count_nonzero(~self.used & self._valid()))

    def kept(self) -> KeptValues:
        """Return the values that are used, without nulls."""
        values, used = self.dictionary, self.used & self._valid()
        kept_type = _without_view(values.type)
        values = values if kept_type == values.type else values.cast(kept_type)
        return KeptValues(values.take(pa.array(np.flatnonzero(used))), new_positions(used))

    def _valid(self) -> Used:
        return np.asarray(self.dictionary.is_valid(), bool)


def _with_shared_dictionaries(values: pa.ChunkedArray) -> pa.ChunkedArray | None:
    """Return values whose chunks have the same dictionaries, or None where their type of indices is too small."""
    if values.num_chunks < 2:  # noqa: PLR2004 - one chunk, or none: nothing to share
        return values
    try:
        return values.unify_dictionaries()
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return None


def _uses(chunks: Iterable[pa.Array]) -> dict[TypePath, DictionaryUse]:
    """Return which dictionary values are used, by where the dictionary is in the type."""
    uses: dict[TypePath, DictionaryUse] = {}
    for chunk in chunks:
        for path, array in visible_dictionaries(chunk, ()):
            known = uses.get(path)
            used = used_positions(index_blocks(array.indices), len(array.dictionary))
            uses[path] = DictionaryUse(array.dictionary, used if known is None else used | known.used)
    return uses


def index_blocks(indices: pa.Array) -> Iterator[Codes]:
    """Yield the indices of a dictionary array that are not null, of at most 65,536 rows at a time."""
    for start in range(0, len(indices), BLOCK_ROWS):
        block = indices.slice(start, BLOCK_ROWS)
        yield (block.drop_null() if block.null_count else block).to_numpy()


def visible_dictionaries(array: pa.Array, path: TypePath) -> Iterator[tuple[TypePath, pa.DictionaryArray]]:
    """Yield each dictionary array inside an array, where no null struct or list hides it."""
    kind = array.type
    if not has_dictionary(kind):
        return
    if isinstance(kind, pa.BaseExtensionType):
        yield from visible_dictionaries(array.storage, path)
    elif pa.types.is_dictionary(kind):
        yield path, array
    elif pa.types.is_struct(kind):
        for i, child in enumerate(array.flatten()):
            yield from visible_dictionaries(child, (*path, i))
    else:
        yield from visible_dictionaries(_members(array), (*path, 0))


def with_dictionaries(
    array: pa.Array, type: pa.DataType, kept: Mapping[TypePath, KeptValues], path: TypePath
) -> pa.Array:
    """Return an array as one of `type`, with dictionaries of used values and nothing inside null structs and lists."""
    kind = array.type
    if not has_dictionary(kind):
        return array
    if isinstance(kind, pa.BaseExtensionType):
        return pa.ExtensionArray.from_storage(type, with_dictionaries(array.storage, kind.storage_type, kept, path))
    if pa.types.is_dictionary(kind):
        new = kept[path].positions
        positions = pa.array(new, mask=new < 0).cast(kind.index_type)
        return pa.DictionaryArray.from_arrays(positions.take(array.indices), kept[path].values, ordered=kind.ordered)
    if pa.types.is_struct(kind):
        children = [
            with_dictionaries(child, field.type, kept, (*path, i))
            for i, (child, field) in enumerate(zip(array.flatten(), type, strict=True))
        ]
        return pa.StructArray.from_arrays(children, fields=list(type), mask=_missing(array))
    return _lists_with_dictionaries(array, type, kept, (*path, 0))


def _lists_with_dictionaries(
    array: pa.Array, type: pa.DataType, kept: Mapping[TypePath, KeptValues], path: TypePath
) -> pa.Array:
    members = _members(array)
    if pa.types.is_map(type):
        pairs = pa.struct([pa.field("key", type.key_type, nullable=False), pa.field("value", type.item_type)])
        entries = with_dictionaries(members, pairs, kept, path)
        return pa.MapArray.from_arrays(_offsets(array), entries.field(0), entries.field(1), type)
    values = with_dictionaries(members, type.value_type, kept, path)
    if pa.types.is_fixed_size_list(type):
        return pa.FixedSizeListArray.from_arrays(values, type=type, mask=_missing(array))
    of_lists = pa.LargeListArray if pa.types.is_large_list(type) else pa.ListArray
    return of_lists.from_arrays(_offsets(array), values, type=type)


def _missing(array: pa.Array) -> pa.Array | None:
    return array.is_null() if array.null_count else None


def _members(lists: pa.Array) -> pa.Array:
    """Return the members of all lists (or maps) that are not null, one after the other."""
    # Not by `flatten`, which loses the dictionary where nothing is left.
    if pa.types.is_fixed_size_list(lists.type):
        return _visible_members(lists)
    if not len(lists):
        return lists.values.slice(0, 0)
    offsets = lists.offsets.to_numpy()
    members = lists.values.slice(offsets[0], offsets[-1] - offsets[0])
    if not lists.null_count:
        return members
    visible = np.repeat(lists.is_valid().to_numpy(zero_copy_only=False), np.diff(offsets))
    return members if visible.all() else members.filter(pa.array(visible))


def _visible_members(lists: pa.FixedSizeListArray) -> pa.Array:
    """Return the members of lists of one size; those of a null list are null, and not left out."""
    size = lists.type.list_size
    members = lists.values.slice(lists.offset * size, len(lists) * size)
    if not lists.null_count:
        return members
    hidden = np.repeat(lists.is_null().to_numpy(zero_copy_only=False), size)
    return members.take(pa.array(np.arange(len(members)), mask=hidden))


def _offsets(lists: pa.Array) -> pa.Array:
    """Return offsets by which `_members` become lists again; that of a null list is null."""
    if not len(lists):
        return pa.array([0], lists.offsets.type)
    missing = lists.is_null().to_numpy(zero_copy_only=False)
    lengths = np.where(missing, 0, np.diff(lists.offsets.to_numpy()))
    return pa.array(np.append(0, np.cumsum(lengths)), lists.offsets.type, mask=np.append(missing, False))
