from __future__ import annotations

import json
import multiprocessing
import os
import random
import socket
import stat
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from digime_pandas._service.authorization import Authorization, Postbox, Token, UserAccessToken
from digime_pandas._service.oauth import private_folder
from digime_pandas._service.oauth.files.checks import check_file
from digime_pandas._service.oauth.token_store import FileTokenStore, MemoryTokenStore, StoreKey, TokenStore
from digime_pandas.errors import TokenStoreError
from tests.faults.forked import killed

ENVIRONMENT = "https://api.digi.me/v1.7/"
CONTRACT = "app_contract"
SECRETS = ("acc355-t0ken", "r3fr35h-t0ken")

MOST_SECONDS = 0.3  # that a writer lives before it is killed, on a disk that is slow at the moment

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


class TestWhatIsInTheWay:
    """Nothing but plain files of this user is read or replaced, and nothing is waited for."""

    def kinds(self, place: Path) -> dict[str, Callable[[], object]]:
        return {
            "pipe": lambda: os.mkfifo(place),
            "folder": place.mkdir,
            "link": lambda: place.symlink_to(place.with_name("elsewhere")),
            "dangling link": lambda: place.symlink_to(place.with_name("nowhere")),
            "socket": lambda: bound(place),
        }

    @posix
    @pytest.mark.parametrize("kind", ["pipe", "folder", "link", "dangling link", "socket"])
    def test_in_place_of_a_file_it_is_an_error_that_names_it(self, files: FileTokenStore, kind: str) -> None:
        files.put(ENVIRONMENT, CONTRACT, authorization())
        place = only_file(files)
        place.rename(place.with_name("elsewhere"))
        self.kinds(place)[kind]()
        acts: list[Callable[[], object]] = [
            lambda: files.get(ENVIRONMENT, CONTRACT, "patient-17"),
            lambda: files.put(ENVIRONMENT, CONTRACT, authorization()),
            lambda: files.reserve(ENVIRONMENT, CONTRACT, "patient-17").__enter__(),
            files.list,
        ]
        for act in acts:
            with pytest.raises(
                TokenStoreError, match=f"cannot be used: it is a .*{kind.removeprefix('dangling ')}"
            ) as raised:
                act()
            assert str(place) in str(raised.value)

    @posix
    @pytest.mark.parametrize("kind", ["pipe", "folder", "link", "socket"])
    def test_in_place_of_a_lock_too(self, files: FileTokenStore, kind: str) -> None:
        with files.lock(ENVIRONMENT, CONTRACT, "patient-17", timeout=1):
            pass
        (place,) = files.path.glob("*.lock")
        place.rename(place.with_name("elsewhere"))
        self.kinds(place)[kind]()
        with pytest.raises(TokenStoreError, match="cannot be used"), files.lock(ENVIRONMENT, CONTRACT, "patient-17", 1):
            pass

    @posix
    def test_a_device_is_none(self) -> None:
        with pytest.raises(TokenStoreError, match="it is a device"):
            check_file(Path(os.devnull), Path(os.devnull).lstat())

    @posix
    def test_a_file_of_another_user_is_refused(self, files: FileTokenStore, monkeypatch: pytest.MonkeyPatch) -> None:
        files.put(ENVIRONMENT, CONTRACT, authorization())
        status = only_file(files).lstat()
        monkeypatch.setattr(os, "geteuid", lambda: status.st_uid + 1)
        with pytest.raises(TokenStoreError, match="belongs to another user"):
            check_file(only_file(files), status)
        with pytest.raises(TokenStoreError, match="belongs to another user"):
            files.get(ENVIRONMENT, CONTRACT, "patient-17")

    @posix
    @pytest.mark.parametrize(
        ("mode", "group", "safe"),
        [
            (0o777, None, False),
            (0o702, None, False),
            (0o775, None, True),
            (0o775, 54_321, False),
            (0o1777, 54_321, True),
            (0o755, 54_321, True),
        ],
    )
    def test_a_folder_in_one_that_others_may_write_is_refused(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: int, group: int | None, safe: bool
    ) -> None:
        if group is not None:
            monkeypatch.setattr(os, "getegid", lambda: group)
        status = tmp_path.stat()
        if group is not None and status.st_gid == 0:
            foreign = Path.stat

            def stat_of(path: Path, **options: Any) -> os.stat_result:
                found = foreign(path, **options)
                return os.stat_result((*found[:5], group + 1, *found[6:])) if path.name == "shared" else found

            monkeypatch.setattr(Path, "stat", stat_of)
        shared = tmp_path / "shared"
        shared.mkdir()
        shared.chmod(mode)
        for place in (shared / "tokens", shared / "deeper" / "tokens"):
            if safe:
                FileTokenStore(place).put(ENVIRONMENT, CONTRACT, authorization())
            else:
                with pytest.raises(TokenStoreError, match=f"others? users may write in {shared} .mode {mode:04o}"):
                    FileTokenStore(place)
                assert not place.exists()

    def test_a_file_without_an_end_is_not_read(self, files: FileTokenStore) -> None:
        files.put(ENVIRONMENT, CONTRACT, authorization())
        with only_file(files).open("ab") as stream:
            stream.truncate(1 << 40)
        with pytest.raises(TokenStoreError, match="too large"):
            files.get(ENVIRONMENT, CONTRACT, "patient-17")


def bound(place: Path) -> None:
    """Make a socket, whose path may be longer than such an address can be."""
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(f"/proc/self/fd/{os.open(place.parent, os.O_PATH)}/s")
    (place.parent / "s").rename(place)


class TestVersions:
    def test_a_record_has_one(self, files: FileTokenStore) -> None:
        files.put(ENVIRONMENT, CONTRACT, authorization())
        assert json.loads(only_file(files).read_text())["version"] == 1

    def test_one_of_a_newer_version_is_said_to_be_that(self, files: FileTokenStore) -> None:
        files.put(ENVIRONMENT, CONTRACT, authorization())
        only_file(files).write_text(json.dumps({"version": 2, "tokens": "in another form"}))
        for act in (lambda: files.get(ENVIRONMENT, CONTRACT, "patient-17"), files.list):
            with pytest.raises(TokenStoreError, match=r"newer version of digime-pandas \(records of version 2.*Update"):
                act()

    def test_one_without_version_and_number_is_read(self, files: FileTokenStore) -> None:
        files.put(ENVIRONMENT, CONTRACT, replace(authorization(), serial=17))
        record = json.loads(only_file(files).read_text())
        del record["version"], record["authorization"]["serial"], record["authorization"]["refused"]
        only_file(files).write_text(json.dumps(record))
        kept = files.get(ENVIRONMENT, CONTRACT, "patient-17")
        assert kept == authorization()
        assert kept is not None
        assert (kept.serial, kept.refused) == (0, False)

    def test_number_and_refusal_are_kept(self, store: TokenStore) -> None:
        store.put(ENVIRONMENT, CONTRACT, replace(authorization(), serial=17, refused=True))
        kept = store.get(ENVIRONMENT, CONTRACT, "patient-17")
        assert kept is not None
        assert (kept.serial, kept.refused) == (17, True)


class TestReserving:
    def test_the_place_is_taken_before_there_is_what_to_put_there(self, files: FileTokenStore) -> None:
        with files.reserve(ENVIRONMENT, CONTRACT, "patient-17") as put:
            (reserved,) = files.path.glob(".new-*")
            assert reserved.stat().st_blocks * 512 >= 32_768
            assert stat.S_IMODE(reserved.stat().st_mode) == 0o600
            assert files.get(ENVIRONMENT, CONTRACT, "patient-17") is None
            put(authorization())
        assert files.get(ENVIRONMENT, CONTRACT, "patient-17") == authorization()
        assert [file.suffix for file in files.path.iterdir()] == [".json"]

    def test_a_place_that_was_not_used_is_free_again(self, files: FileTokenStore) -> None:
        with pytest.raises(ZeroDivisionError), files.reserve(ENVIRONMENT, CONTRACT, "patient-17"):
            _ = 1 / 0
        assert list(files.path.iterdir()) == []

    def test_what_is_longer_than_the_place_is_kept_too(self, files: FileTokenStore) -> None:
        long = authorization(access="x" * 100_000)
        with files.reserve(ENVIRONMENT, CONTRACT, "patient-17") as put:
            put(long)
        assert files.get(ENVIRONMENT, CONTRACT, "patient-17") == long

    def test_an_error_of_the_block_stays_what_it_is(self, files: FileTokenStore) -> None:
        with pytest.raises(ConnectionError), files.reserve(ENVIRONMENT, CONTRACT, "patient-17"):
            raise ConnectionError


class TestSweeping:
    def test_what_a_killed_writer_left_is_removed(self, files: FileTokenStore) -> None:
        files.put(ENVIRONMENT, CONTRACT, authorization())
        for folder in (files.path, files.path / "pending"):
            folder.mkdir(mode=0o700, exist_ok=True)
        acts: list[Callable[[], object]] = [
            lambda: FileTokenStore(files.path),
            lambda: files.put(ENVIRONMENT, CONTRACT, authorization()),
            files.list,
        ]
        for act in acts:
            orphan = files.path / ".new-orphan"
            orphan.write_text("t0ken")
            act()
            assert not orphan.exists()
        orphan = files.path / "pending" / ".new-orphan"
        orphan.write_text("t0ken")
        files.pending.list()
        assert not orphan.exists()

    def test_what_another_writer_is_at_stays(self, files: FileTokenStore) -> None:
        other = FileTokenStore(files.path)
        with files.reserve(ENVIRONMENT, CONTRACT, "patient-17") as put:
            other.put(ENVIRONMENT, CONTRACT, authorization("patient-18"))
            other.list()
            FileTokenStore(files.path)
            put(authorization())
        assert len(files.list()) == 2

    @posix
    def test_a_link_is_not_followed(self, files: FileTokenStore, tmp_path: Path) -> None:
        target = tmp_path / "target"
        target.write_text("of somebody")
        files.put(ENVIRONMENT, CONTRACT, authorization())
        (files.path / ".new-link").symlink_to(target)
        files.list()
        assert target.read_text() == "of somebody"

    def test_in_a_large_folder_it_is_done_seldom(self, files: FileTokenStore, monkeypatch: pytest.MonkeyPatch) -> None:
        files.put(ENVIRONMENT, CONTRACT, authorization())
        for number in range(1000):
            (files.path / f"{number}.lock").touch()
        swept: list[Path] = []

        def sweep(folder: Path) -> int:
            swept.append(folder)
            return 1000

        monkeypatch.setattr(private_folder, "sweep", sweep)
        for _ in range(23):
            files.put(ENVIRONMENT, CONTRACT, authorization())
        assert 2 <= len(swept) <= 4


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=8,
)


def replaced(document: Any, path: list[int], value: Any) -> Any:
    """A document in which one member, found by numbers, has another value."""
    if not path or not isinstance(document, dict):
        return value
    name = sorted(document)[path[0] % len(document)]
    return document | {name: replaced(document[name], path[1:], value)}


class TestAnything:
    """A stored file may hold anything: what comes of it is an authorization or an error of this package."""

    @settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True)
    @given(content=st.binary(max_size=200) | JSON_VALUES.map(lambda value: json.dumps(value).encode()))
    def test_in_place_of_a_record(self, files: FileTokenStore, content: bytes) -> None:
        self.check(files, content)

    @settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True)
    @given(path=st.lists(st.integers(0, 9), min_size=1, max_size=4), value=JSON_VALUES)
    def test_in_place_of_a_member(self, files: FileTokenStore, path: list[int], value: Any) -> None:
        files.put(ENVIRONMENT, CONTRACT, authorization())
        document = json.loads(only_file(files).read_text())
        self.check(files, json.dumps(replaced(document, path, value)).encode())

    def check(self, files: FileTokenStore, content: bytes) -> None:
        files.put(ENVIRONMENT, CONTRACT, authorization())
        only_file(files).write_bytes(content)
        with suppress(TokenStoreError):
            files.list()
        try:
            kept = files.get(ENVIRONMENT, CONTRACT, "patient-17")
        except TokenStoreError:
            return
        assert kept is not None
        assert kept.account_id == "patient-17"
        kept.user_access_token.access_token.value.encode()
        time.gmtime(kept.user_access_token.refresh_token.expiry)
        files.put(ENVIRONMENT, CONTRACT, kept)
        assert files.get(ENVIRONMENT, CONTRACT, "patient-17") == kept


@posix
@pytest.mark.slow
def test_of_100_writers_that_are_killed_no_tokens_stay_and_the_last_that_was_stored_is_there(
    files: FileTokenStore,
) -> None:
    chance = random.Random(20260301)
    began = time.monotonic()
    write_on(files, 20)
    longest = min((time.monotonic() - began) * 2, MOST_SECONDS)
    kills, orphans = 0, 0
    for _ in range(100):
        kills += killed(lambda: write_on(FileTokenStore(files.path), 10**6), chance.uniform(0, longest))
        orphans += len(list(files.path.glob(".new-*")))
        found = FileTokenStore(files.path).get(ENVIRONMENT, CONTRACT, "patient-17")
        assert found is not None
        assert {file.suffix for file in files.path.iterdir()} == {".json"}
    assert kills == 100
    assert orphans > 10


def write_on(store: FileTokenStore, count: int) -> None:
    for expiry in range(count):
        with store.reserve(ENVIRONMENT, CONTRACT, "patient-17") as put:
            put(authorization(expiry=expiry))
