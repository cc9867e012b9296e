"""Fixtures of pytest for tests of programs that use digime-pandas: a sandbox, a client that may write, and faults.

::

    def test_a_busy_service_is_waited_for(digime_client, digime_fail):
        with digime_fail("upload", status=503, retry_after=0, times=2) as fault:
            receipt = visits.digime.write("visits.csv", account_id="patient-17")
        assert (fault.hits, receipt.attempts) == (2, 3)

pytest loads this file wherever the package is installed. It is no part of `digime_pandas`, which would be imported with
it, and pandas too: runs that use no fixture would take longer, and an import that is missing would not be noticed.
"""

from __future__ import annotations

import importlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from digime_pandas import Client
    from digime_pandas.sandbox import Sandbox


@pytest.fixture
def digime_sandbox(_digime_keys: Path) -> Iterator[Sandbox]:
    """An embedded digi.me for one test, at a free port of this computer: no people, no files, no faults."""
    with tempfile.TemporaryDirectory(prefix="digime-") as folder:
        shutil.copytree(_digime_keys, Path(folder, _digime_keys.name))
        with _loaded("digime_pandas.sandbox").Sandbox(folder) as sandbox:
            yield sandbox


@pytest.fixture
def digime_accounts() -> list[str]:
    """The accounts of `digime_client`: ``["patient-17"]``. Define or parametrize it anew for others."""
    return ["patient-17"]


@pytest.fixture
def digime_client(digime_sandbox: Sandbox, digime_accounts: list[str]) -> Iterator[Client]:
    """A client of `digime_sandbox`, which `digime_accounts` let write and read; in the test it is the default one.

    It keeps authorizations in memory. It is closed after the test, and then the default client is the one before.
    """
    tokens = _loaded("digime_pandas").MemoryTokenStore()
    for access in ("write", "read"):
        digime_sandbox.approve_all(digime_accounts, access=access, tokens=tokens)
    with _loaded("digime_pandas._client.connect").temporary_default(digime_sandbox, tokens=tokens) as client:
        yield client


@pytest.fixture
def digime_fail(digime_sandbox: Sandbox) -> Any:
    """Arranges faults of `digime_sandbox`, such as ``digime_fail("upload", status=503, times=2)``.

    It is the sandbox's method `fail`; ``help(digime_pandas.sandbox.faults)`` has every fault. They end with the test.
    """
    return digime_sandbox.fail


@pytest.fixture(scope="session")
def _digime_keys() -> Iterator[Path]:
    """A folder with the keys of all sandboxes of the run, since RSA keys take long to make."""
    with tempfile.TemporaryDirectory(prefix="digime-") as folder:
        with _loaded("digime_pandas.sandbox").Sandbox(folder):
            pass
        yield Path(folder, "keys")


def _loaded(name: str) -> Any:
    """Return a module of the package, which is loaded when a fixture needs it."""
    return importlib.import_module(name)
