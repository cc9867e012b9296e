"""What a forked child writes without polars is what polars writes."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digime_pandas._tabular.codecs import csv as _csv
from digime_pandas._tabular.codecs import json as _json
from digime_pandas._tabular.engines import few_rows
from digime_pandas._tabular.engines import polars_text as _polars
from digime_pandas._tabular.engines.arrow_text import csv_lines, json_texts
from digime_pandas._tabular.text_values import to_text
from tests.cells import text_rows


@pytest.fixture(autouse=True, scope="module")
def by_polars() -> Iterator[None]:
    """Let polars write few rows, too."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(few_rows, "is_few", lambda _: False)
        yield


TEXTS = (
    st.none() | st.text(st.characters(exclude_categories=["Cs"])) | st.sampled_from(['"', ",", "\r\n", "", " ", "NaN"])
)
EXACT = st.none() | st.sampled_from([0.0, -0.0, 1.0, 0.1, 1e15, 1e16, 1e300, 0.0001, 1 / 3, -2.5])
FLOATS = st.none() | st.floats()


@st.composite
def batches(draw: st.DrawFn) -> pa.RecordBatch:
    rows = draw(st.integers(1, 5))

    def column(values: st.SearchStrategy[Any], kind: pa.DataType) -> pa.Array:
        return pa.array(draw(st.lists(values, min_size=rows, max_size=rows)), kind)

    return pa.RecordBatch.from_pydict(
        {
            "text": column(TEXTS, pa.string()),
            'large, "text"': column(TEXTS, pa.large_string()),
            "float": column(EXACT, pa.float64()),
            "single": column(st.none() | st.sampled_from([0.5, 0.1, -1.0]), pa.float32()),
            "integer": column(st.none() | st.integers(-(1 << 63), (1 << 63) - 1), pa.int64()),
            "unsigned": column(st.none() | st.integers(0, (1 << 64) - 1), pa.uint64()),
            "boolean": column(st.none() | st.booleans(), pa.bool_()),
            "nothing": pa.nulls(rows),
        }
    )


NESTED = pa.struct([("l", pa.list_(pa.float64())), ("s", pa.struct([('k "', pa.string()), ("n", pa.int8())]))])


@settings(deadline=None)
@given(batches())
def test_csv_is_the_same_by_the_byte(batch: pa.RecordBatch) -> None:
    for header in (True, False):
        for part in (batch, batch.slice(1), batch.select(["text"]), batch.slice(0, 0)):
            assert csv_lines(part, header=header, line_end="\r\n") == _csv.encode_csv(text_rows(part), header=header)


@settings(deadline=None)
@given(batches())
def test_json_is_the_same_by_the_byte(batch: pa.RecordBatch) -> None:
    expected = (
        bytes(_json.encode_ndjson(text_rows(batch))),
        bytes(_json.encode_array_part(text_rows(batch), first=True)),
        bytes(_json.encode_array_part(text_rows(batch), first=False)),
    )
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(_polars, "_loaded_before_fork", True)
        found = (
            bytes(_json.encode_ndjson(text_rows(batch))),
            bytes(_json.encode_array_part(text_rows(batch), first=True)),
            bytes(_json.encode_array_part(text_rows(batch), first=False)),
        )
    assert found == expected


@settings(deadline=None)
@given(
    st.lists(
        st.none()
        | st.fixed_dictionaries(
            {
                "l": st.none() | st.lists(EXACT | st.just(float("nan"))),
                "s": st.none() | st.fixed_dictionaries({'k "': TEXTS, "n": st.none() | st.integers(-128, 127)}),
            }
        ),
        min_size=1,
    )
)
def test_lists_and_structs_are_the_same_by_the_byte(values: list[Any]) -> None:
    whole = to_text(pa.array(values, NESTED))
    for array in (whole, whole.slice(1), whole.field(0), whole.slice(1).field(1)):
        if len(array):
            assert json_texts(array).equals(_json.to_json_texts(array).cast(pa.large_string()))


@settings(deadline=None)
@given(st.lists(FLOATS, min_size=1), st.sampled_from([pa.float64(), pa.float32()]))
def test_floats_are_the_same_numbers(values: list[float | None], kind: pa.DataType) -> None:
    array = pa.array(values, pa.float64()).cast(kind, safe=False)
    batch = pa.RecordBatch.from_arrays([array, pa.nulls(len(array))], names=["x", "y"])

    def numbers(content: bytes) -> list[str]:
        texts = [row[0] for row in csv.reader(io.StringIO(content.decode()))]
        return [text and str(float(text)) for text in texts]

    ours, theirs = csv_lines(batch, header=False, line_end="\r\n"), _csv.encode_csv(text_rows(batch), header=False)
    assert numbers(ours) == numbers(theirs)
    parsed = [None if text is None else json.loads(text) for text in json_texts(array).to_pylist()]
    assert parsed == [None if text is None else json.loads(text) for text in _json.to_json_texts(array).to_pylist()]


def test_binary_is_the_same_by_the_byte(monkeypatch: pytest.MonkeyPatch) -> None:
    array = pa.array([b"", b"\x00\xff", None, bytes(range(256))])
    expected = to_text(array).cast(pa.large_string())
    monkeypatch.setattr(_polars, "_loaded_before_fork", True)
    assert to_text(array).cast(pa.large_string()).equals(expected)
