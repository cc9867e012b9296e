"""Which call of the protocol a request is."""

from __future__ import annotations

import re
from collections.abc import MutableMapping
from typing import Any

from digime_pandas.sandbox._faults.fault import Call
from digime_pandas.sandbox._wire.error_replies import ErrorReply
from digime_pandas.sandbox._wire.jws import parse_token

Scope = MutableMapping[str, Any]

_PATHS: tuple[tuple[str, str, tuple[Call, ...]], ...] = (
    ("POST", r"oauth/authorize", ("authorize",)),
    ("GET", r"jwks/oauth", ("keys",)),
    ("POST", r"permission-access/postbox/[^/]+", ("postbox", "upload")),
    ("POST", r"permission-access/import", ("import", "upload")),
    ("POST", r"permission-access/trigger", ("session",)),
    ("GET", r"permission-access/query/[^/]+", ("list",)),
    ("HEAD", r"permission-access/query/[^/]+/[^/]+", ("describe",)),
    ("GET", r"permission-access/query/[^/]+/[^/]+", ("download",)),
)
_VERSION = re.compile(r"/v[\d.]+/")


def calls_of(scope: Scope) -> tuple[Call, ...]:
    """Return the names of the call that a request makes, ``"any"`` among them; nothing for a page of the sandbox."""
    method, path = scope["method"], scope["path"]
    version = _VERSION.match(path)
    if version is None:
        return ()
    rest = path[version.end() :]
    if (method, rest) == ("POST", "oauth/token"):
        return (_grant_call(scope), "any")
    found = (calls for known, pattern, calls in _PATHS if method == known and re.fullmatch(pattern, rest))
    return (*next(found, ()), "any")


def claims_of(scope: Scope) -> dict[str, Any]:
    """Return the claims that a request was signed with, unverified; nothing where it carries none."""
    header = dict(scope["headers"]).get(b"authorization", b"").decode("latin-1")
    try:
        return dict(parse_token(header.removeprefix("Bearer ")).claims)
    except ErrorReply:
        return {}


def _grant_call(scope: Scope) -> Call:
    return "refresh" if claims_of(scope).get("grant_type") == "refresh_token" else "exchange"
