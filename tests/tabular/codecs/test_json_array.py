from __future__ import annotations

import json

from hypothesis import given

from digime_pandas._tabular.codecs.json_array import commas_to_newlines
from digime_pandas._tabular.codecs.reading.json_elements import split_elements
from tests.tabular.codecs.json_objects import OBJECTS


@given(OBJECTS)
def test_lines_are_broken_as_elements_are_taken_apart_or_not_at_all(objects: list[object]) -> None:
    before = json.dumps(objects, separators=(",", ":")).encode()[1:-1]
    text = bytearray(before)
    done = commas_to_newlines(memoryview(text), len(objects))
    assert text == (split_elements(before) if done else before)
    assert done == (before.count(b"},{") == len(objects) - 1)
