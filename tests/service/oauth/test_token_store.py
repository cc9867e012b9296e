from __future__ import annotations

import json
import multiprocessing
import os
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from digime_pandas._service.authorization import Authorization, Postbox, Token, UserAccessToken
from digime_pandas._service.oauth.token_store import FileTokenStore, MemoryTokenStore, StoreKey, TokenStore
from digime_pandas.errors import TokenStoreError

ENVIRONMENT = "https://api.digi.me/v1.7/"
CONTRACT = "app_contract"
SECRETS = ("acc355-t0ken", "r3fr35h-t0ken")

posix = pytest.mark.skipif(os.name != "posix", reason="permissions are a POSIX matter")


def authorization(account_id: str = "patient-17", *, access: str = SECRETS[0], expiry: int = 100) -> Authorization:
    return Authorization(
        account_id=account_id,
        access="write",
        user_access_token=UserAccessToken(Token(access, expiry), Token(SECRETS[1], 200)),
        postbox=Postbox("p0", "MIIB"),
        user_id="u",
        consent_id="c",
    )


@pytest.fixture(params=["file", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> TokenStore:
    return FileTokenStore(tmp_path / "tokens") if request.param == "file" else MemoryTokenStore()


@pytest.fixture
def files(tmp_path: Path) -> FileTokenStore:
    return FileTokenStore(tmp_path / "tokens")


def only_file(store: FileTokenStore) -> Path:
    (file,) = store.path.glob("*.json")
    return file


def test_what_was_put_is_got_back_equal(store: TokenStore) -> None:
    assert store.get(ENVIRONMENT, CONTRACT, "patient-17") is None
    store.put(ENVIRONMENT, CONTRACT, authorization())
    assert store.get(ENVIRONMENT, CONTRACT, "patient-17") == authorization()


def test_a_second_put_replaces_the_first(store: TokenStore) -> None:
    store.put(ENVIRONMENT, CONTRACT, authorization())
    store.put(ENVIRONMENT, CONTRACT, authorization(access="newer"))
    assert store.get(ENVIRONMENT, CONTRACT, "patient-17") == authorization(access="newer")
    assert len(store.list()) == 1


def test_environment_contract_and_account_each_separate(store: TokenStore) -> None:
    store.put(ENVIRONMENT, CONTRACT, authorization())
    assert store.get("http://127.0.0.1:1/v1.7/", CONTRACT, "patient-17") is None
    assert store.get(ENVIRONMENT, "app_other", "patient-17") is None
    assert store.get(ENVIRONMENT, CONTRACT, "patient-1") is None


def test_a_key_cannot_be_spelled_in_two_ways(store: TokenStore) -> None:
    store.put("a", "b c", authorization("d"))
    assert store.get("a b", "c", "d") is None
    assert store.get("a", "b", "c d") is None


def test_delete_forgets_and_tells_whether_there_was_anything(store: TokenStore) -> None:
    store.put(ENVIRONMENT, CONTRACT, authorization())
    assert store.delete(ENVIRONMENT, CONTRACT, "patient-17") is True
    assert store.delete(ENVIRONMENT, CONTRACT, "patient-17") is False
    assert store.get(ENVIRONMENT, CONTRACT, "patient-17") is None
    assert store.list() == []


def test_list_is_sorted_and_narrows_by_environment_and_contract(store: TokenStore) -> None:
    for environment, contract, account in (("b", "x", "2"), ("a", "x", "1"), ("b", "y", "1"), ("b", "x", "1")):
        store.put(environment, contract, authorization(account))
    assert store.list() == [
        StoreKey("a", "x", "1"),
        StoreKey("b", "x", "1"),
        StoreKey("b", "x", "2"),
        StoreKey("b", "y", "1"),
    ]
    assert store.list("b", "x") == [StoreKey("b", "x", "1"), StoreKey("b", "x", "2")]
    assert store.list(contract="y") == [StoreKey("b", "y", "1")]


@pytest.mark.parametrize("account_id", ["../../etc/passwd", "a/b", "x" * 5000, "Zoë 🙂", "CON", "a\x00b", "\n"])
def test_any_account_id_can_be_kept(store: TokenStore, account_id: str) -> None:
    store.put(ENVIRONMENT, CONTRACT, authorization(account_id))
    assert store.get(ENVIRONMENT, CONTRACT, account_id) == authorization(account_id)
    assert store.list() == [StoreKey(ENVIRONMENT, CONTRACT, account_id)]


def test_a_lock_keeps_others_out_of_its_key_only(store: TokenStore) -> None:
    def attempt(account_id: str) -> str:
        try:
            with store.lock(ENVIRONMENT, CONTRACT, account_id, timeout=0.05):
                return "in"
        except TokenStoreError as error:
            return str(error)

    with ThreadPoolExecutor(1) as other, store.lock(ENVIRONMENT, CONTRACT, "patient-17", timeout=1):
        assert "did not finish within 0.05 seconds" in other.submit(attempt, "patient-17").result()
        assert other.submit(attempt, "patient-18").result() == "in"
    assert attempt("patient-17") == "in"


def test_a_lock_is_released_when_its_body_fails(store: TokenStore) -> None:
    with pytest.raises(ZeroDivisionError), store.lock(ENVIRONMENT, CONTRACT, "patient-17", timeout=1):
        _ = 1 / 0
    with store.lock(ENVIRONMENT, CONTRACT, "patient-17", timeout=1):
        pass


def test_under_the_lock_the_three_verbs_work(store: TokenStore) -> None:
    with store.lock(ENVIRONMENT, CONTRACT, "patient-17", timeout=1):
        store.put(ENVIRONMENT, CONTRACT, authorization())
        assert store.get(ENVIRONMENT, CONTRACT, "patient-17") == authorization()
        assert store.delete(ENVIRONMENT, CONTRACT, "patient-17")


def test_read_change_write_under_the_lock_loses_nothing_between_threads(store: TokenStore) -> None:
    store.put(ENVIRONMENT, CONTRACT, authorization(expiry=0))

    def add(_: int) -> None:
        add_one(store)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(add, range(40)))
    kept = store.get(ENVIRONMENT, CONTRACT, "patient-17")
    assert kept is not None
    assert kept.user_access_token.access_token.expiry == 40


@pytest.mark.slow
def test_read_change_write_under_the_lock_loses_nothing_between_processes(files: FileTokenStore) -> None:
    files.put(ENVIRONMENT, CONTRACT, authorization(expiry=0))
    spawn = multiprocessing.get_context("spawn")
    processes = [spawn.Process(target=add_ten, args=(files.path,)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0, 0]
    kept = files.get(ENVIRONMENT, CONTRACT, "patient-17")
    assert kept is not None
    assert kept.user_access_token.access_token.expiry == 30


def add_ten(path: Path) -> None:
    for _ in range(10):
        add_one(FileTokenStore(path))


def add_one(store: TokenStore) -> None:
    with store.lock(ENVIRONMENT, CONTRACT, "patient-17", timeout=30):
        kept = store.get(ENVIRONMENT, CONTRACT, "patient-17")
        assert kept is not None
        store.put(ENVIRONMENT, CONTRACT, authorization(expiry=kept.user_access_token.access_token.expiry + 1))


def test_a_reader_never_sees_half_a_file(files: FileTokenStore) -> None:
    files.put(ENVIRONMENT, CONTRACT, authorization())
    done = threading.Event()

    def read() -> int:
        count = 0
        while not done.is_set() or count == 0:
            assert files.get(ENVIRONMENT, CONTRACT, "patient-17") is not None
            count += 1
        return count

    with ThreadPoolExecutor(1) as reader:
        reads = reader.submit(read)
        for expiry in range(100):
            files.put(ENVIRONMENT, CONTRACT, authorization(expiry=expiry))
        done.set()
        assert reads.result() > 0


@posix
def test_folder_and_files_are_the_users_alone_whatever_the_umask(tmp_path: Path) -> None:
    previous = os.umask(0)
    try:
        store = FileTokenStore(tmp_path / "a" / "tokens")
        store.put(ENVIRONMENT, CONTRACT, authorization())
        with store.lock(ENVIRONMENT, CONTRACT, "patient-17", timeout=1):
            pass
    finally:
        os.umask(previous)
    assert stat.S_IMODE(store.path.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in store.path.iterdir()} == {0o600}


@posix
@pytest.mark.parametrize("mode", [0o755, 0o770, 0o701])
def test_a_folder_open_to_others_is_refused_with_the_command_that_closes_it(tmp_path: Path, mode: int) -> None:
    folder = tmp_path / "tokens"
    folder.mkdir()
    folder.chmod(mode)
    with pytest.raises(TokenStoreError, match=rf"mode {mode:04o}.*chmod 700"):
        FileTokenStore(folder)


@posix
def test_a_folder_that_was_opened_later_is_refused_before_anything_is_written(files: FileTokenStore) -> None:
    files.put(ENVIRONMENT, CONTRACT, authorization())
    files.path.chmod(0o777)
    for act in (
        lambda: files.put(ENVIRONMENT, CONTRACT, authorization(access="newer")),
        lambda: files.get(ENVIRONMENT, CONTRACT, "patient-17"),
        files.list,
    ):
        with pytest.raises(TokenStoreError, match="open to other users"):
            act()
    assert "newer" not in only_file(files).read_text()


@posix
def test_a_symbolic_link_is_refused_as_folder_and_as_file(files: FileTokenStore, tmp_path: Path) -> None:
    files.put(ENVIRONMENT, CONTRACT, authorization())
    link = tmp_path / "link"
    link.symlink_to(files.path)
    with pytest.raises(TokenStoreError, match="symbolic link"):
        FileTokenStore(link)
    file = only_file(files)
    elsewhere = file.rename(tmp_path / "elsewhere")
    file.symlink_to(elsewhere)
    with pytest.raises(TokenStoreError, match="cannot be used"):
        files.get(ENVIRONMENT, CONTRACT, "patient-17")


def test_a_file_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "tokens").write_text("")
    with pytest.raises(TokenStoreError, match="is not a folder"):
        FileTokenStore(tmp_path / "tokens")
    with pytest.raises(TokenStoreError, match="cannot be used"):
        FileTokenStore(tmp_path / "tokens" / "below")


def test_a_place_that_cannot_be_written_names_the_memory_store(
    files: FileTokenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, **options: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(TokenStoreError, match=r"Permission denied.*MemoryTokenStore\(\)"):
        files.put(ENVIRONMENT, CONTRACT, authorization())


def test_a_disk_that_fails_names_the_memory_store_and_keeps_the_old_file(
    files: FileTokenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    files.put(ENVIRONMENT, CONTRACT, authorization())

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(TokenStoreError, match=r"No space left on device.*MemoryTokenStore\(\)"):
            files.put(ENVIRONMENT, CONTRACT, authorization(access="newer"))
    assert files.get(ENVIRONMENT, CONTRACT, "patient-17") == authorization()
    assert len(list(files.path.iterdir())) == 1


@pytest.mark.parametrize("damage", ["cut", "empty", "list", "member", "binary", "deep"])
def test_a_damaged_file_says_how_to_go_on_and_never_what_is_in_it(files: FileTokenStore, damage: str) -> None:
    files.put(ENVIRONMENT, CONTRACT, authorization())
    file = only_file(files)
    text = file.read_text()
    contents = {
        "cut": text[:-20],
        "empty": "",
        "list": json.dumps([text]),
        "member": text.replace('"expiry": 100', '"expiry": "soon"'),
        "binary": text + "\udcff",
        "deep": "[" * 100_000,
    }
    file.write_text(contents[damage], errors="surrogateescape")
    for act in (lambda: files.get(ENVIRONMENT, CONTRACT, "patient-17"), files.list):
        with pytest.raises(TokenStoreError, match="Delete it, then authorize again") as caught:
            act()
        assert str(file) in str(caught.value)
        assert caught.value.__context__ is None
        assert not any(secret in str(caught.value) for secret in SECRETS)
    assert files.delete(ENVIRONMENT, CONTRACT, "patient-17") is True


def test_a_file_of_another_key_is_not_taken_for_this_one(files: FileTokenStore) -> None:
    files.put(ENVIRONMENT, CONTRACT, authorization("patient-17"))
    stolen = only_file(files).read_bytes()
    files.put(ENVIRONMENT, CONTRACT, authorization("patient-18"))
    for file in files.path.glob("*.json"):
        file.write_bytes(stolen)
    with pytest.raises(TokenStoreError):
        files.get(ENVIRONMENT, CONTRACT, "patient-18")


def test_reading_makes_no_folder(files: FileTokenStore) -> None:
    assert files.get(ENVIRONMENT, CONTRACT, "patient-17") is None
    assert files.list() == []
    assert not files.delete(ENVIRONMENT, CONTRACT, "patient-17")
    assert not files.path.exists()


def test_by_default_the_folder_is_among_the_users_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    assert FileTokenStore().path.parts[-2:] == ("digime-pandas", "authorizations")


def test_a_store_does_not_print_what_it_keeps(store: TokenStore) -> None:
    store.put(ENVIRONMENT, CONTRACT, authorization())
    assert not any(secret in repr(store) for secret in SECRETS)
