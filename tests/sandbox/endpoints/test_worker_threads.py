from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator

import pytest

from digime_pandas.sandbox._endpoints.worker_threads import in_worker_thread


def _call(function: Callable[..., object], *args: object) -> object:
    async def call() -> object:
        return await in_worker_thread(function, *args)

    return asyncio.run(call())


def test_a_function_is_called_in_a_thread_that_does_not_hold_up_the_end_of_the_program() -> None:
    seen: list[threading.Thread] = []
    server = threading.Thread(target=_call, args=(lambda: seen.append(threading.current_thread()),), daemon=True)
    server.start()
    server.join()
    (thread,) = seen
    assert thread is not server
    assert thread.daemon


def test_it_is_called_here_where_no_thread_can_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't create new thread at interpreter shutdown")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    assert _call(threading.get_ident) == threading.get_ident()


@pytest.mark.parametrize("error", [RuntimeError("its own"), OSError("disk full")])
def test_an_error_of_the_function_is_raised_and_it_is_called_once(error: Exception) -> None:
    calls: list[int] = []

    def fail() -> None:
        calls.append(1)
        raise error

    with pytest.raises(type(error), match=str(error)):
        _call(fail)
    assert calls == [1]


def test_its_threads_are_none_of_those_that_end_before_the_sandbox(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_executor(*_: object) -> None:
        raise AssertionError("asyncio's own threads end when the main thread does")

    monkeypatch.setattr(asyncio.BaseEventLoop, "run_in_executor", no_executor)
    pieces: Iterator[bytes] = iter([b"a"])
    assert _call(next, pieces, None) == b"a"
    assert _call(next, pieces, None) is None
