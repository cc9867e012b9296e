"""One commit for all threads that wait for one: a disk takes as long for many rows as for one."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from digime_pandas._service.process import reset_after_fork

Work = TypeVar("Work")

# Seconds after which any thread of a group commits it: the one that should may have been interrupted.
_LONGEST_WAIT = 1.0


class Group(Generic[Work]):
    """Work that is committed together.

    Attributes:
        work: The work; None in place of what is not to be done any more.
        results: One for each, once they are committed; None before.
        error: Why nothing of it was committed.
        is_over: Set when there are results, or an error.
    """

    __slots__ = ("error", "is_over", "results", "work")

    def __init__(self) -> None:
        self.work: list[Work | None] = []
        self.results: list[Any] | None = None
        self.error: Exception | None = None
        self.is_over = threading.Event()


class GroupCommit(Generic[Work]):
    """Commits the work of several threads together, in the thread of the first that waits.

    There is no thread of its own: while one group is committed, the next one gathers, and its first thread commits it.

    Args:
        commit: Carries out all the work of a group, or none, and sets its results as soon as they are committed.
    """

    def __init__(self, commit: Callable[[Group[Work]], None]) -> None:
        self._commit = commit
        self._gathering: Group[Work] = Group()
        self._start()
        reset_after_fork(self, GroupCommit._start)

    def run(self, work: Work) -> Any:
        """Return the result of a piece of work once it is committed.

        Raises:
            Exception: What `commit` raised; nothing of the group is done then.
        """
        with self._guard:
            group, position = self._gathering, len(self._gathering.work)
            group.work.append(work)
        try:
            if position > 0:
                group.is_over.wait(_LONGEST_WAIT)
            if not group.is_over.is_set():
                with self._turn:
                    if not group.is_over.is_set():
                        self._commit_group(group)
        except BaseException:
            group.work[position] = None  # an interrupt is of this thread alone; another one commits for the others
            raise
        if group.error is not None:
            # Each thread raises an error of its own: a traceback belongs to one thread.
            raise copy.copy(group.error) from group.error.__cause__
        assert group.results is not None
        return group.results[position]

    def _commit_group(self, group: Group[Work]) -> None:
        with self._guard:
            if self._gathering is group:
                self._gathering = Group()
        try:
            self._commit(group)
        except Exception as error:  # noqa: BLE001 - raised in each thread that waits
            group.error = error
        finally:
            if group.error is not None or group.results is not None:
                group.is_over.set()

    def _start(self) -> None:
        self._guard = threading.Lock()
        self._turn = threading.Lock()
        self._gathering = Group()
