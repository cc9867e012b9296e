from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from digime_pandas._tabular.codecs.json_array import commas_to_newlines
from digime_pandas._tabular.codecs.reading.json_elements import split_elements

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


@given(_OBJECTS)
def test_lines_are_broken_as_elements_are_taken_apart_or_not_at_all(objects: list[object]) -> None:
    before = json.dumps(objects, separators=(",", ":")).encode()[1:-1]
    text = bytearray(before)
    done = commas_to_newlines(memoryview(text), len(objects))
    assert text == (split_elements(before) if done else before)
    assert done == (before.count(b"},{") == len(objects) - 1)
