"""The commands ``demo`` and ``sandbox``, which need no account."""

from __future__ import annotations

import argparse
import importlib
import shlex
import signal
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from digime_pandas._client.command_line.failures import DONE, FAILED
from digime_pandas._client.command_line.output import print_json
from digime_pandas._client.connect import connect
from digime_pandas._client.demo import deliver_all, introduction, summary
from digime_pandas._service.contract import Contract

_STOP_SECONDS = 0.5


def add_trial_commands(commands: Any, shared: list[argparse.ArgumentParser]) -> None:
    """Add the commands.

    Args:
        commands: What `add_subparsers` returned.
        shared: Parents of every command.
    """
    demo = commands.add_parser(
        "demo", parents=shared, help="write a real table in all formats into a sandbox and read it back: start here"
    )
    demo.set_defaults(run=_demo)

    sandbox = commands.add_parser("sandbox", parents=shared, help="run a sandbox digi.me until Ctrl-C")
    sandbox.add_argument("--port", type=int, default=0, help="TCP port (default: that of --data-dir, else a free one)")
    sandbox.add_argument(
        "--data-dir", type=Path, help="folder that keeps keys, people, files and the port (default: temporary)"
    )
    protocol = sandbox.add_mutually_exclusive_group()
    protocol.add_argument("--postbox", action="store_true", default=True, help="consents bring a postbox (default)")
    protocol.add_argument("--import", dest="postbox", action="store_false", help="consents bring none: direct import")
    sandbox.set_defaults(run=_sandbox)


def _demo(arguments: argparse.Namespace) -> int:
    with connect("sandbox") as client:
        if not arguments.json:
            print(introduction(client), flush=True)
        deliveries = list(deliver_all(client))
    if arguments.json:
        print_json([asdict(each) for each in deliveries])
    else:
        print(summary(deliveries))
    return FAILED if any(each.difference is not None for each in deliveries) else DONE


def _sandbox(arguments: argparse.Namespace) -> int:
    # By name: the server is an optional part, and the other commands work without it.
    sandbox_type = importlib.import_module("digime_pandas.sandbox").Sandbox
    with ExitStack() as resources:
        stop = resources.enter_context(_stopped_by_signals())
        data_dir = arguments.data_dir or Path(resources.enter_context(TemporaryDirectory(prefix="digime-sandbox-")))
        sandbox = resources.enter_context(sandbox_type(data_dir, port=arguments.port, postbox=arguments.postbox))
        folder = data_dir.expanduser().resolve()
        if arguments.json:
            print_json(
                {"origin": sandbox.origin, "data_dir": folder, "environment": sandbox_variables(sandbox, folder)}
            )
        else:
            print(environment_exports(sandbox, folder))
        sys.stdout.flush()
        # In slices, since not every system interrupts a wait.
        while not stop.wait(_STOP_SECONDS):
            pass
    print("Stopped.", file=sys.stderr)
    return DONE


@contextmanager
def _stopped_by_signals() -> Iterator[threading.Event]:
    """Let Ctrl-C, and being ended, set an event, within a ``with`` block."""
    stop = threading.Event()
    before = {number: signal.signal(number, lambda *_: stop.set()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def environment_exports(sandbox: Any, data_dir: Path) -> str:
    """Return what to paste into another terminal. The keys are named by their files and never shown."""
    variables = sandbox_variables(sandbox, data_dir).items()
    exports = "\n".join(f"export {name}={shlex.quote(value)}" for name, value in variables)
    return (
        f"# A sandbox digi.me runs at {sandbox.origin} until Ctrl-C. Its files are in {data_dir}.\n"
        f"# Paste this into another terminal; connect() and this command line use it from there:\n{exports}"
    )


def sandbox_variables(sandbox: Any, data_dir: Path) -> Mapping[str, str]:
    """Return the environment variables that lead to a sandbox."""
    contracts: dict[str, Contract] = {"": sandbox.contract, "READ_": sandbox.read_contract}
    keys = {"": data_dir / "keys" / "write.pem", "READ_": data_dir / "keys" / "read.pem"}
    variables = {"DIGIME_BASE_URL": sandbox.base_url, "DIGIME_ONBOARD_URL": sandbox.onboard_url}
    for prefix, contract in contracts.items():
        variables[f"DIGIME_{prefix}APPLICATION_ID"] = contract.application_id
        variables[f"DIGIME_{prefix}CONTRACT_ID"] = contract.contract_id
        variables[f"DIGIME_{prefix}PRIVATE_KEY_FILE"] = str(keys[prefix])
    return variables
