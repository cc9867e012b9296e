"""How much memory the values of a Parquet file take, found in the heads of its pages before any is decoded.

A dictionary has a value once that stands for any number of rows, run lengths say in a few bytes that a row is repeated,
and compression makes nothing of zeros. The footer says how large all this is, but nothing makes it say the truth: the
heads of the pages (`PageHeader` of parquet.thrift) are what readers go by.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from digime_pandas._tabular.codecs.parquet_footer import read_integers

_Head = Mapping[tuple[int, ...], int]

_MOST_PAGES = 2_000_000  # in all columns that are read
_HEAD_BYTES = 256
_LONGEST_HEAD = 16 << 20  # with the smallest and the largest value of the page
_DATA_PAGE, _DICTIONARY_PAGE, _DATA_PAGE_V2 = 0, 2, 3
_KIND, _PLAIN_BYTES, _STORED_BYTES = (1,), (2,), (3,)
_COUNTS = {_DATA_PAGE: (5, 1), _DATA_PAGE_V2: (8, 1)}  # num_values
_ENCODINGS = {_DATA_PAGE: (5, 2), _DATA_PAGE_V2: (8, 4)}
_WITH_DICTIONARY, _WITH_PREFIXES = {2, 8}, 7  # of parquet.thrift's Encoding
_LEVEL_BYTES = 4  # of definition and repetition, of each value
_WIDTHS = {"BOOLEAN": 1, "INT32": 4, "INT64": 8, "INT96": 12, "FLOAT": 4, "DOUBLE": 8, "BYTE_ARRAY": 8}


@dataclass(frozen=True, slots=True)
class Leaf:
    """A column of plain values, which may be a part of a nested one.

    Args:
        place: Its number among all leaves of the schema.
        path: Its name, with the names of what it is in.
        is_repeated: Whether it is in a list, so that a row may have any number of its values.
        is_text: Whether its values have any number of bytes.
        is_dictionary: Whether it is read as numbers and a dictionary, so that each value is there once.
        width: How many bytes a value takes at least.
    """

    place: int
    path: str
    is_repeated: bool
    is_text: bool
    is_dictionary: bool
    width: int


@dataclass(frozen=True, slots=True)
class LeafSize:
    """How large a leaf is in one row group.

    Args:
        bytes: How many bytes its values take at most.
        least_bytes: How many they take at least.
        value_bytes: How many the longest one takes at most.
        page_bytes: Bytes of the largest page, decompressed.
        has_dictionary: Whether values are repeated from a dictionary.
    """

    bytes: int
    least_bytes: int
    value_bytes: int
    page_bytes: int
    has_dictionary: bool


def leaves_of(file: pq.ParquetFile, names: Collection[str] | None) -> list[Leaf]:
    """Return the leaves of columns.

    Args:
        file: The file.
        names: Names of the columns; None for all.
    """
    dictionaries = {each.name for each in file.schema_arrow if pa.types.is_dictionary(each.type)}
    found = []
    for place in range(len(file.schema)):
        leaf = file.schema.column(place)
        if names is not None and leaf.path not in names and not _is_in(leaf.path, names):
            continue
        kind = leaf.physical_type
        width = max(leaf.length, 1) if kind == "FIXED_LEN_BYTE_ARRAY" else _WIDTHS[kind]
        levels = _LEVEL_BYTES if leaf.max_repetition_level else 0
        found.append(
            Leaf(
                place,
                leaf.path,
                leaf.max_repetition_level > 0,
                kind == "BYTE_ARRAY",
                leaf.path in dictionaries,
                width + levels,
            )
        )
    return found


def _is_in(path: str, names: Collection[str]) -> bool:
    parts = path.split(".")
    return any(".".join(parts[:end]) in names for end in range(1, len(parts)))


class PageHeads:
    """Goes through the heads of the pages of a file.

    Args:
        file: The file.
        stream: The same file. Its position is moved.
        source: The same file, in a form that pyarrow reads with fewer copies. Default: the stream.
    """

    def __init__(self, file: pq.ParquetFile, stream: BinaryIO, source: pa.NativeFile | None = None) -> None:
        self._file = file
        self._stream = stream
        self._source = source
        self._pages = 0

    def size_of(self, leaf: Leaf, group: int, *, longest: int | None = None) -> LeafSize:
        """Return how large a leaf is in a row group.

        Args:
            leaf: The leaf.
            group: Number of the row group.
            longest: Bytes of the longest value in its dictionary, or None where they are not known.

        Raises:
            ValueError: The head of a page is not as it should be.
        """
        least = most = value_bytes = page_bytes = in_dictionary = 0
        has_dictionary = False
        for head in self._heads(self._file.metadata.row_group(group).column(leaf.place)):
            kind, plain = head[_KIND], head.get(_PLAIN_BYTES, 0)
            page_bytes = max(page_bytes, plain)
            if kind == _DICTIONARY_PAGE:
                in_dictionary = plain if longest is None else longest
            if kind not in _COUNTS:
                continue
            count, encoding = head.get(_COUNTS[kind], 0), head.get(_ENCODINGS[kind], 0)
            is_coded = encoding in _WITH_DICTIONARY
            each = 0 if not leaf.is_text else in_dictionary if is_coded else plain
            repeats = encoding == _WITH_PREFIXES or (is_coded and not leaf.is_dictionary)
            has_dictionary = has_dictionary or is_coded
            least += count * leaf.width
            most += count * leaf.width + each * (count if repeats else 1)
            value_bytes = max(value_bytes, leaf.width + each)
        return LeafSize(most, least, value_bytes, page_bytes, has_dictionary)

    def exact_size_of(self, leaf: Leaf, group: int) -> LeafSize:
        """Return smaller bounds of the size of a leaf with a dictionary, by the longest value in it."""
        return self.size_of(leaf, group, longest=self._longest(leaf, group))

    def _longest(self, leaf: Leaf, group: int) -> int | None:
        """Return how many bytes the longest value of a dictionary has; None where it cannot be looked into."""
        heads = self._heads(self._file.metadata.row_group(group).column(leaf.place))
        first = next((head for head in heads if head[_KIND] in _ENCODINGS), None)
        if first is None or first.get(_ENCODINGS[first[_KIND]]) not in _WITH_DICTIONARY:
            return None
        # What is read of the first page is its row and the whole dictionary.
        pages = self._with_dictionaries.iter_batches(1, row_groups=[group], columns=[leaf.path], use_threads=False)
        batch = next(pages, None)
        values = None if batch is None or batch.num_columns != 1 else _innermost(batch.column(0))
        if values is None or not pa.types.is_dictionary(values.type):
            return None
        return int(pc.max(pc.binary_length(values.dictionary)).as_py() or 0)

    @cached_property
    def _with_dictionaries(self) -> pq.ParquetFile:
        """The file, read so that texts with a dictionary keep it."""
        texts = [leaf.path for leaf in leaves_of(self._file, None) if leaf.is_text]
        self._stream.seek(0)
        source = self._stream if self._source is None else self._source
        return pq.ParquetFile(source, metadata=self._file.metadata, read_dictionary=texts, pre_buffer=False)

    def _heads(self, chunk: pq.ColumnChunkMetaData) -> Iterator[_Head]:
        """Yield what the heads of a column's pages say: integers, by the numbers of the fields that lead to them."""
        position = chunk.data_page_offset
        if chunk.dictionary_page_offset and 0 < chunk.dictionary_page_offset < position:
            position = chunk.dictionary_page_offset
        end, left = position + chunk.total_compressed_size, chunk.num_values
        while position < end and left > 0:
            head, size = _head_at(self._stream, position)
            self._pages += 1
            if self._pages > _MOST_PAGES:
                raise ValueError(f"it has more than {_MOST_PAGES:,} pages")
            yield head
            left -= head.get(_COUNTS.get(head[_KIND], ()), 0)
            position += size + head.get(_STORED_BYTES, 0)


def _innermost(array: pa.Array) -> pa.Array:
    """Return the values of the one leaf of an array."""
    while pa.types.is_nested(array.type) and not pa.types.is_dictionary(array.type):
        array = array.field(0) if pa.types.is_struct(array.type) else array.values
    return array


def _head_at(stream: BinaryIO, position: int) -> tuple[_Head, int]:
    size = _HEAD_BYTES
    while True:
        stream.seek(position)
        data = stream.read(size)
        try:
            found, used = read_integers(data, depth=2)
        except IndexError:
            if len(data) < size or size >= _LONGEST_HEAD:
                break
            size *= 8
            continue
        if _KIND in found and min(found.values()) >= 0:
            return found, used
        break
    raise ValueError(f"the head of the page at byte {position:,} cannot be read")
