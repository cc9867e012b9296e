# Calls that a type checker refuses are what this is about.
# mypy: disable-error-code="call-arg, misc"
from __future__ import annotations

import inspect
import traceback
from dataclasses import dataclass
from typing import Any

import pandas as pd
import pytest

from digime_pandas._client.arguments import WRITE_ARGUMENTS, WRITE_DEFAULTS
from digime_pandas.errors import ArgumentError, ConfigurationError, InputError, OptionError
from digime_pandas.errors.calls.explained import advice_for, explains_calls, explains_making
from digime_pandas.errors.calls.foreign_names import FOREIGN_ARGUMENTS


@explains_calls()
def gather(first: int, second: int = 2, *, third: int = 3, **rest: int) -> list[int]:
    """Return its arguments."""
    return [first, second, third, *rest.values()]


@explains_calls(kind=OptionError, of_frames="Give it to another one.")
def keep(first: object, *, tags: object = ()) -> object:
    if first == "inside":
        raise TypeError("raised inside")
    if first == "own":
        raise ArgumentError("raised by this package")
    return first


WRONG: list[tuple[Any, str]] = [
    (gather, r"digime\.gather\(\) missing 1 .*'first'\. Call it as digime\.gather\(first\)\."),
    (lambda: gather(1, 2, 3), r"digime\.gather\(\) takes from 1 to 2 positional arguments.*Call it as"),
    (lambda: gather(1, first=2), r"multiple values for argument 'first'"),
    (lambda: keep(1, tag=2), r"digime\.keep\(\) got an unexpected keyword argument 'tag'\. Did you mean tags=\?"),
    (lambda: keep(1, zzz=2), r"'zzz'\. It takes first, tags\."),
    (lambda: keep(pd.DataFrame(), zzz=2), r"digime\.keep\(\) takes no frame\. Give it to another one\."),
]


@pytest.mark.parametrize(("call", "said"), WRONG, ids=range(len(WRONG)))
def test_a_call_that_cannot_be_made_says_what_was_meant(call: Any, said: str) -> None:
    with pytest.raises(ArgumentError, match=said) as caught:
        call()
    assert isinstance(caught.value, TypeError)
    assert isinstance(caught.value, InputError)
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)


def test_an_option_is_also_of_the_configuration() -> None:
    with pytest.raises(ConfigurationError):
        keep(1, tag=2)


def test_what_can_be_called_is_called_and_what_it_raises_is_left_as_it_is() -> None:
    assert gather(1, third=4, more=5) == [1, 2, 4, 5]
    with pytest.raises(TypeError, match=r"^raised inside$") as caught:
        keep("inside")
    assert not isinstance(caught.value, ArgumentError)
    with pytest.raises(ArgumentError, match=r"^raised by this package$"):
        keep("own")


@explains_making
@dataclass(frozen=True, slots=True)
class Pair:
    """Two numbers."""

    left: int
    right: int = 0


class Owner:
    @classmethod
    @explains_calls()
    def made_of(cls, values: object) -> object:
        return values


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: Pair(lefft=1), r"digime\.Pair\(\) got an unexpected .*Did you mean left=\?"),
        (Pair, r"Call it as digime\.Pair\(left\)\."),
        (lambda: Owner.made_of(value=1), r"digime\.Owner\.made_of\(\) got .*Did you mean values=\?"),
    ],
    ids=["keyword", "missing", "of the class"],
)
def test_the_making_of_an_object_is_a_call_too(call: Any, said: str) -> None:
    with pytest.raises(ArgumentError, match=said):
        call()
    assert Pair(1) == Pair(left=1, right=0)
    assert str(inspect.signature(Pair)) == "(left: 'int', right: 'int' = 0) -> None"


@pytest.mark.parametrize(
    "call",
    [lambda: keep("inside", tags="secret"), lambda: keep("own", tags="secret"), lambda: keep(1, tagz="secret")],
    ids=["another error", "an error of this package", "a keyword"],
)
def test_a_traceback_does_not_show_what_was_passed(call: Any) -> None:
    with pytest.raises(TypeError) as caught:
        call()
    frames = [frame for frame, _ in traceback.walk_tb(caught.value.__traceback__)]
    shown = [frame.f_locals for frame in frames if frame.f_code.co_name == "explained"]
    assert shown
    assert "secret" not in repr(shown)


def test_it_shows_what_the_function_shows() -> None:
    assert list(inspect.signature(gather).parameters) == ["first", "second", "third", "rest"]
    assert (gather.__name__, gather.__doc__) == ("gather", "Return its arguments.")


@pytest.mark.parametrize("name", sorted(set(FOREIGN_ARGUMENTS) - set(WRITE_DEFAULTS) - {"file_name", "account_id"}))
def test_every_foreign_name_is_answered(name: str) -> None:
    assert advice_for(name, WRITE_ARGUMENTS) or advice_for(name, ["limit", "columns", "access"])
    assert "{" not in FOREIGN_ARGUMENTS[name]


@pytest.mark.parametrize("name", WRITE_DEFAULTS)
def test_an_argument_with_a_letter_missing_or_twice_is_found(name: str) -> None:
    for typo in (name[:-1], name + name[-1], name.upper()):
        assert f"{name}=" in advice_for(typo, WRITE_ARGUMENTS)
