from __future__ import annotations

import hmac
import json
from base64 import b64encode
from pathlib import Path
from urllib.parse import quote, urlencode

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from digime_pandas._service.masking import secret as _secret
from digime_pandas._service.masking.secret import Secret
from digime_pandas._service.oauth.redirect import MAXIMUM_REDIRECT_LENGTH, parse_redirect, state_of
from digime_pandas.errors import AuthorizationError, ConsentRefusedError, RedirectError

STATE = "0f1e2d3c"
CODE = "s3cr3t-c0de"
OK = {"success": "true", "code": CODE, "state": STATE}
VECTOR = json.loads((Path(__file__).parents[2] / "vectors" / "redirect.json").read_text())


def bare_base64(key: RSAPublicKey) -> list[str]:
    forms = (PublicFormat.PKCS1, PublicFormat.SubjectPublicKeyInfo)
    return [b64encode(key.public_bytes(Encoding.DER, form)).decode() for form in forms]


# One key in about a hundred has no plus sign in one of its forms.
KEYS = (generate_private_key(65537, 2048).public_key() for _ in range(20))
KEY = next(key for key in KEYS if all("+" in text for text in bare_base64(key)))
PKCS1, SPKI = bare_base64(KEY)


def address(parameters: dict[str, str]) -> str:
    return f"http://127.0.0.1:1234/digime?{urlencode(parameters)}"


def test_a_recorded_redirect_with_a_postbox_is_read() -> None:
    reply = parse_redirect(Secret(VECTOR["raw"]), state=Secret(VECTOR["params"]["state"]))
    assert reply.code == VECTOR["params"]["code"]
    assert reply.postbox is not None
    assert reply.postbox.id == VECTOR["params"]["postboxId"]
    assert reply.postbox.public_key == VECTOR["params"]["publicKey"]


@pytest.mark.parametrize(
    "spelling",
    [
        "{address}",
        "{query}",
        "?{query}",
        "{address}#fragment",
        "https://example.test/back?x=1&x=2&{query}",
        "{query}&accountReference=abc&unknown=1",
    ],
)
def test_an_address_or_its_query_is_read(spelling: str) -> None:
    text = spelling.format(address=address(OK), query=urlencode(OK))
    assert parse_redirect(Secret(text), state=Secret(STATE)).code == CODE


def test_code_and_state_alone_are_success() -> None:
    assert parse_redirect(Secret(f"code={CODE}&state={STATE}"), state=Secret(STATE)).code == CODE


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "empty"),
        ("  \n ", "empty"),
        ("http://127.0.0.1:1234/digime", "neither success"),
        ("https://api.digi.me/apps/saas/authorize?code=abc", "neither success"),
        (address(OK | {"success": ""}), "neither success"),
        (address({"success": "true", "code": CODE}), "no state"),
        (address({"success": "true", "state": STATE}), "no code"),
        (address(OK | {"code": ""}), "no code"),
        (address(OK | {"state": "another"}), "another authorization"),
        (address(OK | {"state": ""}), "another authorization"),
        (address(OK | {"state": "\ud800"[:0] + "é"}), "another authorization"),
        (address(OK) + "&code=other", "twice"),
        (address(OK) + f"&state={STATE}", "twice"),
        (address(OK) + "&success=false", "twice"),
        (address(OK) + "&x=1" * 200, "parameters"),
        (address(OK) + "&x=" + "1" * MAXIMUM_REDIRECT_LENGTH, "characters long"),
    ],
)
def test_a_wrong_address_is_refused_in_words_that_do_not_quote_it(text: str, words: str) -> None:
    with pytest.raises(RedirectError, match=words) as caught:
        parse_redirect(Secret(text), state=Secret(STATE))
    assert CODE not in str(caught.value)
    assert STATE not in str(caught.value)


@pytest.mark.parametrize("given", [None, b"success=true", 17])
def test_only_text_is_read(given: object) -> None:
    with pytest.raises(RedirectError, match="not a str"):
        parse_redirect(Secret(given), state=Secret(STATE))  # type: ignore[arg-type]  # what a careless caller does


def test_a_lone_surrogate_in_the_state_is_a_wrong_state() -> None:
    with pytest.raises(RedirectError, match="another authorization"):
        parse_redirect(Secret(f"success=true&code={CODE}&state=\ud800"), state=Secret(STATE))


def test_the_state_is_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[bytes, bytes]] = []

    def compare_digest(first: bytes, second: bytes) -> bool:
        compared.append((first, second))
        return hmac.compare_digest(first, second)

    monkeypatch.setattr(_secret, "hmac", type("hmac", (), {"compare_digest": staticmethod(compare_digest)}))
    parse_redirect(Secret(address(OK)), state=Secret(STATE))
    assert compared == [(STATE.encode(), STATE.encode())]


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("USER_CANCEL", "pressed cancel"),
        ("INITIALIZE_CHECK_FAIL", "could not start"),
        ("ONBOARD_ERROR", "set up the person's library"),
        ("INVALID_CODE", "already used or is too old"),
        ("SERVER_ERROR", "error of its own"),
        ("SOMETHING_NEW", "'SOMETHING_NEW'"),
    ],
)
def test_every_error_code_becomes_a_sentence(code: str, words: str) -> None:
    with pytest.raises(ConsentRefusedError, match=words) as caught:
        parse_redirect(Secret(address({"success": "false", "errorCode": code})), state=Secret(STATE))
    assert caught.value.code == code
    assert "uthorize again" in str(caught.value)


def test_an_error_message_is_quoted_where_there_is_no_code_for_it() -> None:
    with pytest.raises(ConsentRefusedError, match="'no luck'") as caught:
        parse_redirect(Secret(address({"error_message": "no luck"})), state=Secret(STATE))
    assert caught.value.code == "UNKNOWN"


def test_words_from_the_address_control_no_terminal() -> None:
    with pytest.raises(ConsentRefusedError) as caught:
        parse_redirect(Secret(address({"errorCode": "\x1b[31m\u202e", "error_message": "\x9b"})), state=Secret(STATE))
    assert caught.value.code == r"\x1b[31m\u202e"
    assert str(caught.value).isprintable()


def test_words_from_the_address_are_quoted_briefly() -> None:
    with pytest.raises(ConsentRefusedError) as caught:
        parse_redirect(Secret(address({"errorCode": "X" * 5000})), state=Secret(STATE))
    assert len(str(caught.value)) < 300
    assert len(caught.value.code) < 300


def test_a_refusal_needs_no_state_and_a_wrong_one_makes_it_somebody_elses() -> None:
    error_from_reply = {"success": "false", "errorCode": "USER_CANCEL"}
    for parameters in (error_from_reply, error_from_reply | {"state": STATE}):
        with pytest.raises(ConsentRefusedError):
            parse_redirect(Secret(address(parameters)), state=Secret(STATE))
    with pytest.raises(RedirectError, match="another authorization"):
        parse_redirect(Secret(address(error_from_reply | {"state": "another"})), state=Secret(STATE))


@pytest.mark.parametrize(
    "public_key",
    [
        PKCS1,
        SPKI,
        "\n".join(PKCS1[i : i + 64] for i in range(0, len(PKCS1), 64)),
        "\r\n".join(SPKI[i : i + 64] for i in range(0, len(SPKI), 64)),
        f"-----BEGIN RSA PUBLIC KEY-----{PKCS1}-----END RSA PUBLIC KEY-----",
        f"-----BEGIN RSA PUBLIC KEY----- {PKCS1} -----END RSA PUBLIC KEY-----",
        KEY.public_bytes(Encoding.PEM, PublicFormat.PKCS1).decode(),
        KEY.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode().replace("\n", "\r\n"),
        "not a key at all",
    ],
)
def test_the_postbox_key_is_handed_on_as_it_came(public_key: str) -> None:
    reply = parse_redirect(Secret(address(OK | {"postboxId": "p0", "publicKey": public_key})), state=Secret(STATE))
    assert reply.postbox is not None
    assert reply.postbox.public_key == public_key


@pytest.mark.parametrize("base64", [PKCS1, SPKI])
def test_plus_signs_that_became_spaces_are_repaired_in_bare_base64(base64: str) -> None:
    sloppy = f"{address(OK)}&postboxId=p0&publicKey={quote(base64, safe='+/=')}"
    reply = parse_redirect(Secret(sloppy), state=Secret(STATE))
    assert reply.postbox is not None
    assert reply.postbox.public_key == base64


@pytest.mark.parametrize("extra", [{"postboxId": "p0"}, {"publicKey": PKCS1}, {"postboxId": "", "publicKey": PKCS1}])
def test_a_postbox_needs_both_its_id_and_its_key(extra: dict[str, str]) -> None:
    assert parse_redirect(Secret(address(OK | extra)), state=Secret(STATE)).postbox is None


@pytest.mark.parametrize(
    ("text", "state"),
    [
        (address(OK), STATE),
        (address(OK | {"state": "a b&c"}), "a b&c"),
        (f"{address(OK)}&state=twice", None),
        ("", None),
    ],
)
def test_the_state_is_told_where_there_is_one(text: str, state: str | None) -> None:
    found = state_of(Secret(text))
    assert (None if found is None else found.reveal()) == state


def test_the_code_does_not_print() -> None:
    reply = parse_redirect(Secret(address(OK)), state=Secret(STATE))
    assert CODE not in f"{reply!r} {reply}"


def test_every_error_is_an_authorization_error() -> None:
    for text in ("", "success=false"):
        with pytest.raises(AuthorizationError):
            parse_redirect(Secret(text), state=Secret(STATE))
