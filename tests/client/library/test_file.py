from __future__ import annotations

import gzip
import secrets
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256, sha512
from pathlib import Path
from typing import Any

import brotli
import pandas as pd
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from digime_pandas._client.library.file import LibraryFile, library_file
from digime_pandas._client.library.limits import ReadLimits
from digime_pandas._service import download
from digime_pandas._service.crypto.envelope import encrypt_bytes, wrap_key
from digime_pandas._service.download import Download
from digime_pandas._service.masking.secret import Secret
from digime_pandas._service.received.byte_limit import ByteLimit
from digime_pandas.errors import DigestMismatchError, FormatError, InputError, ReadError, ReplyError, SealedFileError

KEY, IV = Secret(bytes(32)), Secret(bytes(16))
PLAIN = secrets.token_bytes(5000) * 500
CSV = b"day,pulse\r\n2026-01-05,61\r\n"


@pytest.fixture(scope="module")
def key(vendor_keys: dict[str, RSAPrivateKey]) -> RSAPrivateKey:
    return vendor_keys["contract_r"]


@pytest.fixture(scope="module")
def sealed(key: RSAPrivateKey) -> Callable[[bytes], bytes]:
    head = wrap_key(KEY, key.public_key()) + IV.reveal()
    return lambda plain: head + encrypt_bytes(plain, key=KEY, iv=IV)


def headers(document: bytes = b'{"metadata":{}}') -> dict[str, str]:
    return {"x-metadata": urlsafe_b64encode(document).decode()}


def compressed(name: str) -> dict[str, str]:
    return headers(f'{{"compression":"{name}","metadata":{{}}}}'.encode())


def opened(
    key: RSAPrivateKey, fields: dict[str, str], blob: bytes, *, step: int = 1 << 16, hashed: bool = False
) -> Download:
    opening = Download(fields, key, hashed=hashed)
    for start in range(0, len(blob), step):
        opening.write(blob[start : start + step])
    opening.finish()
    return opening


class TestOpening:
    def test_the_vendors_files_open_to_what_they_were(self, vector: Callable[[str], Any], key: RSAPrivateKey) -> None:
        for recorded in vector("read_blobs"):
            for step in (1, 7, 16, 271, 272, 273, 10**6):
                blob = b64decode(recorded["blob_b64"])
                opening = opened(key, {"x-metadata": recorded["x_metadata"]}, blob, step=step)
                plain = b64decode(recorded["plaintext_b64"])
                assert (opening.read(), opening.sha256) == (plain, sha256(plain).hexdigest())
                opening.close()

    @pytest.mark.parametrize(
        ("name", "compress"),
        [
            ("gzip", gzip.compress),
            ("brotli", lambda data: brotli.compress(data, quality=1)),
            ("no-compression", bytes),
            ("zstd", bytes),
        ],
    )
    def test_a_large_file_is_decompressed_where_it_says_so(
        self, key: RSAPrivateKey, sealed: Callable[[bytes], bytes], name: str, compress: Callable[[bytes], bytes]
    ) -> None:
        opening = opened(key, compressed(name), sealed(compress(PLAIN)))
        assert opening.read() == PLAIN
        opening.close()

    def test_a_gzip_file_of_several_parts_is_read_to_its_end(
        self, key: RSAPrivateKey, sealed: Callable[[bytes], bytes]
    ) -> None:
        parts = sealed(gzip.compress(b"one,") + gzip.compress(b"two,") + gzip.compress(b"three") + bytes(40))
        for step in (1, 20, 24, 1 << 16):
            opening = opened(key, compressed("gzip"), parts, step=step)
            assert opening.read() == b"one,two,three"
            opening.close()

    @pytest.mark.parametrize("name", ["gzip", "brotli"])
    @pytest.mark.parametrize("damage", ["cut", "garbage", "empty"])
    def test_a_broken_compression_is_an_error(
        self, key: RSAPrivateKey, sealed: Callable[[bytes], bytes], name: str, damage: str
    ) -> None:
        whole = gzip.compress(PLAIN) if name == "gzip" else brotli.compress(PLAIN, quality=1)
        content = {"cut": whole[:-20], "garbage": b"no such thing" * 100, "empty": b""}[damage]
        with pytest.raises(SealedFileError, match="is not valid"):
            opened(key, compressed(name), sealed(content))

    @pytest.mark.parametrize("step", [1, 63, 64, 65, 1 << 16])
    def test_the_leading_hash_of_older_services_is_checked_and_taken_off(
        self, key: RSAPrivateKey, sealed: Callable[[bytes], bytes], step: int
    ) -> None:
        plain = PLAIN[:1000]
        blob = sealed(sha512(plain).digest() + plain)
        opening = opened(key, headers(), blob, step=step, hashed=True)
        assert opening.read() == plain
        opening.close()
        for damaged in (sha512(plain).digest() + plain[:-1], sha512(plain).digest()[:40], b""):
            with pytest.raises(SealedFileError):
                opened(key, headers(), sealed(damaged), step=step, hashed=True)

    def test_a_blob_that_is_no_blob_is_an_error(
        self, vendor_keys: dict[str, RSAPrivateKey], key: RSAPrivateKey, sealed: Callable[[bytes], bytes]
    ) -> None:
        blob = sealed(b"x" * 40)
        for damaged in (b"", blob[:100], blob[:272], blob[:-1], blob + b"\0", bytes(256) + blob[256:]):
            for step in (13, 1 << 16):
                with pytest.raises(SealedFileError):
                    opened(key, headers(), damaged, step=step)
        with pytest.raises(SealedFileError):
            opened(vendor_keys["contract_w"], headers(), blob)

    def test_a_file_without_metadata_is_an_error(self, key: RSAPrivateKey) -> None:
        with pytest.raises(ReplyError, match="X-Metadata"):
            Download({}, key, hashed=False)


class Fetched(Download):
    """What was fetched, without a service; knows whether it was closed."""

    def __init__(self, key: RSAPrivateKey, content: bytes) -> None:
        super().__init__(headers(), key, hashed=False)
        self._keep(content)
        self.closed = False

    def close(self) -> None:
        self.closed = True
        super().close()


class TestFile:
    @pytest.fixture
    def fetched(self) -> list[Fetched]:
        return []

    @pytest.fixture
    def file(self, key: RSAPrivateKey, fetched: list[Fetched]) -> LibraryFile:
        def fetch(limit: ByteLimit) -> Fetched:
            assert limit.most > 0
            fetched.append(Fetched(key, CSV))
            return fetched[-1]

        metadata = {
            "mimetype": "text/csv",
            "accounts": [{"accountid": "p"}, {"other": 1}, 5],
            "reference": ["visits.csv", "urn:uuid:1", 5],
            "tags": ["t"],
            "contractid": "c",
            "created": 5,
        }
        return library_file("file-1", 1_700_000_000_123, metadata, fetch)

    def test_what_the_service_says_is_read_whatever_else_it_says(self, file: LibraryFile) -> None:
        assert (file.name, file.file_id, file.mime_type) == ("visits.csv", "file-1", "text/csv")
        assert (file.accounts, file.reference, file.tags) == (("p",), ("visits.csv", "urn:uuid:1"), ("t",))
        assert file.write_id == "urn:uuid:1"
        assert file.contract_id == "c"
        assert file.schema is None
        assert file.updated == datetime(2023, 11, 14, 22, 13, 20, 123000, UTC)

    @pytest.mark.parametrize(
        "metadata", [{}, {"accounts": None, "reference": "x", "tags": {}, "contractid": 5}, {"accounts": ["p"]}]
    )
    def test_what_it_does_not_say_is_empty(self, file: LibraryFile, metadata: dict[str, Any]) -> None:
        bare = library_file("file-1", 0, metadata, file.fetch)
        assert (bare.name, bare.mime_type) == ("file-1", "application/octet-stream")
        assert (bare.accounts, bare.reference, bare.tags, bare.write_id) == ((), (), (), None)
        assert bare.contract_id is None

    def test_its_bytes_are_read_and_compared(self, file: LibraryFile, fetched: list[Fetched]) -> None:
        assert file.read() == CSV
        assert file.read(sha256=f" {sha256(CSV).hexdigest().upper()}\n") == CSV
        with pytest.raises(DigestMismatchError, match=r"visits\.csv"):
            file.read(sha256="0" * 64)
        assert [each.closed for each in fetched] == [True] * 3

    @pytest.mark.parametrize("small_bytes", [0, 1 << 20], ids=["large", "small"])
    def test_a_frame_is_made_while_its_bytes_are_compared(
        self, file: LibraryFile, fetched: list[Fetched], small_bytes: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(download, "SMALL_BYTES", small_bytes)
        pd.testing.assert_frame_equal(file.to_frame(sha256=sha256(CSV).hexdigest()), file.to_frame())
        # An error that the bytes may be the reason of is not shown in the place of that they are others.
        for columns in (None, ["none of these"]):
            with pytest.raises(DigestMismatchError, match=r"visits\.csv") as caught:
                file.to_frame(sha256="0" * 64, columns=columns)
            assert caught.value.__cause__ is None
            assert caught.value.__suppress_context__
        with pytest.raises(InputError, match="none of these"):
            file.to_frame(sha256=sha256(CSV).hexdigest(), columns=["none of these"])
        assert [each.closed for each in fetched] == [True] * 5

    @pytest.mark.parametrize("digest", ["", "0" * 63, "g" * 64, "ü" * 64, 17, b"0" * 64])
    def test_a_digest_that_is_none_is_refused_before_anything_is_fetched(
        self, file: LibraryFile, fetched: list[Fetched], digest: Any
    ) -> None:
        with pytest.raises(InputError, match="sha256"):
            file.read(sha256=digest)
        assert fetched == []

    def test_it_comes_as_a_frame(self, file: LibraryFile, fetched: list[Fetched]) -> None:
        assert file.to_frame()["pulse"].tolist() == [61]
        assert file.to_frame(columns=["pulse"], limit=0).shape == (0, 1)
        assert pd.concat(file.read_batches(batch_rows=1)).shape == (1, 2)
        assert all(each.closed for each in fetched)

    def test_what_is_no_table_is_read_as_bytes_only(self, file: LibraryFile, fetched: list[Fetched]) -> None:
        picture = replace(file, name="scan.png", mime_type="image/png")
        calls: list[Callable[[], object]] = [picture.to_frame, lambda: next(picture.read_batches())]
        for call in calls:
            with pytest.raises(FormatError, match=r"scan\.png.*image/png.*\.read\(\)"):
                call()
        assert fetched == []
        assert picture.read() == CSV

    def test_how_much_is_read_is_said_by_arguments_or_by_the_file(
        self, file: LibraryFile, fetched: list[Fetched]
    ) -> None:
        limits: list[int] = []

        def fetch(limit: ByteLimit) -> Download:
            limits.append(limit.most)
            return file.fetch(limit)

        asked = replace(file, fetch=fetch, limits=ReadLimits(max_bytes=1_000))
        asked.read()
        asked.read(max_bytes=50)
        asked.to_frame(max_bytes=60)
        list(asked.read_batches(max_bytes=70))
        replace(asked, limits=ReadLimits()).read()
        list(replace(asked, limits=ReadLimits()).read_batches())
        assert limits == [1_000, 50, 60, 70, 2 << 30, 16 << 30]
        assert all(each.closed for each in fetched)

    def test_more_rows_than_are_asked_for_are_an_error(self, file: LibraryFile, key: RSAPrivateKey) -> None:
        long = replace(file, fetch=lambda _: Fetched(key, CSV + b"2026-01-06,62\r\n"))
        assert len(long.to_frame(max_rows=2)) == len(long.to_frame(limit=1, max_rows=1)) + 1
        for call in (
            lambda: long.to_frame(max_rows=1),
            lambda: long.to_frame(limit=2, max_rows=1),
            lambda: list(long.read_batches(max_rows=1)),
            lambda: replace(long, limits=ReadLimits(max_rows=1)).to_frame(),
        ):
            with pytest.raises(ReadError, match="max_rows is 1"):
                call()

    @pytest.mark.parametrize("name", ["max_bytes", "max_rows"])
    def test_a_limit_that_is_none_is_refused_before_anything_is_fetched(
        self, file: LibraryFile, fetched: list[Fetched], name: str
    ) -> None:
        wrong: dict[str, Any] = {name: 0}
        calls: list[Callable[[], object]] = [lambda: file.to_frame(**wrong), lambda: next(file.read_batches(**wrong))]
        for call in calls:
            with pytest.raises(InputError, match=name):
                call()
        assert fetched == []

    def test_it_is_saved_whole_or_not_at_all(self, file: LibraryFile, fetched: list[Fetched], tmp_path: Path) -> None:
        target = tmp_path / "copy.csv"
        target.write_bytes(b"old")
        with pytest.raises(DigestMismatchError):
            file.save(target, sha256="0" * 64)
        assert target.read_bytes() == b"old"
        assert file.save(str(target), sha256=sha256(CSV).hexdigest()) == target
        assert target.read_bytes() == CSV
        for wrong in (tmp_path / "none" / "copy.csv", tmp_path):
            with pytest.raises(InputError, match="cannot be written"):
                file.save(wrong)
        assert [each.name for each in tmp_path.iterdir()] == ["copy.csv"]
        assert all(each.closed for each in fetched)

    @pytest.mark.parametrize("path", ["", "a\0b", None, 5, b"copy.csv"], ids=repr)
    def test_what_is_no_path_is_refused_before_anything_is_fetched(
        self, file: LibraryFile, fetched: list[Fetched], path: Any
    ) -> None:
        with pytest.raises(InputError, match="path is"):
            file.save(path)
        assert fetched == []

    def test_what_others_say_of_it_is_shown_as_escapes(self, file: LibraryFile) -> None:
        odd = {"mimetype": "a\x1b[2J", "reference": ["\ud800\x1b]0;x\x07"], "tags": ["\udfff"], "contractid": "\ud800"}
        shown = library_file("f", 0, odd, file.fetch)
        assert (shown.name, shown.tags, shown.contract_id) == ("\\ud800\x1b]0;x\x07", ("\\udfff",), "\\ud800")
        with pytest.raises(FormatError) as caught:
            shown.to_frame()
        assert "\x1b" not in f"{shown!r}{caught.value}"

    def test_it_prints_without_the_way_to_fetch_it(self, file: LibraryFile) -> None:
        assert "fetch" not in repr(file)
        assert "visits.csv" in repr(file)
        assert "contract_id='c'" in repr(file)
