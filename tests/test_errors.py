from __future__ import annotations

import copy
import inspect
import linecache
import pickle
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from digime_pandas import errors
from digime_pandas.errors import (
    APIError,
    ConsentRefusedError,
    DigimeError,
    DigimeWarning,
    FidelityError,
    FidelityWarning,
    InvalidTokenError,
    ReplyError,
    ServiceUnreachableError,
    SpoolError,
    TokenStoreError,
    call_site,
    collected_warnings,
    warn,
    warnings_at,
)

CLASSES = [
    value
    for _, value in inspect.getmembers(errors, inspect.isclass)
    if value.__module__ == errors.__name__ and issubclass(value, Exception)
]


def test_every_error_derives_from_one_base() -> None:
    assert len(CLASSES) > 20
    assert all(issubclass(each, DigimeError) for each in CLASSES if not issubclass(each, Warning))


def test_a_warning_is_one_of_the_users_own_kind_and_no_error() -> None:
    assert issubclass(DigimeWarning, UserWarning)
    assert issubclass(FidelityWarning, DigimeWarning)
    assert not issubclass(DigimeWarning, DigimeError)


def test_every_error_is_exported_and_in_the_tree_at_the_top() -> None:
    names = {each.__name__ for each in CLASSES}
    assert names | {"Outcome"} == set(errors.__all__)
    assert list(errors.__all__) == sorted(errors.__all__)
    drawn = set((errors.__doc__ or "").replace("(", " ").split())
    assert names <= drawn


@pytest.mark.parametrize(
    ("name", "natural"),
    [
        ("ConfigurationError", ValueError),
        ("InputError", ValueError),
        ("NotAuthorizedError", LookupError),
        ("RedirectError", ValueError),
        ("AuthorizationTimeoutError", TimeoutError),
        ("SpoolError", OSError),
        ("TokenStoreError", OSError),
        ("JournalError", OSError),
        ("SecretError", TypeError),
        ("ServiceUnreachableError", ConnectionError),
        ("ReplyError", ValueError),
        ("FileNotInLibraryError", LookupError),
        ("SealedFileError", ValueError),
        ("DigestMismatchError", ValueError),
    ],
)
def test_an_error_is_also_what_python_would_call_it(name: str, natural: type[Exception]) -> None:
    assert issubclass(getattr(errors, name), natural)


@pytest.mark.parametrize(
    "error",
    [
        DigimeError("plain"),
        FidelityError("no such value", column="pulse", row=3),
        ConsentRefusedError("no", code="USER_CANCEL"),
        SpoolError("full"),
        TokenStoreError("read-only"),
        InvalidTokenError("old", outcome="refused", status=401, code="InvalidToken", reference="r", attempts=2),
        ServiceUnreachableError("away", outcome="unknown", attempts=5, retry_after=1.5),
        ReplyError("odd", outcome="unknown"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_crosses_processes_with_all_it_knows(error: DigimeError) -> None:
    error.add_note("a note")
    for again in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert type(again) is type(error)
        assert str(again) == str(error)
        assert again.__dict__ == error.__dict__
        assert again.__notes__ == ["a note"]


def test_what_is_not_known_of_a_request_is_none() -> None:
    error = APIError("away", outcome="not sent")
    assert (error.status, error.code, error.reference, error.retry_after) == (None, None, None, None)
    assert error.attempts == 1


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


def test_it_points_past_other_packages_between_two_parts_of_this_one() -> None:
    library = {"__name__": "http_client"}
    exec("def read(body):\n    for _ in body:\n        pass\n", library)
    space = {"__name__": "digime_pandas._made_up", "call": own(1), "read": library["read"]}
    exec("def body():\n    yield 1\n    call('at the end')\n\n\ndef send():\n    read(body())\n", space)
    send = space["send"]
    assert callable(send)
    with pytest.warns(DigimeWarning) as warned:
        send()
    assert [warning.filename for warning in warned] == [__file__]


def test_a_thread_warns_at_the_line_that_it_is_given_and_pickles_it() -> None:
    space: dict[str, object] = {"__name__": "digime_pandas._made_up", "call_site": call_site}
    exec("def site():\n    return call_site()\n", space)
    get = space["site"]
    assert callable(get)
    site = pickle.loads(pickle.dumps(get()))
    assert linecache.getline(site.filename, site.lineno).strip() == "site = pickle.loads(pickle.dumps(get()))"

    def in_thread() -> None:
        with warnings_at(site):
            own(3)("in a thread")

    with ThreadPoolExecutor(1) as threads, pytest.warns(DigimeWarning) as warned:
        threads.submit(in_thread).result()
    assert [(warning.filename, warning.lineno) for warning in warned] == [(__file__, site.lineno)]
