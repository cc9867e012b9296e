"""Put a pandas DataFrame into a person's own digi.me library, from a notebook cell.

::

    import pandas as pd
    import digime_pandas as digime  # registers df.digime and s.digime

    client = digime.connect("sandbox")
    digime.AuthorizationWidget("patient-17")

    receipt = df.digime.write("visits.parquet", account_id="patient-17", tags=["visits"])
    receipt.status  # "delivered"

What one calls:

======================================  =============================================================================
`connect`                               make the client that the others use: of the sandbox, or of a `Contract`
`AuthorizationWidget`, `authorize`      ask a person for consent: in a notebook, in a script
`write`, ``df.digime.write``            write a frame into a person's library; returns a `Receipt`
`preview`, ``df.digime.preview``        what it would send, and what becomes of each column
`write_each`, `preview_each`            the same with one file per person, from one frame
`read_frame`, `read_file`               read back: as a frame, as bytes
`read_batches`, `files`                 read back in pieces; list what a library has
`Journal`                               a record of all writes, by which a call can be made again
======================================  =============================================================================

``help(digime.write)`` has every argument, `digime_pandas.errors` every error, `digime_pandas.typing` types of options.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from digime_pandas import errors
from digime_pandas._client import accessor as _accessor  # noqa: F401 - registers df.digime and s.digime
from digime_pandas._client.imports.later_import import when_imported
from digime_pandas._version import __version__
from digime_pandas.errors import (
    APIError,
    AuthorizationError,
    AuthorizationExpiredError,
    AuthorizationTimeoutError,
    ConfigurationError,
    ConsentRefusedError,
    ContractError,
    DatasetError,
    DescriptorError,
    DigestMismatchError,
    DigimeError,
    FidelityError,
    FidelityWarning,
    FileNotInLibraryError,
    FormatError,
    GrantExpiredError,
    InputError,
    NotAuthorizedError,
    RefusedError,
    ServiceUnreachableError,
)
from digime_pandas.errors.calls.attributes import unknown_name

# Frames of polars get the same accessor once polars is loaded; loading it for them alone would be slow.
when_imported("polars", lambda: importlib.import_module("digime_pandas.polars"))

if TYPE_CHECKING:
    from digime_pandas._client.client import Client
    from digime_pandas._client.connect import connect
    from digime_pandas._client.consent.authorize import authorize
    from digime_pandas._client.journal.journal import Journal
    from digime_pandas._client.library.file import LibraryFile
    from digime_pandas._client.preview import Preview, preview
    from digime_pandas._client.read import files, read_batches, read_file, read_frame
    from digime_pandas._client.write import write
    from digime_pandas._client.write_each import preview_each, write_each
    from digime_pandas._service.authorization import Authorization, Postbox, Token, UserAccessToken
    from digime_pandas._service.contract import Contract
    from digime_pandas._service.descriptor import FileDescriptor
    from digime_pandas._service.grants.upload_grant import UploadGrant, UploadResult
    from digime_pandas._service.oauth.flow import AuthorizationFlow
    from digime_pandas._service.oauth.token_store import FileTokenStore, MemoryTokenStore
    from digime_pandas._service.receipt import Receipt
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
    "DatasetError",
    "DescriptorError",
    "DigestMismatchError",
    "DigimeError",
    "FidelityError",
    "FidelityWarning",
    "FileDescriptor",
    "FileNotInLibraryError",
    "FileTokenStore",
    "FormatError",
    "GrantExpiredError",
    "InputError",
    "Journal",
    "LibraryFile",
    "MemoryTokenStore",
    "NotAuthorizedError",
    "Postbox",
    "Preview",
    "Receipt",
    "RefusedError",
    "ServiceUnreachableError",
    "Token",
    "UploadGrant",
    "UploadResult",
    "UserAccessToken",
    "__version__",
    "authorize",
    "connect",
    "errors",
    "files",
    "preview",
    "preview_each",
    "read_batches",
    "read_file",
    "read_frame",
    "write",
    "write_each",
]


# Where a name is loaded from when it is first used (PEP 562): to import this package must not take long.
_MODULES = {
    "Authorization": "_service.authorization",
    "AuthorizationFlow": "_service.oauth.flow",
    "AuthorizationWidget": "widget",
    "Client": "_client.client",
    "Contract": "_service.contract",
    "FileDescriptor": "_service.descriptor",
    "FileTokenStore": "_service.oauth.token_store",
    "Journal": "_client.journal.journal",
    "LibraryFile": "_client.library.file",
    "MemoryTokenStore": "_service.oauth.token_store",
    "Postbox": "_service.authorization",
    "Preview": "_client.preview",
    "Receipt": "_service.receipt",
    "Token": "_service.authorization",
    "UploadGrant": "_service.grants.upload_grant",
    "UploadResult": "_service.grants.upload_grant",
    "UserAccessToken": "_service.authorization",
    "authorize": "_client.consent.authorize",
    "connect": "_client.connect",
    "files": "_client.read",
    "preview": "_client.preview",
    "preview_each": "_client.write_each",
    "read_batches": "_client.read",
    "read_file": "_client.read",
    "read_frame": "_client.read",
    "write": "_client.write",
    "write_each": "_client.write_each",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        if name.startswith("_"):
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        raise unknown_name(f"module {__name__!r}", name, list(__all__))
    value = getattr(importlib.import_module(f"digime_pandas.{_MODULES[name]}"), name)
    value.__module__ = __name__  # help(), tracebacks and pickles name the public place
    globals()[name] = value  # so that this function is not called for it again
    return value


def __dir__() -> list[str]:
    return list(__all__)
