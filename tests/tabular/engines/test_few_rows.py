"""What Python writes of few rows is what polars writes, by the byte."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digime_pandas._tabular.engines import few_rows, polars_text
from digime_pandas._tabular.engines.few_rows import TextRows
from tests.cells import text_rows

CHARACTERS = st.characters(exclude_categories=["Cs"])
TEXTS = st.none() | st.text(CHARACTERS) | st.text(st.sampled_from(list('",\r\n\t\\ \0\x1f\x7f%s{}'))) | st.just("NaN")
POWERS = [sign * 2.0**power for power in range(-1074, 1024) for sign in (1, -1)]
TENS = [
    float(f"{digits}e{power}") for power in range(-323, 308) for digits in ("1", "1.5", "-9.999", "1.7976931348623157")
]


@st.composite
def batches(draw: st.DrawFn) -> pa.RecordBatch:
    rows = draw(st.integers(1, 5))
    whole = {
        name: int(name.strip("uint"))
        for name in ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
    }

    def column(values: st.SearchStrategy[Any], kind: str) -> pa.Array:
        return pa.array(draw(st.lists(st.none() | values, min_size=rows, max_size=rows)), kind)

    arrays = [column(TEXTS, "string"), column(TEXTS, "large_string"), column(st.floats(), "float64"), pa.nulls(rows)]
    arrays.append(column(st.booleans(), "bool"))
    for name, bits in whole.items():
        low, high = (0, 2**bits - 1) if name.startswith("u") else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
        arrays.append(column(st.integers(low, high), name))
    names = draw(st.lists(st.text(CHARACTERS, max_size=5), min_size=len(arrays), max_size=len(arrays), unique=True))
    batch = pa.RecordBatch.from_arrays(arrays, names=names)
    some = draw(st.lists(st.sampled_from(range(len(arrays))), min_size=1, unique=True))
    return batch.select(sorted(some)).slice(draw(st.integers(0, rows - 1)))


@settings(deadline=None, max_examples=25)
@given(batches(), st.booleans())
def test_csv_is_the_same_by_the_byte(batch: pa.RecordBatch, header: bool) -> None:
    rows = text_rows(batch)
    assert few_rows.is_few(rows)
    found = few_rows.csv_lines(rows, header=header, line_end="\r\n")
    assert found == polars_text.csv_lines(batch, header=header, line_end="\r\n")


@settings(deadline=None, max_examples=25)
@given(batches())
def test_json_is_the_same_by_the_byte(batch: pa.RecordBatch) -> None:
    objects = few_rows.json_objects(text_rows(batch))
    assert f"[{','.join(objects)}]".encode() == bytes(polars_text.json_array(batch))
    assert "".join(f"{each}\n" for each in objects).encode() == polars_text.json_lines(batch)


@pytest.mark.parametrize("values", [POWERS, TENS], ids=["powers of two", "powers of ten"])
def test_floats_at_the_ends_of_what_is_rounded_alike_have_the_same_text(values: list[float]) -> None:
    near = np.array(values)
    every = np.concatenate([near, np.nextafter(near, np.inf), np.nextafter(near, -np.inf)])
    batch = pa.RecordBatch.from_arrays([pa.array(every)], names=["v"])
    assert few_rows.csv_lines(text_rows(batch), header=False, line_end="\n") == polars_text.csv_lines(
        batch, header=False, line_end="\n"
    )
    assert f"[{','.join(few_rows.json_objects(text_rows(batch)))}]".encode() == bytes(polars_text.json_array(batch))


@pytest.mark.parametrize("seed", range(3))
def test_random_floats_have_the_same_text(seed: int) -> None:
    random = np.random.default_rng(seed)
    bits = random.integers(0, 2**64, 5_000, dtype=np.uint64).view(np.float64)
    every = np.concatenate([bits, random.standard_normal(5_000), np.round(random.lognormal(3, 4, 5_000), 2)])
    batch = pa.RecordBatch.from_arrays([pa.array(every)], names=["v"])
    assert few_rows.csv_lines(text_rows(batch), header=False, line_end="\n") == polars_text.csv_lines(
        batch, header=False, line_end="\n"
    )


@pytest.mark.parametrize(
    "type", [pa.float32(), pa.list_(pa.int64()), pa.struct([("a", pa.int64())]), pa.binary()], ids=str
)
def test_other_types_are_left_to_polars(type: pa.DataType) -> None:
    batch = pa.RecordBatch.from_arrays([pa.nulls(1, pa.int8()), pa.nulls(1, type)], names=["a", "b"])
    assert few_rows.is_few(text_rows(batch.select(["a"])))
    assert not few_rows.is_few(text_rows(batch))


def test_more_rows_are_few_as_long_as_polars_is_not_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    def both(rows: int) -> TextRows:
        return TextRows(["a", "b"], [pa.nulls(rows), pa.nulls(rows)])

    monkeypatch.setitem(sys.modules, "polars", None)
    assert (few_rows.is_few(both(512)), few_rows.is_few(both(513))) == (True, False)
    monkeypatch.delitem(sys.modules, "polars")
    assert (few_rows.is_few(both(16_384)), few_rows.is_few(both(16_385))) == (True, False)
