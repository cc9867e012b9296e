"""What one file takes, of which the page on scale makes large numbers: ``python -m tests.benchmarks.scale``.

Everything is measured against a sandbox in this process. Bytes and requests are the same on any machine.
"""

from __future__ import annotations

import argparse
import pickle
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import dask.dataframe as dd
import httpx
import numpy as np
import pandas as pd
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP, PSS
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

import digime_pandas as digime
import digime_pandas.dask
from digime_pandas._service.authorization import ACCESSES
from digime_pandas.sandbox import Sandbox
from tests.clients import client_of

from .tables import show

PARTS = 200
PERSON = "person-0000001"
_CLAIMS = b"x" * 1_600  # about as long as what is signed for a file
_MIB = 1 << 20
_ROUND_FROM = 10
_FILE_SEGMENTS = 3  # query/session/file
_LONGEST_REPLY = 16 * _MIB
_EIGHT_MIB = b"\0" * 8 * _MIB


class _Counting(httpx.HTTPTransport):
    """The network, with its requests counted by kind, and the bytes of the latest answer of each."""

    def __init__(self) -> None:
        super().__init__()
        self.requests: Counter[str] = Counter()
        self.answered: dict[str, int] = {}

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path.removeprefix("/v1.7/").removeprefix("permission-access/").split("/")
        kind = f"{path[0]} file" if len(path) == _FILE_SEGMENTS else path[0]
        self.requests[f"{request.method} {kind}"] += 1
        response = super().handle_request(request)
        if kind == "query":
            self.answered[kind] = len(response.read())
        return response


def measure(parts: int, folder: Path) -> dict[str, tuple[float, str]]:
    """Return what is measured, with its unit, by name.

    Args:
        parts: How many files are written.
        folder: Where the journal and the tokens are.
    """
    network = _Counting()
    with Sandbox() as sandbox, client_of(sandbox, transport=network) as client:
        for access in ACCESSES:
            with client.begin_authorization(PERSON, access=access) as flow:
                flow.complete(sandbox.approve(flow.url))
        found = _writes(client, network, folder / "writes.journal", parts)
        found |= _dataset(client, network, parts)
        found |= _granting(client)
        found |= _stored(client, folder / "tokens")
    return found | _cryptography()


def _writes(client: digime.Client, network: _Counting, path: Path, parts: int) -> dict[str, tuple[float, str]]:
    descriptor = digime.FileDescriptor("text/csv", PERSON)
    authorization = client.authorization(PERSON)
    network.requests.clear()
    with digime.Journal(path) as journal:
        for number in range(parts):
            client.write(b"x", f"visits-{number:05d}.csv", descriptor, authorization, journal=journal)
    size = sum(each.stat().st_size for each in path.parent.glob(f"{path.name}*"))
    return {
        "requests to write a file": (network.requests.total() / parts, "requests"),
        "a write in a journal": (size / parts, "bytes"),
    }


def _dataset(client: digime.Client, network: _Counting, parts: int) -> dict[str, tuple[float, str]]:
    frame = pd.DataFrame({"n": np.arange(parts)})
    dd.from_pandas(frame, npartitions=parts).digime.write("events-*.parquet", PERSON, client=client)
    network.requests.clear()
    digime.read_frame("events-*.parquet", account_id=PERSON, client=client)
    read = network.requests.total()
    manifest = digime.read_file("events-manifest.parquet.json", account_id=PERSON, client=client)
    listed = len(client.files(PERSON))
    row = network.answered["query"] / listed
    return {
        "requests to read a file of a dataset": (read / (parts + 1), "requests"),
        "a file in a manifest": (len(manifest) / parts, "bytes"),
        "a file in a list of files": (row, "bytes"),
        "files in the longest list": (_LONGEST_REPLY / row, "files"),
    }


def _granting(client: digime.Client) -> dict[str, tuple[float, str]]:
    descriptor = digime.FileDescriptor("text/csv", PERSON)
    grant = partial(client.grant, "events-00000-of-10000.csv", descriptor, client.authorization(PERSON))
    return {"a grant": (len(pickle.dumps(grant())), "bytes"), "granting": (_seconds(grant, 200) * 1e3, "ms")}


def _stored(client: digime.Client, folder: Path) -> dict[str, tuple[float, str]]:
    store, authorization = digime.FileTokenStore(folder), client.authorization(PERSON)
    put = partial(store.put, client.base_url, client.contract.client_id, authorization)
    seconds = _seconds(put, 50)
    size = sum(each.stat().st_size for each in folder.rglob("*") if each.is_file())
    return {"a stored authorization": (size, "bytes"), "storing an authorization": (seconds * 1e3, "ms")}


def _cryptography() -> dict[str, tuple[float, str]]:
    key = rsa.generate_private_key(65537, 2048)
    digest = hashes.SHA512()
    padding = PSS(MGF1(digest), digest.digest_size)
    wrapping = OAEP(MGF1(hashes.SHA1()), hashes.SHA1(), None)  # as the protocol has it
    public = key.public_key()

    def encrypt() -> object:
        encryptor = Cipher(algorithms.AES(b"k" * 32), modes.CBC(b"i" * 16)).encryptor()
        return encryptor.update(_EIGHT_MIB)

    return {
        "a signature (PS512, 2048 bits)": (_seconds(lambda: key.sign(_CLAIMS, padding, digest), 200) * 1e3, "ms"),
        "a wrapped key (RSA-OAEP)": (_seconds(lambda: public.encrypt(b"k" * 32, wrapping), 200) * 1e3, "ms"),
        "AES-256-CBC": (len(_EIGHT_MIB) / _MIB / _seconds(encrypt, 5), "MiB/s"),
    }


def _seconds(task: Callable[[], object], times: int) -> float:
    """Return the seconds one call takes, the fastest of three rounds."""
    rounds = []
    for _ in range(3):
        started = time.perf_counter()
        for _ in range(times):
            task()
        rounds.append((time.perf_counter() - started) / times)
    return min(rounds)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.scale", description=__doc__)
    parser.add_argument("--parts", type=int, default=PARTS, help="files that are written")
    with TemporaryDirectory() as folder:
        found = measure(parser.parse_args().parts, Path(folder))
    rows = [
        (name, f"{value:,.2f}" if value < _ROUND_FROM else f"{value:,.0f}", unit)
        for name, (value, unit) in found.items()
    ]
    show("What one file takes", ["what", "measured", "unit"], rows)


if __name__ == "__main__":
    main()
