"""Names of columns that a file has several times."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence


def unique_names(names: Sequence[str]) -> list[str]:
    """Make the names of columns differ as pandas does: ``a``, ``a.1``, ``a.2``, but for those that are there already.

    Args:
        names: The names, in the order of their columns.
    """
    if len(set(names)) == len(names):
        return list(names)
    taken = set(names)
    counts: Counter[str] = Counter()
    unique = []
    for name in names:
        new = name
        if counts[name]:
            while (new := f"{name}.{counts[name]}") in taken:
                counts[name] += 1
        counts[name] += 1
        taken.add(new)
        unique.append(new)
    return unique
