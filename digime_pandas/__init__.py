"""Put a pandas DataFrame into a person's own digi.me library, from a notebook cell.

::

    import pandas as pd
    import digime_pandas as digime  # registers df.digime and s.digime

    client = digime.connect("sandbox")
    digime.AuthorizationWidget("patient-17")

    receipt = df.digime.write("visits.parquet", account_id="patient-17", tags=["visits"])
    receipt.status  # "delivered"
"""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any

from digime_pandas import _accessor as _accessor  # registers df.digime and s.digime
from digime_pandas import errors
from digime_pandas._version import __version__
from digime_pandas.errors import (
    APIError,
    AuthorizationError,
    AuthorizationExpiredError,
    AuthorizationTimeoutError,
    ConfigurationError,
    ConsentRefusedError,
    ContractError,
    DescriptorError,
    DigestMismatchError,
    DigimeError,
    FidelityError,
    FileNotInLibraryError,
    FormatError,
    InputError,
    NotAuthorizedError,
    RefusedError,
    ServiceUnreachableError,
)

# Frames of polars get the same accessor where polars is loaded already; loading it for them alone would be slow.
if "polars" in sys.modules:
    importlib.import_module("digime_pandas.polars")

if TYPE_CHECKING:
    from digime_pandas._authorization import Authorization, Postbox, Token, UserAccessToken
    from digime_pandas._authorize import authorize
    from digime_pandas._client import Client
    from digime_pandas._connect import connect
    from digime_pandas._contract import Contract
    from digime_pandas._descriptor import FileDescriptor
    from digime_pandas._flow import AuthorizationFlow
    from digime_pandas._library import LibraryFile
    from digime_pandas._preview import Preview
    from digime_pandas._read import read_batches, read_file, read_frame
    from digime_pandas._receipt import Receipt
    from digime_pandas._token_store import FileTokenStore, MemoryTokenStore
    from digime_pandas._write import write
    from digime_pandas.widget import AuthorizationWidget

__all__ = [
    "APIError",
    "Authorization",
    "AuthorizationError",
    "AuthorizationExpiredError",
    "AuthorizationFlow",
    "AuthorizationTimeoutError",
    "AuthorizationWidget",
    "Client",
    "ConfigurationError",
    "ConsentRefusedError",
    "Contract",
    "ContractError",
    "DescriptorError",
    "DigestMismatchError",
    "DigimeError",
    "FidelityError",
    "FileDescriptor",
    "FileNotInLibraryError",
    "FileTokenStore",
    "FormatError",
    "InputError",
    "LibraryFile",
    "MemoryTokenStore",
    "NotAuthorizedError",
    "Postbox",
    "Preview",
    "Receipt",
    "RefusedError",
    "ServiceUnreachableError",
    "Token",
    "UserAccessToken",
    "__version__",
    "authorize",
    "connect",
    "errors",
    "read_batches",
    "read_file",
    "read_frame",
    "write",
]


# Where a name is loaded from when it is first asked for (PEP 562): to import this package must not take long.
_MODULES = {
    "Authorization": "_authorization",
    "AuthorizationFlow": "_flow",
    "AuthorizationWidget": "widget",
    "Client": "_client",
    "Contract": "_contract",
    "FileDescriptor": "_descriptor",
    "FileTokenStore": "_token_store",
    "LibraryFile": "_library",
    "MemoryTokenStore": "_token_store",
    "Postbox": "_authorization",
    "Preview": "_preview",
    "Receipt": "_receipt",
    "Token": "_authorization",
    "UserAccessToken": "_authorization",
    "authorize": "_authorize",
    "connect": "_connect",
    "read_batches": "_read",
    "read_file": "_read",
    "read_frame": "_read",
    "write": "_write",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"digime_pandas.{_MODULES[name]}"), name)
    globals()[name] = value  # so that it is not asked for here again
    return value


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))
