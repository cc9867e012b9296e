from __future__ import annotations

import copy
import hmac
import pickle
from typing import Any

import pytest

from digime_pandas._service.masking import secret as _secret
from digime_pandas._service.masking.secret import MaskedMapping, Secret, clear, masked_object
from digime_pandas.errors import SecretError

TEXT = "t0ken-in-clear"


def test_a_secret_shows_nothing_until_it_is_asked() -> None:
    secret = Secret(TEXT)
    shown = f"{secret} {secret!r} {secret:>20} {[secret]} {secret.reveal} {secret.__getstate__()}"
    assert TEXT not in shown
    assert f"{secret!r}|{secret}|{secret:>3}" == "Secret('…')|…|  …"
    assert (secret.reveal(), secret.reveal()) == (TEXT, TEXT)
    assert not hasattr(secret, "__dict__")


def test_a_secret_is_not_pickled_and_its_copy_is_itself() -> None:
    secret = Secret(TEXT)
    assert copy.copy(secret) is secret
    assert copy.deepcopy([secret])[0] is secret
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        with pytest.raises(SecretError, match="not pickled"):
            pickle.dumps(secret, protocol)


@pytest.mark.parametrize(
    ("one", "other"),
    [("a", "b"), (b"a", b"b"), ("ü", "u"), ("\ud800", "\ud801"), ("a", b"a"), (["a"], ["b"]), ("", "a")],
)
def test_secrets_are_equal_where_their_values_are(one: Any, other: Any) -> None:
    assert Secret(one) == Secret(copy.copy(one)) != Secret(other)
    assert Secret(one) != one
    if isinstance(one, str):
        assert hash(Secret(one)) == hash(Secret(one))


def test_texts_and_bytes_are_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[bytes, bytes]] = []

    def compare_digest(first: bytes, second: bytes) -> bool:
        compared.append((first, second))
        return hmac.compare_digest(first, second)

    monkeypatch.setattr(_secret, "hmac", type("hmac", (), {"compare_digest": staticmethod(compare_digest)}))
    assert Secret("a") != Secret("b")
    assert Secret(b"a") == Secret(b"a")
    assert compared == [(b"a", b"b"), (b"a", b"a")]


def test_a_masked_mapping_shows_its_names_only() -> None:
    mapping = MaskedMapping({"token": TEXT, "pair": {"value": TEXT}})
    assert repr(mapping) == "{'token': …, 'pair': …}"
    assert TEXT not in f"{mapping} {mapping.items()} {mapping['pair']} {mapping.get('pair')!r} {mapping.__getstate__()}"
    assert (mapping["token"], len(mapping), list(mapping)) == (TEXT, 2, ["token", "pair"])
    assert mapping == {"token": TEXT, "pair": {"value": TEXT}}
    assert copy.deepcopy(mapping) is copy.copy(mapping) is mapping
    with pytest.raises(SecretError, match="not pickled"):
        pickle.dumps(mapping)


def test_only_mappings_are_masked_as_mappings() -> None:
    assert masked_object(["token"]) is None
    assert masked_object(mapping := MaskedMapping({})) is mapping


def test_what_is_not_masked_is_clear_already() -> None:
    assert (clear(TEXT), clear(Secret(TEXT))) == (TEXT, TEXT)
