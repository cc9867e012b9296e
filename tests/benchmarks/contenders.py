"""Who is measured: this package by its public function, and what people write without it."""

from __future__ import annotations

import base64
import json
import os
import time
import warnings
from collections.abc import Callable, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import jwt
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import requests
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey, generate_private_key
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.padding import PKCS7
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

import digime_pandas as digime

Send = Callable[[Any, str, str], int]
"""Sends a frame in a format by a protocol; returns how many bytes of body arrived."""

FORMATS = ("csv", "ndjson", "json", "parquet")
PROTOCOLS = ("postbox", "import")
_FAR_FUTURE = 4_000_000_000
_METADATA = {"mimeType": "text/csv", "accounts": [{"accountId": "p"}], "reference": ["bench"], "tags": []}


class Keys:
    """The keys all contenders use, made once."""

    def __init__(self) -> None:
        self.contract: RSAPrivateKey = generate_private_key(65537, 2048)
        self.postbox: RSAPublicKey = generate_private_key(65537, 2048).public_key()


def contenders(base_url: str, keys: Keys) -> Mapping[str, Send]:
    """Return the contenders by name; each keeps its connection and its keys, as a careful user would."""
    by_httpx, by_requests = _HttpxPost(base_url), _RequestsPost(base_url)
    return {
        "ours": Ours(base_url, keys),
        "httpx": _Peer(_with_pandas, by_httpx, keys),
        "requests": _Peer(_with_pandas, by_requests, keys),
        "engine": _Peer(_with_engine, by_httpx, keys),
    }


class Ours:
    """This package, by its public functions.

    Args:
        base_url: Of what receives the files.
        keys: The contract's and the postbox's.
        ca: The file of the certificate to trust.
    """

    def __init__(self, base_url: str, keys: Keys, *, ca: Path | None = None) -> None:
        contract = digime.Contract("application", "contract", keys.contract)
        self._client = digime.Client(contract, base_url=base_url, tokens=digime.MemoryTokenStore(), ca=ca)
        token = digime.Token("0" * 160, _FAR_FUTURE)
        public_key = keys.postbox.public_bytes(Encoding.PEM, PublicFormat.PKCS1).decode()
        postboxes = {"postbox": digime.Postbox("postbox", public_key), "import": None}
        self._authorizations = {
            protocol: digime.Authorization(
                account_id="p",
                access="write",
                user_access_token=digime.UserAccessToken(token, token),
                postbox=postbox,
            )
            for protocol, postbox in postboxes.items()
        }

    def __call__(self, frame: object, format: str, protocol: str) -> int:
        return self.write_watched(frame, format, protocol, False)

    def write_watched(self, frame: object, format: str, protocol: str, progress: object) -> int:
        """Write a frame, with a progress; return the bytes of its file."""
        with warnings.catch_warnings(action="ignore"):
            return digime.write(
                frame,
                f"bench.{format}",
                account_id="p",
                client=self._client,
                authorization=self._authorizations[protocol],
                progress=progress,
            ).size

    def write_bytes(self, data: bytearray, protocol: str) -> None:
        """Send bytes that are there already."""
        descriptor = digime.FileDescriptor("application/octet-stream", "p")
        self._client.write(data, "bench.bin", descriptor, self._authorizations[protocol])


class _Peer:
    """Serialize into memory, encrypt in one go, post."""

    def __init__(self, serialize: Callable[[pd.DataFrame, str], bytes], post: Any, keys: Keys) -> None:
        self._serialize = serialize
        self._post = post
        self._keys = keys

    def __call__(self, frame: pd.DataFrame, format: str, protocol: str) -> int:
        data = self._serialize(frame, format)
        if protocol == "import":
            self._post.plain(data, {**self._signed(), "FileDescriptor": self._sign({"metadata": _METADATA})})
            return len(data)
        key, iv = os.urandom(32), os.urandom(16)
        sealed = _encrypt(data, key, iv)
        oaep = OAEP(MGF1(hashes.SHA1()), hashes.SHA1(), None)
        headers = self._signed(
            iv=iv.hex(),
            metadata=base64.b64encode(_encrypt(json.dumps(_METADATA).encode(), key, iv)).decode(),
            symmetrical_key=base64.b64encode(self._keys.postbox.encrypt(key, oaep)).decode(),
        )
        self._post.multipart(sealed, headers)
        return len(data)

    def _signed(self, **claims: str) -> dict[str, str]:
        common = {"client_id": "c", "nonce": os.urandom(16).hex(), "timestamp": int(time.time() * 1000)}
        return {"Authorization": "Bearer " + self._sign({**common, "access_token": "0" * 160, **claims})}

    def _sign(self, claims: dict[str, Any]) -> str:
        return jwt.encode(claims, self._keys.contract, algorithm="PS512")


class _HttpxPost:
    def __init__(self, base_url: str) -> None:
        self._client = httpx.Client(base_url=base_url, timeout=600, trust_env=False)

    def plain(self, data: bytes, headers: dict[str, str]) -> None:
        self._client.post("permission-access/import", content=BytesIO(data), headers=headers).raise_for_status()

    def multipart(self, data: bytes, headers: dict[str, str]) -> None:
        files = {"file": ("bench", BytesIO(data), "application/octet-stream")}
        self._client.post("permission-access/postbox/p", files=files, headers=headers).raise_for_status()


class _RequestsPost:
    def __init__(self, base_url: str) -> None:
        self._base_url = base_url
        self._session = requests.Session()
        self._session.trust_env = False

    def plain(self, data: bytes, headers: dict[str, str]) -> None:
        url = self._base_url + "permission-access/import"
        self._session.post(url, data=BytesIO(data), headers=headers, timeout=600).raise_for_status()

    def multipart(self, data: bytes, headers: dict[str, str]) -> None:
        url = self._base_url + "permission-access/postbox/p"
        files = {"file": ("bench", BytesIO(data), "application/octet-stream")}
        self._session.post(url, files=files, headers=headers, timeout=600).raise_for_status()


def _encrypt(data: bytes, key: bytes, iv: bytes) -> bytes:
    padder = PKCS7(128).padder()
    encryptor = Cipher(AES256(key), CBC(iv)).encryptor()
    return encryptor.update(padder.update(data) + padder.finalize()) + encryptor.finalize()


def _with_pandas(frame: pd.DataFrame, format: str) -> bytes:
    if format == "csv":
        return frame.to_csv(index=False).encode()
    if format == "parquet":
        return frame.to_parquet()
    return frame.to_json(orient="records", lines=format == "ndjson", date_format="iso").encode()


def _with_engine(frame: pd.DataFrame, format: str) -> bytes:
    """Use the engine this package uses, the way its own manual shows it."""
    buffer = BytesIO()
    if format == "parquet":
        pq.write_table(pa.Table.from_pandas(frame), buffer)
    elif format == "csv":
        pl.from_pandas(frame).write_csv(buffer)
    elif format == "ndjson":
        pl.from_pandas(frame).write_ndjson(buffer)
    else:
        pl.from_pandas(frame).write_json(buffer)
    return buffer.getvalue()
