"""Which frames stay in a traceback that leaves another library, and which do not."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from types import FunctionType
from typing import Any

import pytest

from digime_pandas._service.masking.tracebacks import FramesDropped, without_frames


def in_module(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
    """The same function, as if it stood in a module of that name."""
    assert isinstance(call, FunctionType)
    return FunctionType(call.__code__, {**call.__globals__, "__name__": name}, call.__name__, None, call.__closure__)


def names(error: BaseException) -> list[str]:
    return [entry.name for entry in traceback.extract_tb(error.__traceback__)]


def library(call: Callable[[], object]) -> None:
    secret = "t0ken"  # noqa: F841 - it is what must not be seen
    call()


def fail() -> None:
    raise LookupError("a reason")


def fail_because() -> None:
    try:
        fail()
    except LookupError as error:
        raise ValueError("another reason") from error


def body() -> None:
    users_own()


def users_own() -> None:
    fail()


@pytest.mark.parametrize("kind", [fail, fail_because])
def test_without_a_module_no_frame_below_stays(kind: Callable[[], None]) -> None:
    def sign() -> None:
        with FramesDropped():
            library(kind)

    with pytest.raises((LookupError, ValueError)) as caught:
        sign()
    assert names(caught.value)[1:] == ["sign"]
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)
    assert "test_tracebacks.py:" in caught.value.__notes__[0]


def test_from_another_module_of_the_package_on_all_frames_stay() -> None:
    def send() -> None:
        with FramesDropped("digime_pandas._service.http.transport"):
            step()

    step = in_module(
        "digime_pandas._service.http.transport",
        lambda: in_module("httpx", library)(in_module("digime_pandas._x", body)),
    )
    with pytest.raises(LookupError) as caught:
        in_module("digime_pandas._service.http.transport", send)()
    assert names(caught.value)[1:] == ["send", "<lambda>", "body", "users_own", "fail"]
    assert not hasattr(caught.value, "__notes__")


def test_frames_of_the_module_itself_stay_and_what_it_calls_does_not() -> None:
    def send() -> None:
        with FramesDropped("digime_pandas._service.http.transport"):
            in_module("digime_pandas._service.http.transport", library)(in_module("httpx", fail))

    with pytest.raises(LookupError) as caught:
        in_module("digime_pandas._service.http.transport", send)()
    assert names(caught.value)[1:] == ["send", "library"]


def test_what_a_sending_library_handled_before_a_body_broke_is_without_frames() -> None:
    def handle(call: Callable[[], object]) -> None:
        try:
            fail()
        except LookupError:
            call()

    def broken() -> None:
        raise ValueError("of the body")

    def send() -> None:
        with FramesDropped("digime_pandas._service.http.transport"):
            in_module("httpcore", handle)(in_module("digime_pandas._x", broken))

    with pytest.raises(ValueError, match="of the body") as caught:
        in_module("digime_pandas._service.http.transport", send)()
    assert isinstance(caught.value.__context__, LookupError)
    assert caught.value.__context__.__traceback__ is None


def test_what_the_caller_handles_stays() -> None:
    own = KeyError("the caller's own")
    try:
        raise own
    except KeyError:
        with pytest.raises(LookupError) as caught, FramesDropped():
            library(fail)
    assert caught.value.__context__ is own
    assert own.__traceback__ is not None


def test_an_interrupt_has_no_note() -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as caught, FramesDropped():
        library(interrupt)
    assert not hasattr(caught.value, "__notes__")


def test_a_good_end_is_let_through() -> None:
    with FramesDropped():
        library(list)


def test_a_cause_is_kept_without_frames_and_history() -> None:
    with pytest.raises(ValueError, match="another") as caught:
        fail_because()
    without_frames(caught.value)
    assert (caught.value.__traceback__, caught.value.__cause__, caught.value.__context__) == (None, None, None)
