"""The surroundings in which what documents say is tried: a sandbox, and a person who agrees."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import digime_pandas
from digime_pandas.__main__ import _environment_exports
from digime_pandas._client import connect as _connect
from digime_pandas._service.authorization import Access
from digime_pandas.sandbox import Sandbox


@pytest.fixture
def own_sandbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """The sandbox that `connect` finds, whether by name or by the variables; the working folder is a temporary one."""
    with Sandbox(tmp_path / "sandbox") as sandbox:
        monkeypatch.setattr(_connect, "_sandbox", sandbox)
        monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
        monkeypatch.chdir(tmp_path)
        for line in _environment_exports(sandbox, tmp_path / "sandbox").splitlines():
            if line.startswith("export "):
                monkeypatch.setenv(*shlex.split(line)[1].split("=", 1))
        yield sandbox


@pytest.fixture
def person(own_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Someone who gives consent at once, in place of the widget that leads them to it."""

    def consent(account_id: str, *, access: Access = "write") -> None:
        flow = _connect.current_client().begin_authorization(account_id, access=access)
        flow.complete(own_sandbox.approve(flow.url))

    monkeypatch.setattr(digime_pandas, "AuthorizationWidget", consent)
    return consent
