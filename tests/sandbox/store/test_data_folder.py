from __future__ import annotations

import stat
import threading
from contextlib import ExitStack
from pathlib import Path

import pytest

from digime_pandas.errors import ConfigurationError
from digime_pandas.sandbox import Sandbox
from digime_pandas.sandbox._store.data_folder import open_data_folder

pytestmark = pytest.mark.slow


def test_a_folder_serves_one_sandbox_at_a_time(tmp_path: Path) -> None:
    with Sandbox(tmp_path), pytest.raises(ConfigurationError, match="in use"):
        Sandbox(tmp_path).start()
    with Sandbox(tmp_path):
        pass


def test_it_may_be_closed_by_another_thread(tmp_path: Path) -> None:
    sandbox = Sandbox(tmp_path).start()
    thread = threading.Thread(target=sandbox.close)
    thread.start()
    thread.join(10)
    with Sandbox(tmp_path):
        pass


def test_a_temporary_folder_is_its_owners_alone_and_goes_with_its_resources() -> None:
    with ExitStack() as resources:
        folder = open_data_folder(None, resources)
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        (folder / "file").write_bytes(b"x")
    assert not folder.exists()


def test_a_named_folder_is_made_with_its_parents_and_stays(tmp_path: Path) -> None:
    with ExitStack() as resources:
        folder = open_data_folder(tmp_path / "a" / "b", resources)
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        with pytest.raises(ConfigurationError, match="in use"):
            open_data_folder(folder, resources)
    assert folder.is_dir()
