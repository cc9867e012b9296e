"""Names that are near to one that was given, to be offered in its place."""

from __future__ import annotations

from collections.abc import Iterable

_SHOWN = 3
_LEAST_LIKENESS = 0.6  # of `difflib`, from 0 to 1
_ABOUT_AS_LIKE = 0.15
_COMPARED = 5_000  # a comparison takes some microseconds per name


def near_names(given: str, names: Iterable[str]) -> list[str]:
    """Return the names that are most like one that was given, the nearest first, at most three.

    Case and blanks at the ends do not matter. A name that begins with what was given is near, too.

    Args:
        given: The name that is not among them.
        names: The names that there are.
    """
    import difflib  # here, because only errors need it

    by_key: dict[str, str] = {}
    for name in names:
        by_key.setdefault(name.strip().casefold(), name)
        if len(by_key) >= _COMPARED:
            break
    key = given.strip().casefold()
    like = difflib.get_close_matches(key, by_key, n=_SHOWN, cutoff=_LEAST_LIKENESS)
    ratios = [difflib.SequenceMatcher(None, each, key).ratio() for each in like]
    like = [each for each, ratio in zip(like, ratios, strict=True) if ratio > max(ratios) - _ABOUT_AS_LIKE]
    begun = [each for each in by_key if key and each.startswith(key)]
    found = list(dict.fromkeys([key] * (key in by_key) + like + begun))
    return [by_key[each] for each in found[:_SHOWN]]


def one_of(given: object, choices: Iterable[str]) -> str:
    """Return what to pass instead of a value that an argument cannot have: the nearest one, and all there are."""
    known = list(choices)
    near = did_you_mean(given, known) if isinstance(given, str) else ""
    return f"{near} Pass {' or '.join(map(repr, known))}.".lstrip()


def did_you_mean(given: str, names: Iterable[str], shown: str = "{!r}") -> str:
    """Return a question that offers the nearest names, or an empty text where none is near.

    Args:
        given: As for `near_names`.
        names: As for `near_names`.
        shown: How a name is shown, as a format.
    """
    near = near_names(given, names)
    return f"Did you mean {' or '.join(map(shown.format, near))}?" if near else ""
