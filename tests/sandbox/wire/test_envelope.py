from __future__ import annotations

import gzip
import hashlib
import secrets
from collections.abc import Callable, Iterator
from typing import Literal

import brotli
import pytest
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP, PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA1

from digime_pandas.sandbox._wire.envelope import (
    StreamDecryptor,
    blob_size,
    compress,
    encrypt_blob,
    prefix_digest,
    unwrap_key,
)

OpenSSL = Callable[..., bytes]
KEY, IV = bytes(range(32)), bytes(range(16))
AES = ["enc", "-aes-256-cbc", "-K", KEY.hex(), "-iv", IV.hex()]
SIZES = [0, 1, 15, 16, 17, 100_000]


def cut(data: bytes, size: int) -> Iterator[bytes]:
    return (data[start : start + size] for start in range(0, len(data), size))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("piece", [1, 16, 1000, 1 << 20])
def test_what_openssl_encrypted_is_decrypted_in_pieces_of_any_length(openssl: OpenSSL, size: int, piece: int) -> None:
    plain = secrets.token_bytes(size)
    decryptor = StreamDecryptor(KEY, IV)
    found = b"".join([bytes(decryptor.update(part)) for part in cut(openssl(*AES, stdin=plain), piece)])
    assert found + decryptor.finish() == plain


@pytest.mark.parametrize("ciphertext", [b"", b"x", b"x" * 17, bytes(16)])
def test_a_truncated_or_wrong_ciphertext_is_a_value_error(ciphertext: bytes) -> None:
    decryptor = StreamDecryptor(KEY, IV)
    decryptor.update(ciphertext)
    with pytest.raises(ValueError, match=r"."):
        decryptor.finish()


def test_a_key_is_unwrapped_if_it_is_an_aes_256_key_under_oaep(vendor_keys: dict[str, RSAPrivateKey]) -> None:
    key = vendor_keys["postbox0"]
    oaep = OAEP(MGF1(SHA1()), SHA1(), None)
    assert unwrap_key(key, key.public_key().encrypt(KEY, oaep)) == KEY
    for wrapped in (
        b"",
        b"x" * 256,
        key.public_key().encrypt(KEY[:16], oaep),
        key.public_key().encrypt(KEY, PKCS1v15()),
        vendor_keys["contract_w"].public_key().encrypt(KEY, oaep),
    ):
        with pytest.raises(ValueError, match=r"."):
            unwrap_key(key, wrapped)


@pytest.mark.parametrize("size", SIZES)
def test_openssl_decrypts_what_is_encrypted_for_a_reader(
    openssl: OpenSSL, vendor_keys: dict[str, RSAPrivateKey], size: int
) -> None:
    key, plain = vendor_keys["contract_r"], secrets.token_bytes(size)
    sizes: list[int] = []

    def random_bytes(count: int) -> bytes:
        sizes.append(count)
        return KEY if count == len(KEY) else IV

    blob = b"".join(encrypt_blob(key.public_key(), cut(plain, 1000), random_bytes))
    assert sizes == [32, 16]
    assert len(blob) == blob_size(size)
    assert unwrap_key(key, blob[:256]) == KEY
    assert blob[256:272] == IV
    assert openssl(*AES, "-d", stdin=blob[272:]) == plain


@pytest.mark.parametrize(
    ("compression", "expand"), [(None, bytes), ("gzip", gzip.decompress), ("brotli", brotli.decompress)]
)
@pytest.mark.parametrize("size", [0, 100_000])
def test_content_is_compressed_to_the_same_bytes_each_time(
    compression: Literal["gzip", "brotli"] | None, expand: Callable[[bytes], bytes], size: int
) -> None:
    content = b"abc" * size
    first, second = (b"".join(compress(cut(content, 1000), compression)) for _ in range(2))
    assert first == second
    assert expand(first) == content


def test_the_digest_precedes_the_content() -> None:
    assert b"".join(prefix_digest(lambda: [b"ab", b"c"])) == hashlib.sha512(b"abc").digest() + b"abc"
