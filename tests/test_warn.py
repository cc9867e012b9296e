from __future__ import annotations

import linecache
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from digime_pandas.errors import DigimeWarning, collected_warnings, warn


def own(depth: int) -> Callable[[str], None]:
    """Return a function of the package that warns so many calls below the first one."""
    space: dict[str, object] = {"__name__": "digime_pandas._made_up", "warn": warn, "category": DigimeWarning}
    exec("def at_0(message):\n    warn(message, category)\n", space)
    for level in range(1, depth + 1):
        exec(f"def at_{level}(message):\n    [at_{level - 1}(each) for each in [message]]\n", space)
    found = space[f"at_{depth}"]
    assert callable(found)
    return found


@pytest.mark.parametrize("depth", [0, 1, 7])
def test_it_points_at_the_line_that_called_the_package_from_any_depth(depth: int) -> None:
    call = own(depth)
    with pytest.warns(DigimeWarning, match="^so it is$") as warned:
        call("so it is")
    (warning,) = warned
    assert warning.filename == __file__
    assert linecache.getline(__file__, warning.lineno).strip() == 'call("so it is")'


def test_users_filters_and_once_a_line_hold() -> None:
    call = own(2)
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("default")
        for _ in range(3):
            call("the same")
        call("the same")
        warnings.filterwarnings("ignore", message="another")
        call("another")
    assert [str(warning.message) for warning in warned] == ["the same", "the same"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(DigimeWarning, match="an error"):
            call("an error")


def test_a_package_of_a_similar_name_is_another_one() -> None:
    space: dict[str, object] = {"__name__": "digime_pandas_tools", "call": own(1)}
    with pytest.warns(DigimeWarning) as warned:
        exec(compile("call('x')", "<similar>", "exec"), space)
    assert [warning.filename for warning in warned] == ["<similar>"]


def test_a_thread_collects_its_own_and_no_other_threads() -> None:
    call = own(1)

    def collect(text: str) -> list[str]:
        with collected_warnings() as messages:
            call(text)
            call(text)
        return messages

    with ThreadPoolExecutor(2) as threads, collected_warnings() as messages:
        assert list(threads.map(collect, "ab")) == [["a", "a"], ["b", "b"]]
    assert messages == []
    with pytest.warns(DigimeWarning):
        call("shown again")
