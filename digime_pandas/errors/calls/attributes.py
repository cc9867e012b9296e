"""Attributes that an object does not have, answered with those whose names are near."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from digime_pandas.errors import UnknownNameError
from digime_pandas.errors.calls.foreign_names import FOREIGN_METHODS
from digime_pandas.errors.names import did_you_mean


class NearNames:
    """A class of objects that answer an unknown attribute with those whose names are near."""

    __slots__ = ()

    if not TYPE_CHECKING:  # to which a class with `__getattr__` has every attribute

        def __getattr__(self, name: str) -> Any:
            if name.startswith("_"):  # which other programs ask for, to find out what an object can do
                raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}", name=name, obj=self)
            raise unknown_name(f"{type(self).__name__!r} object", name, dir(self))


def unknown_name(owner: str, name: str, names: list[str]) -> UnknownNameError:
    """Return the error about an attribute that is not there.

    Args:
        owner: What lacks it, in words.
        name: Its name.
        names: The names of those that there are.
    """
    public = [each for each in names if not each.startswith("_")]
    remedy = did_you_mean(name, public, "{}") or FOREIGN_METHODS.get(name) or f"It has {', '.join(public)}."
    return UnknownNameError(f"{owner} has no attribute {name!r}.", remedy=remedy)
