"""What a write would send, without sending it. It inspects the frame as `write` does, so the two cannot disagree."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO
from itertools import islice
from types import MappingProxyType
from typing import Any, Unpack

import pandas as pd
import pyarrow as pa

from digime_pandas._client.arguments import WriteArguments, shows_write_arguments
from digime_pandas._client.write_plan import WriteRequest, check_write_request, complete_descriptor, inspect_rows
from digime_pandas._service.descriptor import SCHEMA_PREFIX, AccountIds, FileDescriptor, FileName
from digime_pandas._service.display import html
from digime_pandas._tabular.codecs.reading.json_elements import array_lines
from digime_pandas._tabular.columns import first_line_of
from digime_pandas._tabular.fidelity import ColumnVerdict
from digime_pandas._tabular.parse import parse
from digime_pandas._tabular.rules.rule import Verdict
from digime_pandas._tabular.serialize import SerializableFrame
from digime_pandas.errors import InputError, printable
from digime_pandas.errors.calls.attributes import NearNames
from digime_pandas.errors.calls.explained import explains_calls

_SAMPLED_ROWS = 10_000
_SHOWN_ROWS = 5
_SHOWN_WIDTH = 160
_ORDER: tuple[Verdict, ...] = ("impossible", "lost", "changed", "kept")
_TITLES = ("column", "in the file", "comes back with read_frame", "dtype", "what becomes of it")
_TONES: Mapping[str, html.Tone] = MappingProxyType(
    {"impossible": "bad", "lost": "careful", "changed": "plain", "kept": "good"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview(NearNames):
    """What a write would send.

    Attributes:
        file_name: Name of the file.
        descriptor: The descriptor, exact but for the write id, which is new for each write.
        format: ``"csv"``, ``"json"``, ``"ndjson"`` or ``"parquet"``.
        rows: Rows, or None for a one-shot stream, which is not read ahead.
        estimated_size: Bytes before encryption: exact up to 10,000 rows, projected from the first 10,000 beyond, None
            for a one-shot stream and for a frame that cannot be written.
        columns: One verdict per column: what becomes of it in this format. One that is ``"impossible"`` is what `write`
            would refuse the frame for.
        comes_back: Per column, whether `read_frame` gives it back as it was: values and dtype. It does where they are
            kept, and where they are changed and the schema is sent or is in the file.
        sample: The first rows as the file will hold them (JSON: on lines of their own; Parquet: as they read back).
    """

    file_name: str
    descriptor: FileDescriptor
    format: str
    rows: int | None
    estimated_size: int | None
    columns: tuple[ColumnVerdict, ...]
    comes_back: tuple[bool, ...]
    sample: str

    @property
    def mime_type(self) -> str:
        """Media type that would be declared."""
        return self.descriptor.mime_type

    def to_frame(self) -> pd.DataFrame:
        """Return the verdicts as a frame: one row per column of the previewed one, in its order."""
        names = ("dtype", "verdict", "note", "row")
        return pd.DataFrame(
            {name: [getattr(column, name) for column in self.columns] for name in names}
            | {"comes_back": list(self.comes_back)},
            index=pd.Index([column.name for column in self.columns], name="column", dtype=object),
        )

    def __repr__(self) -> str:
        rows = [_TITLES, *self._rows()]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        columns = ("  " + "  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)
        facts = (f"{name}: {value}" for name, value in self._facts().items())
        problems = (f"{title}:\n" + "\n".join(f"  {each}" for each in lines) for _, title, lines in self._problems())
        return printable("\n".join((*problems, *facts, "columns:", *columns, f"first rows:\n{self.sample}")))

    def _repr_html_(self) -> str:
        rows = ((name, html.labelled(verdict, _TONES[verdict]), *rest) for name, verdict, *rest in self._rows())
        return html.card(
            *(html.notice(tone, title, lines) for tone, title, lines in self._problems()),
            html.head("Preview", "plain", self.file_name, "nothing has been sent."),
            html.facts({name.capitalize(): value for name, value in self._facts().items()}),
            html.table(_TITLES, rows, texts=_TITLES[-1:]),
            html.folded("First rows of the file", html.lines_of(self.sample)),
        )

    def _problems(self) -> Iterator[tuple[html.Tone, str, list[str]]]:
        """Yield what has to be known first: how bad it is, a title, and a line per column."""
        name = "Parquet" if self.format == "parquet" else self.format.upper()
        titles: tuple[tuple[html.Tone, Verdict, str], ...] = (
            ("bad", "impossible", f"This frame cannot be written as {name}; a write would be refused"),
            ("careful", "lost", "Not everything will be in the file"),
        )
        for tone, verdict, title in titles:
            lines = [_sentence(column) for column in self.columns if column.verdict == verdict]
            if lines:
                yield tone, title, lines

    def _rows(self) -> list[tuple[str, ...]]:
        """Return a row of the table per column, those with problems first."""
        rows = sorted(zip(self.columns, self.comes_back, strict=True), key=lambda each: _ORDER.index(each[0].verdict))
        return [
            (column.name, column.verdict, "yes" if same else "no", column.dtype, column.note) for column, same in rows
        ]

    def _facts(self) -> dict[str, str]:
        rows = "not known" if self.rows is None else f"{self.rows:,}"
        exact = self.rows is not None and self.rows <= _SAMPLED_ROWS
        about = "" if exact else "about "
        size = "not known" if self.estimated_size is None else f"{about}{self.estimated_size:,} bytes"
        return {
            "file": f"{self.file_name} ({self.mime_type})",
            "account": ", ".join(self.descriptor.accounts),
            "reference": ", ".join(map(_shortened, self.descriptor.reference)),
            "tags": ", ".join(self.descriptor.tags) or "none",
            "rows": rows,
            "size": size,
        }


@explains_calls()
@shows_write_arguments
def preview(frame: object, file_name: FileName, account_id: AccountIds, **arguments: Unpack[WriteArguments]) -> Preview:
    """Return what `write` with the same arguments would send. Nothing is sent and no authorization is needed.

    Args:
        frame: As for `write`. A one-shot stream is not read, and an iterator of record batches cannot be previewed.
        file_name: As for `write`.
        account_id: As for `write`.
        arguments: As for `write`.

    Returns:
        The preview; it shows itself in a notebook. Columns that the format cannot hold are shown, not raised.

    Raises:
        InputError: Another argument is not valid or a source fails, and `write` would raise it too; or the frame is an
            iterator of record batches.
    """
    request = check_write_request(file_name, account_id, arguments)
    if isinstance(frame, Iterator) and not hasattr(frame, "__arrow_c_stream__"):
        raise InputError(
            f"frame is a {type(frame).__name__}, of which a preview would take the first batch, so that a write would "
            "lack it. Give pyarrow.RecordBatchReader.from_batches(schema, batches), or a list."
        )
    inspected = inspect_rows(frame, request)
    if inspected.refusal is None:
        size, sample = _size_and_sample(frame, request, inspected)
    else:
        size, sample = None, "none: this frame cannot be written as it is; see the columns that are impossible"
    if not isinstance(frame, pa.RecordBatchReader):  # which stays open, for a write
        inspected.close()
    return Preview(
        file_name=request.file_name,
        descriptor=complete_descriptor(request, inspected),
        format=request.format.name,
        rows=inspected.rows,
        estimated_size=size,
        columns=inspected.columns,
        comes_back=_comes_back(inspected, request),
        sample=sample,
    )


def _comes_back(frame: SerializableFrame, request: WriteRequest) -> tuple[bool, ...]:
    # A schema is left out as one of several references, by typed=False, and where none is needed: then it is None, too.
    types_are_known = frame.options.get("typed", True) and (frame.schema is None or request.carries_schema)
    return tuple(bool(types_are_known) and column.verdict in {"kept", "changed"} for column in frame.columns)


def _sentence(column: ColumnVerdict) -> str:
    row = "" if column.row is None else f" (first in row {column.row:,}, counted from 0)"
    return f"{column.name}: {column.note}{row}"


def _size_and_sample(frame: object, request: WriteRequest, whole: SerializableFrame) -> tuple[int | None, str]:
    if whole.single_pass:
        return None, "not read: this stream can be read once only"
    return estimated_size(frame, request, whole), _sample(inspect_rows(_head(frame, whole, _SHOWN_ROWS), request))


def estimated_size(frame: object, request: WriteRequest, whole: SerializableFrame) -> int:
    """Return the size of a file in bytes: exact up to 10,000 rows, projected from the first 10,000 beyond.

    Args:
        frame: The rows, which can be read more than once.
        request: The checked arguments.
        whole: Their inspection.
    """
    is_small = whole.rows is not None and whole.rows <= _SAMPLED_ROWS
    sampled = whole if is_small else inspect_rows(_head(frame, whole, _SAMPLED_ROWS), request)
    size = sum(map(len, sampled.chunks()))
    if sampled.rows and whole.rows and whole.rows > sampled.rows:
        size = size * whole.rows // sampled.rows
    return size


def _head(frame: Any, whole: SerializableFrame, rows: int) -> object:
    if whole.source.head is not None:
        return whole.source.head(rows)
    # What is in memory and is not of pandas is a pyarrow table or batch or a polars frame.
    return frame.iloc[:rows] if isinstance(frame, pd.DataFrame | pd.Series) else frame.slice(0, rows)


def _sample(frame: SerializableFrame) -> str:
    content = b"".join(bytes(chunk) for chunk in frame.chunks())
    if frame.format.name == "parquet":
        text = _as_text(parse(content, frame.format))
    elif frame.format.name == "json":
        text = "[" + ",\n".join(line.decode().rstrip("\n") for line in array_lines(BytesIO(content))) + "]"
    else:
        text = content.decode()
    lines = islice(text.splitlines(), _SHOWN_ROWS + 1)
    return "\n".join(line if len(line) <= _SHOWN_WIDTH else line[: _SHOWN_WIDTH - 1] + "…" for line in lines)


def _as_text(frame: pd.DataFrame) -> str:
    try:
        return frame.to_string(max_cols=20)
    except Exception as error:  # noqa: BLE001 - of some types of Arrow, such as string_view, and of far times
        return f"not shown: pandas has no text for them ({first_line_of(error)})"


def _shortened(reference: str) -> str:
    schema = reference.removeprefix(SCHEMA_PREFIX)
    return reference if schema == reference else f"the schema ({len(schema)} characters)"
