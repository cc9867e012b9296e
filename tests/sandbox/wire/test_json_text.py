from __future__ import annotations

import pytest

from digime_pandas.sandbox._wire.json_text import parse_json


def test_text_and_bytes_are_parsed() -> None:
    assert parse_json('{"a": [1, "中"]}') == parse_json('{"a": [1, "中"]}'.encode()) == {"a": [1, "中"]}


@pytest.mark.parametrize("text", ["", "{", b"\xff\xfe\xff", "[" * 1_000_000, '{"a":' * 1_000_000, "9" * 5000])
def test_everything_else_is_a_value_error(text: str | bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_json(text)
