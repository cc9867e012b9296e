"""The table of file formats, and the format that a file name, an argument or a media type stands for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import Literal

from digime_pandas.errors import ArgumentError, FormatError, InputError
from digime_pandas.errors.names import did_you_mean

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
        title: Its name in sentences.
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
    title: str = field(compare=False)
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
    title="CSV",
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
    title="JSON",
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
    title="NDJSON",
    mime_type="application/x-ndjson",
    suffixes=(".ndjson", ".jsonl"),
    aliases=("application/ndjson", "application/jsonl", "application/x-jsonlines", "application/jsonlines"),
)
PARQUET = Format(
    name="parquet",
    title="Parquet",
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

_ONE_OF = f"Give one of {', '.join(FORMATS)}."
_READY_BYTES = "A file that is there already goes as it is, with client.write(data, ...)."
_COMPRESSED = {".gz", ".bz2", ".xz", ".zip", ".zst", ".zstd", ".lz4", ".br", ".7z", ".tar", ".tgz"}
_OTHERS: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(("xlsx", "xls", "xlsm", "ods", "excel"), "Workbooks of Excel are not made here."),
        **dict.fromkeys(("feather", "arrow", "ipc"), "Of Arrow's formats, Parquet is written."),
        **dict.fromkeys(("pkl", "pickle", "joblib"), "Pickles are not written: whoever opens one runs what is in it."),
        **dict.fromkeys(
            ("h5", "hdf", "hdf5", "orc", "avro", "dta", "sav", "sas7bdat"), "Of binary formats, Parquet is written."
        ),
        **dict.fromkeys(("tsv", "txt", "tab", "dat"), "Of text in columns, CSV is written, with commas."),
        **dict.fromkeys(("xml", "html", "yaml", "yml", "toml", "md", "pdf"), "This is no format of tables here."),
        **dict.fromkeys(("pq", "parq"), "Parquet files end in '.parquet'."),
        **dict.fromkeys(("nd", "jsonlines", "ldjson"), "Files of one JSON object per line end in '.ndjson'."),
    }
)


def resolve_format(file_name: str, format: str | None) -> Format:
    """Return the format that a file name and an argument ask for.

    Args:
        file_name: Name of the file; the case of its suffix does not matter.
        format: Name of a format, one of its suffixes or media types, in any case; or None to go by the suffix.

    Raises:
        FormatError: There is no such format, the suffix stands for none and `format` is None, or the two disagree.
    """
    suffix = PurePosixPath(file_name).suffix.lower()
    by_suffix = _BY_SUFFIX.get(suffix)
    if format is None:
        if by_suffix is None:
            raise FormatError(
                f"file_name={file_name!r} has no suffix that names a format ({', '.join(_BY_SUFFIX)}).",
                remedy=_instead_of(file_name, suffix),
            )
        return by_suffix
    if not isinstance(format, str):
        raise FormatError(f"format is a {type(format).__name__}.", remedy=_ONE_OF)
    by_argument = _named(format)
    if by_argument is None:
        remedy = did_you_mean(format, FORMATS) or _OTHERS.get(format.strip().lower().lstrip("."), "")
        raise FormatError(f"format={format!r} is not known.", remedy=f"{remedy} {_ONE_OF}".lstrip())
    if by_suffix not in (None, by_argument):
        name = PurePosixPath(file_name).with_suffix(by_argument.suffixes[0])
        raise FormatError(
            f"file_name={file_name!r} and format={format!r} disagree.",
            remedy=f"Leave format= out, or change the suffix: {str(name)!r}.",
        )
    return by_argument


def _named(format: str) -> Format | None:
    name = format.strip().lower().removeprefix(".")
    return FORMATS.get(name) or _BY_SUFFIX.get(f".{name}") or _BY_MIME_TYPE.get(name.partition(";")[0].strip())


def _instead_of(file_name: str, suffix: str) -> str:
    """Return what to do about a file name whose suffix names no format."""
    stem = PurePosixPath(file_name).stem
    if suffix in _COMPRESSED:
        inner = stem if PurePosixPath(stem).suffix.lower() in _BY_SUFFIX else f"{stem}.csv"
        other = PurePosixPath(inner).with_suffix(".parquet")
        return (
            f"Files of text are not compressed here: use {inner!r}, or {str(other)!r}, which is compressed inside "
            "(compression='zstd' makes it smallest)."
        )
    if suffix.lstrip(".") in _OTHERS:
        return f"{_OTHERS[suffix.lstrip('.')]} Use {f'{stem}.csv'!r} or {f'{stem}.parquet'!r}. {_READY_BYTES}"
    near = did_you_mean(suffix, _BY_SUFFIX) if suffix else ""
    return f"{near or 'Use one of them'}{' Or' if near else ', or'} give format= as one of {', '.join(FORMATS)}."


def format_of(file_name: str | None, mime_type: str) -> Format | None:
    """Return the format of a file that is there already, or None when it follows from neither name nor media type.

    Args:
        file_name: The name it was written under, if that is known. Its suffix decides before the media type does.
        mime_type: The declared media type; parameters such as ``; charset=utf-8`` and its case do not matter.
    """
    suffix = PurePosixPath(file_name or "").suffix.lower()
    return _BY_SUFFIX.get(suffix) or _BY_MIME_TYPE.get(mime_type.partition(";")[0].strip().lower())


def no_option(format: Format, name: str, advice: str = "") -> ArgumentError:
    """Return the error about an option that a format does not have.

    Args:
        format: The format.
        name: The name of what was given.
        advice: What to do, where that is known better than here.
    """
    having = [each.name for each in FORMATS.values() if name in each.options]
    if having and not advice:
        advice = f"{name}= is an option of {' and '.join(having)}: leave it out, or choose that format."
    return ArgumentError(f"{format.name} has no option {name!r}. It has {', '.join(format.options)}.", remedy=advice)


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
            raise no_option(format, name)
        if not any(value is each or (isinstance(value, str) and value == each) for each in known[name]):
            allowed = ", ".join(map(repr, known[name]))
            near = (
                did_you_mean(value, [each for each in known[name] if isinstance(each, str)])
                if isinstance(value, str)
                else ""
            )
            raise InputError(
                f"{name}={value!r} is not possible for {format.name}.", remedy=f"{near} Give one of {allowed}.".lstrip()
            )
    return {name: values[0] for name, values in known.items()} | dict(given)
