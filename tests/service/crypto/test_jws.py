from __future__ import annotations

import hmac
import json
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc import jws
from joserfc.jwk import RSAKey

from digime_pandas._service.crypto.jws import (
    TokenTimeError,
    check_key_set,
    find_key,
    key_address,
    request_claims,
    same_origin,
    sign,
    verify,
)
from digime_pandas._service.masking.secret import Secret

JKU = "https://api.digi.me/v1.7/jwks/oauth"
NOW = 1_700_000_000
TIMES_THAT_ARE_NONE: tuple[object, ...] = ("soon", True, None, [], 10**400, float("nan"), float("inf"))


@pytest.fixture(scope="module")
def key(vendor_keys: dict[str, RSAPrivateKey]) -> RSAPrivateKey:
    return vendor_keys["contract_w"]


@pytest.fixture(scope="module")
def public(key: RSAPrivateKey) -> RSAPublicKey:
    return key.public_key()


def pem_of(key: RSAPublicKey, form: PublicFormat = PublicFormat.SubjectPublicKeyInfo) -> str:
    return key.public_bytes(Encoding.PEM, form).decode()


def segment(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def unsegment(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def by_joserfc(payload: object, key: RSAPrivateKey, algorithm: str = "PS512", **header: Any) -> str:
    """A token made by another implementation."""
    content = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return jws.serialize_compact({"alg": algorithm, **header}, content, RSAKey.import_key(key), algorithms=[algorithm])


class TestRequests:
    @pytest.mark.parametrize(
        ("recording", "claims"),
        [
            (
                "v8_authorize",
                ("code_challenge", "code_challenge_method", "redirect_uri", "response_mode", "response_type", "state"),
            ),
            ("v8_token_exchange", ("code", "code_verifier", "grant_type")),
            ("v8_write_text", ("access_token", "iv", "metadata", "symmetrical_key")),
            ("v16_refresh", ("grant_type", "refresh_token")),
            ("v16_write_text", ("access_token",)),
        ],
    )
    def test_claims_are_the_vendors_for_the_same_input(
        self, vector: Callable[[str], Any], recording: str, claims: tuple[str, ...]
    ) -> None:
        theirs = json.loads(vector(recording)["requests"][0]["authorization_jwt"]["claims_json"])
        ours = request_claims(
            theirs["client_id"],
            nonce=bytes(16),
            timestamp=theirs["timestamp"] / 1000,
            absent=None,
            **{name: theirs[name] for name in claims},
        )
        assert ours == theirs | {"nonce": "0" * 32}
        assert len(theirs["nonce"]) == len(str(ours["nonce"]))

    def test_header_and_signature_have_the_vendors_form(self, vector: Callable[[str], Any], key: RSAPrivateKey) -> None:
        theirs = vector("v16_write_text")["requests"][0]["authorization_jwt"]
        header, _, signature = sign({"client_id": "a_c"}, key).reveal().split(".")
        assert unsegment(header).decode() == theirs["header_json"]
        assert len(unsegment(signature)) == theirs["signature_bytes"]

    def test_another_implementation_accepts_what_is_signed(self, key: RSAPrivateKey, public: RSAPublicKey) -> None:
        claims = {"client_id": "a_c", "note": "ü 中", "timestamp": 1_700_000_000_000}
        checked = jws.deserialize_compact(sign(claims, key).reveal(), RSAKey.import_key(public), algorithms=["PS512"])
        assert json.loads(checked.payload) == claims

    def test_openssl_accepts_the_signature_with_a_salt_of_64_bytes(
        self, openssl: Callable[..., bytes], key: RSAPrivateKey, public: RSAPublicKey, tmp_path: Path
    ) -> None:
        (tmp_path / "key.pem").write_text(pem_of(public))
        signed, _, signature = sign({"client_id": "a_c"}, key).reveal().rpartition(".")
        (tmp_path / "signature").write_bytes(unsegment(signature))
        options = ["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:64", "-sigopt", "rsa_mgf1_md:sha512"]
        said = openssl(
            "dgst",
            *("-sha512", "-verify", tmp_path / "key.pem", "-signature", tmp_path / "signature"),
            *options,
            stdin=signed.encode(),
        )
        assert b"Verified OK" in said


class TestServiceTokens:
    def test_the_vendors_own_tokens_verify(self, vector: Callable[[str], Any], public: RSAPublicKey) -> None:
        for name in (
            "v8_authorize",
            "v8_token_exchange",
            "v8_write_text",
            "v8_write_refresh",
            "v16_authorize",
            "v16_refresh",
            "v16_write_text",
        ):
            for request in vector(name)["requests"]:
                for member in {"authorization_jwt", "file_descriptor_jwt"} & request.keys():
                    assert verify(Secret(request[member]["compact"]), public) == json.loads(
                        request[member]["claims_json"]
                    )

    def test_a_token_of_another_implementation_is_accepted(self, key: RSAPrivateKey, public: RSAPublicKey) -> None:
        later = int(time.time()) + 60
        payload = {
            "exp": later,
            "nbf": later - 120,
            "iat": later,
            "aud": "x",
            "iss": 5,
            "sub": 7,
            "jti": 1,
            "code": "ü",
        }
        token = by_joserfc(payload, key, jku=JKU, kid="k1")
        assert verify(Secret(token), public) == payload
        assert key_address(Secret(token)) == (JKU, "k1")

    @pytest.mark.parametrize("algorithm", ["RS256", "RS512", "PS256", "PS384"])
    def test_any_other_algorithm_is_refused(self, key: RSAPrivateKey, public: RSAPublicKey, algorithm: str) -> None:
        token = by_joserfc({}, key, algorithm, jku=JKU, kid="k1")
        with pytest.raises(ValueError, match="PS512"):
            key_address(Secret(token))
        with pytest.raises(ValueError, match="signature does not hold"):
            verify(Secret(token), public)

    def test_an_unsigned_token_is_refused(self, public: RSAPublicKey) -> None:
        for alg in ("none", "None", "NONE"):
            token = f"{segment(json.dumps({'alg': alg, 'jku': JKU, 'kid': 'k'}).encode())}.{segment(b'{}')}."
            with pytest.raises(ValueError, match="PS512"):
                key_address(Secret(token))
            with pytest.raises(ValueError, match="signature does not hold"):
                verify(Secret(token), public)

    def test_the_public_key_is_no_shared_secret(self, public: RSAPublicKey) -> None:
        for alg, digest in (("HS256", "sha256"), ("HS512", "sha512"), ("PS512", "sha512")):
            for form in (PublicFormat.SubjectPublicKeyInfo, PublicFormat.PKCS1):
                signed = f"{segment(json.dumps({'alg': alg, 'jku': JKU, 'kid': 'k'}).encode())}.{segment(b'{}')}"
                mac = hmac.digest(pem_of(public, form).encode(), signed.encode(), digest)
                with pytest.raises(ValueError, match="signature does not hold"):
                    verify(Secret(f"{signed}.{segment(mac)}"), public)

    @pytest.mark.parametrize(("salt", "good"), [(64, True), (63, False), (32, False), (0, False), (190, False)])
    def test_the_salt_is_64_bytes_long(self, key: RSAPrivateKey, public: RSAPublicKey, salt: int, good: bool) -> None:
        signed = ".".join([segment(b'{"alg":"PS512"}'), segment(b"{}")])
        signature = key.sign(signed.encode(), PSS(MGF1(hashes.SHA512()), salt), hashes.SHA512())
        token = f"{signed}.{segment(signature)}"
        if good:
            assert verify(Secret(token), public) == {}
        else:
            with pytest.raises(ValueError, match="signature does not hold"):
                verify(Secret(token), public)

    def test_a_token_of_another_key_or_changed_on_its_way_is_refused(
        self, vendor_keys: dict[str, RSAPrivateKey], key: RSAPrivateKey, public: RSAPublicKey
    ) -> None:
        header, payload, signature = by_joserfc({"code": "good"}, key).split(".")
        changed = segment(unsegment(payload).replace(b"good", b"evil"))
        for token in (
            by_joserfc({"code": "good"}, vendor_keys["contract_r"]),
            f"{header}.{changed}.{signature}",
            f"{header}.{payload}.{signature[:-4]}",
            f"{header}.{payload}.",
            f"{header}.{payload}",
            "",
            "a.b.c",
        ):
            with pytest.raises(ValueError, match="signature does not hold"):
                verify(Secret(token), public)

    @pytest.mark.parametrize(
        ("times", "reason"),
        [
            ({"exp": NOW - 59}, None),
            ({"exp": NOW - 60}, "expired 60 seconds ago"),
            ({"exp": NOW - 3 * 3600}, "expired 3 hours ago by the clock of this computer"),
            ({"nbf": NOW + 60, "iat": NOW + 60}, None),
            ({"nbf": NOW + 61}, "not valid yet: .* 61 seconds in the future"),
            ({"iat": NOW + 2 * 86_400}, "not valid yet: .* 2 days in the future.*clock is wrong, set it"),
            ({"iat": NOW - 86_400}, None),
            *(({name: value}, "is no time") for name in ("exp", "nbf", "iat") for value in TIMES_THAT_ARE_NONE),
        ],
        ids=repr,
    )
    def test_times_are_enforced_with_a_leeway_of_a_minute(
        self, key: RSAPrivateKey, public: RSAPublicKey, times: dict[str, object], reason: str | None
    ) -> None:
        token = Secret(by_joserfc(times, key))
        if reason is None:
            assert verify(token, public, now=lambda: NOW) == times
        else:
            with pytest.raises(TokenTimeError, match=reason):
                verify(token, public, now=lambda: NOW)

    def test_what_was_valid_when_it_came_is_valid_later_and_a_clock_that_was_wrong_then_may_be_set(
        self, key: RSAPrivateKey, public: RSAPublicKey
    ) -> None:
        token = Secret(by_joserfc({"exp": NOW, "iat": NOW - 10}, key))
        for received, now in ((NOW, NOW + 9_999), (NOW - 9_999, NOW), (NOW + 9_999, NOW)):
            assert verify(token, public, received=received, now=lambda now=now: now)  # type: ignore[misc] # a loop's variable
        with pytest.raises(TokenTimeError, match="expired"):
            verify(token, public, received=NOW + 9_999, now=lambda: NOW + 9_999)
        with pytest.raises(TokenTimeError, match="not valid yet"):
            verify(token, public, received=NOW - 9_999, now=lambda: NOW - 9_999)

    @pytest.mark.parametrize("payload", [b"[]", b"null", b'"text"', b"17", b"{", b"\xff"])
    def test_a_payload_that_is_no_json_object_is_refused(
        self, key: RSAPrivateKey, public: RSAPublicKey, payload: bytes
    ) -> None:
        with pytest.raises(ValueError, match="does not hold"):
            verify(Secret(by_joserfc(payload, key)), public)

    @pytest.mark.parametrize(
        "header",
        [{}, {"jku": JKU}, {"kid": "k"}, {"jku": 1, "kid": "k"}, {"jku": JKU, "kid": 1}, {"jku": None, "kid": "k"}],
    )
    def test_a_token_names_its_key_and_where_to_find_it(self, header: dict[str, object]) -> None:
        token = f"{segment(json.dumps({'alg': 'PS512', **header}).encode())}.{segment(b'{}')}.{segment(b'x')}"
        with pytest.raises(ValueError, match=r"jku|compact JWS"):
            key_address(Secret(token))

    @pytest.mark.parametrize("token", ["", "a", "a.b", "a.b.c", "....", "W10.e30.eA", "\ud800.e30.eA", "ü.e30.eA"])
    def test_what_is_no_token_has_no_key(self, token: str) -> None:
        with pytest.raises(ValueError, match=r"compact JWS|surrogates"):
            key_address(Secret(token))


@pytest.mark.parametrize(
    "url",
    [
        "https://api.digi.me/v1.7/jwks/oauth",
        "https://api.digi.me:443/anything?x=1",
        "https://API.digi.me/jwks",
        "HTTPS://api.digi.me/jwks",
    ],
)
def test_an_address_of_the_same_scheme_host_and_port_has_the_same_origin(url: str) -> None:
    assert same_origin(url, "https://api.digi.me/v1.7/")


@pytest.mark.parametrize(
    "url",
    [
        "http://api.digi.me/jwks",
        "http://api.digi.me:443/jwks",
        "https://api.digi.me:8443/jwks",
        "https://api.digi.me@evil.test/jwks",
        "https://api.digi.me:443@evil.test/jwks",
        "https://x@api.digi.me/jwks",
        "https://@api.digi.me/jwks",
        "https://evil.test/api.digi.me",
        "https://api.digi.me.evil.test/",
        "https://evil.test#api.digi.me/",
        "https://evil.test\\@api.digi.me/",
        "https://api.digi.me\\.evil.test/",
        "https://api.\tdigi.me/",
        " https://api.digi.me/",
        "https://api.digi.me/a b",
        "https://api.digi.me/ü",
        "https://\uff41pi.digi.me/",
        "https://api.digi.me:x/",
        "https://[api.digi.me/",
        "https:/api.digi.me/",
        "//api.digi.me/",
        "/v1.7/jwks/oauth",
        "",
        "ftp://api.digi.me/",
        "file:///etc/passwd",
    ],
)
def test_any_other_address_has_another_origin(url: str) -> None:
    assert not same_origin(url, "https://api.digi.me/v1.7/")


def test_ports_count_on_loopback_too() -> None:
    assert same_origin("http://127.0.0.1:8000/jwks", "http://127.0.0.1:8000/v1.7/")
    assert not same_origin("http://127.0.0.1:8001/jwks", "http://127.0.0.1:8000/v1.7/")
    assert not same_origin("http://localhost:8000/jwks", "http://127.0.0.1:8000/v1.7/")


class TestKeySets:
    def test_a_key_is_found_as_pkcs1_as_spki_and_by_its_numbers(self, public: RSAPublicKey) -> None:
        jwk = {name: value for name, value in RSAKey.import_key(public).as_dict().items() if name in {"kty", "n", "e"}}
        for form in (
            {"pem": pem_of(public, PublicFormat.PKCS1)},
            {"pem": pem_of(public)},
            jwk,
            jwk | {"pem": pem_of(public), "n": "AQAB"},
        ):
            found = find_key({"keys": ["odd", {"kid": "other"}, {"kid": "k1", **form}]}, "k1")
            assert found is not None
            assert found.public_numbers() == public.public_numbers()

    def test_the_first_of_two_entries_counts(self, vendor_keys: dict[str, RSAPrivateKey], public: RSAPublicKey) -> None:
        other = vendor_keys["contract_r"].public_key()
        found = find_key({"keys": [{"kid": "k", "pem": pem_of(public)}, {"kid": "k", "pem": pem_of(other)}]}, "k")
        assert found is not None
        assert found.public_numbers() == public.public_numbers()

    def test_a_key_that_is_not_there_is_none(self) -> None:
        assert find_key({"keys": []}, "k1") is None
        assert find_key({"keys": [{"kid": "other"}, {}]}, "k1") is None

    @pytest.mark.parametrize("key_set", [None, [], {}, {"keys": None}, {"keys": {"k1": {}}}, "keys"])
    def test_a_key_set_of_another_shape_is_an_error(self, key_set: object) -> None:
        with pytest.raises(ValueError, match="no list 'keys'"):
            find_key(key_set, "k1")

    def test_a_set_is_of_use_where_one_of_its_keys_can_be_read(self, public: RSAPublicKey) -> None:
        check_key_set({"keys": [{"kid": "broken", "pem": "x"}, 5, {"kid": "k", "pem": pem_of(public)}]})
        sets: tuple[object, ...] = ({"keys": []}, {"keys": [{"kid": "broken", "pem": "x"}, 5]}, {}, [], None, "keys")
        for useless in sets:
            with pytest.raises(ValueError, match=r"no key that can be read|no list"):
                check_key_set(useless)

    @pytest.mark.parametrize(
        "entry",
        [
            {},
            {"pem": ""},
            {"pem": "garbage"},
            {"pem": "\ud800"},
            {"pem": 17},
            {"kty": "RSA"},
            {"kty": "RSA", "n": "!", "e": "AQAB"},
            {"kty": "oct", "k": "AAAA"},
            {"kty": "EC", "crv": "P-256"},
        ],
        ids=repr,
    )
    def test_an_entry_without_a_readable_rsa_key_is_an_error(self, entry: dict[str, object]) -> None:
        with pytest.raises(ValueError, match="entry"):
            find_key({"keys": [{"kid": "k1", **entry}]}, "k1")

    def test_a_key_of_another_kind_is_an_error(self, openssl: Callable[..., bytes], key: RSAPrivateKey) -> None:
        elliptic = openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout")
        unusual = openssl("ecparam", "-name", "sect163k1", "-genkey", "-noout", "-param_enc", "explicit")
        for made in (elliptic, unusual):
            with pytest.raises(ValueError, match="entry"):
                find_key({"keys": [{"kid": "k1", "pem": openssl("ec", "-pubout", stdin=made).decode()}]}, "k1")
        private = {"kty": "RSA", **RSAKey.import_key(key).as_dict(private=True)}
        with pytest.raises(ValueError, match="entry"):
            find_key({"keys": [{**private, "kid": "k1"}]}, "k1")
