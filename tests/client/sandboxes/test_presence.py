"""A sandbox that has ended is told of at once; nothing is tried again and again."""

from __future__ import annotations

from pathlib import Path

import pytest
from filelock import FileLock

from digime_pandas._client.sandboxes.presence import absence_of_configured

NOWHERE = "http://127.0.0.1:9/v1.7/"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder as a sandbox leaves it."""
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "write.pem").write_text("a key", encoding="utf-8")
    (tmp_path / "lock").touch()
    return tmp_path


def environment(folder: Path, base_url: str = NOWHERE) -> dict[str, str]:
    return {"DIGIME_BASE_URL": base_url, "DIGIME_PRIVATE_KEY_FILE": str(folder / "keys" / "write.pem")}


def test_an_ended_sandbox_is_named_with_how_to_start_it(folder: Path) -> None:
    absence = absence_of_configured(environment(folder))
    assert absence is not None
    gone = absence()
    assert gone is not None
    assert "No sandbox runs at http://127.0.0.1:9 any longer" in str(gone)
    assert f'connect("sandbox", data_dir={str(folder)!r})' in gone.text()
    assert gone.text("shell").endswith(f"digime-pandas sandbox --data-dir {folder}")
    assert gone.outcome == "not sent"


def test_one_that_has_its_folder_is_there_although_it_does_not_answer(folder: Path) -> None:
    absence = absence_of_configured(environment(folder))
    assert absence is not None
    with FileLock(folder / "lock", thread_local=False):
        assert absence() is None
    assert absence() is not None


def test_one_whose_temporary_folder_is_gone_has_ended(tmp_path: Path) -> None:
    absence = absence_of_configured(environment(tmp_path / "gone"))
    assert absence is not None
    gone = absence()
    assert gone is not None
    assert "digime-pandas sandbox, and use what it prints" in gone.text("shell")


@pytest.mark.parametrize(
    "base_url", ["", "https://api.digi.me/v1.7/", "http://127.0.0.1/v1.7/", "http://127.0.0.1:99999/", "nonsense", "["]
)
def test_another_service_is_not_taken_for_a_sandbox(folder: Path, base_url: str) -> None:
    assert absence_of_configured(environment(folder, base_url)) is None


def test_keys_that_are_not_of_a_sandbox_say_nothing(folder: Path) -> None:
    (folder / "lock").unlink()
    assert absence_of_configured(environment(folder)) is None
    assert absence_of_configured({"DIGIME_BASE_URL": NOWHERE}) is None
    assert not (folder / "lock").exists()
