from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from digime_pandas._service.journal.group_commit import Group, GroupCommit
from digime_pandas.errors import JournalError

PATIENCE_SECONDS = 30.0
THREADS = 8


class Disk:
    """Commits groups; the first one waits until it is let go on."""

    def __init__(self) -> None:
        self.groups: list[list[int]] = []
        self.first_began, self.go_on = threading.Event(), threading.Event()
        self.error: BaseException | None = None

    def commit(self, group: Group[int]) -> None:
        self.groups.append([each for each in group.work if each is not None])
        if len(self.groups) == 1:
            self.first_began.set()
            assert self.go_on.wait(PATIENCE_SECONDS)
            if self.error is not None:
                raise self.error
        group.results = [None if each is None else each * 10 for each in group.work]


def queue_behind_the_first(commits: GroupCommit[int], disk: Disk, threads: ThreadPoolExecutor) -> list[object]:
    """Run 0 to 7; all but the first queue while that is committed. Return results and errors."""
    first = threads.submit(commits.run, 0)
    assert disk.first_began.wait(PATIENCE_SECONDS)
    others = [threads.submit(commits.run, number) for number in range(1, THREADS)]
    waiting = threading.Event()
    while len(commits._gathering.work) < THREADS - 1:
        waiting.wait(0.001)
    disk.go_on.set()
    done = [first, *others]
    return [each.exception(PATIENCE_SECONDS) or each.result() for each in done]


@pytest.fixture
def threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(THREADS)


def test_what_queues_during_a_commit_is_committed_together(threads: ThreadPoolExecutor) -> None:
    disk = Disk()
    commits = GroupCommit(disk.commit)
    with threads:
        assert queue_behind_the_first(commits, disk, threads) == [number * 10 for number in range(THREADS)]
    assert [len(each) for each in disk.groups] == [1, THREADS - 1]
    assert sorted(disk.groups[1]) == list(range(1, THREADS))


def test_no_thread_is_left_when_nothing_is_to_be_done() -> None:
    before = set(threading.enumerate())
    disk = Disk()
    disk.go_on.set()
    commits = GroupCommit(disk.commit)
    assert commits.run(1) == 10
    assert set(threading.enumerate()) <= before


def test_an_error_reaches_each_of_its_group_and_no_other(threads: ThreadPoolExecutor) -> None:
    disk = Disk()
    disk.error = JournalError("full")
    with threads:
        results = queue_behind_the_first(GroupCommit(disk.commit), disk, threads)
    assert isinstance(results[0], JournalError)
    assert results[1:] == [number * 10 for number in range(1, THREADS)]


def test_each_thread_raises_an_error_of_its_own(threads: ThreadPoolExecutor) -> None:
    cause = OSError("full")

    class Full(Disk):
        def commit(self, group: Group[int]) -> None:
            super().commit(group)
            group.results = None
            raise JournalError("full") from cause

    disk = Full()
    with threads:
        results = queue_behind_the_first(GroupCommit(disk.commit), disk, threads)
    errors = [each for each in results if isinstance(each, JournalError)]
    assert len({id(each) for each in errors}) == len(errors) == THREADS
    assert {each.__cause__ for each in errors} == {cause}


class InterruptedDisk(Disk):
    """The thread that commits the second group is interrupted, before or after it is committed."""

    def __init__(self, *, after: bool) -> None:
        super().__init__()
        self.after = after

    def commit(self, group: Group[int]) -> None:
        if len(self.groups) != 1:
            super().commit(group)
            return
        if self.after:
            super().commit(group)
        else:
            self.groups.append([])
        raise KeyboardInterrupt


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.slow
def test_an_interrupt_ends_one_wait_and_the_others_have_their_results(threads: ThreadPoolExecutor, after: bool) -> None:
    disk = InterruptedDisk(after=after)
    with threads:
        results = queue_behind_the_first(GroupCommit(disk.commit), disk, threads)
    assert [type(each) for each in results].count(KeyboardInterrupt) == 1
    assert all(each == number * 10 for number, each in enumerate(results) if not isinstance(each, KeyboardInterrupt))
    done = [each for group in disk.groups for each in group]
    assert len(done) == len(set(done)) == (THREADS if after else THREADS - 1)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_child_does_not_wait_for_threads_of_its_parent() -> None:
    disk = Disk()
    commits = GroupCommit(disk.commit)
    with ThreadPoolExecutor(1) as thread:
        begun = thread.submit(commits.run, 0)
        assert disk.first_began.wait(PATIENCE_SECONDS)
        commits._start()  # what a fork does in the child
        assert commits.run(5) == 50
        disk.go_on.set()
        assert begun.result(PATIENCE_SECONDS) == 0
