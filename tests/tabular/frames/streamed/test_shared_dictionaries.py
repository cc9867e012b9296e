from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pytest

from digime_pandas._tabular.frames.streamed.shared_dictionaries import SharedDictionaries
from digime_pandas._tabular.frames.used_values import with_used_values


def encoded(indices: list[int | None], values: Sequence[str | None], *, codes: pa.DataType | None = None) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array(indices, codes or pa.int32()), values)


def shared(batches: list[pa.Array], *, keep_unused: bool = False) -> tuple[list[pa.Array], int]:
    found = SharedDictionaries(batches[0].type, keep_unused=keep_unused)
    for each in batches:
        found.add(each)
    unused = found.finish()
    return [found.apply(each) for each in batches], unused


def in_lists(array: pa.Array) -> pa.Array:
    return pa.ListArray.from_arrays(pa.array(range(len(array) + 1), pa.int32()), array)


def in_structs(array: pa.Array) -> pa.Array:
    return pa.StructArray.from_arrays([array], names=["k"])


ONE, TWO = encoded([0, 1, None, 1], ["a", "b", "never"]), encoded([1, 0], ["b", "c"])


@pytest.mark.parametrize("keep_unused", [False, True])
@pytest.mark.parametrize("wrap", [lambda array: array, in_lists, in_structs], ids=["plain", "lists", "structs"])
def test_batches_get_what_their_rows_in_memory_get(wrap: object, keep_unused: bool) -> None:
    assert callable(wrap)
    batches = [wrap(ONE), wrap(TWO), wrap(TWO.slice(0, 0)), wrap(ONE.slice(1))]
    found, unused = shared(batches, keep_unused=keep_unused)
    expected, expected_unused = with_used_values(pa.chunked_array(batches), keep_unused=keep_unused)
    assert unused == expected_unused == 1
    assert pa.chunked_array(found).equals(expected)


def test_all_batches_have_one_dictionary() -> None:
    found, _ = shared([ONE, TWO])
    assert [each.dictionary.to_pylist() for each in found] == [["a", "b", "c"]] * 2


def test_a_null_in_a_dictionary_is_a_missing_value() -> None:
    found, unused = shared([encoded([0, 1], ["a", None]), encoded([1, 0], ["a", "b"])])
    assert [each.to_pylist() for each in found] == [["a", None], ["b", "a"]]
    assert unused == 0


def test_batches_keep_their_own_dictionaries_where_the_codes_cannot_tell_all_values_apart() -> None:
    halves = [[f"{half}{i}" for i in range(100)] for half in "ab"]
    batches = [encoded(list(range(100)), each, codes=pa.int8()) for each in halves]
    found, _ = shared(batches)
    assert [each.to_pylist() for each in found] == halves
    assert [each.type for each in found] == [batches[0].type] * 2


@pytest.mark.parametrize("codes", [pa.int8(), pa.uint8()])
def test_as_many_values_as_the_codes_can_tell_apart_are_shared(codes: pa.DataType) -> None:
    count = 1 << (codes.bit_width - (codes == pa.int8()))
    values = [str(i) for i in range(count)]
    batches = [encoded(list(range(half)), values[start : start + half], codes=codes)
               for start, half in ((0, count // 2), (count // 2, count // 2))]  # fmt: skip
    found, _ = shared(batches)
    assert found[0].dictionary.to_pylist() == values
    assert found[1].to_pylist() == values[count // 2 :]


def test_a_value_that_was_never_seen_becomes_null() -> None:
    found = SharedDictionaries(ONE.type, keep_unused=False)
    found.add(ONE)
    found.finish()
    assert found.apply(TWO).to_pylist() == [None, "b"]
    assert SharedDictionaries(ONE.type, keep_unused=False).finish() == 0


def test_a_column_without_a_batch_shares_nothing() -> None:
    found = SharedDictionaries(ONE.type, keep_unused=False)
    assert found.finish() == 0
    assert found.apply(ONE).null_count == len(ONE)
