"""The table of file formats, and the format that a file name, an argument or a media type stands for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import Literal

from digime_pandas.errors import FormatError, InputError

FormatName = Literal["csv", "json", "ndjson", "parquet"]
Options = Mapping[str, tuple[object, ...]]

# The first value of each option is its default.
_EVERY: Options = {"attrs": (False, True), "keep_unused_categories": (False, True)}
_TEXT: Options = {**_EVERY, "typed": (True, False)}
_JSON: Options = {**_TEXT, "strict": (False, True), "decimals": ("string", "number")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """A file format that frames can be written in: its names, its options, and the facts that other modules ask for.

    Formats are equal when their names are.

    Attributes:
        name: Name for `format=`.
        mime_type: Media type that is declared for the file.
        suffixes: File-name suffixes that mean this format, in lower case, the usual one first.
        aliases: Other media types under which such files are found.
        options: The values that each option may have, the default first.
        rules: The column of the table of fidelity rules that holds for the format.
        stores_types: Whether the file itself holds the types of its columns, and the schema beside them.
        only_text: Whether every value is text in the file, so that numbers and truth values have to be inferred.
        null: How a missing value is written: as an empty field, as the word ``null``, or apart from the values.
        has_nan: Whether floats that are not finite can be written.
        names_empty_columns: Whether a file without rows holds the names of its columns.
    """

    name: FormatName
    mime_type: str = field(compare=False)
    suffixes: tuple[str, ...] = field(compare=False)
    aliases: tuple[str, ...] = field(compare=False)
    options: Options = field(compare=False, repr=False)
    rules: Literal["csv", "json", "parquet"] = field(compare=False)
    stores_types: bool = field(compare=False)
    only_text: bool = field(compare=False)
    null: Literal["empty field", "null", "apart"] = field(compare=False)
    has_nan: bool = field(compare=False)
    names_empty_columns: bool = field(compare=False)


CSV = Format(
    name="csv",
    mime_type="text/csv",
    suffixes=(".csv",),
    aliases=("application/csv", "text/x-csv", "text/comma-separated-values"),
    options={**_TEXT, "escape_formulas": (False, True), "nested": ("refuse", "json")},
    rules="csv",
    stores_types=False,
    only_text=True,
    null="empty field",
    has_nan=True,
    names_empty_columns=True,
)
JSON = Format(
    name="json",
    mime_type="application/json",
    suffixes=(".json",),
    aliases=("text/json",),
    options=_JSON,
    rules="json",
    stores_types=False,
    only_text=False,
    null="null",
    has_nan=False,
    names_empty_columns=False,
)
NDJSON = replace(
    JSON,
    name="ndjson",
    mime_type="application/x-ndjson",
    suffixes=(".ndjson", ".jsonl"),
    aliases=("application/ndjson", "application/jsonl", "application/x-jsonlines", "application/jsonlines"),
)
PARQUET = Format(
    name="parquet",
    mime_type="application/vnd.apache.parquet",
    suffixes=(".parquet",),
    aliases=("application/parquet", "application/x-parquet"),
    options={**_EVERY, "compression": ("snappy", "zstd", "gzip", "brotli", "lz4", "none")},
    rules="parquet",
    stores_types=True,
    only_text=False,
    null="apart",
    has_nan=True,
    names_empty_columns=True,
)

FORMATS: Mapping[str, Format] = MappingProxyType({each.name: each for each in (CSV, JSON, NDJSON, PARQUET)})
_BY_SUFFIX = {suffix: each for each in FORMATS.values() for suffix in each.suffixes}
_BY_MIME_TYPE = {mime: each for each in FORMATS.values() for mime in (each.mime_type, *each.aliases)}


def resolve_format(file_name: str, format: str | None) -> Format:
    """Return the format that a file name and an argument ask for.

    Args:
        file_name: Name of the file; the case of its suffix does not matter.
        format: Name of a format, or None to go by the suffix. ``"jsonl"`` is another name for ``"ndjson"``.

    Raises:
        FormatError: There is no such format, the suffix stands for none and `format` is None, or the two disagree.
    """
    suffix = PurePosixPath(file_name).suffix.lower()
    by_suffix = _BY_SUFFIX.get(suffix)
    if format is None:
        if by_suffix is None:
            raise FormatError(
                f"file_name={file_name!r} has no suffix that names a format ({', '.join(_BY_SUFFIX)}). "
                f"Use one of them, or give format= as one of {', '.join(FORMATS)}."
            )
        return by_suffix
    if not isinstance(format, str):
        raise FormatError(f"format is a {type(format).__name__}. Give one of {', '.join(FORMATS)}.")
    by_argument = FORMATS.get(format) or _BY_SUFFIX.get(f".{format}")
    if by_argument is None:
        raise FormatError(f"format={format!r} is not known. Give one of {', '.join(FORMATS)}.")
    if by_suffix not in (None, by_argument):
        raise FormatError(
            f"file_name={file_name!r} and format={format!r} disagree. Leave format= out, or change the suffix to "
            f"{by_argument.suffixes[0]!r}."
        )
    return by_argument


def format_of(file_name: str | None, mime_type: str) -> Format | None:
    """Return the format of a file that is there already, or None when it follows from neither name nor media type.

    Args:
        file_name: The name it was written under, if that is known. Its suffix decides before the media type does.
        mime_type: The declared media type; parameters such as ``; charset=utf-8`` and its case do not matter.
    """
    suffix = PurePosixPath(file_name or "").suffix.lower()
    return _BY_SUFFIX.get(suffix) or _BY_MIME_TYPE.get(mime_type.partition(";")[0].strip().lower())


def check_options(format: Format, given: Mapping[str, object]) -> dict[str, object]:
    """Return every option of the format, those not given with their defaults.

    Args:
        format: The format.
        given: The options that were given, by their names.

    Raises:
        InputError: The format has no such option, or the option no such value; the message lists those it has.
    """
    known = format.options
    for name, value in given.items():
        if name not in known:
            raise InputError(f"{format.name} has no option {name!r}. It has {', '.join(known)}.")
        if not any(value is each or (isinstance(value, str) and value == each) for each in known[name]):
            allowed = ", ".join(map(repr, known[name]))
            raise InputError(f"{name}={value!r} is not possible for {format.name}. Give one of {allowed}.")
    return {name: values[0] for name, values in known.items()} | dict(given)
