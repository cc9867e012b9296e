from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc import jws
from joserfc.jwk import RSAKey

from digime_pandas._service.crypto.key_sets import KeySets
from digime_pandas._service.masking.secret import Secret
from digime_pandas.errors import RefusedError, ReplyError

BASE = "https://api.test/v1.7/"
OWN, ELSEWHERE = f"{BASE}jwks/oauth", "https://api.test/v2/keys"


class Service:
    """The key sets of a service by address, and what was asked for."""

    def __init__(self) -> None:
        self.sets: dict[str, list[Any]] = {}
        self.asked: list[str] = []

    def __call__(self, url: str) -> object:
        self.asked.append(url)
        answers = self.sets.get(url) or [RefusedError("No such page.", outcome="refused", status=404)]
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
def service() -> Service:
    return Service()


@pytest.fixture
def clock() -> list[float]:
    return [1_700_000_000.0]


@pytest.fixture
def keys(service: Service, clock: list[float]) -> KeySets:
    return KeySets(service, BASE, now=lambda: clock[0])


@pytest.fixture(scope="module")
def key(vendor_keys: dict[str, RSAPrivateKey]) -> RSAPrivateKey:
    return vendor_keys["contract_w"]


def set_of(key: RSAPrivateKey, kid: str = "k1") -> dict[str, Any]:
    pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.PKCS1).decode()
    return {"keys": [{"kid": kid, "pem": pem}]}


def token(key: RSAPrivateKey, jku: str = OWN, kid: str = "k1") -> Secret[str]:
    header = {"alg": "PS512", "jku": jku, "kid": kid}
    return Secret(jws.serialize_compact(header, b'{"code":"c"}', RSAKey.import_key(key), algorithms=["PS512"]))


class TestPreparing:
    def test_what_was_prepared_is_not_fetched_again(self, keys: KeySets, service: Service, key: RSAPrivateKey) -> None:
        service.sets[OWN] = [set_of(key)]
        keys.prepare()
        keys.prepare()
        assert keys.verified(token(key)) == {"code": "c"}
        assert service.asked == [OWN]

    def test_the_address_that_the_last_token_named_is_the_one(
        self, keys: KeySets, service: Service, clock: list[float], key: RSAPrivateKey
    ) -> None:
        service.sets[ELSEWHERE] = [set_of(key)]
        keys.prepare()  # the address is guessed, and nothing is there
        assert keys.verified(token(key, ELSEWHERE)) == {"code": "c"}
        clock[0] += 901
        keys.prepare()
        assert service.asked == [OWN, ELSEWHERE, ELSEWHERE]
        clock[0] += 901
        service.sets.clear()
        with pytest.raises(RefusedError):
            keys.prepare()

    @pytest.mark.parametrize("wrong", [{}, {"keys": []}, ReplyError("No JSON.", outcome="unknown")], ids=repr)
    def test_what_is_wrong_is_looked_at_twice_and_never_kept(
        self, keys: KeySets, service: Service, key: RSAPrivateKey, wrong: object
    ) -> None:
        service.sets[OWN] = [wrong]
        for asked in (2, 4):
            with pytest.raises(ValueError, match=r"key|JSON"):
                keys.prepare()
            assert len(service.asked) == asked
        service.sets[OWN] = [wrong, set_of(key)]
        keys.prepare()
        assert keys.verified(token(key)) == {"code": "c"}
        assert len(service.asked) == 6

    def test_a_clock_that_is_set_back_makes_a_kept_set_old(
        self, keys: KeySets, service: Service, clock: list[float], key: RSAPrivateKey
    ) -> None:
        service.sets[OWN] = [set_of(key)]
        keys.prepare()
        clock[0] -= 1
        keys.prepare()
        assert len(service.asked) == 2


class TestLookingOnceMore:
    @pytest.mark.parametrize("change", ["key", "id"])
    def test_it_is_done_where_no_key_fits(
        self, keys: KeySets, service: Service, key: RSAPrivateKey, vendor_keys: dict[str, RSAPrivateKey], change: str
    ) -> None:
        service.sets[OWN] = [set_of(vendor_keys["postbox0"]) if change == "key" else set_of(key, "k0"), set_of(key)]
        keys.prepare()
        assert keys.verified(token(key)) == {"code": "c"}
        assert len(service.asked) == 2

    def test_it_is_done_once(
        self, keys: KeySets, service: Service, key: RSAPrivateKey, vendor_keys: dict[str, RSAPrivateKey]
    ) -> None:
        service.sets[OWN] = [set_of(vendor_keys["postbox0"])]
        with pytest.raises(ValueError, match="signature does not hold"):
            keys.verified(token(key))
        assert len(service.asked) == 2


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
ENTRIES = st.fixed_dictionaries(
    {"kid": st.just("k1") | JSON},
    optional={"pem": JSON, "n": JSON, "e": st.just("AQAB") | JSON, "kty": st.sampled_from(["RSA", "EC", "oct"]) | JSON},
)


@settings(deadline=None, derandomize=True)
@given(key_set=JSON | st.fixed_dictionaries({"keys": JSON | st.lists(JSON | ENTRIES, max_size=3)}))
def test_any_key_set_is_of_use_or_an_error_of_value(vendor_keys: dict[str, RSAPrivateKey], key_set: Any) -> None:
    keys = KeySets(lambda _: key_set, BASE)
    calls: list[Callable[[], object]] = [keys.prepare, lambda: keys.verified(token(vendor_keys["contract_w"]))]
    for call in calls:
        with suppress(ValueError):
            call()


@settings(deadline=None, derandomize=True)
@given(header=JSON | st.fixed_dictionaries({"alg": st.just("PS512"), "jku": JSON, "kid": JSON}), rest=st.text())
def test_any_token_is_an_error_of_value(vendor_keys: dict[str, RSAPrivateKey], header: Any, rest: str) -> None:
    keys = KeySets(lambda _: set_of(vendor_keys["contract_w"]), BASE)
    first = urlsafe_b64encode(json.dumps(header).encode()).rstrip(b"=").decode()
    for text in (f"{first}.{rest}", f"{first}.e30.{rest}", rest):
        with pytest.raises(ValueError, match=r"it |its |key"):
            keys.verified(Secret(text))


@settings(deadline=None, derandomize=True)
@given(payload=st.dictionaries(st.sampled_from(["exp", "nbf", "iat", "sub"]), JSON))
def test_any_genuine_payload_is_returned_or_an_error_of_value(
    vendor_keys: dict[str, RSAPrivateKey], payload: dict[str, Any]
) -> None:
    key = vendor_keys["contract_w"]
    keys = KeySets(lambda _: set_of(key), BASE)
    header = {"alg": "PS512", "jku": OWN, "kid": "k1"}
    signed = jws.serialize_compact(header, json.dumps(payload).encode(), RSAKey.import_key(key), algorithms=["PS512"])
    with suppress(ValueError):
        assert dict(keys.verified(Secret(signed))).keys() == payload.keys()
