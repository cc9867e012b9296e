"""Reading back: an encrypted file to a frame, beside what a user writes: decrypt in one go, then pandas.

Both begin with the bytes that were received, so that the network takes part in neither.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterator
from functools import partial
from io import BytesIO

import pandas as pd
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.padding import PKCS7

from digime_pandas._service.download import Download
from digime_pandas._service.received.byte_limit import ByteLimit
from digime_pandas._tabular.formats import FORMATS, Format
from digime_pandas._tabular.parse import parse, reads_in_place
from digime_pandas._tabular.serialize import inspect_frame

from .frames import FRAMES
from .tables import interleaved, show

READ_ROWS = {"sales": 600_000, "wide": 60_000, "text": 60_000}
_PIECE_BYTES = 256 << 10
_WRAPPED, _HEAD = 256, 272
_OAEP = OAEP(MGF1(hashes.SHA1()), hashes.SHA1(), None)
_HEADERS = {"x-metadata": base64.urlsafe_b64encode(json.dumps({"metadata": {}}).encode()).decode()}


def reading(shrink: int, runs: int) -> None:
    """Compare reading by this package with pandas' readers.

    Args:
        shrink: How many times fewer rows there are.
        runs: Interleaved runs of which the medians are shown.
    """
    key = generate_private_key(65537, 2048)

    def rows() -> Iterator[tuple[str, ...]]:
        for name, count in READ_ROWS.items():
            frame = FRAMES[name](count // shrink)
            for target in FORMATS.values():
                inspected = inspect_frame(frame, target)
                data = b"".join(bytes(chunk) for chunk in inspected.chunks())
                blob = _sealed(data, key)
                actions = {
                    "ours": partial(_ours, blob, key, target, inspected.schema, check=False),
                    "checked": partial(_ours, blob, key, target, inspected.schema, check=True),
                    "peer": partial(_peer, blob, key, target),
                }
                took = interleaved(actions, runs)
                ours, checked, peer = took["ours"], took["checked"], took["peer"]
                yield (
                    name,
                    target.name,
                    f"{len(data) / 1e6:.1f}",
                    f"{ours.wall:.3f}",
                    f"{peer.wall / ours.wall:.2f}",
                    f"{peer.cpu / ours.cpu:.2f}",
                    f"{peer.wall / checked.wall:.2f}",
                )

    header = ["frame", "format", "MB", "ours s", "x pandas", "CPU x pandas", "x pandas, with SHA-256"]
    show(f"Reading back: medians of {runs} interleaved runs", header, rows())


def _sealed(data: bytes, key: RSAPrivateKey) -> bytes:
    secret, iv = os.urandom(32), os.urandom(16)
    padder, encryptor = PKCS7(128).padder(), Cipher(AES256(secret), CBC(iv)).encryptor()
    padded = padder.update(data) + padder.finalize()
    return key.public_key().encrypt(secret, _OAEP) + iv + encryptor.update(padded) + encryptor.finalize()


def _ours(blob: bytes, key: RSAPrivateKey, format: Format, schema: str | None, *, check: bool) -> int:
    download = Download(_HEADERS, key, hashed=False, limit=ByteLimit(in_place=reads_in_place(format)))
    received = memoryview(blob)
    for start in range(0, len(received), _PIECE_BYTES):
        download.write(received[start : start + _PIECE_BYTES])
    download.finish()
    digest = download.begin_sha256() if check else None
    frame = parse(download.view(), format, schema, own=True)
    assert digest is None or digest()
    download.close()
    return len(frame)


def _peer(blob: bytes, key: RSAPrivateKey, format: Format) -> int:
    secret = key.decrypt(blob[:_WRAPPED], _OAEP)
    decryptor, unpadder = Cipher(AES256(secret), CBC(blob[_WRAPPED:_HEAD])).decryptor(), PKCS7(128).unpadder()
    padded = decryptor.update(blob[_HEAD:]) + decryptor.finalize()
    plain = BytesIO(unpadder.update(padded) + unpadder.finalize())
    if format.name == "csv":
        return len(pd.read_csv(plain))
    if format.name == "parquet":
        return len(pd.read_parquet(plain))
    return len(pd.read_json(plain, orient="records", lines=format.name == "ndjson"))
