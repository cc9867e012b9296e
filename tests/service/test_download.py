"""Files are decrypted, checked and decompressed on their way in, whatever pieces they come in."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Callable, Iterable
from hashlib import sha256, sha512
from typing import Any

import brotli
import numpy as np
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.serialization import load_der_private_key

from digime_pandas._service.crypto.encrypted_file import EncryptedFile
from digime_pandas._service.download import Download
from digime_pandas._service.received.byte_limit import ByteLimit
from digime_pandas._service.received.large_memory import LargeMemory
from digime_pandas.errors import ReadError, SealedFileError, SpoolError


@pytest.fixture(scope="module")
def key() -> RSAPrivateKey:
    return generate_private_key(public_exponent=65537, key_size=2048)


def sealed(plain: bytes, key: RSAPrivateKey) -> bytes:
    aes, iv = bytes(range(32)), bytes(range(16))
    missing = 16 - len(plain) % 16
    encryptor = Cipher(AES256(aes), CBC(iv)).encryptor()
    oaep = OAEP(mgf=MGF1(hashes.SHA1()), algorithm=hashes.SHA1(), label=None)
    return key.public_key().encrypt(aes, oaep) + iv + encryptor.update(plain + bytes([missing]) * missing)


def headers(compression: str | None = None) -> dict[str, str]:
    document: dict[str, object] = {"metadata": {}}
    if compression is not None:
        document["compression"] = compression
    return {"x-metadata": base64.urlsafe_b64encode(json.dumps(document).encode()).decode()}


def opened(opening: Download, pieces: Iterable[bytes]) -> bytes:
    for piece in pieces:
        opening.write(piece)
    opening.finish()
    content = opening.read()
    assert opening.sha256 == sha256(content).hexdigest()
    opening.close()
    return content


@pytest.mark.parametrize("step", [1, 7, 16, 271, 272, 273, 1 << 20])
@pytest.mark.parametrize("size", [0, 1, 15, 16, 17, 1000])
@pytest.mark.parametrize("limit", [ByteLimit(), ByteLimit(in_pieces=True), ByteLimit(in_place=True)])
def test_a_file_opens_whatever_pieces_it_comes_in(key: RSAPrivateKey, size: int, step: int, limit: ByteLimit) -> None:
    plain = bytes(number % 251 for number in range(size))
    blob = sealed(plain, key)

    pieces = (blob[start : start + step] for start in range(0, len(blob), step))

    assert opened(Download(headers(), key, hashed=False, limit=limit), pieces) == plain


@pytest.mark.parametrize("limit", [ByteLimit(), ByteLimit(in_place=True)])
def test_a_view_of_a_file_stays_when_the_download_is_closed(key: RSAPrivateKey, limit: ByteLimit) -> None:
    download = Download(headers("gzip"), key, hashed=False, limit=limit)
    download.write(sealed(gzip.compress(b"plain" * 1_000), key))
    download.finish()
    view = download.view()
    assert download.sha256 == sha256(view).hexdigest()
    download.close()
    assert bytes(view) == b"plain" * 1_000


def test_a_file_that_is_read_in_place_is_not_copied_for_its_view(key: RSAPrivateKey) -> None:
    download = Download(headers(), key, hashed=False, limit=ByteLimit(in_place=True))
    download.write(sealed(b"plain", key))
    download.finish()
    first, second = (np.frombuffer(download.view(), np.uint8) for _ in range(2))
    assert first.ctypes.data == second.ctypes.data


@pytest.mark.parametrize("kind", [LargeMemory, EncryptedFile])
def test_a_file_for_which_there_is_too_little_memory_is_an_error_that_says_so(
    key: RSAPrivateKey, kind: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    def append(self: object, data: object) -> None:
        raise MemoryError

    monkeypatch.setattr(kind, "append", append)
    download = Download(headers(), key, hashed=False, limit=ByteLimit(in_place=kind is LargeMemory))
    with pytest.raises(ReadError, match=r"not enough memory to receive the file.*read_batches") as raised:
        download.write(sealed(b"plain" * 1_000, key))
    assert raised.value.__cause__ is None


def test_the_vendors_blobs_open(vector: Callable[[str], Any]) -> None:
    own = load_der_private_key(base64.b64decode(vector("keys")["contract_r"]), None)
    assert isinstance(own, RSAPrivateKey)
    for recorded in vector("read_blobs"):
        blob = base64.b64decode(recorded["blob_b64"])
        opening = Download({"x-metadata": recorded["x_metadata"]}, own, hashed=False)
        assert opened(opening, [blob]) == base64.b64decode(recorded["plaintext_b64"])


def test_the_leading_hash_of_the_older_api_is_checked_and_taken_off(key: RSAPrivateKey) -> None:
    plain = b"hello" * 100
    hashed = sealed(sha512(plain).digest() + plain, key)
    assert opened(Download(headers(), key, hashed=True), [hashed[:300], hashed[300:]]) == plain

    damaged = sealed(sha512(b"other").digest() + plain, key)
    with pytest.raises(SealedFileError, match="SHA-512"):
        opened(Download(headers(), key, hashed=True), [damaged])


@pytest.mark.parametrize("cut", [0, 100, 256, 272, 280, -1])
def test_a_file_that_was_cut_short_does_not_open(key: RSAPrivateKey, cut: int) -> None:
    with pytest.raises(SealedFileError):
        opened(Download(headers(), key, hashed=False), [sealed(b"hello" * 10, key)[:cut]])


def test_another_key_does_not_open_it(key: RSAPrivateKey) -> None:
    other = generate_private_key(public_exponent=65537, key_size=2048)
    with pytest.raises(SealedFileError):
        opened(Download(headers(), other, hashed=False), [sealed(b"hello", key)])


@pytest.mark.parametrize("compression", ["gzip", "brotli"])
@pytest.mark.parametrize("plain", [b"", b"this was never compressed", b"\x1f\x8b\x08"])
def test_what_is_not_compressed_as_it_says_is_refused(key: RSAPrivateKey, compression: str, plain: bytes) -> None:
    with pytest.raises(SealedFileError, match=r"(?i)valid " + compression):
        opened(Download(headers(compression), key, hashed=False), [sealed(plain, key)])


_COMPRESSORS: dict[str, Callable[[bytes], bytes]] = {"gzip": gzip.compress, "brotli": brotli.compress}


@pytest.mark.parametrize("compression", _COMPRESSORS)
@pytest.mark.slow
def test_a_few_bytes_that_stand_for_many_are_kept_in_bounded_pieces(
    key: RSAPrivateKey, compression: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    append = EncryptedFile.append

    def measured(self: EncryptedFile, data: bytes) -> None:
        sizes.append(len(data))
        append(self, data)

    monkeypatch.setattr(EncryptedFile, "append", measured)
    plain = bytes(32 << 20)
    assert (
        opened(Download(headers(compression), key, hashed=False), [sealed(_COMPRESSORS[compression](plain), key)])
        == plain
    )
    assert max(sizes) <= 4 << 20


@pytest.mark.parametrize("compression", [None, *_COMPRESSORS])
def test_more_bytes_than_a_file_may_have_are_not_kept(key: RSAPrivateKey, compression: str | None) -> None:
    plain = bytes(5 << 20)
    blob = sealed(plain if compression is None else _COMPRESSORS[compression](plain), key)
    download = Download(headers(compression), key, hashed=False, limit=ByteLimit.of(3 << 20))
    with pytest.raises(ReadError, match=r"more than 3,145,728 bytes.*max_bytes="):
        opened(download, [blob[start : start + 65_536] for start in range(0, len(blob), 65_536)])
    assert download.content.size <= 3 << 20
    assert opened(Download(headers(compression), key, hashed=False, limit=ByteLimit.of(5 << 20)), [blob]) == plain


def test_a_few_bytes_do_not_fill_the_disk_by_default(key: RSAPrivateKey) -> None:
    blob = sealed(brotli.compress(bytes(100 << 20), quality=1), key)
    download = Download(headers("brotli"), key, hashed=False)
    with pytest.raises(ReadError, match="over 1,000 times as many"):
        download.write(blob)
    assert download.content.size <= 64 << 20
    download.close()


def test_a_file_that_says_to_be_too_large_is_not_fetched(key: RSAPrivateKey) -> None:
    fields = headers() | {"content-length": str(5 << 20)}
    with pytest.raises(ReadError, match=r"has 5,242,880 bytes, and max_bytes is 1,000"):
        Download(fields, key, hashed=False, limit=ByteLimit.of(1_000))
    for odd in ("-1", "x", "\u0665", "9" * 5_000):
        Download(headers() | {"content-length": odd}, key, hashed=False).close()


def test_compressed_bytes_without_content_are_bounded_too(key: RSAPrivateKey) -> None:
    blob = sealed(gzip.compress(b"") * 150_000, key)
    with pytest.raises(ReadError, match="max_bytes"):
        opened(Download(headers("gzip"), key, hashed=False, limit=ByteLimit.of(1_000)), [blob])


def test_only_what_is_read_in_pieces_is_kept_on_disk(key: RSAPrivateKey, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_file() -> None:
        raise OSError

    monkeypatch.setattr("digime_pandas._service.crypto.encrypted_file.TemporaryFile", no_file)
    plain = bytes(9 << 20)
    blob = sealed(plain, key)

    assert opened(Download(headers(), key, hashed=False, limit=ByteLimit.of(None)), [blob]) == plain
    with pytest.raises(SpoolError):
        opened(Download(headers(), key, hashed=False, limit=ByteLimit.of(None, in_pieces=True)), [blob])
