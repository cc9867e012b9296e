from __future__ import annotations

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digime_pandas._tabular.codecs.json_array import commas_to_newlines, iter_objects, split_elements

_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(alphabet=st.sampled_from('{}[]",\\:a\n\u00e9\U0001f600'))
    | st.just("},{"),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(alphabet='{},"\\'), inner),
    max_leaves=8,
)
_OBJECTS = st.lists(st.dictionaries(st.text(), _VALUES), min_size=1)


@given(_OBJECTS, st.booleans())
def test_each_element_comes_to_stand_on_a_line_of_its_own(objects: list[object], ascii_only: bool) -> None:
    array = json.dumps(objects, ensure_ascii=ascii_only, separators=(",", ":")).encode()
    lines = split_elements(array[1:-1]).split(b"\n")
    assert [json.loads(line) for line in lines] == objects


@given(_OBJECTS)
def test_lines_are_broken_as_elements_are_taken_apart_or_not_at_all(objects: list[object]) -> None:
    before = json.dumps(objects, separators=(",", ":")).encode()[1:-1]
    text = bytearray(before)
    done = commas_to_newlines(memoryview(text), len(objects))
    assert text == (split_elements(before) if done else before)
    assert done == (before.count(b"},{") == len(objects) - 1)


@given(_OBJECTS, st.sampled_from([None, 0, 2]))
def test_elements_of_any_layout_are_found(objects: list[object], indent: int | None) -> None:
    assert list(iter_objects(io.BytesIO(json.dumps(objects, indent=indent).encode()))) == objects


@pytest.mark.parametrize("text", [b"{}", b"[1]", b"[{}", b"[{} {}]", b"[{}] x"])
def test_what_is_no_array_of_objects_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        list(iter_objects(io.BytesIO(text)))
