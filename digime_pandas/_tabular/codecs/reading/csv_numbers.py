"""Whether CSV text has nothing but numbers that Arrow's parser and the rules of inference take for the same ones."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

_SEARCHED_BYTES = 1 << 18  # what stays in a processor's cache
_AROUND = 3  # bytes: a sign, a zero and what follows may be in two pieces
_FIRST, _COUNT = ord("+"), ord("9") - ord("+") + 1  # of: + , - . / 0 to 9
_POINT, _ZERO, _DIGITS = ord("."), ord("0"), 10
_OTHERS = b"\n\reE"


class NumberCheck:
    """Looks at the text of a file piece by piece.

    Texts that are not checked are no numbers to Arrow either, such as ``1-2``. It does take ``007`` and ``.5`` for
    numbers, which are text by the rules, and leaves out blanks.
    """

    def __init__(self) -> None:
        self._before = b"\n" * _AROUND

    def holds(self, piece: bytes | memoryview) -> bool:
        """Tell whether the next piece has fields without quotes that are empty or numbers, and nothing else."""
        joint = self._before + piece[:_AROUND]
        self._before = joint[-_AROUND:] if len(piece) < _AROUND else bytes(piece[-_AROUND:])
        codes = np.frombuffer(piece, np.uint8)
        starts = range(0, len(codes), _SEARCHED_BYTES)
        return _is_as_written(np.frombuffer(joint, np.uint8)) and all(
            _has_only_digits(codes[start : start + _SEARCHED_BYTES])
            and _is_as_written(codes[max(0, start - _AROUND) : start + _SEARCHED_BYTES])
            for start in starts
        )


def _has_only_digits(codes: npt.NDArray[np.uint8]) -> bool:
    # What is smaller than the first one becomes larger than the last one.
    count = np.count_nonzero(codes - np.uint8(_FIRST) < _COUNT)
    return bool(count + sum(np.count_nonzero(codes == other) for other in _OTHERS) == len(codes))


def _is_as_written(codes: npt.NDArray[np.uint8]) -> bool:
    """Return whether no field begins with a point or, before another digit, with a zero; perhaps after a sign."""
    at_start = codes[:-1] < _POINT  # a comma, the end of a line, or a sign, which may be that of an exponent
    if np.any(at_start & (codes[1:] == _POINT)):
        return False
    zeros = np.flatnonzero(at_start[:-1] & (codes[1:-1] == _ZERO)) + 1
    followed = zeros[codes[zeros + 1] - np.uint8(_ZERO) < _DIGITS]
    followed = followed[followed > 1]  # of the others, the part before has shown more
    return bool(((codes[followed - 2] | ord(" ")) == ord("e")).all())
