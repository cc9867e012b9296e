"""The keyword arguments that every kind of write takes, and how signatures show such arguments one by one."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, TypeVar

from digime_pandas._client.options import CsvOptions, FileArguments, JsonOptions, ParquetOptions
from digime_pandas._tabular.formats import FORMATS

F = TypeVar("F", bound=Callable[..., Any])


class WriteArguments(FileArguments, CsvOptions, JsonOptions, ParquetOptions, total=False):
    """Arguments of every kind of write, beside frame, file name and account; `write` says what each means."""


REQUEST_DEFAULTS: Mapping[str, object] = MappingProxyType(
    {"format": None, "reference": None, "tags": (), "index": None, "mime_type": None}
)
"""The default of each of the `WriteArguments` that is no option of a format."""
OPTION_DEFAULTS: Mapping[str, object] = MappingProxyType(
    {name: values[0] for each in FORMATS.values() for name, values in each.options.items()}
)
"""The default of each option of the formats."""
WRITE_DEFAULTS: Mapping[str, object] = MappingProxyType(
    {name: {**REQUEST_DEFAULTS, **OPTION_DEFAULTS}[name] for name in WriteArguments.__annotations__}
)
"""The default of each of the `WriteArguments`, in their order."""
WRITE_ARGUMENTS = (
    *("file_name", "account_id", *WRITE_DEFAULTS, "client", "authorization", "progress", "journal"),
    *("by", "missing", "drop_null", "keep_key", "workers", "errors"),
)
"""Names of all arguments of all kinds of write and preview."""


def shows_write_arguments(function: F) -> F:
    """Show each of the `WriteArguments` in the signature of a function that takes them as ``**arguments``."""
    return shows_arguments(WriteArguments, WRITE_DEFAULTS)(function)


def shows_arguments(arguments: type, defaults: Mapping[str, object]) -> Callable[[F], F]:
    """Return a decorator that lets `help` and `inspect.signature` show what a function takes as ``**arguments``.

    Args:
        arguments: The TypedDict of the arguments.
        defaults: The default of each argument, in the order in which they are shown.
    """
    hints = {name: hint.__forward_arg__ for name, hint in arguments.__annotations__.items()}
    shown = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=hints[name])
        for name, default in defaults.items()
    ]

    def decorate(function: F) -> F:
        signature = inspect.signature(function)
        *named, _ = signature.parameters.values()
        in_order = sorted([*named, *shown], key=lambda each: (each.kind, each.default is not each.empty))
        vars(function)["__signature__"] = signature.replace(parameters=in_order)
        return function

    return decorate
