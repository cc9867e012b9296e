"""The first write of a process that has loaded pandas: ``python -m tests.benchmarks.cold.write WHO URL FORMAT``.

The keys, of contract and postbox, are read from the standard input as PEM. Prints the CPU seconds from the first import
after pandas to the answer. Nothing but pandas may be imported above.
"""

from __future__ import annotations

import sys
import time

import pandas as pd

_FAR_FUTURE = 4_000_000_000


def _ours(frame: pd.DataFrame, url: str, format: str, private_key: str, public_key: str) -> None:
    import digime_pandas as digime

    contract = digime.Contract("application", "contract", private_key)
    client = digime.Client(contract, base_url=url, tokens=digime.MemoryTokenStore())
    token = digime.Token("0" * 160, _FAR_FUTURE)
    authorization = digime.Authorization(
        account_id="p",
        access="write",
        user_access_token=digime.UserAccessToken(token, token),
        postbox=digime.Postbox("postbox", public_key),
    )
    digime.write(frame, f"bench.{format}", account_id="p", client=client, authorization=authorization)


def _httpx(frame: pd.DataFrame, url: str, format: str, private_key: str, public_key: str) -> None:
    import base64
    import json
    import os
    from io import BytesIO

    import httpx
    import jwt
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP
    from cryptography.hazmat.primitives.ciphers import Cipher
    from cryptography.hazmat.primitives.ciphers.algorithms import AES256
    from cryptography.hazmat.primitives.ciphers.modes import CBC
    from cryptography.hazmat.primitives.padding import PKCS7
    from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

    def encrypted(data: bytes) -> bytes:
        padder, encryptor = PKCS7(128).padder(), Cipher(AES256(key), CBC(iv)).encryptor()
        return encryptor.update(padder.update(data) + padder.finalize()) + encryptor.finalize()

    if format == "csv":
        data = frame.to_csv(index=False).encode()
    elif format == "parquet":
        data = frame.to_parquet()
    else:
        data = frame.to_json(orient="records", lines=format == "ndjson", date_format="iso").encode()
    key, iv = os.urandom(32), os.urandom(16)
    metadata = {"mimeType": "text/csv", "accounts": [{"accountId": "p"}], "reference": ["bench"], "tags": []}
    postbox = load_pem_public_key(public_key.encode())
    oaep = OAEP(MGF1(hashes.SHA1()), hashes.SHA1(), None)
    claims = {
        "client_id": "c",
        "nonce": os.urandom(16).hex(),
        "timestamp": int(time.time() * 1000),
        "access_token": "0" * 160,
        "iv": iv.hex(),
        "metadata": base64.b64encode(encrypted(json.dumps(metadata).encode())).decode(),
        "symmetrical_key": base64.b64encode(postbox.encrypt(key, oaep)).decode(),  # type: ignore[union-attr] # it is RSA
    }
    signed = jwt.encode(claims, load_pem_private_key(private_key.encode(), None), algorithm="PS512")  # type: ignore[arg-type] # as above
    with httpx.Client(base_url=url, trust_env=False) as client:
        files = {"file": ("bench", BytesIO(encrypted(data)), "application/octet-stream")}
        headers = {"Authorization": f"Bearer {signed}"}
        client.post("permission-access/postbox/p", files=files, headers=headers).raise_for_status()


def main() -> None:
    """Write, and print the seconds."""
    who, url, suffix = sys.argv[1:]
    private_key, _, public_key = sys.stdin.read().partition("\n\n")
    days = pd.to_datetime(["2026-01-05", "2026-02-11"] * 5)
    frame = pd.DataFrame({"day": days, "pulse": range(10), "temperature": [36.5] * 10, "ward": ["general"] * 10})
    started = time.process_time()
    {"ours": _ours, "httpx": _httpx}[who](frame, url, suffix, private_key, public_key)
    print(time.process_time() - started)


if __name__ == "__main__":
    main()
