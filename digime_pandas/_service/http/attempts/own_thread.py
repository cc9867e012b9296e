"""Calls of what keeps no deadline of its own: made in another thread, which is waited for until the deadline."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from contextvars import copy_context
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple, TypeVar

from digime_pandas._service.http.attempts.deadline import PASSED, Deadline

T = TypeVar("T")

_END, _LEFT = object(), object()
# Seconds. What is about to come at the deadline may come: other threads have to have had their turn.
_SHORTEST_WAIT = 0.2


class _Event(NamedTuple):
    """What the other thread says: it wants a piece (neither), or an act is over."""

    value: Any = None
    error: BaseException | None = None
    is_over: bool = True


class OwnThread:
    """A thread that makes one call after another, each waited for until a deadline; to be closed.

    Pieces that a call takes are made in the thread that waits for it: what they are read from may belong to that one.
    A call that is not waited for any longer goes on, and what comes of it is discarded. Where the calls use TLS, a
    process that is forked in the moment in which the thread ends may find a lock of OpenSSL held in the child, whose
    calls then end at their deadlines.

    Args:
        pieces: What the calls may take, from `taken`.
        deadline: Until when a call is waited for, and a moment beyond.
        error: What is raised then.
        finish: Called in the other thread, once nothing else is.

    Attributes:
        is_left: Whether a call was left to itself.
    """

    def __init__(
        self, pieces: Iterable[bytes], deadline: Deadline, error: type[Exception], finish: Callable[[], object]
    ) -> None:
        self._pieces = iter(pieces)
        self._deadline = deadline
        self._error = error
        self._finish = finish
        self._acts: SimpleQueue[Callable[[], Any] | None] = SimpleQueue()
        self._events: SimpleQueue[_Event] = SimpleQueue()
        self._given: SimpleQueue[Any] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self.is_left = False

    def call(self, act: Callable[[], T]) -> T:
        """Return what an act returns, or raise what it raises.

        Raises:
            Exception: `error`: it was not over at the deadline. What the pieces raise comes out as it is.
        """
        if self._thread is None:
            self._start()
        self._acts.put(act)
        try:
            while not (event := self._events.get(timeout=max(_SHORTEST_WAIT, self._deadline.left()))).is_over:
                self._given.put(self._next_piece())
        except Empty:
            self._leave()
            raise self._error(PASSED) from None
        except BaseException:
            self._leave()
            raise
        if event.error is not None:
            raise event.error
        value: T = event.value
        return value

    def taken(self) -> Iterator[bytes]:
        """Yield the pieces, in the other thread."""
        while True:
            self._events.put(_Event(is_over=False))
            piece = self._given.get()
            if piece is _LEFT:
                raise self._error(PASSED)
            if piece is _END:
                return
            yield piece

    def close(self) -> None:
        """Finish, and let the thread end."""
        if self._thread is not None and not self.is_left:
            with suppress(self._error):
                self.call(self._finish)
            self._acts.put(None)
            self._thread.join(_SHORTEST_WAIT)

    def _start(self) -> None:
        run = copy_context().run
        thread = threading.Thread(target=run, args=(self._run,), name="digime-transport", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:  # there are too many, or the interpreter ends
            raise self._error(str(error)) from None
        self._thread = thread

    def _next_piece(self) -> Any:
        piece = next(self._pieces, _END)
        if isinstance(piece, bytes):
            self._deadline.step(0.0, self._error)
            self._deadline.moved(len(piece))
        return piece

    def _leave(self) -> None:
        self.is_left = True
        self._given.put(_LEFT)
        self._acts.put(self._finish)
        self._acts.put(None)

    def _run(self) -> None:
        while (act := self._acts.get()) is not None:
            try:
                event = _Event(act())
            except BaseException as error:  # noqa: BLE001 - raised again in the thread that waits for it
                event = _Event(error=error)
            self._events.put(event)
            del act, event  # until the next act, this thread keeps nothing alive
