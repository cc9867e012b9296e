from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digime_pandas._tabular.engines import json_depth
from digime_pandas._tabular.engines.json_depth import DEEPEST_JSON, check_json_depth

ALLOWED = b"[" * DEEPEST_JSON + b"]" * DEEPEST_JSON
TOO_DEEP = b"[" * (DEEPEST_JSON + 1) + b"]" * (DEEPEST_JSON + 1)
BETWEEN = ["\n", "\r\n", " ", ""]


def nested(value: Any) -> int:
    """How deep a value is."""
    if isinstance(value, dict):
        return 1 + max(map(nested, value.values()), default=0)
    return 1 + max(map(nested, value), default=0) if isinstance(value, list) else 0


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"1",
        ALLOWED,
        b'{"a":' * DEEPEST_JSON + b"1" + b"}" * DEEPEST_JSON,
        b'{"a":1}\n' * 1_000,
        b'{"a":[1]}\r\n' * 1_000,
        b'{"a":[1]} ' * 1_000,
        b'{"a":"' + b"[" * 10_000 + b'"}',
        b'{"a":"' + rb"\"[{" * 10_000 + b'"}',
        b'{"a":"' + rb"\\" * 10_000 + b'","b":"' + b"[" * 10_000 + b'"}',
        b"[" + b"[]," * 10_000 + b"[]]",
    ],
    ids=lambda text: bytes(text[:20]).decode(),
)
def test_flat_text_with_any_number_of_brackets_is_accepted(text: bytes) -> None:
    check_json_depth(text)


@pytest.mark.parametrize(
    "text",
    [
        TOO_DEEP,
        b"[" * 1_000_000,
        b'{"a":' * (DEEPEST_JSON + 1),
        b'{"a":\n' * 10_000,
        b'{"a":[\n' * 10_000,
        b'{"a":1}\n' * 1_000 + b'{"a":' + TOO_DEEP + b"}\n",
        b'{"a":' + TOO_DEEP + b"}\n" + b'{"a":1}\n' * 1_000,
        b"[1]\n" * 1_000 + TOO_DEEP,
        b'{"a":"' + rb"\\" + b'","b":' + TOO_DEEP,
        b'{"a":"' + rb"\\" * 10_000 + b'","b":' + TOO_DEEP,
        b'{"a":"' + rb"\"" * 10_000 + b'","b":' + TOO_DEEP,
        b'{"a":"}\n{"}' * 1_000 + TOO_DEEP,
    ],
    ids=lambda text: bytes(text[:20]).decode(),
)
@pytest.mark.parametrize("block_bytes", [1_000, 1 << 20])
def test_deep_text_is_refused_whatever_is_around_it(
    text: bytes, block_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_depth, "_BLOCK_BYTES", block_bytes)
    with pytest.raises(ValueError, match=f"more than {DEEPEST_JSON} deep"):
        check_json_depth(text)


_VALUES = st.recursive(
    st.text(alphabet='[]{}"\\,:\n') | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(alphabet='[{"\\'), inner, max_size=3),
    max_leaves=20,
)


@given(
    st.lists(_VALUES, min_size=1), st.sampled_from(BETWEEN), st.sampled_from([2, 3, 5]), st.sampled_from([1, 5, 1000])
)
def test_what_is_refused_is_what_is_deeper(values: list[Any], between: str, deepest: int, block_bytes: int) -> None:
    text = between.join(map(json.dumps, values)).encode()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_depth, "DEEPEST_JSON", deepest)
        patch.setattr(json_depth, "_BLOCK_BYTES", block_bytes)
        patch.setattr(json_depth, "_FEW_BYTES", 0)
        if max(map(nested, values)) > deepest:
            with pytest.raises(ValueError, match="deep"):
                check_json_depth(text)
        else:
            check_json_depth(text)
