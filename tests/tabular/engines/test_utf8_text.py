"""What polars says of texts is what Arrow says."""

from __future__ import annotations

import sys

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from digime_pandas._tabular.engines import utf8_text
from digime_pandas._tabular.engines.utf8_text import is_found_utf8
from digime_pandas._tabular.frames.arrow_input import arrow_columns

GOOD = [b"", b"abc", "\u00e9".encode(), "\u6771\u4eac".encode(), "\U0001f642".encode(), b"x" * 20, None]
BAD = [
    *(b"\xff", b"\xc3", b"\xa9", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xc0\x80", b"\xe0\x80\x80"),
    *(b"\xa9" + b"q" * 15, ("\u00e9" * 12).encode()[:13]),
]
TEXT_OF = {pa.binary(): pa.string(), pa.large_binary(): pa.large_string()}


def arrow_finds_utf8(texts: pa.Array) -> bool:
    try:
        texts.view(TEXT_OF[texts.type]).validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


@pytest.mark.parametrize("kind", TEXT_OF)
def test_it_is_what_arrow_finds(kind: pa.DataType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(utf8_text, "_LEAST_BYTES", 0)
    random = np.random.default_rng(1)
    found = {True: 0, False: 0}
    for _ in range(300):
        pool = [*GOOD, *BAD] if random.random() < 0.3 else GOOD
        values = [b"some", *(pool[place] for place in random.integers(0, len(pool), random.integers(0, 6)))]
        texts = pa.array(values, kind).slice(int(random.integers(0, 2)))
        expected = arrow_finds_utf8(texts)
        assert is_found_utf8(texts) == expected, values
        found[expected] += 1
    assert min(found.values()) > 30


def test_a_letter_that_two_values_share_is_in_neither(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(utf8_text, "_LEAST_BYTES", 0)
    assert not is_found_utf8(pa.array([b"a\xc3", b"\xa9b"], pa.large_binary()))


def test_every_slice_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(utf8_text, "_LEAST_BYTES", 0)
    monkeypatch.setattr(utf8_text, "_BLOCK_BYTES", 2)
    assert is_found_utf8(pa.array(["\u00e9"] * 5).view(pa.binary()))
    assert not is_found_utf8(pa.array([*["\u00e9".encode()] * 4, b"\xff"], pa.binary()))


def test_few_bytes_are_left_to_arrow(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = pa.array(["\u00e9" * 100] * 6_000).view(pa.binary())
    assert "polars" in sys.modules
    assert is_found_utf8(texts)
    assert not is_found_utf8(texts.slice(5_000))
    monkeypatch.delitem(sys.modules, "polars")
    assert not is_found_utf8(texts)
    monkeypatch.setitem(sys.modules, "polars", pl)
    monkeypatch.setattr(utf8_text, "polars_is_usable", lambda: False)
    assert not is_found_utf8(texts)


@pytest.mark.parametrize("last", ["\u00e9".encode(), b"\xff"])
def test_large_columns_of_text_are_checked_by_it(last: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(utf8_text, "_LEAST_BYTES", 0)
    asked: list[bool] = []

    def ask(texts: pa.Array) -> bool:
        asked.append(is_found_utf8(texts))
        return asked[-1]

    monkeypatch.setattr(arrow_columns, "is_found_utf8", ask)
    values = pa.array([*["\u00e9".encode()] * 2_000, last], pa.binary()).view(pa.string())
    invalid = arrow_columns.first_invalid(pa.chunked_array([values]))
    assert asked[0] is (last != b"\xff")
    assert (invalid is None) is asked[0]
    assert invalid is None or (invalid.rule, invalid.row) == ("text that is not UTF-8", 2_000)
