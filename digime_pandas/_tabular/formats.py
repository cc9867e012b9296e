"""The table of file formats, and how a name, an argument or a MIME type finds its row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from types import MappingProxyType

from digime_pandas.errors import FormatError, InputError


@dataclass(frozen=True, slots=True)
class Format:
    """A file format that frames can be written in.

    Attributes:
        name: Name for `format=`: ``"csv"``, ``"json"``, ``"ndjson"`` or ``"parquet"``.
        mime_type: Media type that is declared for the file.
        suffixes: File-name suffixes that mean this format, in lower case, the usual one first.
        aliases: Other media types under which such files are found.
    """

    name: str
    mime_type: str
    suffixes: tuple[str, ...]
    aliases: tuple[str, ...] = ()


CSV = Format("csv", "text/csv", (".csv",), ("application/csv", "text/x-csv", "text/comma-separated-values"))
JSON = Format("json", "application/json", (".json",), ("text/json",))
NDJSON = Format(
    "ndjson",
    "application/x-ndjson",
    (".ndjson", ".jsonl"),
    ("application/ndjson", "application/jsonl", "application/x-jsonlines", "application/jsonlines"),
)
PARQUET = Format(
    "parquet",
    "application/vnd.apache.parquet",
    (".parquet",),
    ("application/parquet", "application/x-parquet"),
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
        FormatError: There is no such format, the suffix says nothing and `format` is None, or the two disagree.
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
    """Return the format of a file that is there already, or None when neither name nor media type tells.

    Args:
        file_name: The name it was written under, if that is known. Its suffix decides before the media type does.
        mime_type: The declared media type; parameters such as ``; charset=utf-8`` and its case do not matter.
    """
    suffix = PurePosixPath(file_name or "").suffix.lower()
    return _BY_SUFFIX.get(suffix) or _BY_MIME_TYPE.get(mime_type.partition(";")[0].strip().lower())


# The first value of each is the default.
_EVERY: dict[str, tuple[object, ...]] = {"attrs": (False, True), "keep_unused_categories": (False, True)}
_TEXT: dict[str, tuple[object, ...]] = {**_EVERY, "typed": (True, False)}
_JSON = {**_TEXT, "strict": (False, True), "decimals": ("string", "number")}
OPTIONS: Mapping[str, Mapping[str, tuple[object, ...]]] = MappingProxyType(
    {
        "csv": {**_TEXT, "escape_formulas": (False, True), "nested": ("refuse", "json")},
        "json": _JSON,
        "ndjson": _JSON,
        "parquet": {**_EVERY, "compression": ("snappy", "zstd", "gzip", "brotli", "lz4", "none")},
    }
)


def check_options(format: Format, given: Mapping[str, object]) -> dict[str, object]:
    """Return every option of the format, those not given with their defaults.

    Raises:
        InputError: The format has no such option, or the option no such value; the message lists those it has.
    """
    known = OPTIONS[format.name]
    for name, value in given.items():
        if name not in known:
            raise InputError(f"{format.name} has no option {name!r}. It has {', '.join(known)}.")
        if not any(value is each or (isinstance(value, str) and value == each) for each in known[name]):
            allowed = ", ".join(map(repr, known[name]))
            raise InputError(f"{name}={value!r} is not possible for {format.name}. Give one of {allowed}.")
    return {name: values[0] for name, values in known.items()} | dict(given)
