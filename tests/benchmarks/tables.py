"""The measurements, each printed as a table of Markdown."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from itertools import groupby
from statistics import median

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from digime_pandas._service.crypto.envelope import encrypted_pieces
from digime_pandas._service.masking.secret import Secret
from digime_pandas._tabular.formats import FORMATS
from digime_pandas._tabular.frames.object_columns import describe_objects
from digime_pandas._tabular.frames.source import column_source_of
from digime_pandas._tabular.serialize import inspect_frame

from .contenders import Ours, Send
from .frames import Case, object_columns
from .memory.writes import extra_memory

_MIB = 1 << 20
_CORES = 2


@dataclass(frozen=True, slots=True)
class Took:
    """Medians of several runs."""

    wall: float
    cpu: float
    result: int


def interleaved(actions: Mapping[str, Callable[[], int]], runs: int) -> dict[str, Took]:
    """Run the actions in turns, so that what disturbs the machine disturbs all of them."""
    taken: dict[str, list[tuple[float, float, int]]] = {name: [] for name in actions}
    for _ in range(runs):
        for name, action in actions.items():
            wall, cpu = time.perf_counter(), time.process_time()
            result = action()
            taken[name].append((time.perf_counter() - wall, time.process_time() - cpu, result))
    return {
        name: Took(median(t[0] for t in times), median(t[1] for t in times), times[0][2])
        for name, times in taken.items()
    }


def show(title: str, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table, row by row as the rows come."""
    print(f"\n### {title}\n\n| {' | '.join(header)} |\n|{'---|' * len(header)}", flush=True)
    for row in rows:
        print(f"| {' | '.join(str(cell) for cell in row)} |", flush=True)


def writes(senders: Mapping[str, Send], base_url: str, cases: Iterable[Case], runs: int, *, memory: bool) -> None:
    """Compare whole writes: frame in, answer of the service out."""
    header = ["frame", "format", "protocol", "MB", "ours s", "x httpx", "x requests", "x engine", "CPU x httpx"]
    header += ["size / httpx", "/ slowest stage", "/ bound", "extra MiB", "httpx MiB"]
    show(f"Writes: medians of {runs} interleaved runs", header, _writes(senders, base_url, cases, runs, memory=memory))


def _writes(
    senders: Mapping[str, Send], base_url: str, cases: Iterable[Case], runs: int, *, memory: bool
) -> Iterator[Sequence[object]]:
    for (name, _), same in groupby(cases, lambda case: (case.frame, case.rows)):
        frame: pd.DataFrame | None = None
        for case in same:
            frame = case.make() if frame is None else frame
            took = interleaved({who: _sending(send, frame, case) for who, send in senders.items()}, runs)
            ours, peer = took["ours"], took["httpx"]
            stage = slowest_stage(frame, case, runs)
            extras = [f"{extra_memory(base_url, who, case):.0f}" if memory else "-" for who in ("ours", "httpx")]
            yield (
                name,
                case.format,
                case.protocol,
                f"{ours.result / 1e6:.1f}",
                f"{ours.wall:.3f}",
                *(f"{took[who].wall / ours.wall:.2f}" for who in ("httpx", "requests", "engine")),
                f"{peer.cpu / ours.cpu:.2f}",
                f"{ours.result / peer.result:.3f}",
                f"{ours.wall / stage:.2f}",
                f"{ours.wall / max(stage, ours.cpu / _CORES):.2f}",
                *extras,
            )


def slowest_stage(frame: pd.DataFrame, case: Case, runs: int) -> float:
    """Return the seconds of the step that takes longest when nothing runs beside it."""

    def serialize() -> int:
        return sum(len(chunk) for chunk in inspect_frame(frame, FORMATS[case.format]).chunks())

    steps = {"serialize": serialize}
    if case.protocol == "postbox":
        chunks = [bytes(chunk) for chunk in inspect_frame(frame, FORMATS[case.format]).chunks()]
        steps["encrypt"] = lambda: sum(
            len(piece) for piece in encrypted_pieces(chunks, key=Secret(bytes(32)), iv=Secret(bytes(16)))
        )
    return max(each.wall for each in interleaved(steps, runs).values())


def steps(ours: Ours, cases: Iterable[Case], runs: Callable[[Case], int]) -> None:
    """Show where the time of a write goes: each of its steps when nothing runs beside it, and the whole."""

    def rows() -> Iterator[Sequence[object]]:
        for case in cases:
            took = interleaved(_steps(ours, case), runs(case))
            yield case.frame, f"{case.rows:,}", case.format, *(f"{each.wall * 1e3:.2f}" for each in took.values())

    names = ["describe", "prepare", "serialize", "hash", "encrypt", "ready bytes", "whole write"]
    show("Steps, each alone, and the whole to a postbox, ms", ["frame", "rows", "format", *names], rows())


def _steps(ours: Ours, case: Case) -> dict[str, Callable[[], int]]:
    frame, target = case.make(), FORMATS[case.format]
    prepared = inspect_frame(frame, target)
    chunks = [bytes(chunk) for chunk in prepared.chunks()]
    data = bytearray(b"".join(chunks))

    def digest() -> int:
        found = sha256()
        for chunk in chunks:
            found.update(chunk)
        return found.digest_size

    def ready() -> int:
        ours.write_bytes(data, "import")
        return len(data)

    return {
        "describe": lambda: len(column_source_of(frame).columns),
        "prepare": lambda: len(inspect_frame(frame, target).columns),
        "serialize": lambda: sum(len(chunk) for chunk in prepared.chunks()),
        "hash": digest,
        "encrypt": lambda: sum(
            len(piece) for piece in encrypted_pieces(chunks, key=Secret(bytes(32)), iv=Secret(bytes(16)))
        ),
        "ready bytes": ready,
        "whole write": _sending(ours, frame, case),
    }


def _sending(send: Send, frame: pd.DataFrame, case: Case) -> Callable[[], int]:
    return lambda: send(frame, case.format, case.protocol)


def growth(send: Send, base_url: str, cases: Iterable[Case], runs: int) -> None:
    """Show that time grows with the rows and memory does not."""

    def rows() -> Iterator[Sequence[object]]:
        for case in cases:
            took = interleaved({"ours": _sending(send, case.make(), case)}, runs)["ours"]
            extra = extra_memory(base_url, "ours", case)
            yield (
                f"{case.rows:,}",
                case.format,
                f"{took.wall:.3f}",
                f"{took.wall / case.rows * 1e6:.2f}",
                f"{extra:.0f}",
            )

    show("Growth: sales rows to a postbox", ["rows", "format", "s", "µs a row", "extra MiB"], rows())


def latency(senders: Mapping[str, Send], cases: Iterable[Case], runs: int) -> None:
    """Compare writes so small that only what a write costs by itself counts; every connection is warm."""

    def rows() -> Iterator[Sequence[object]]:
        for case in cases:
            frame = case.make()
            actions = {who: _sending(send, frame, case) for who, send in senders.items()}
            interleaved(actions, 5)
            took = interleaved(actions, runs)
            yield case.rows, case.format, case.protocol, *(f"{took[who].wall * 1e3:.2f}" for who in senders)

    show("One small write, ms", ["rows", "format", "protocol", *senders], rows())


def ready_bytes(ours: Ours, size: int, runs: int) -> None:
    """Compare bytes that need no serializing with what openssl encrypts in memory on one core."""
    data = bytearray(os.urandom(_MIB)) * (size // _MIB)
    rates: dict[str, list[float]] = {"postbox": [], "import": []}
    limits = []
    for _ in range(runs):
        limits.append(openssl_rate())
        for protocol, measured in rates.items():
            started = time.perf_counter()
            ours.write_bytes(data, protocol)
            measured.append(size / (time.perf_counter() - started))
    limit = median(limits)
    show(
        f"Ready bytes: {size // _MIB} MiB",
        ["protocol", "GB/s", "/ openssl speed -evp aes-256-cbc"],
        [(name, f"{median(all_) / 1e9:.2f}", f"{median(all_) / limit:.2f}") for name, all_ in rates.items()],
    )


def objects(rows: int, runs: int) -> None:
    """Compare inspecting object columns, which includes comparing what comes back, with converting them alone."""

    def found() -> Iterator[Sequence[object]]:
        for name, column in object_columns(rows).items():
            values = column.to_numpy()
            actions: dict[str, Callable[[], int]] = {
                "inspect": partial(_inspected, values),
                "convert": partial(_converted, values),
            }
            inspect, convert = interleaved(actions, runs).values()
            yield name, f"{inspect.cpu * 1e3:.0f}", f"{convert.cpu * 1e3:.0f}", f"{inspect.cpu / convert.cpu:.1f}"

    show(f"Object columns of {rows:,} rows", ["values", "inspect, CPU ms", "pa.array, CPU ms", "ratio"], found())


def _inspected(values: npt.NDArray[np.object_]) -> int:
    return len(describe_objects("x", values).findings)


def _converted(values: npt.NDArray[np.object_]) -> int:
    return len(pa.array(values, from_pandas=True))


def openssl_rate() -> float:
    """Return the bytes a second that openssl encrypts with AES-256-CBC in pieces of 1 MiB."""
    command = ["openssl", "speed", "-elapsed", "-seconds", "1", "-bytes", str(_MIB), "-evp", "aes-256-cbc"]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found = re.search(r"^AES-256-CBC\s+([\d.]+)k", output, re.IGNORECASE | re.MULTILINE)
    assert found is not None, output
    return float(found[1]) * 1e3


def imports(runs: int) -> None:
    """Show what the import adds to that of pandas and pyarrow, and what the first use of a function loads then."""
    statements = {
        "pandas and pyarrow": "import pandas, pyarrow",
        "and digime_pandas": "import pandas, pyarrow, digime_pandas",
        "and all that a write needs": "import pandas, pyarrow, digime_pandas; digime_pandas.write",
    }
    actions = {name: _python(statement) for name, statement in statements.items()}
    interleaved(actions, 1)
    took = [each.wall * 1e3 for each in interleaved(actions, runs).values()]
    rows = [(name, f"{wall:.0f}", f"{wall - took[0]:.0f}") for name, wall in zip(statements, took, strict=True)]
    show("Import", ["what", "ms", "added ms"], rows)


def _python(statement: str) -> Callable[[], int]:
    # With bytecode kept, as after any first run, even where the environment says not to write it.
    env = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}
    return lambda: subprocess.run([sys.executable, "-c", statement], check=True, env=env).returncode
