from __future__ import annotations

import _thread
import subprocess
import threading
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import count
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digime_pandas._service.crypto.envelope import encrypted_pieces
from digime_pandas._service.masking.secret import Secret
from digime_pandas._service.streams import closing_iterator, run_in_order

_PATIENCE = 20.0
_WINDOW = 3
Task = Callable[[], int]


def _tasks(values: Iterable[int]) -> Iterator[Task]:
    return (partial(int, value) for value in values)


def _workers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("digime-pandas")]


def _raise(error: BaseException) -> int:
    raise error


@pytest.mark.parametrize("workers", [0, 1, 2, 3])
@pytest.mark.parametrize("number", [0, 1, 2, _WINDOW, _WINDOW + 1, 50])
def test_results_come_in_the_order_of_the_tasks(number: int, workers: int) -> None:
    assert list(run_in_order(_tasks(range(number)), workers=workers)) == list(range(number))
    assert not _workers()


def test_a_slow_task_is_not_overtaken_though_a_later_one_is_done() -> None:
    later_done = threading.Event()

    def slow() -> int:
        assert later_done.wait(_PATIENCE)
        return 1

    def quick() -> int:
        later_done.set()
        return 2

    assert list(run_in_order([lambda: 0, slow, quick])) == [0, 1, 2]


def test_as_many_tasks_run_at_a_time_as_there_are_workers() -> None:
    together = threading.Barrier(2, timeout=_PATIENCE)
    results = list(run_in_order([lambda: 0, together.wait, together.wait]))
    assert sorted(results) == [0, 0, 1]


def test_one_worker_runs_the_tasks_in_order_and_never_two_at_a_time() -> None:
    busy = threading.Lock()
    ran: list[int] = []

    def task(number: int) -> int:
        assert busy.acquire(blocking=False)
        ran.append(number)
        busy.release()
        return number

    assert list(run_in_order((partial(task, number) for number in range(200)), workers=1)) == ran == list(range(200))


def test_a_single_task_needs_no_thread() -> None:
    ran_in: list[threading.Thread] = []

    def task() -> int:
        ran_in.append(threading.current_thread())
        return len(_workers())

    assert list(run_in_order([task])) == [0]
    list(run_in_order([task, task]))
    assert ran_in[0] is threading.current_thread()
    assert threading.current_thread() not in ran_in[1:]


def test_the_source_is_asked_in_the_thread_of_the_consumer() -> None:
    asked_in: set[threading.Thread] = set()

    def source() -> Iterator[Task]:
        for task in _tasks(range(20)):
            asked_in.add(threading.current_thread())
            yield task

    list(run_in_order(source()))
    assert asked_in == {threading.current_thread()}


def test_nothing_is_begun_before_it_is_asked_for_and_no_more_than_the_window_ahead() -> None:
    begun = 0

    def source() -> Iterator[Task]:
        nonlocal begun
        for task in _tasks(range(50)):
            begun += 1
            yield task

    results = run_in_order(source())
    assert begun == 0
    with closing_iterator(results) as used:
        for taken, _ in enumerate(used, start=1):
            assert begun - taken <= _WINDOW - 1


@pytest.mark.parametrize("position", [0, 1, 2, 7])
@pytest.mark.parametrize("error", [ValueError("first"), BaseException("a panic is no Exception")])
def test_the_first_error_is_raised_after_what_came_before_it(position: int, error: BaseException) -> None:
    closed = threading.Event()

    def source() -> Iterator[Task]:
        try:
            yield from _tasks(range(position))
            while True:
                yield partial(_raise, error)
        finally:
            closed.set()

    taken: list[int] = []
    with pytest.raises(type(error)) as raised:
        taken.extend(run_in_order(source()))
    assert raised.value is error
    assert closed.is_set()
    assert not _workers()


def test_an_error_of_the_source_is_raised_and_ends_the_threads() -> None:
    def source() -> Iterator[Task]:
        yield from _tasks(range(5))
        raise OSError("the cursor is gone")

    with pytest.raises(OSError, match="the cursor is gone"):
        list(run_in_order(source()))
    assert not _workers()


@pytest.mark.parametrize("taken", [0, 1, 2, 10])
def test_a_consumer_that_stops_early_ends_the_threads_and_closes_the_source(taken: int) -> None:
    closed = threading.Event()

    def source() -> Iterator[Task]:
        try:
            yield from _tasks(range(1000))
        finally:
            closed.set()

    with closing_iterator(run_in_order(source())) as results:
        for _ in range(taken):
            next(results)
    assert closed.is_set() is (taken > 0)
    assert not _workers()


def test_an_interrupt_ends_the_threads_and_comes_through() -> None:
    def interrupt() -> int:
        _thread.interrupt_main()
        return 1

    def source() -> Iterator[Task]:
        yield lambda: 0
        yield interrupt
        yield from _tasks(count())

    with pytest.raises(KeyboardInterrupt):
        list(run_in_order(source()))
    # It may have come while a worker was being started, before anybody could have waited for that one.
    for thread in _workers():
        thread.join(_PATIENCE)
    assert not _workers()


def test_closing_goes_through_to_what_can_be_closed_and_leaves_the_rest_alone() -> None:
    class Source:
        closed = False

        def __iter__(self) -> Iterator[int]:
            return self

        def __next__(self) -> int:
            return 1

        def close(self) -> None:
            self.closed = True

    source = Source()
    with closing_iterator(source) as left:
        assert next(left) == 1
    assert source.closed
    with closing_iterator([1, 2]) as left:
        assert next(left) == 1


@settings(max_examples=25, deadline=None)
@given(sizes=st.lists(st.sampled_from([0, 1, 15, 16, 17, 4096, (1 << 20) - 1, 1 << 20, (1 << 20) + 1]), max_size=6))
def test_what_is_sealed_in_a_thread_is_what_openssl_opens(
    sizes: list[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    chunks = [bytes([number + 1]) * size for number, size in enumerate(sizes)]
    key, iv = bytes(range(32)), bytes(range(16))
    # Copied one by one, as a socket does: the buffer of each is filled again later.
    sealed = b"".join(bytes(piece) for piece in encrypted_pieces(chunks, key=Secret(key), iv=Secret(iv), workers=1))
    path: Path = tmp_path_factory.mktemp("sealed") / "file"
    path.write_bytes(sealed)
    command = ["openssl", "enc", "-d", "-aes-256-cbc", "-K", key.hex(), "-iv", iv.hex(), "-in", str(path)]
    assert subprocess.run(command, check=True, capture_output=True).stdout == b"".join(chunks)


def test_a_buffer_is_not_filled_again_while_its_piece_is_in_use() -> None:
    chunks = [bytes([number]) * (1 << 20) for number in range(12)]
    key, iv = bytes(32), bytes(16)
    copies = [bytes(piece) for piece in encrypted_pieces(chunks, key=Secret(key), iv=Secret(iv))]
    pieces = encrypted_pieces(chunks, key=Secret(key), iv=Secret(iv), workers=1)
    for expected, piece in zip(copies, pieces, strict=True):
        # The worker goes on meanwhile; what was handed out must stay as it is until the next one is asked for.
        seen = [bytes(piece) for _ in range(3)]
        assert seen == [expected] * 3


def test_without_workers_every_task_runs_in_the_thread_of_the_consumer_when_it_is_asked_for() -> None:
    ran: list[tuple[int, threading.Thread]] = []

    def run(number: int) -> None:
        ran.append((number, threading.current_thread()))

    results = run_in_order((partial(run, number) for number in range(3)), workers=0)
    assert ran == []
    for taken, _ in enumerate(results, start=1):
        assert [number for number, _ in ran] == list(range(taken))
    assert {thread for _, thread in ran} == {threading.current_thread()}
