"""The files of many parts of one frame, each with the same bytes as if it were made alone.

A text format serializes the rows of all parts in one go, and the text is cut between rows. Where everything but the
values follows from the types of the columns, and nothing is lost, what was found out about all rows holds for each
part; else each part is inspected by itself, and its text is taken from that of all rows where its values are the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise, repeat
from typing import Any

import numpy as np
import pyarrow as pa

from digime_pandas._tabular.codecs.codec import EncodeJob, run_one_by_one
from digime_pandas._tabular.codecs.parquet import small_files
from digime_pandas._tabular.codecs.registry import CODECS
from digime_pandas._tabular.columns import raise_about_frame
from digime_pandas._tabular.formats import FormatName
from digime_pandas._tabular.frames.inference import is_inferable
from digime_pandas._tabular.inspection import ColumnInspection
from digime_pandas._tabular.parts.part_columns import PartColumns
from digime_pandas._tabular.schema.making import is_implied, schema_of
from digime_pandas._tabular.schema.stored import LONGEST
from digime_pandas._tabular.serialize import SerializableFrame, inspect_source

_LINE_END = ord("\n")
_QUOTE = ord('"')


InspectPart = Callable[[int, int], SerializableFrame]
"""Inspects rows `start` to `stop`. Raises `FidelityError` where a library cannot read them."""


@dataclass(frozen=True, slots=True)
class PartFile:
    """The file of a part.

    Attributes:
        content: Its bytes.
        schema: The schema to send beside it, or None.
        rows: How many rows it has.
        losses: What there is to warn of, as sentences.
    """

    content: bytes
    schema: str | None
    rows: int
    losses: tuple[str, ...] = ()


def part_inspector(frame: SerializableFrame, rows: Any) -> InspectPart:
    """Return what inspects a part of a frame, as `inspect_frame` does where the part is a frame of its own.

    Args:
        frame: The inspected rows of all parts.
        rows: These rows: a frame of pandas or polars, or a table of Arrow.
    """
    return partial(_inspected, frame, _part_columns(frame, rows))


def part_files(frame: SerializableFrame, rows: Any, bounds: Sequence[int]) -> Iterator[PartFile | None]:
    """Yield the file of each part of a frame; None in the place of one that cannot be written.

    Args:
        frame: The inspected rows of all parts.
        rows: These rows: a frame of pandas or polars, or a table of Arrow.
        bounds: Where the rows of each part begin, and where the last ones end. No part is empty.
    """
    columns = _part_columns(frame, rows)
    contents = _texts(frame, bounds)
    make: _UniformParts | _DifferingParts = _DifferingParts(frame, columns)
    if _is_uniform(frame, columns):
        make = _UniformParts(frame, columns)
        if frame.format.stores_types:
            contents = small_files(_job_of(frame), columns.all_values(), bounds)
    return (make.file(start, stop, each) for (start, stop), each in zip(pairwise(bounds), contents, strict=False))


class _UniformParts:
    """Makes the files of parts of which all but the values is as it is of all rows.

    Args:
        frame: The inspected rows of all parts. Nothing of them is lost.
        columns: The columns of the parts; none is described anew for each of them.
    """

    def __init__(self, frame: SerializableFrame, columns: PartColumns) -> None:
        self._frame = frame
        self._columns = columns
        self._schema = _shared_schema(frame)
        self._needs_schema = self._schema is not None and _is_never_implied(frame)
        self._times = _places_of_times(frame)

    def file(self, start: int, stop: int, content: bytes | None) -> PartFile | None:
        """Return the file of rows `start` to `stop`, of which `content` are the bytes where they are made together."""
        if content is None or self._differs(start, stop):
            return _alone(self._frame, self._columns, start, stop)
        needs_none = self._schema is None or not (self._needs_schema or not self._is_implied(start, stop))
        return PartFile(content, None if needs_none else self._schema, stop - start)

    def _differs(self, start: int, stop: int) -> bool:
        return any(self._has_other_times(place, start, stop) for place in self._times) or any(
            self._columns.lacks_texts(place, start, stop) for place in self._columns.texts
        )

    def _has_other_times(self, place: int, start: int, stop: int) -> bool:
        """Return whether the times of a part have a coarser form than those of all parts together."""
        inspection = ColumnInspection(self._frame.source.columns[place], self._frame.format, alone=False)
        inspection.inspect(0, self._columns.values(place, start, stop))
        return bool(inspection.file_type != self._frame.inspections[place].file_type)

    def _is_implied(self, start: int, stop: int) -> bool:
        return is_implied(self._columns.source(start, stop), self._frame.format, self._frame.options)


class _DifferingParts:
    """Makes the files of parts that are inspected one by one.

    Args:
        frame: The inspected rows of all parts.
        columns: The columns of the parts.
    """

    def __init__(self, frame: SerializableFrame, columns: PartColumns) -> None:
        self._frame = frame
        self._columns = columns

    def file(self, start: int, stop: int, text: bytes | None) -> PartFile | None:
        """Return the file of rows `start` to `stop`, of which `text` is the text in the file of all rows."""
        part = _inspected(self._frame, self._columns, start, stop)
        if part.refusal is not None:
            return None
        content = text if text is not None and self._has_same_values(part, start, stop) else _content_of(part)
        return PartFile(content, part.schema, stop - start, part.warnings)

    def _has_same_values(self, part: SerializableFrame, start: int, stop: int) -> bool:
        """Return whether the values of a part are, as they become text, the same among all rows."""
        pairs = zip(part.inspections, self._frame.inspections, strict=True)
        return all(one.file_type == other.file_type for one, other in pairs) and all(
            self._has_same_column(part, place, start, stop) for place in (*self._columns.own, *self._columns.texts)
        )

    def _has_same_column(self, part: SerializableFrame, place: int, start: int, stop: int) -> bool:
        known, own = self._frame.source.columns[place], part.source.columns[place]
        if not own.type.equals(known.type):
            return False
        if pa.types.is_dictionary(own.type):
            return True
        return bool(own.read(0, stop - start).equals(known.read(start, stop)))


def _part_columns(frame: SerializableFrame, rows: Any) -> PartColumns:
    return PartColumns(rows, frame.source, keep_unused=bool(frame.options["keep_unused_categories"]))


def _inspected(frame: SerializableFrame, columns: PartColumns, start: int, stop: int) -> SerializableFrame:
    try:
        return inspect_source(columns.source(start, stop), frame.format, frame.options, warn_of_cut=False)
    except BaseException as error:  # noqa: BLE001 - raised again
        raise_about_frame(error, "read")


def _alone(frame: SerializableFrame, columns: PartColumns, start: int, stop: int) -> PartFile | None:
    return _DifferingParts(frame, columns).file(start, stop, None)


def _content_of(part: SerializableFrame) -> bytes:
    return b"".join(part.chunks())


def _is_uniform(frame: SerializableFrame, columns: PartColumns) -> bool:
    if frame.refusal is not None or frame.reasons or columns.own or not frame.source.columns:
        return False
    return not _has_sidecar(frame) or _shared_schema(frame) is not None


def _job_of(frame: SerializableFrame) -> EncodeJob:
    return EncodeJob(
        source=frame.source,
        options=frame.options,
        file_types=[each.file_type for each in frame.inspections],
        schema=frame.schema_inside,
    )


def _texts(frame: SerializableFrame, bounds: Sequence[int]) -> Iterable[bytes | None]:
    """Return the text of each part, cut from that of all rows; Nones where there is none, or it cannot be cut."""
    if frame.refusal is not None or frame.format.stores_types or not frame.source.columns:
        return repeat(None)
    return _cut(frame, bounds) or repeat(None)


def _cut(frame: SerializableFrame, bounds: Sequence[int]) -> Iterator[bytes] | None:
    is_array = frame.format.name == "json"
    codec: FormatName = "ndjson" if is_array else frame.format.name
    text = b"".join(CODECS[codec].encode(_job_of(frame), run_one_by_one))
    headers = int(frame.format.only_text)
    ends = _line_ends(text, bounds[-1] + headers)
    if ends is None:
        return None
    edges = np.concatenate([[0] if not headers else [], ends]).astype(np.intp)[np.asarray(bounds)].tolist()
    lines = (text[start:stop] for start, stop in pairwise(edges))
    if is_array:
        return (b"[%b]\n" % each[:-1].replace(b"\n", b",") for each in lines)
    head = text[: edges[0]]
    return (head + each for each in lines)


def _line_ends(text: bytes, count: int) -> Any:
    """Return where each of `count` lines ends, or None where that cannot be told."""
    letters = np.frombuffer(text, np.uint8)
    ends = np.flatnonzero(letters == _LINE_END) + 1
    if len(ends) > count:  # some are inside of values, which are between quotes
        is_outside = np.cumsum(letters == _QUOTE, dtype=np.uint8)[ends - 1] % 2 == 0
        ends = ends[is_outside]
    return ends if len(ends) == count else None


def _has_sidecar(frame: SerializableFrame) -> bool:
    return not frame.format.stores_types and bool(frame.options["typed"])


def _shared_schema(frame: SerializableFrame) -> str | None:
    """Return the schema of each part that needs one; None where none is sent, or it would not say everything."""
    if frame.schema is not None or not _has_sidecar(frame):
        return frame.schema
    escaped, attrs = bool(frame.options.get("escape_formulas")), bool(frame.options["attrs"])
    schema = schema_of(frame.source, escaped=escaped, attrs=attrs)
    text = schema.to_text()
    return None if schema.unsaid or len(text) > LONGEST else text


def _is_never_implied(frame: SerializableFrame) -> bool:
    """Return whether the dtypes alone say that each part needs its schema."""
    of_types = (each for each in frame.source.columns if each.rule != "text")
    return not all(is_inferable(each, frame.rows or 0, frame.format) for each in of_types)


def _places_of_times(frame: SerializableFrame) -> list[int]:
    """Return the places of the columns whose times a part might have in a coarser form than all parts together."""
    return [
        place
        for place, (column, found) in enumerate(zip(frame.source.columns, frame.inspections, strict=True))
        if found.file_type != ColumnInspection(column, frame.format, alone=False).file_type
    ]
