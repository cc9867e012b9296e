"""The types of what a file is written with: its format, the options of each format, and what its descriptor says.

One TypedDict per format, and no overloads of the functions that take them: with those, type checkers would list all
signatures in place of the misspelled argument. An option that a format does not have is refused at the call. The values
are written out, since signatures show these annotations as they are here.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, TypedDict


class FileArguments(TypedDict, total=False):
    """What every format takes: the format itself, and what the descriptor says of the file."""

    format: Literal["csv", "json", "ndjson", "parquet"] | None
    reference: Iterable[str] | None
    tags: Iterable[str]
    index: bool | None
    mime_type: str | None


class _EveryOption(TypedDict, total=False):
    attrs: bool
    keep_unused_categories: bool


class _TextOptions(_EveryOption, total=False):
    typed: bool


class CsvOptions(_TextOptions, total=False):
    """The options of CSV."""

    escape_formulas: bool
    nested: Literal["refuse", "json"]


class JsonOptions(_TextOptions, total=False):
    """The options of JSON and NDJSON."""

    strict: bool
    decimals: Literal["string", "number"]


class ParquetOptions(_EveryOption, total=False):
    """The options of Parquet."""

    compression: Literal["snappy", "zstd", "gzip", "brotli", "lz4", "none"]
