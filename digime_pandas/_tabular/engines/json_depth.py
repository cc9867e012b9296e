"""How deeply JSON text is nested, found before a parser sees it: some of them end the process on deep text."""

from __future__ import annotations

import numpy as np

DEEPEST_JSON = 128
"""How many arrays and objects may be inside each other in JSON text that is read."""
TOO_DEEP = f"arrays and objects are nested more than {DEEPEST_JSON} deep"
_BLOCK_BYTES = 1 << 20
_FEW_BYTES = 1 << 12
_COUNTED_BYTES = 1 << 18  # what stays in a processor's cache
# These bits are the same in an opening bracket and an opening brace, and in the closing ones; no other byte has them.
_EITHER, _OPENING, _CLOSING = 0xDF, ord("["), ord("]")


def check_json_depth(text: bytes | bytearray) -> None:
    """Check that arrays and objects are not nested deeper than `DEEPEST_JSON`.

    The text does not have to be JSON: what a parser reads of it before the first error is not nested deeper either.

    Args:
        text: One JSON value, or several with blanks between them.

    Raises:
        ValueError: They are nested deeper.
    """
    # Between values that follow each other, and nowhere else in JSON, an object begins after the end of another one
    # with nothing but blanks between them. The depth is 0 there, and what comes after such a place, up to the next one,
    # is at most as deep as it has opening brackets. This is counted first, as that is fast.
    opened = text.count(b"[") + text.count(b"{") if len(text) < _FEW_BYTES else _count_openings(text)
    if opened <= DEEPEST_JSON:
        return
    for between in (b"}\n{", b"}\r\n{"):
        if opened - _count(text, between) <= DEEPEST_JSON:
            return
        # Of each value, the first brace went with what is between.
        if all(each.count(b"[") + each.count(b"{") < DEEPEST_JSON for each in text.split(between)):
            return
    if _is_deeper(text):
        raise ValueError(TOO_DEEP)


def _count_openings(text: bytes | bytearray) -> int:
    codes = np.frombuffer(text, np.uint8)
    blocks = (codes[start : start + _COUNTED_BYTES] for start in range(0, len(codes), _COUNTED_BYTES))
    return sum(int(np.count_nonzero((block & _EITHER) == _OPENING)) for block in blocks)


def _count(text: bytes | bytearray, sought: bytes) -> int:
    """Return how often bytes that cannot overlap are in a text; faster than `bytes.count` where they are often."""
    codes = np.frombuffer(text, np.uint8)
    places = len(codes) - len(sought) + 1
    count = 0
    for start in range(0, places, _COUNTED_BYTES):
        end = min(start + _COUNTED_BYTES, places)
        found = codes[start:end] == sought[0]
        for offset, code in enumerate(sought[1:], start=1):
            found &= codes[start + offset : end + offset] == code
        count += int(np.count_nonzero(found))
    return count


def _is_deeper(text: bytes | bytearray) -> bool:
    depth = quotes = start = 0
    while start < len(text):
        block = text[start : start + _BLOCK_BYTES]
        # An escape is not cut in two: a block ends before a run of backslashes, unless it is nothing else.
        block = block.rstrip(b"\\") or _run_of_backslashes(text, start)
        start += len(block)
        # Escapes are blanked out: without them, a byte is outside of texts when the number of quotes up to it is even.
        codes = np.frombuffer(block.replace(rb"\\", b"  ").replace(rb"\"", b"  "), np.uint8)
        counted = np.cumsum(codes == ord('"'), dtype=np.int64) + quotes
        kinds = codes & _EITHER
        steps = (kinds == _OPENING).view(np.int8) - (kinds == _CLOSING).view(np.int8)
        depths = np.cumsum(steps * (counted % 2 == 0), dtype=np.int64) + depth
        if depths.max() > DEEPEST_JSON:
            return True
        depth, quotes = int(depths[-1]), int(counted[-1])
    return False


def _run_of_backslashes(text: bytes | bytearray, start: int) -> bytes | bytearray:
    """Return the backslashes at `start`, with the byte after them, which the last one may escape."""
    rest = text[start:]
    return rest[: len(rest) - len(rest.lstrip(b"\\")) + 1]
