from __future__ import annotations

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from digime_pandas._service.masking.secret import Secret
from digime_pandas._service.oauth.pending.record import PendingAuthorization
from digime_pandas._service.oauth.pending.stores import PendingStore
from digime_pandas._service.oauth.token_store import FileTokenStore, MemoryTokenStore
from digime_pandas.errors import TokenStoreError

KEY, OTHER = "ab" * 32, "cd" * 32
posix = pytest.mark.skipif(os.name != "posix", reason="permissions are a POSIX matter")


def pending(account_id: str = "patient-17") -> PendingAuthorization:
    return PendingAuthorization(
        account_id=account_id,
        access="write",
        environment="https://api.test/",
        client_id="app_contract",
        begun=1.0,
        expires=2.0,
        verifier=Secret("v3r1f1er"),
    )


@pytest.fixture
def files(tmp_path: Path) -> FileTokenStore:
    return FileTokenStore(tmp_path / "tokens")


@pytest.fixture(params=["file", "memory"])
def store(request: pytest.FixtureRequest, files: FileTokenStore) -> PendingStore:
    return files.pending if request.param == "file" else MemoryTokenStore().pending


def test_what_was_put_is_got_back_equal_and_listed(store: PendingStore) -> None:
    assert (store.get(KEY), store.list()) == (None, [])
    store.put(KEY, pending())
    store.put(OTHER, pending("patient-18"))
    assert (store.get(KEY), store.get(OTHER)) == (pending(), pending("patient-18"))
    assert sorted(store.list(), key=lambda each: each[0]) == [(KEY, pending()), (OTHER, pending("patient-18"))]


def test_a_second_put_replaces_the_first_and_delete_forgets(store: PendingStore) -> None:
    store.put(KEY, pending())
    store.put(KEY, pending("patient-18"))
    assert store.list() == [(KEY, pending("patient-18"))]
    assert store.delete(KEY)
    assert not store.delete(KEY)
    assert (store.get(KEY), store.list()) == (None, [])


def test_a_lock_keeps_others_out_and_is_released_when_its_body_fails(store: PendingStore) -> None:
    def attempt(key: str) -> str:
        try:
            with store.lock(key, 0.05):
                return "in"
        except TokenStoreError as error:
            return str(error)

    with ThreadPoolExecutor(1) as other, store.lock(KEY, 1):
        assert "did not finish within 0.05 seconds" in other.submit(attempt, KEY).result()
        assert other.submit(attempt, OTHER).result() == "in"
    with pytest.raises(ZeroDivisionError), store.lock(KEY, 1):
        _ = 1 / 0
    assert attempt(KEY) == "in"


def test_stores_of_one_folder_share_what_is_kept(files: FileTokenStore) -> None:
    files.pending.put(KEY, pending())
    assert FileTokenStore(files.path).pending.get(KEY) == pending()
    assert files.list() == []


def test_reading_makes_no_folder(files: FileTokenStore) -> None:
    assert (files.pending.get(KEY), files.pending.list(), files.pending.delete(KEY)) == (None, [], False)
    assert not files.path.exists()


@posix
def test_folders_and_files_are_the_users_alone_whatever_the_umask(tmp_path: Path) -> None:
    previous = os.umask(0)
    try:
        store = FileTokenStore(tmp_path / "a" / "tokens")
        store.pending.put(KEY, pending())
        with store.pending.lock(KEY, 1):
            pass
    finally:
        os.umask(previous)
    folder = store.path / "pending"
    assert [stat.S_IMODE(each.stat().st_mode) for each in (store.path, folder)] == [0o700, 0o700]
    assert {file.suffix: stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {
        ".pending": 0o600,
        ".lock": 0o600,
    }


@posix
@pytest.mark.parametrize("which", [".", "pending"])
def test_a_folder_that_is_open_to_others_is_refused(files: FileTokenStore, which: str) -> None:
    files.pending.put(KEY, pending())
    (files.path / which).chmod(0o755)
    for act in (
        lambda: files.pending.put(OTHER, pending()),
        lambda: files.pending.get(KEY),
        files.pending.list,
    ):
        with pytest.raises(TokenStoreError, match=r"mode 0755.*chmod 700"):
            act()
    assert len(list((files.path / "pending").glob("*.pending"))) == 1


def test_a_damaged_file_is_named_when_it_is_needed_and_not_before(files: FileTokenStore) -> None:
    files.pending.put(KEY, pending())
    files.pending.put(OTHER, pending("patient-18"))
    damaged = files.path / "pending" / f"{KEY}.pending"
    damaged.write_text(damaged.read_text()[:-5])
    assert files.pending.list() == [(OTHER, pending("patient-18"))]
    with pytest.raises(TokenStoreError, match="Delete it, and begin that authorization again") as caught:
        files.pending.get(KEY)
    assert str(damaged) in str(caught.value)
    assert "v3r1f1er" not in str(caught.value)
    assert files.pending.delete(KEY)


def test_no_store_prints_what_it_keeps(store: PendingStore) -> None:
    store.put(KEY, pending())
    assert "v3r1f1er" not in repr(store)
