"""The elements of a JSON array as lines."""

from __future__ import annotations

import numpy as np


def commas_to_newlines(elements: memoryview, count: int) -> bool:
    """Put line feeds in place of the commas between elements, where it is certain which commas these are.

    Every separator has ``}`` before it and ``{`` after it. A comma in a text or in a list may have these too, so that
    the commas found by them are all separators and perhaps others. There are ``count - 1`` separators: when that many
    commas are found, no other one is among them.

    Args:
        elements: JSON objects, separated by commas without blanks; changed in place, or not at all.
        count: How many objects they are.

    Returns:
        Whether it was done.
    """
    codes = np.frombuffer(elements, np.uint8)
    # Not the first one, which follows no comma.
    opening = np.flatnonzero(codes == ord("{"))[1:]
    follows_separator = (codes[opening - 1] == ord(",")) & (codes[opening - 2] == ord("}"))
    separators = opening[follows_separator] - 1
    if len(separators) != count - 1:
        return False
    codes[separators] = ord("\n")
    return True
