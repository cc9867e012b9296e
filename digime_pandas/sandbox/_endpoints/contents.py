"""How the content of a file begins, as a page shows it: a table, lines of text, or an image."""

from __future__ import annotations

import base64
import csv
import io
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from digime_pandas.sandbox._store.library import SandboxFile

_READ_BYTES = 1 << 16
_IMAGE_BYTES = 1 << 21
_ROWS, _COLUMNS, _LINES, _WIDTH = 20, 30, 50, 200
_IMAGES = {"image/png", "image/jpeg", "image/gif", "image/webp"}
_TEXTS = {"application/json", "application/x-ndjson", "application/xml"}
_PARQUET = {"application/vnd.apache.parquet", "application/x-parquet"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Beginning:
    """How a file begins; at most one of `rows`, `text` and `image` is there.

    Attributes:
        note: What is said of it.
        rows: Rows of texts, the names of the columns first.
        text: Lines.
        image: An image, as the ``data:`` address of it.
    """

    note: str
    rows: tuple[tuple[str, ...], ...] = ()
    text: str = ""
    image: str = ""


def beginning_of(file: SandboxFile) -> Beginning:
    """Return how a file begins, by its declared media type. It does not fail, whatever is in the file."""
    try:
        return _read(file)
    except Exception as error:  # noqa: BLE001 - a file may hold anything, and readers raise what they like
        return Beginning(note=f"Its content is not of its type: {type(error).__name__}.")


def _read(file: SandboxFile) -> Beginning:
    kind = file.mime_type.partition(";")[0].strip().lower()
    if kind == "text/csv":
        return _csv(file.path)
    if kind in _PARQUET:
        return _parquet(file.path)
    if kind in _TEXTS or kind.startswith("text/"):
        return _text(file.path)
    if kind in _IMAGES and file.size <= _IMAGE_BYTES:
        return Beginning(note="", image=f"data:{kind};base64,{base64.b64encode(file.content).decode()}")
    return Beginning(note="Content of this type is not shown.")


def _csv(path: Path) -> Beginning:
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as content:
        # A field may be larger than what is read of the file.
        rows = list(islice(csv.reader(io.StringIO(content.read(_READ_BYTES), newline="")), _ROWS + 1))
    return _table(rows[:1], rows[1:])


def _parquet(path: Path) -> Beginning:
    import pyarrow.parquet  # which takes long to load, and few pages need

    with pyarrow.parquet.ParquetFile(path) as content:
        names = content.schema_arrow.names[:_COLUMNS]
        batch = next(content.iter_batches(_ROWS, columns=names), None)
    rows = [] if batch is None else [batch.slice(row, 1).to_pylist()[0].values() for row in range(batch.num_rows)]
    return _table([names], [["" if value is None else str(value) for value in row] for row in rows])


def _table(names: list[list[str]], rows: list[list[str]]) -> Beginning:
    shown = tuple(tuple(cell[:_WIDTH] for cell in row[:_COLUMNS]) for row in (*names, *rows))
    counted = "Its first row." if len(rows) == 1 else f"Its first {len(rows)} rows."
    return Beginning(note=counted if rows else "It has no rows.", rows=shown)


def _text(path: Path) -> Beginning:
    with path.open(encoding="utf-8", errors="replace") as content:
        lines = content.read(_READ_BYTES).splitlines()[:_LINES]
    return Beginning(note="Its first lines.", text="\n".join(line[:_WIDTH] for line in lines))
