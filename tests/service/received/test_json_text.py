from __future__ import annotations

import traceback

import pytest

from digime_pandas._service.received.json_text import load_json


def test_json_is_its_value() -> None:
    assert load_json(b'{"a": [1, null]}') == load_json('{"a": [1, null]}') == {"a": [1, None]}


@pytest.mark.parametrize(
    "text",
    [b"", b"sesame", b"\xff", b"[" * 200_000, b"9" * 10_000, '"sesame', '{"sesame": '],
    ids=["empty", "word", "no UTF-8", "deep", "digits", "open text", "open object"],
)
def test_what_is_none_is_an_error_that_quotes_nothing(text: bytes | str) -> None:
    with pytest.raises(ValueError, match="no JSON") as caught:
        load_json(text)
    assert "sesame" not in "".join(traceback.format_exception_only(caught.value))
    assert caught.value.__context__ is None
