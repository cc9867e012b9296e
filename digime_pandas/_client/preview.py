"""What a write would send, without sending it. It inspects the frame as `write` does, so the two cannot disagree."""

from __future__ import annotations

import html
from collections.abc import Iterable
from dataclasses import dataclass
from io import BytesIO
from itertools import islice
from typing import Any, Unpack

import pandas as pd
import pyarrow as pa

from digime_pandas._client.arguments import WriteArguments, shows_write_arguments
from digime_pandas._client.write_plan import WriteRequest, check_write_request, complete_descriptor, inspect_rows
from digime_pandas._service.descriptor import SCHEMA_PREFIX, FileDescriptor
from digime_pandas._tabular.codecs.json_array import array_lines
from digime_pandas._tabular.columns import first_line_of
from digime_pandas._tabular.fidelity import ColumnVerdict
from digime_pandas._tabular.parse import parse
from digime_pandas._tabular.serialize import SerializableFrame

_SAMPLED_ROWS = 10_000
_SHOWN_ROWS = 5
_SHOWN_WIDTH = 160


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
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
        sample: The first rows as the file will hold them (JSON: on lines of their own; Parquet: as they read back).
    """

    file_name: str
    descriptor: FileDescriptor
    format: str
    rows: int | None
    estimated_size: int | None
    columns: tuple[ColumnVerdict, ...]
    sample: str

    @property
    def mime_type(self) -> str:
        """Media type that would be declared."""
        return self.descriptor.mime_type

    def to_frame(self) -> pd.DataFrame:
        """Return the verdicts as a frame: one row per column."""
        return pd.DataFrame(
            {name: [getattr(column, name) for column in self.columns] for name in ("dtype", "verdict", "note", "row")},
            index=pd.Index([column.name for column in self.columns], name="column", dtype=object),
        )

    def __repr__(self) -> str:
        width = max((len(column.name) for column in self.columns), default=0)
        columns = "\n".join(
            f"  {column.name:<{width}}  {column.dtype:<16}  {column.verdict:<10}  {column.note}".rstrip()
            for column in self.columns
        )
        facts = "\n".join(f"{name}: {value}" for name, value in self._facts().items())
        return f"{facts}\ncolumns:\n{columns}\nfirst rows:\n{self.sample}"

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

    def _repr_html_(self) -> str:
        def row(cells: Iterable[str], tag: str = "td") -> str:
            return "<tr>" + "".join(f'<{tag} style="text-align:left">{cell}</{tag}>' for cell in cells) + "</tr>"

        facts = "".join(row((f"<b>{name}</b>", html.escape(value))) for name, value in self._facts().items())
        columns = "".join(
            row(map(html.escape, (column.name, column.dtype, column.verdict, column.note))) for column in self.columns
        )
        head = row(("column", "dtype", "verdict", "what becomes of it"), "th")
        return (
            f"<div><p><b>Preview: nothing has been sent.</b></p><table><tbody>{facts}</tbody></table>"
            f"<table><thead>{head}</thead><tbody>{columns}</tbody></table>"
            f'<pre style="overflow-x:auto;font-family:monospace">{html.escape(self.sample)}</pre></div>'
        )


@shows_write_arguments
def preview(
    frame: object, file_name: str, account_id: str | Iterable[str], **arguments: Unpack[WriteArguments]
) -> Preview:
    """Return what `write` with the same arguments would send. Nothing is sent and no authorization is needed.

    Args:
        frame: As for `write`. A one-shot stream is not read.
        file_name: As for `write`.
        account_id: As for `write`.
        arguments: As for `write`.

    Returns:
        The preview; it shows itself in a notebook. Columns that the format cannot hold are shown, not raised.

    Raises:
        InputError: Another argument is not valid; `write` would raise it too.
    """
    request = check_write_request(file_name, account_id, arguments)
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
        sample=sample,
    )


def _size_and_sample(frame: object, request: WriteRequest, whole: SerializableFrame) -> tuple[int | None, str]:
    if whole.single_pass:
        return None, "not read: this stream can be read once only"
    return estimated_size(frame, request, whole), _sample(inspect_rows(_head(frame, _SHOWN_ROWS), request))


def estimated_size(frame: object, request: WriteRequest, whole: SerializableFrame) -> int:
    """Return the size of a file in bytes: exact up to 10,000 rows, projected from the first 10,000 beyond.

    Args:
        frame: The rows, which can be read more than once.
        request: The checked arguments.
        whole: Their inspection.
    """
    sampled = inspect_rows(_head(frame, _SAMPLED_ROWS), request)
    size = sum(map(len, sampled.chunks()))
    if sampled.rows and whole.rows and whole.rows > sampled.rows:
        size = size * whole.rows // sampled.rows
    return size


def _head(frame: Any, rows: int) -> object:
    # What can be read more than once and is not of pandas is a pyarrow table or batch or a polars frame.
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
