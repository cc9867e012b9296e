"""Calls with arguments that a function does not have, or without those that it needs, and what was meant."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar

from digime_pandas.errors import ArgumentError
from digime_pandas.errors.calls.foreign_names import FOREIGN_ARGUMENTS
from digime_pandas.errors.names import did_you_mean

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")

_OWNERS = {
    "AuthorizationFlow": "flow",
    "Client": "client",
    "ConsentClient": "client",
    "ConsentPanel": "widget",
    "DaskDigimeAccessor": "ddf.digime",
    "FrameAccessor": "df.digime",
    "Journal": "journal",
    "LibraryFile": "file",
    "LibraryFiles": "files",
    "Receipt": "receipt",
    "Sandbox": "sandbox",
    "UploadGrant": "grant",
}
_MAKERS = {"ConsentPanel": "digime.AuthorizationWidget", "Sandbox": "Sandbox"}
_REQUIRED = {inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY}


def explains_calls(
    *, kind: type[ArgumentError] = ArgumentError, of_frames: str = ""
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Return a decorator of a function, by which calls that it does not take are answered with what was meant.

    Args:
        kind: The error to raise.
        of_frames: What to do instead where a frame is passed, for a function that takes none.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        answers = _Answers(function, kind, of_frames)

        @functools.wraps(function)
        def explained(*args: P.args, **arguments: P.kwargs) -> R:
            try:
                return function(*args, **arguments)
            except BaseException as error:
                refusal = answers.to(error, args, arguments)
                del args, arguments  # a traceback that shows local variables would show the secrets among them
                if refusal is None:
                    raise
            raise refusal

        return explained

    return decorate


def explains_making(cls: type[T]) -> type[T]:
    """Let the making of an object answer as `explains_calls` does, for a class that has its `__init__` made."""
    cls.__init__ = explains_calls()(cls.__init__)  # type: ignore[method-assign]
    return cls


def advice_for(given: str, names: Iterable[str]) -> str:
    """Return what to do instead of giving an argument, or an empty text.

    Args:
        given: The name of the argument.
        names: The names of those that there are.
    """
    known = list(names)
    foreign = FOREIGN_ARGUMENTS.get(given, "")
    meant = re.match(r"Use (\w+)=", foreign)
    if foreign and (meant is None or meant[1] in known):
        return foreign
    return did_you_mean(given, known, "{}=")


@dataclass(frozen=True, slots=True)
class _Answers:
    """The errors about calls of a function; the attributes are the arguments of `explains_calls`."""

    function: Callable[..., Any]
    kind: type[ArgumentError]
    of_frames: str

    def to(
        self, error: BaseException, args: tuple[object, ...], arguments: Mapping[str, object]
    ) -> ArgumentError | None:
        """Return the error about a call that raised another one, or None where that is no matter of the call."""
        if type(error) is not TypeError:
            return None
        bound, *parameters = inspect.signature(self.function).parameters.values()
        if bound.name not in {"self", "cls"}:
            parameters.insert(0, bound)
        names = [each.name for each in parameters]
        unknown = next((each for each in arguments if each not in names), None)
        trace = error.__traceback__
        # One that was raised inside has a frame more; it is about the call where a keyword was handed on.
        is_inside = trace is None or trace.tb_next is not None
        if is_inside and not str(error).endswith(f"unexpected keyword argument {unknown!r}"):
            return None
        name = _name_of(self.function, is_of_class=bound.name == "cls")
        if self.of_frames and any(hasattr(each, "__arrow_c_stream__") for each in args):
            return self.kind(f"{name}() takes no frame.", remedy=self.of_frames)
        if unknown is None:
            said = str(error).replace(f"{self.function.__qualname__}()", f"{name}()", 1)
            return self.kind(f"{said}.", remedy=f"Call it as {_usage(name, parameters)}.")
        remedy = advice_for(unknown, names) or f"It takes {', '.join(names)}."
        return self.kind(f"{name}() got an unexpected keyword argument {unknown!r}.", remedy=remedy)


def _name_of(function: Callable[..., Any], *, is_of_class: bool) -> str:
    """Return what users write to call a function."""
    owner, _, name = function.__qualname__.removesuffix(".__init__").rpartition(".")
    if not owner:
        return _MAKERS.get(name, f"digime.{name}")
    return f"{_MAKERS.get(owner, f'digime.{owner}') if is_of_class else _OWNERS.get(owner, owner)}.{name}"


def _usage(name: str, parameters: Iterable[inspect.Parameter]) -> str:
    shown = [
        f"{each.name}=..." if each.kind is inspect.Parameter.KEYWORD_ONLY else each.name
        for each in parameters
        if each.kind in _REQUIRED and each.default is inspect.Parameter.empty
    ]
    return f"{name}({', '.join(shown)})"
