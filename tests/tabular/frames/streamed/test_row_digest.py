from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pyarrow as pa
import pytest

from digime_pandas._tabular.frames.streamed import row_digest
from digime_pandas._tabular.frames.streamed.row_digest import RowDigest

VALUES: dict[str, tuple[pa.Array, pa.Array]] = {
    "int": (pa.array([1, None, 3]), pa.array([1, None, 4])),
    "uint8": (pa.array([1, 2, 3], pa.uint8()), pa.array([1, 2, 255], pa.uint8())),
    "float": (pa.array([0.5, float("nan"), None]), pa.array([0.5, None, None])),
    "half": (pa.array([0.5, 1, 2], pa.float16()), pa.array([0.5, 1, 3], pa.float16())),
    "bool": (pa.array([True, False, None]), pa.array([True, True, None])),
    "text": (pa.array(["a", "", None]), pa.array(["a", None, None])),
    "view": (pa.array(["a", "", None], pa.string_view()), pa.array(["a", "b", None], pa.string_view())),
    "bytes": (pa.array([b"a", b"\xff", None]), pa.array([b"a", b"\xfe", None])),
    "date": (pa.array([1, 2, 3], pa.date32()), pa.array([1, 2, 4], pa.date32())),
    "seconds": (pa.array([1, 2, 2**62], pa.timestamp("s")), pa.array([1, 2, 2**61], pa.timestamp("s"))),
    "time": (pa.array([dt.time(1), None]), pa.array([dt.time(2), None])),
    "decimal": (pa.array([Decimal("1.5"), None]), pa.array([Decimal("2.5"), None])),
    "list": (pa.array([[1], [], None]), pa.array([[1], None, None])),
    "list of lists": (pa.array([[["a"]], [], None]), pa.array([[["b"]], [], None])),
    "list of 2": (pa.array([[1, 2], None], pa.list_(pa.int64(), 2)), pa.array([[1, 3], None], pa.list_(pa.int64(), 2))),
    "struct": (pa.array([{"a": 1}, None]), pa.array([{"a": 2}, None])),
    "map": (
        pa.array([[("a", 1)], None], pa.map_(pa.string(), pa.int64())),
        pa.array([[("a", 2)], None], pa.map_(pa.string(), pa.int64())),
    ),
    "dictionary": (pa.array(["a", "b"]).dictionary_encode(), pa.array(["a", "a"]).dictionary_encode()),
    "list of dictionary": (
        pa.array([["a"], ["b"]], pa.list_(pa.dictionary(pa.int8(), pa.string()))),
        pa.array([["a"], ["a"]], pa.list_(pa.dictionary(pa.int8(), pa.string()))),
    ),
    "extension": (
        pa.array([b"0" * 16, b"1" * 16], pa.uuid()),
        pa.array([b"0" * 16, b"2" * 16], pa.uuid()),
    ),
}


def digest(*batches: pa.Array) -> RowDigest:
    found = RowDigest()
    for each in batches:
        found.add([each], len(each))
    return found


@pytest.mark.parametrize("usable", [True, False], ids=["polars", "forked"])
@pytest.mark.parametrize("name", VALUES)
def test_it_changes_with_the_values_and_not_with_their_order(
    name: str, usable: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(row_digest, "polars_is_usable", lambda: usable)
    values, others = VALUES[name]
    rows = range(len(values))
    assert digest(values) != digest(others)
    assert digest(values) == digest(*(values.slice(row, 1) for row in rows))
    assert digest(values) == digest(*(values.slice(row, 1) for row in reversed(rows)))
    assert digest(values).rows == len(values)


def test_the_code_of_a_dictionary_value_does_not_matter() -> None:
    one, two = (pa.DictionaryArray.from_arrays([code], ["a", "b", "a"]) for code in (0, 2))
    assert digest(one) == digest(two)


def test_values_that_python_lacks_are_no_error() -> None:
    far = pa.array([[("a", 2**60)], None], pa.map_(pa.string(), pa.timestamp("s")))
    assert digest(far) == digest(far.slice(1), far.slice(0, 1))


def test_what_a_null_hides_does_not_matter() -> None:
    mask = pa.array([False, True])
    structs = [pa.StructArray.from_arrays([pa.array([1, hidden])], ["a"], mask=mask) for hidden in (2, 3)]
    fixed = [pa.FixedSizeListArray.from_arrays(pa.array([1, 2, 3, hidden]), 2, mask=mask) for hidden in (4, 5)]
    lists = [pa.ListArray.from_arrays(pa.array([0, 1, 2]), pa.array([1, hidden]), mask=mask) for hidden in (2, 3)]
    for one, other in (structs, fixed, lists):
        assert digest(one) == digest(other)


def test_rows_without_columns_are_counted() -> None:
    found = RowDigest()
    found.add([], 3)
    found.add([pa.nulls(2)], 2)
    assert (found.rows, found.total) == (5, 0)
