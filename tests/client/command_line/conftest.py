"""A sandbox that the DIGIME_* variables lead to, and a person who consented to both contracts."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from digime_pandas.__main__ import main
from digime_pandas._client import connect as _connect
from digime_pandas._client.command_line.trial import sandbox_variables
from digime_pandas._service.oauth.token_store import FileTokenStore
from digime_pandas.sandbox import Sandbox

_PEOPLE = count(1)
Run = Callable[..., Any]


@pytest.fixture(scope="package")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with Sandbox(tmp_path_factory.mktemp("served")) as running:
        yield running


@pytest.fixture
def configured(served: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    """Point the variables to the sandbox, and the token store and the working directory to a new folder."""
    monkeypatch.setattr(_connect, "_default", None)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    assert served.data_dir is not None
    for name, value in sandbox_variables(served, served.data_dir).items():
        monkeypatch.setenv(name, value)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return served


@pytest.fixture
def person(configured: Sandbox) -> str:
    """Someone who consented to writing and to reading."""
    account_id = f"person-{next(_PEOPLE)}"
    for access in ("write", "read"):
        configured.approve_all([account_id], access=access, tokens=FileTokenStore())
    return account_id


@pytest.fixture
def run_json(capsys: pytest.CaptureFixture[str]) -> Run:
    """Return what runs a command with ``--json``, asserts its exit status, and returns what it printed."""

    def run(*arguments: str, status: int = 0) -> Any:
        capsys.readouterr()
        assert main([*arguments, "--json"]) == status
        out, err = capsys.readouterr()
        return json.loads(out if out.strip() else err.splitlines()[-1])

    return run
