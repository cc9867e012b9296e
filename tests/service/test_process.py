"""What belongs to one process is made once in it, and anew in a forked child (see tests/faults/test_fork.py)."""

from __future__ import annotations

import gc

from digime_pandas._service import process as _process
from digime_pandas._service.process import OnePerProcess, reset_after_fork


class Owner:
    resets = 0


def count_reset(owner: Owner) -> None:
    owner.resets += 1


def test_a_value_is_made_at_its_first_use_and_once() -> None:
    made: list[object] = []

    def make() -> object:
        made.append(object())
        return made[-1]

    one = OnePerProcess(make, lambda _: None)
    assert made == []
    assert one.get() is one.get()
    assert len(made) == 1


def test_the_end_is_noted_and_told_to_a_value_that_there_is() -> None:
    ended: list[str] = []
    unused = OnePerProcess(lambda: "unused", lambda _: None)
    unused.end(ended.append)
    used = OnePerProcess(lambda: "used", lambda _: None)
    used.get()
    assert not used.ended
    used.end(ended.append)
    assert (unused.ended, used.ended, ended) == (True, True, ["used"])


def test_after_a_fork_the_value_is_left_and_another_one_made() -> None:
    left: list[object] = []
    one: OnePerProcess[object] = OnePerProcess(object, left.append)
    before = one.get()
    one._forget()
    assert left == [before]
    assert one.get() is not before


def test_owners_are_reset_as_long_as_they_live() -> None:
    owner = Owner()
    number = id(owner)
    reset_after_fork(owner, count_reset)
    reference, reset = _process._resets[number]
    reset(reference())
    assert owner.resets == 1
    del owner
    gc.collect()
    assert number not in _process._resets
