"""JSON of others as values of Python."""

from __future__ import annotations

import json


def load_json(text: bytes | str) -> object:
    """Return the value of a JSON text.

    Args:
        text: The text; bytes are UTF-8.

    Raises:
        ValueError: It is no JSON, or JSON that Python cannot hold: nested too deep, or too large for the memory. The
            error quotes nothing of the text.
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError, MemoryError):
        pass  # raised below, where the parser's error, which holds the text, is no context any more
    raise ValueError("it is no JSON that can be read")
