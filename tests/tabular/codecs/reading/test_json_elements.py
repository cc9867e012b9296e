from __future__ import annotations

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digime_pandas._tabular.codecs.reading import json_elements
from digime_pandas._tabular.codecs.reading.json_elements import iter_objects, split_elements
from tests.tabular.codecs.json_objects import OBJECTS


@given(OBJECTS, st.booleans())
def test_each_element_comes_to_stand_on_a_line_of_its_own(objects: list[object], ascii_only: bool) -> None:
    array = json.dumps(objects, ensure_ascii=ascii_only, separators=(",", ":")).encode()
    lines = split_elements(array[1:-1]).split(b"\n")
    assert [json.loads(line) for line in lines] == objects


@given(OBJECTS, st.sampled_from([None, 0, 2]))
def test_elements_of_any_layout_are_found(objects: list[object], indent: int | None) -> None:
    assert list(iter_objects(io.BytesIO(json.dumps(objects, indent=indent).encode()))) == objects


@pytest.mark.parametrize("text", [b"{}", b"[1]", b"[{}", b"[{} {}]", b"[{}] x"])
def test_what_is_no_array_of_objects_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        list(iter_objects(io.BytesIO(text)))


@pytest.mark.parametrize("size", [1, 5, 1 << 20])
@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "byte 0: it does not begin"),
        (b' {"a":1}', "byte 1: it does not begin"),
        (b'[{"a":1},2]', "byte 9: an element is not an object"),
        (b'[{"a":1},]', "byte 9: an element is not an object"),
        ('[{"a":"\u00fc\u00fc"},{"a":x}]'.encode(), "byte 19: Expecting value"),
        ('\ufeff[{"a":x}]'.encode(), "byte 9: Expecting value"),
        ('[{"a":"\u00fc'.encode() + b'\xff"}]', "byte 9: it is not UTF-8"),
        ('[{"a":"\u00fc'.encode()[:-1], "byte 7: it is not UTF-8"),
        (b'[{"a":"never closed}]', "byte 6: Unterminated string"),
        (b'[{"a":1}', "byte 8: a comma or the closing ] is missing"),
        (b'[{"a":1}] [', "byte 10: something follows"),
        (b'[{"a":1},{"a":' + b"9" * 5_000 + b"}]", "byte 9: .*digits"),
        (b'[{"a":1},{"a":' + b"[" * 200 + b"]" * 200 + b"}]", "byte 9: .*deep"),
        (b'[{"a":1},{"a":' + b"[" * 100_000, "byte 9: .*deep"),
    ],
)
def test_an_error_says_at_which_byte_of_the_file_it_is(
    text: bytes, message: str, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    if size < 10 and len(text) > 1_000:
        size = 100
    monkeypatch.setattr(json_elements, "_READ_BYTES", size)
    with pytest.raises(ValueError, match=f"^{message}"):
        list(iter_objects(io.BytesIO(text)))


def test_an_error_at_the_beginning_is_found_without_reading_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_elements, "_READ_BYTES", 100)
    stream = io.BytesIO(b'[{"a":x},' + b'{"a":1},' * 10_000)
    with pytest.raises(ValueError, match="byte 6"):
        next(iter_objects(stream))
    assert stream.tell() == 100


@given(OBJECTS, st.data())
def test_an_array_that_is_cut_off_is_an_error_wherever_it_is_cut(objects: list[object], data: st.DataObject) -> None:
    text = json.dumps(objects).encode()
    end = data.draw(st.integers(0, len(text) - 1))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_elements, "_READ_BYTES", 3)
        with pytest.raises(ValueError, match=r"^byte \d"):
            list(iter_objects(io.BytesIO(text[:end])))
