"""Calls in a thread of their own: pieces are made in the thread that waits, and nobody waits beyond the deadline."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextvars import ContextVar

import pytest

from digime_pandas._service.http.attempts.deadline import Deadline
from digime_pandas._service.http.attempts.own_thread import OwnThread

LONG, SHORT = 20.0, 0.01
PLACE: ContextVar[str] = ContextVar("place", default="nowhere")


class LateError(Exception):
    """What is raised at the deadline."""


def own_thread(
    pieces: Iterable[bytes] = (), seconds: float = LONG, finish: Callable[[], object] = lambda: None
) -> OwnThread:
    return OwnThread(pieces, Deadline(seconds, time.monotonic), LateError, finish)


def test_calls_have_one_thread_and_what_the_caller_had_in_mind() -> None:
    token = PLACE.set("here")
    thread = own_thread()
    (first, _), (second, _) = found = [thread.call(lambda: (threading.current_thread(), PLACE.get())) for _ in range(2)]
    thread.close()
    PLACE.reset(token)
    assert first is second
    assert [(each.name, place) for each, place in found] == [("digime-transport", "here")] * 2
    first.join(LONG)  # `close` waits a moment only
    assert not first.is_alive()


def test_pieces_are_made_in_the_thread_that_waits() -> None:
    makers: list[threading.Thread] = []

    def pieces() -> Iterator[bytes]:
        for piece in (b"a", b"b"):
            makers.append(threading.current_thread())
            yield piece

    thread = own_thread(pieces())
    assert thread.call(lambda: list(thread.taken())) == [b"a", b"b"]
    thread.close()
    assert makers == [threading.current_thread()] * 2


@pytest.mark.parametrize("error", [ValueError("x"), KeyboardInterrupt()])
def test_what_a_call_raises_comes_out(error: BaseException) -> None:
    def fail() -> None:
        raise error

    thread = own_thread()
    with pytest.raises(type(error)) as raised:
        thread.call(fail)
    assert raised.value is error
    thread.close()
    assert not thread.is_left


@pytest.mark.parametrize("error", [ValueError("x"), KeyboardInterrupt()])
def test_what_the_pieces_raise_comes_out_and_ends_the_call(error: BaseException) -> None:
    finished = threading.Event()

    def pieces() -> Iterator[bytes]:
        yield b"a"
        raise error

    thread = own_thread(pieces(), finish=finished.set)
    with pytest.raises(type(error)) as raised:
        thread.call(lambda: list(thread.taken()))
    assert raised.value is error
    assert finished.wait(LONG)


def test_a_call_that_lasts_is_left_and_finished_when_it_is_over() -> None:
    goes_on, events = threading.Event(), list[str]()
    finished = threading.Event()

    def lasting() -> None:
        assert goes_on.wait(LONG)
        events.append("over")

    def finish() -> None:
        events.append("finished")
        finished.set()

    thread = own_thread(seconds=SHORT, finish=finish)
    with pytest.raises(LateError):
        thread.call(lasting)
    thread.close()
    assert (thread.is_left, events) == (True, [])
    goes_on.set()
    assert finished.wait(LONG)
    assert events == ["over", "finished"]


def test_no_piece_is_handed_on_after_the_deadline() -> None:
    clock, taken = [0.0], list[bytes]()

    def pieces() -> Iterator[bytes]:
        yield b"a"
        clock[0] = 11.0
        yield b"b"

    thread = OwnThread(pieces(), Deadline(10, lambda: clock[0]), LateError, lambda: None)
    with pytest.raises(LateError):
        thread.call(lambda: taken.extend(thread.taken()))
    assert taken == [b"a"]


def test_where_no_thread_can_be_started_the_error_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def start(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    thread = own_thread()
    monkeypatch.setattr(threading.Thread, "start", start)
    with pytest.raises(LateError, match="can't start new thread"):
        thread.call(lambda: None)
    thread.close()
