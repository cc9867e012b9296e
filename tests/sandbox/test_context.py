from __future__ import annotations

import time
from dataclasses import replace
from typing import Literal

import pytest

from digime_pandas.errors import ConfigurationError
from digime_pandas.sandbox._context import ScriptedReplies, Settings

SETTINGS = Settings(
    postbox=True,
    compression=None,
    access_token_lifetime=1,
    refresh_token_lifetime=1,
    clock_window=1,
    max_file_size=1,
    redirects=frozenset(),
    scope="applied",
    clock=time.time,
    random_bytes=bytes,
)


@pytest.mark.parametrize("compression", [None, "gzip", "brotli"])
def test_every_known_compression_is_accepted(compression: str | None) -> None:
    assert replace(SETTINGS, compression=compression).compression == compression  # type: ignore[arg-type] # a str


@pytest.mark.parametrize("compression", ["", "zstd", "GZIP", False])
def test_any_other_is_refused(compression: object) -> None:
    with pytest.raises(ConfigurationError, match="compression"):
        replace(SETTINGS, compression=compression)  # type: ignore[arg-type] # what callers without types may pass


@pytest.mark.parametrize("scope", ["applied", "ignored", "refused"])
def test_every_known_way_with_scopes_is_accepted(scope: Literal["applied", "ignored", "refused"]) -> None:
    assert replace(SETTINGS, scope=scope).scope == scope


@pytest.mark.parametrize("scope", ["", "Applied", None, True])
def test_any_other_way_with_scopes_is_refused(scope: object) -> None:
    with pytest.raises(ConfigurationError, match=r"scope is .*'refused'"):
        replace(SETTINGS, scope=scope)  # type: ignore[arg-type] # what callers without types may pass


def test_replies_are_normal_unless_scripted() -> None:
    assert ScriptedReplies() == ScriptedReplies(pending_writes=0, pending_lists=0)
