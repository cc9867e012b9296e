"""What a write would send, without sending it. Starts from the same plan as `write`, so the two cannot disagree."""

from __future__ import annotations

import html
import warnings
from collections.abc import Iterable, Mapping, Sized
from dataclasses import dataclass
from io import BytesIO
from itertools import islice
from typing import Any

import pandas as pd

from digime_pandas._client.write_plan import WritePlan, WriteRequest, check_write_request, plan_write
from digime_pandas._service.descriptor import FileDescriptor
from digime_pandas._service.receipt import SCHEMA_PREFIX
from digime_pandas._tabular.codecs.json_array import array_lines
from digime_pandas._tabular.fidelity import ColumnVerdict, FidelityWarning
from digime_pandas._tabular.parse import parse
from digime_pandas._tabular.serialize import examine
from digime_pandas.errors import FidelityError

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
        estimated_size: Bytes before sealing: exact up to 10,000 rows, projected from the first 10,000 beyond, None for
            a one-shot stream and for a frame that cannot be written.
        columns: One verdict a column: what becomes of it in this format. One that is ``"impossible"`` is what `write`
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
        """Return the verdicts as a frame: one row a column."""
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


def preview(
    frame: object,
    file_name: str,
    *,
    account_id: str | Iterable[str],
    format: str | None = None,
    reference: Iterable[str] | None = None,
    tags: Iterable[str] = (),
    index: bool | None = None,
    mime_type: str | None = None,
    **format_options: Any,
) -> Preview:
    """Say what `write` with the same arguments would send. Nothing is sent and no authorization is needed.

    Args:
        frame: As for `write`. A one-shot stream is not read.
        file_name: As for `write`.
        account_id: As for `write`.
        format: As for `write`.
        reference: As for `write`.
        tags: As for `write`.
        index: As for `write`.
        mime_type: As for `write`.
        format_options: As for `write`.

    Returns:
        The preview; it shows itself in a notebook. Columns that the format cannot hold are shown, not raised.

    Raises:
        InputError: Another argument is not valid; `write` would raise it too.
    """
    outline = check_write_request(
        file_name, account_id=account_id, format=format, reference=reference, tags=tags, mime_type=mime_type
    )

    def plan(rows: object) -> WritePlan:
        return plan_write(rows, outline, index=index, options=format_options)

    with warnings.catch_warnings():
        # What a write would warn of is in the verdicts.
        warnings.simplefilter("ignore", FidelityWarning)
        try:
            whole = plan(frame)
        except FidelityError:
            return _impossible(frame, outline, index, format_options)
        prepared = whole.prepared
        size, sample = None, "not read: this stream can be read once only"
        if not prepared.single_pass:
            sampled = plan(_head(frame, _SAMPLED_ROWS)).prepared
            size = sum(map(len, sampled.chunks()))
            if sampled.rows and prepared.rows and prepared.rows > sampled.rows:
                size = size * prepared.rows // sampled.rows
            sample = _sample(plan(_head(frame, _SHOWN_ROWS)))
    return Preview(
        file_name=file_name,
        descriptor=whole.descriptor,
        format=outline.format.name,
        rows=prepared.rows,
        estimated_size=size,
        columns=prepared.columns,
        sample=sample,
    )


def _impossible(frame: object, outline: WriteRequest, index: bool | None, options: Mapping[str, object]) -> Preview:
    return Preview(
        file_name=outline.file_name,
        descriptor=outline.descriptor,
        format=outline.format.name,
        rows=len(frame) if isinstance(frame, Sized) else None,
        estimated_size=None,
        columns=examine(frame, outline.format, index=index, options=options),
        sample="none: this frame cannot be written as it is; see the columns that are impossible",
    )


def _shortened(reference: str) -> str:
    schema = reference.removeprefix(SCHEMA_PREFIX)
    return reference if schema == reference else f"the schema ({len(schema)} characters)"


def _head(frame: Any, rows: int) -> object:
    # What can be read more than once and is not of pandas is a pyarrow table or batch or a polars frame.
    return frame.iloc[:rows] if isinstance(frame, pd.DataFrame | pd.Series) else frame.slice(0, rows)


def _sample(plan: WritePlan) -> str:
    content = b"".join(bytes(chunk) for chunk in plan.prepared.chunks())
    if plan.prepared.format.name == "parquet":
        text = parse(content, plan.prepared.format).to_string(max_cols=20)
    elif plan.prepared.format.name == "json":
        text = "[" + ",\n".join(line.decode().rstrip("\n") for line in array_lines(BytesIO(content))) + "]"
    else:
        text = content.decode()
    lines = islice(text.splitlines(), _SHOWN_ROWS + 1)
    return "\n".join(line if len(line) <= _SHOWN_WIDTH else line[: _SHOWN_WIDTH - 1] + "…" for line in lines)
