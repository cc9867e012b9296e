"""A property that counts replies which differ from the normal ones."""

from __future__ import annotations

from typing import Protocol, Self, overload

from digime_pandas.sandbox._context import ScriptedReplies


class _Served(Protocol):
    def _served_replies(self) -> ScriptedReplies: ...


class ScriptedCount:
    """A property of `Sandbox` that gets and sets the number of the same name in its `ScriptedReplies`.

    Args:
        doc: What is counted.
    """

    def __init__(self, doc: str) -> None:
        self.__doc__ = f"{doc} May be set."

    def __set_name__(self, owner: type[_Served], name: str) -> None:
        self._name = name

    @overload
    def __get__(self, sandbox: None, owner: type[_Served]) -> Self: ...
    @overload
    def __get__(self, sandbox: _Served, owner: type[_Served]) -> int: ...
    def __get__(self, sandbox: _Served | None, owner: type[_Served]) -> Self | int:
        if sandbox is None:
            return self
        count: int = getattr(sandbox._served_replies(), self._name)  # noqa: SLF001 - this class is part of Sandbox
        return count

    def __set__(self, sandbox: _Served, count: int) -> None:
        setattr(sandbox._served_replies(), self._name, count)  # noqa: SLF001
