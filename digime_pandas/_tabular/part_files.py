"""The files of many parts of one frame, made together where each has the same bytes as if it were made alone.

That is so where everything but the values follows from the types of the columns. Then a text format serializes the rows
of all parts in one go, and the text is cut between rows; Parquet files share what was found out about the columns.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise

import numpy as np
import pyarrow as pa

from digime_pandas._tabular.codecs.codec import EncodeJob, run_one_by_one
from digime_pandas._tabular.codecs.registry import CODECS
from digime_pandas._tabular.columns import Column
from digime_pandas._tabular.formats import FormatName
from digime_pandas._tabular.frames.source import BatchReader, ColumnSource
from digime_pandas._tabular.inspection import ColumnInspection
from digime_pandas._tabular.schema.making import is_implied, schema_of
from digime_pandas._tabular.schema.stored import LONGEST
from digime_pandas._tabular.serialize import SerializableFrame

# Of columns of these families the dtype says how they come back, and no value does.
_FAMILIES = frozenset(("numpy", "masked", "string", "arrow"))
_LINE_END = ord("\n")


@dataclass(frozen=True, slots=True)
class PartFile:
    """The file of a part.

    Attributes:
        content: Its bytes.
        schema: The schema to send beside it, or None.
        rows: How many rows it has.
    """

    content: bytes
    schema: str | None
    rows: int


def part_files(frame: SerializableFrame, bounds: Sequence[int]) -> Iterator[PartFile | None] | None:
    """Return the files of the parts of a frame, or None where they have to be made one by one.

    Args:
        frame: The inspected rows of all parts.
        bounds: Where the rows of each part begin, and where the last ones end. No part is empty.

    Returns:
        The files; None in the place of one that has to be made alone.
    """
    if frame.refusal is not None or frame.reasons or not _is_uniform(frame.source):
        return None
    batch = pa.RecordBatch.from_arrays(
        [each.read(0, bounds[-1]) for each in frame.source.columns], names=[each.name for each in frame.source.columns]
    )
    sources = [_source_of(frame.source, batch, start, stop) for start, stop in pairwise(bounds)]
    if frame.format.stores_types:
        contents: Iterator[bytes] | None = (_encoded(frame, each) for each in sources)
    else:
        contents = _cut(frame, _source_of(frame.source, batch, 0, bounds[-1]), bounds)
    schema = _shared_schema(frame)
    if contents is None or (schema is None and _has_sidecar(frame)):
        return None
    return map(partial(_part_file, frame, schema, _places_of_times(frame)), sources, contents)


def _is_uniform(source: ColumnSource) -> bool:
    """Return whether all but the values follows from the types of the columns, in each part as in all of them."""
    return not source.single_pass and bool(source.columns) and all(map(_is_plain, source.columns))


def _is_plain(column: Column) -> bool:
    kind = column.type
    return column.spec.dtype_family in _FAMILIES and not (
        pa.types.is_nested(kind) or pa.types.is_dictionary(kind) or isinstance(kind, pa.BaseExtensionType)
    )


def _source_of(source: ColumnSource, batch: pa.RecordBatch, start: int, stop: int) -> ColumnSource:
    """Return rows `start` to `stop`, which are in a batch."""
    rows = batch.slice(start, stop - start)
    columns = tuple(
        replace(column, read=partial(_read, values))
        for column, values in zip(source.columns, rows.columns, strict=True)
    )
    return replace(source, columns=columns, rows=rows.num_rows, open=partial(_open, rows))


def _read(values: pa.Array, start: int, stop: int) -> pa.Array:
    return values.slice(start, stop - start)


def _open(rows: pa.RecordBatch) -> BatchReader:
    place = 0

    def read(count: int) -> pa.RecordBatch | None:
        nonlocal place
        found = rows.slice(place, count)
        place += found.num_rows
        return found if found.num_rows else None

    return read


def _encoded(frame: SerializableFrame, source: ColumnSource, *, format: FormatName | None = None) -> bytes:
    job = EncodeJob(
        source=source,
        options=frame.options,
        file_types=[each.file_type for each in frame.inspections],
        schema=frame.schema_inside,
    )
    return b"".join(CODECS[format or frame.format.name].encode(job, run_one_by_one))


def _cut(frame: SerializableFrame, source: ColumnSource, bounds: Sequence[int]) -> Iterator[bytes] | None:
    """Return the text of each part, or None where it cannot be told where rows end."""
    is_array = frame.format.name == "json"
    text = _encoded(frame, source, format="ndjson" if is_array else None)
    # One line feed per row, and one after the header of a format that has one: then none is inside a value.
    ends = np.flatnonzero(np.frombuffer(text, np.uint8) == _LINE_END) + 1
    headers = len(ends) - bounds[-1]
    if headers != int(frame.format.only_text):
        return None
    edges = np.concatenate([[0] if not headers else [], ends]).astype(np.intp)[np.asarray(bounds)].tolist()
    lines = (text[start:stop] for start, stop in pairwise(edges))
    if is_array:
        return (b"[%b]\n" % each[:-1].replace(b"\n", b",") for each in lines)
    head = text[: edges[0]]
    return (head + each for each in lines)


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


def _places_of_times(frame: SerializableFrame) -> list[int]:
    """Return the places of the columns whose times a part might have in a coarser form than all parts together."""
    return [
        place
        for place, (column, found) in enumerate(zip(frame.source.columns, frame.inspections, strict=True))
        if found.file_type != ColumnInspection(column, frame.format, alone=False).file_type
    ]


def _part_file(
    frame: SerializableFrame, schema: str | None, times: Sequence[int], source: ColumnSource, content: bytes
) -> PartFile | None:
    rows = source.rows or 0
    for place in times:
        inspection = ColumnInspection(source.columns[place], frame.format, alone=False)
        inspection.inspect_all(rows)
        if inspection.file_type != frame.inspections[place].file_type:
            return None
    needs_none = schema is None or is_implied(source, frame.format, frame.options)
    return PartFile(content, None if needs_none else schema, rows)
