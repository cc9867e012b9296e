"""What the first write of a fresh process costs beside a write without this package."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from tests.benchmarks.contenders import Keys
from tests.benchmarks.tables import show

_ROOT = Path(__file__).parents[3]
_WHO = ("ours", "httpx")


def first_writes(base_url: str, formats: Sequence[str], runs: int) -> None:
    """Show the CPU time from the first import after pandas to the answer; ten rows, key and postbox as PEM.

    Args:
        base_url: Of a sink.
        formats: What is written.
        runs: Processes of each contender, in turns.
    """
    pems = pem_of(Keys())

    def rows() -> Iterator[Sequence[object]]:
        for suffix in formats:
            took = {who: [_first(who, base_url, suffix, pems)] for who in _WHO}  # which leaves bytecode behind
            for _ in range(runs):
                for who in _WHO:
                    took[who].append(_first(who, base_url, suffix, pems))
            ours, peer = (median(took[who][1:]) for who in _WHO)
            yield suffix, f"{ours:.0f}", f"{peer:.0f}", f"{peer / ours:.2f}"

    title = f"First write of a process that has loaded pandas, to a postbox: medians of {runs}, CPU ms"
    show(title, ["format", "ours", "httpx", "x httpx"], rows())


def pem_of(keys: Keys) -> str:
    """Return both keys as PEM, with an empty line between them."""
    private = keys.contract.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()
    return f"{private}\n{keys.postbox.public_bytes(Encoding.PEM, PublicFormat.PKCS1).decode()}"


def _first(who: str, base_url: str, format: str, pems: str) -> float:
    command = [sys.executable, "-m", "tests.benchmarks.cold.write", who, base_url, format]
    # With bytecode kept, as after any first run, even where the environment says not to write it.
    env = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=_ROOT, env=env, input=pems)
    return float(done.stdout) * 1e3
