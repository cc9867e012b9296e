"""What kind of file bytes look like, for those that were given the name of another one."""

from __future__ import annotations

import re
from collections.abc import Sequence

HEAD_BYTES = 1_024
# No CSV file of this package begins so, unless the names of its columns have control characters.
_BINARY = (
    (rb"\x1f\x8b", "gzip: decompress it first"),
    (rb"PK\x03\x04", "a ZIP archive or an Excel workbook: write its table as CSV or Parquet first"),
    (rb"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Excel workbook: write its table as CSV or Parquet first"),
    (rb"\x28\xb5\x2f\xfd", "zstd: decompress it first"),
    (rb"BZh[1-9]1AY&SY", "bzip2: decompress it first"),
    (rb"\xfd7zXZ\x00", "xz: decompress it first"),
    (rb"(\xff\xfe\x00\x00|\x00\x00\xfe\xff)", "text in UTF-32: write it in UTF-8"),
    (rb"(\xff\xfe|\xfe\xff)", "text in UTF-16: write it in UTF-8"),
    (rb"([^\x00]\x00){4}|(\x00[^\x00]){4}|[^\x00]\x00([^\x00]\x00)*$", "text in UTF-16: write it in UTF-8"),
    (rb"PARE[^\x00]?\x00", "an encrypted Parquet file, which this package does not read"),
    (rb"PAR1[\x00-\x08\x0e-\x1f]", "Parquet: give it a name that ends in .parquet"),
    (rb"ARROW1\x00", "an Arrow file: write it as Parquet"),
    (rb"Obj\x01", "Avro: write it as Parquet"),
    (rb"ORC\n?[\x00-\x08\x0e-\x1f]", "ORC: write it as Parquet"),
    (rb"SQLite format 3\x00", "a SQLite database: write its table as CSV or Parquet"),
    (rb"%PDF-\d", "a PDF document, which is no table"),
)
_HTML = "HTML, perhaps an error page that was saved in place of the file"
_ARRAY = "a JSON array: give it a name that ends in .json"
_OBJECTS = "JSON objects: give it a name that ends in .ndjson if there is one on each line"
_MARKED_UP = (
    (rb"<(!doctype html|html[\s>].*<)", _HTML),
    (rb"<\?xml\s", "XML: write its table as CSV or JSON first"),
)
_NO_CSV = (*_MARKED_UP, (rb'\[\s*\{\s*"', _ARRAY), (rb'\{\s*"', _OBJECTS))
_LIKELY = (*_MARKED_UP, (rb"\[", _ARRAY), (rb"\{", _OBJECTS))
_OWN = {"parquet": "Parquet:", "json": _ARRAY, "ndjson": _OBJECTS}
_BLANK = b"\xef\xbb\xbf \t\r\n"


def certain_kind(head: bytes, format_name: str) -> str | None:
    """Return what other kind of file the first bytes are surely of, though a reader may find no error in it.

    Args:
        head: The first bytes, at most `HEAD_BYTES`.
        format_name: The name of a text format.

    Returns:
        The kind and what to do, or None.
    """
    return _binary_kind(head) or (_text_kind(head, _NO_CSV) if format_name == "csv" else None)


def likely_kind(head: bytes, format_name: str) -> str | None:
    """Return what other kind of file the first bytes look like.

    Args:
        head: The first bytes, at most `HEAD_BYTES`.
        format_name: The name of the format that could not be read, which is not returned.

    Returns:
        The kind and what to do, or None.
    """
    found = _binary_kind(head) or _text_kind(head, _LIKELY)
    if found is None and format_name == "parquet" and head.isascii() and b"," in head and b"\n" in head:
        found = "text: give it a name that ends in .csv if it is CSV"
    own = _OWN.get(format_name)
    return None if found is None or (own is not None and found.startswith(own)) else found


def _binary_kind(head: bytes) -> str | None:
    return next((kind for pattern, kind in _BINARY if re.match(pattern, head)), None)


def _text_kind(head: bytes, kinds: Sequence[tuple[bytes, str]]) -> str | None:
    text = head.lstrip(_BLANK)
    return next((kind for pattern, kind in kinds if re.match(pattern, text, re.IGNORECASE | re.DOTALL)), None)
