"""Values that are handed on masked, and opened only in the line that needs the clear text.

What shows local variables, fields or items (tracebacks of IPython, frames made of dataclasses, `vars`, `pprint`) calls
`repr`, and goes through what a value holds. So a `str` is no place for a token: it is carried as a `Secret`.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterator, Mapping
from dataclasses import FrozenInstanceError
from inspect import getattr_static
from itertools import repeat
from typing import Any, Generic, NoReturn, TypeVar

from digime_pandas.errors import SecretError

T = TypeVar("T")
_MASK = "…"
_NO_MAPPINGS = {str, int, float, bool, list, type(None)}


class Secret(Generic[T]):
    """A value that shows only when it is asked to.

    Equality takes the same time wherever two texts differ. It is not pickled; a copy of it is itself.

    Args:
        clear: The value.
    """

    __slots__ = ("reveal",)

    def __init__(self, clear: T) -> None:
        # The bound method of an iterator that gives `clear` for ever: unlike a plain attribute it shows nothing to what
        # goes through attributes, and unlike a function it has no frame in which `clear` is a variable.
        self.reveal = repeat(clear).__next__

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return _same(self, other)

    def __hash__(self) -> int:
        return hash(self.reveal())

    def __repr__(self) -> str:
        return f"Secret('{_MASK}')"

    def __str__(self) -> str:
        return _MASK

    def __format__(self, specification: str) -> str:
        return format(_MASK, specification)

    def __reduce__(self) -> NoReturn:
        raise SecretError("A secret is not pickled.")

    def __copy__(self) -> Secret[T]:
        return self

    def __deepcopy__(self, memo: object) -> Secret[T]:
        return self


class MaskedMapping(Mapping[str, Any]):
    """A mapping that shows its names only. Mappings in it are masked when they are taken out.

    Args:
        items: What it maps.
    """

    __slots__ = ("_items",)

    def __init__(self, items: Mapping[str, Any]) -> None:
        self._items = Secret(items)

    def __getitem__(self, name: str) -> Any:
        inner = masked_object(self._items.reveal()[name])
        return self._items.reveal()[name] if inner is None else inner

    def __iter__(self) -> Iterator[str]:
        return iter(self._items.reveal())

    def __len__(self) -> int:
        return len(self._items.reveal())

    def __repr__(self) -> str:
        return f"{{{', '.join(f'{name!r}: {_MASK}' for name in self)}}}"

    def __reduce__(self) -> NoReturn:
        raise SecretError("A mapping that may hold a secret is not pickled.")

    def __copy__(self) -> MaskedMapping:
        return self

    def __deepcopy__(self, memo: object) -> MaskedMapping:
        return self


def masked_object(value: object) -> MaskedMapping | None:
    """Return a mapping, masked, and None for anything else."""
    if type(value) in _NO_MAPPINGS:  # which is quicker known than by an abstract class
        return None
    if isinstance(value, MaskedMapping):
        return value
    return MaskedMapping(value) if isinstance(value, Mapping) else None


def clear(value: object) -> Any:
    """Return a value in clear, masked or not."""
    return value.reveal() if isinstance(value, Secret) else value


class HoldsSecret:
    """Base of frozen dataclasses of which one attribute is secret, and so no field.

    The attribute is declared as an `InitVar` with a `Revealed` as its default. So it is an argument, and
    `dataclasses.replace` hands it on, while `fields`, `asdict`, `astuple` and whatever is built on them never meet it.
    What goes through `dir` (``DataFrame.to_json`` does, with objects it does not know) does not either.
    """

    __slots__ = ("_secret",)
    _secret: Secret[Any]

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        # A dataclass with slots is made twice, and what refuses changes in it knows the first class only: of names that
        # are no fields it raises an error that explains nothing.
        if "__dataclass_fields__" in cls.__dict__:
            cls.__setattr__ = cls.__delattr__ = HoldsSecret._refuse  # type: ignore[assignment] # one for both

    def _refuse(self, name: str, *_: object) -> NoReturn:
        raise FrozenInstanceError(f"{name!r} cannot be changed: a {type(self).__name__} is frozen.")

    def __dir__(self) -> list[str]:
        return [name for name in super().__dir__() if not isinstance(getattr_static(self, name, None), Revealed)]


class Revealed:
    """The secret attribute of a `HoldsSecret`; on the class itself, and so as a default, it is None."""

    def __get__(self, instance: HoldsSecret | None, owner: type | None = None) -> Any:
        return None if instance is None else instance._secret.reveal()  # noqa: SLF001 - made for that class


def _same(one: Secret[Any], other: Secret[Any]) -> bool:
    if isinstance(one.reveal(), str) and isinstance(other.reveal(), str):
        # The comparison of texts takes ASCII only; a lone surrogate can stand in what a person pasted.
        return hmac.compare_digest(
            one.reveal().encode(errors="surrogatepass"), other.reveal().encode(errors="surrogatepass")
        )
    if isinstance(one.reveal(), bytes) and isinstance(other.reveal(), bytes):
        return hmac.compare_digest(one.reveal(), other.reveal())
    return bool(one.reveal() == other.reveal())
