from __future__ import annotations

from collections.abc import Callable
from functools import partial
from threading import Barrier, get_ident

import pytest

from digime_pandas._tabular.reading import threads
from digime_pandas._tabular.reading.threads import at_once


@pytest.mark.parametrize("count", [1, 2, 3])
def test_results_come_in_the_order_of_the_tasks(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "thread_count", lambda: count)
    assert at_once([partial(int, str(number)) for number in range(10)]) == list(range(10))
    assert at_once([]) == []


def test_as_many_run_at_the_same_time_as_there_are_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "thread_count", lambda: 3)
    barrier = Barrier(3, timeout=60)
    assert sorted(at_once([barrier.wait] * 3)) == [0, 1, 2]


@pytest.mark.parametrize(("count", "tasks"), [(1, 4), (4, 1)])
def test_one_processor_or_one_task_needs_no_thread(count: int, tasks: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "thread_count", lambda: count)
    assert set(at_once([get_ident] * tasks)) == {get_ident()}


def test_the_error_of_the_first_task_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "thread_count", lambda: 2)
    tasks: list[Callable[[], int]] = [partial(int, text) for text in ("1", "x", "y", "2")]
    with pytest.raises(ValueError, match="'x'"):
        at_once(tasks)
