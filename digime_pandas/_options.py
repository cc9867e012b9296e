"""The options of each format, with their defaults."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from digime_pandas._formats import Format
from digime_pandas.errors import InputError

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
