from __future__ import annotations

import json
import secrets
from base64 import b64decode, b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from digime_pandas._service.crypto.envelope import (
    FileDecryptor,
    encrypt_bytes,
    encrypted_pieces,
    encryption_tasks,
    load_public_key,
    sealed_size,
    wrap_key,
)
from digime_pandas._service.masking.secret import Secret
from digime_pandas._service.streams import Buffer
from digime_pandas.errors import SealedFileError

OpenSSL = Callable[..., bytes]
KEY, IV = Secret(bytes(range(32))), Secret(bytes(range(16)))
SIZES = [0, 1, 15, 16, 17, 4095, 4096, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, (3 << 20) + 5]


@pytest.fixture(scope="module")
def postbox_key(vendor_keys: dict[str, RSAPrivateKey]) -> RSAPrivateKey:
    return vendor_keys["postbox0"]


@pytest.fixture(scope="module")
def postbox_pem(postbox_key: RSAPrivateKey, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("postbox") / "key.pem"
    path.write_bytes(postbox_key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()))
    return path


def open_blob(blob: Buffer, private_key: RSAPrivateKey) -> bytes:
    decryptor = FileDecryptor(private_key)
    return b"".join([decryptor.update(blob), decryptor.finish()])


def unwrapped_by(openssl: OpenSSL, wrapped: bytes, pem: Path) -> bytes:
    options = ["rsa_padding_mode:oaep", "rsa_oaep_md:sha1", "rsa_mgf1_md:sha1"]
    return openssl(
        "pkeyutl",
        "-decrypt",
        "-inkey",
        pem,
        *(word for option in options for word in ("-pkeyopt", option)),
        stdin=wrapped,
    )


def decrypted_by(openssl: OpenSSL, sealed: bytes) -> bytes:
    return openssl("enc", "-d", "-aes-256-cbc", "-K", KEY.reveal().hex(), "-iv", IV.reveal().hex(), stdin=sealed)


@pytest.mark.parametrize("size", SIZES)
def test_openssl_opens_what_is_sealed(openssl: OpenSSL, size: int) -> None:
    plain = secrets.token_bytes(size)
    sealed = encrypt_bytes(plain, key=KEY, iv=IV)
    assert len(sealed) == sealed_size(size)
    assert decrypted_by(openssl, sealed) == plain


@given(st.lists(st.binary(max_size=50), max_size=20))
def test_how_the_file_is_cut_into_chunks_makes_no_difference(chunks: list[bytes]) -> None:
    pieces = [bytes(piece) for piece in encrypted_pieces(chunks, key=KEY, iv=IV)]
    assert b"".join(pieces) == encrypt_bytes(b"".join(chunks), key=KEY, iv=IV)


def test_every_kind_of_buffer_is_sealed_alike() -> None:
    plain = secrets.token_bytes(3000)
    expected = encrypt_bytes(plain, key=KEY, iv=IV)
    for chunk in (
        bytearray(plain),
        memoryview(plain),
        memoryview(plain).cast("H"),
        memoryview(plain).cast("B", (30, 100)),
    ):
        assert encrypt_bytes(chunk, key=KEY, iv=IV) == expected


def test_pieces_stay_small_whatever_the_chunks(openssl: OpenSSL) -> None:
    plain = secrets.token_bytes((5 << 20) + 3)
    pieces = [bytes(piece) for piece in encrypted_pieces([plain[:100], plain[100:]], key=KEY, iv=IV)]
    assert max(map(len, pieces)) <= (1 << 20) + 16
    assert decrypted_by(openssl, b"".join(pieces)) == plain


def test_as_many_pieces_stay_valid_as_there_are_buffers() -> None:
    plain = secrets.token_bytes(5 << 20)
    expected = encrypt_bytes(plain, key=KEY, iv=IV)
    held: list[memoryview] = []
    taken = b""
    for task in encryption_tasks([plain], key=KEY, iv=IV, buffers=3):
        held.append(task())
        if len(held) == 3:
            taken += bytes(held.pop(0))
    assert taken + b"".join(held) == expected


def test_the_vendors_envelope_is_made_and_opened(
    vector: Callable[[str], Any], openssl: OpenSSL, postbox_pem: Path, postbox_key: RSAPrivateKey
) -> None:
    recording = vector("v8_write_text")
    request = recording["requests"][0]
    claims = json.loads(request["authorization_jwt"]["claims_json"])
    wrapped, iv = b64decode(claims["symmetrical_key"]), bytes.fromhex(claims["iv"])
    key = unwrapped_by(openssl, wrapped, postbox_pem)
    assert len(key) == 32
    plain = b64decode(recording["input"]["data_b64"])
    metadata = request["metadata_plain_json"].encode()
    assert b64encode(encrypt_bytes(metadata, key=Secret(key), iv=Secret(iv))).decode() == claims["metadata"]
    body = b64decode(request["body_b64"])
    ciphertext = body.partition(b"\r\n\r\n")[2][: sealed_size(len(plain))]
    assert encrypt_bytes(plain, key=Secret(key), iv=Secret(iv)) == ciphertext
    assert open_blob(wrapped + iv + ciphertext, postbox_key) == plain


def test_openssl_unwraps_the_key(openssl: OpenSSL, postbox_key: RSAPrivateKey, postbox_pem: Path) -> None:
    wrapped = wrap_key(KEY, postbox_key.public_key())
    assert len(wrapped) == 256
    assert unwrapped_by(openssl, wrapped, postbox_pem) == KEY.reveal()
    assert wrap_key(KEY, postbox_key.public_key()) != wrapped


def test_the_files_the_vendor_opens_are_opened_to_the_same(
    vector: Callable[[str], Any], vendor_keys: dict[str, RSAPrivateKey]
) -> None:
    recordings = vector("read_blobs")
    assert {recorded["compression"] for recorded in recordings} == {"no-compression", "gzip", "brotli"}
    for recorded in recordings:
        opened = open_blob(b64decode(recorded["blob_b64"]), vendor_keys["contract_r"])
        assert opened == b64decode(recorded["vendor_decrypts_to"])


@pytest.mark.parametrize("size", SIZES)
def test_a_sealed_file_is_opened_whatever_its_size(postbox_key: RSAPrivateKey, size: int) -> None:
    plain = secrets.token_bytes(size)
    blob = wrap_key(KEY, postbox_key.public_key()) + IV.reveal() + encrypt_bytes(plain, key=KEY, iv=IV)
    for kind in (bytes, bytearray, memoryview):
        assert open_blob(kind(blob), postbox_key) == plain


def test_what_does_not_open_fails_in_one_way(vendor_keys: dict[str, RSAPrivateKey], postbox_key: RSAPrivateKey) -> None:
    blob = wrap_key(KEY, postbox_key.public_key()) + IV.reveal() + encrypt_bytes(b"x" * 40, key=KEY, iv=IV)
    wrong_padding = (
        wrap_key(KEY, postbox_key.public_key()) + IV.reveal() + encrypt_bytes(b"x" * 40, key=KEY, iv=IV)[:-16]
    )
    short_key = wrap_key(Secret(KEY.reveal()[:24]), postbox_key.public_key()) + IV.reveal() + blob[272:]
    messages = set()
    for damaged in (
        b"",
        blob[:100],
        blob[:272],
        blob[:-1],
        blob + b"\0",
        bytes(256) + blob[256:],
        wrong_padding,
        short_key,
    ):
        with pytest.raises(SealedFileError) as raised:
            open_blob(damaged, postbox_key)
        assert raised.value.__cause__ is None
        messages.add(str(raised.value))
    with pytest.raises(SealedFileError) as raised:
        open_blob(blob, vendor_keys["contract_r"])
    assert messages == {str(raised.value)}


class TestPublicKeys:
    @pytest.fixture
    def public(self, postbox_key: RSAPrivateKey) -> RSAPublicKey:
        return postbox_key.public_key()

    @pytest.mark.parametrize("form", [PublicFormat.PKCS1, PublicFormat.SubjectPublicKeyInfo])
    def test_every_spelling_is_understood(self, public: RSAPublicKey, form: PublicFormat) -> None:
        pem = public.public_bytes(Encoding.PEM, form).decode()
        body = pem.splitlines()[1:-1]
        for text in (
            pem,
            pem.replace("\n", "\r\n"),
            pem.replace("\n", ""),
            pem.replace("\n", " "),
            f"\n\n  {pem}\n",
            "".join(body),
            "\n".join(body),
            "\r\n".join(body) + "\r\n",
        ):
            assert load_public_key(text).public_numbers() == public.public_numbers()

    def test_the_recorded_redirects_key_is_understood(self, vector: Callable[[str], Any]) -> None:
        assert load_public_key(vector("redirect")["params"]["publicKey"]).key_size == 2048

    @pytest.mark.parametrize(
        ("kind", "reason"),
        [
            ("empty", "not an RSA key"),
            ("garbage", "not an RSA key"),
            ("non-ascii", "not an RSA key"),
            ("markers only", "not an RSA key"),
            ("cut", "not an RSA key"),
            ("private", "not an RSA key"),
            ("elliptic", "another kind"),
            ("short", "1024 bits"),
        ],
    )
    def test_anything_else_is_refused_without_quoting_it(
        self, openssl: OpenSSL, postbox_pem: Path, public: RSAPublicKey, kind: str, reason: str
    ) -> None:
        texts: dict[str, Callable[[], str]] = {
            "empty": lambda: "",
            "garbage": lambda: "hunter2!",
            "non-ascii": lambda: "MIIBü",
            "markers only": lambda: "-----BEGIN RSA PUBLIC KEY-----\n-----END RSA PUBLIC KEY-----",
            "cut": lambda: b64encode(public.public_bytes(Encoding.DER, PublicFormat.PKCS1)[:-40]).decode(),
            "private": postbox_pem.read_text,
            "elliptic": lambda: openssl(
                "ec", "-pubout", stdin=openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout")
            ).decode(),
            "short": lambda: openssl("rsa", "-pubout", stdin=openssl("genrsa", "1024")).decode(),
        }
        text = texts[kind]()
        with pytest.raises(ValueError, match=reason) as raised:
            load_public_key(text)
        assert raised.value.__cause__ is None
        assert not text or text not in str(raised.value)
