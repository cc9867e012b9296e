"""The command line: ``python -m digime_pandas``, also installed as ``digime-pandas``.

``demo`` and ``sandbox`` need nothing but the package. The other commands use the contract of the ``DIGIME_*``
variables, as ``connect()`` does.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import shlex
import signal
import sys
import threading
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd

from digime_pandas._client.arguments import WriteArguments
from digime_pandas._client.connect import connect
from digime_pandas._client.consent.authorize import authorize
from digime_pandas._client.demo import deliver_all, introduction, summary
from digime_pandas._client.read import read_file
from digime_pandas._client.write_plan import check_write_request
from digime_pandas._service.authorization import ACCESSES
from digime_pandas._service.contract import Contract
from digime_pandas._tabular.formats import FORMATS
from digime_pandas._version import __version__
from digime_pandas.errors import AuthorizationExpiredError, DigimeError, InputError, NotAuthorizedError

_FAILED = 1
_INTERRUPTED = 130  # what a shell reports for a program that Ctrl-C ended
_STOP_SECONDS = 0.5


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        argv: The arguments. Default: those of the process.

    Returns:
        The exit status: 0 done, 1 failed (standard error says why), 130 interrupted. Wrong usage exits with 2.
    """
    arguments = _parser().parse_args(argv)
    try:
        status: int = arguments.run(arguments)
        sys.stdout.flush()
    except DigimeError as error:
        print(f"digime-pandas: {_error_text(error, arguments)}", file=sys.stderr)
        return _FAILED
    except BrokenPipeError:
        # The program that read the output has ended; the interpreter's flush at exit must not fail for it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _FAILED
    except OSError as error:
        print(f"digime-pandas: {error.filename or 'the file system'}: {error.strerror or error}", file=sys.stderr)
        return _FAILED
    except KeyboardInterrupt:
        print("digime-pandas: interrupted", file=sys.stderr)
        return _INTERRUPTED
    return status


def _demo(arguments: argparse.Namespace) -> int:
    with connect("sandbox") as client:
        if not arguments.json:
            print(introduction(client), flush=True)
        deliveries = list(deliver_all(client))
    print(json.dumps([asdict(each) for each in deliveries], indent=2) if arguments.json else summary(deliveries))
    return _FAILED if any(each.difference is not None for each in deliveries) else 0


def _sandbox(arguments: argparse.Namespace) -> int:
    # By name: the server is an optional part, and the other commands work without it.
    sandbox_type = importlib.import_module("digime_pandas.sandbox").Sandbox
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with ExitStack() as resources:
        data_dir = arguments.data_dir or Path(resources.enter_context(TemporaryDirectory(prefix="digime-sandbox-")))
        sandbox = resources.enter_context(sandbox_type(data_dir, port=arguments.port, postbox=arguments.postbox))
        print(_environment_exports(sandbox, Path(data_dir).expanduser().resolve()), flush=True)
        # In slices, since not every system interrupts a wait.
        while not stop.wait(_STOP_SECONDS):
            pass
    print("Stopped.", file=sys.stderr)
    return 0


def _environment_exports(sandbox: Any, data_dir: Path) -> str:
    """Return what to paste into another terminal. The keys are named by their files and never shown."""
    contracts: dict[str, Contract] = {"": sandbox.contract, "READ_": sandbox.read_contract}
    keys = {"": data_dir / "keys" / "write.pem", "READ_": data_dir / "keys" / "read.pem"}
    variables = {"DIGIME_BASE_URL": sandbox.base_url, "DIGIME_ONBOARD_URL": sandbox.onboard_url}
    for prefix, contract in contracts.items():
        variables[f"DIGIME_{prefix}APPLICATION_ID"] = contract.application_id
        variables[f"DIGIME_{prefix}CONTRACT_ID"] = contract.contract_id
        variables[f"DIGIME_{prefix}PRIVATE_KEY_FILE"] = str(keys[prefix])
    exports = "\n".join(f"export {name}={shlex.quote(value)}" for name, value in variables.items())
    return (
        f"# A sandbox digi.me runs at {sandbox.origin} until Ctrl-C. Its files are in {data_dir}.\n"
        f"# Paste this into another terminal; connect() and this command line use it from there:\n{exports}"
    )


def _write(arguments: argparse.Namespace) -> int:
    named: WriteArguments = {"format": arguments.format, "tags": arguments.tag}
    request = check_write_request(arguments.name or arguments.file.name, arguments.account, named)
    with connect() as client, arguments.file.open("rb") as file:
        receipt = client.write(file, request.file_name, request.descriptor, client.authorization(arguments.account))
    print(
        f"{receipt.status}: {request.file_name}, {receipt.mime_type}, {receipt.size:,} bytes, SHA-256 {receipt.sha256}"
    )
    return 0


def _files(arguments: argparse.Namespace) -> int:
    with connect() as client:
        files = client.files(arguments.account)
    rows = [(file.name, file.mime_type, f"{file.updated:%Y-%m-%d %H:%M:%S%z}", ", ".join(file.tags)) for file in files]
    table = [("name", "type", "updated", "tags"), *(tuple(map(_printable, row)) for row in rows)]
    _print_table(table)
    return 0


def _read(arguments: argparse.Namespace) -> int:
    with connect() as client:
        content = read_file(arguments.name, account_id=arguments.account, sha256=arguments.sha256, client=client)
    if arguments.output is not None:
        arguments.output.write_bytes(content)
        return 0
    if sys.stdout.isatty() and not _is_plain_text(content):
        raise InputError(
            f"{arguments.name!r} is not plain text ({len(content):,} bytes), and standard output is a terminal. "
            "Name a file with -o, or send the output to a file or a program."
        )
    sys.stdout.buffer.write(content)
    sys.stdout.buffer.flush()
    return 0


def _authorize(arguments: argparse.Namespace) -> int:
    with connect() as client:
        if arguments.address is not None:
            authorization = client.complete_authorization(_address(arguments.address))
        else:
            authorization = authorize(
                arguments.account,
                access=arguments.access,
                client=client,
                timeout=arguments.timeout,
                open_browser=arguments.browser,
            )
    protocol = "" if authorization.access == "read" else f" by {'postbox' if authorization.postbox else 'import'}"
    print(f"Account {authorization.account_id!r} is authorized to {authorization.access}{protocol}.")
    return 0


def _address(argument: str) -> str:
    """Return the address that was given, or the one on standard input, where no list of processes shows it."""
    return sys.stdin.read() if argument == "-" else argument


def _invite(arguments: argparse.Namespace) -> int:
    with connect() as client:
        invited = client.invite(arguments.accounts, access=arguments.access, callback=arguments.callback)
    if arguments.json:
        print(_as_json(invited))
    else:
        for account_id, url in invited.dropna(subset="url")[["account_id", "url"]].itertuples(index=False):
            print(f"{_printable(account_id)}  {url}")
        for account_id, error in invited.dropna(subset="error")[["account_id", "error"]].itertuples(index=False):
            print(f"digime-pandas: {_printable(account_id)}: {error}", file=sys.stderr)
    return _FAILED if invited["error"].notna().any() else 0


def _consents(arguments: argparse.Namespace) -> int:
    with connect() as client:
        consents = client.consents()
    if arguments.json:
        print(_as_json(consents))
        return 0
    until = consents["until"].dt.strftime("%Y-%m-%d %H:%M:%S%z")
    shown = consents.assign(until=until)[["account_id", "access", "status", "until"]].astype(object)
    rows = [tuple(map(_printable, row)) for row in shown.where(shown.notna(), "").itertuples(index=False)]
    _print_table([("account", "access", "status", "until"), *rows])
    return 0


def _as_json(frame: pd.DataFrame) -> str:
    # Not `to_json`, which escapes the slashes of addresses.
    rows = frame.astype(object).where(frame.notna(), None).to_dict(orient="records")
    return json.dumps(rows, indent=2, default=lambda time: time.isoformat())


def _print_table(rows: Sequence[tuple[str, ...]]) -> None:
    """Print rows, of which the first is the head, in columns."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _forget(arguments: argparse.Namespace) -> int:
    with connect() as client:
        contracts = dict(zip(ACCESSES, (client.contract, client.read_contract), strict=True))
        for access in [arguments.access] if arguments.access else [each for each in ACCESSES if contracts[each]]:
            known = client.forget(arguments.account, access=access)
            print(f"{access}: {'forgotten here; the consent itself stays given' if known else 'nothing was stored'}")
    return 0


def _error_text(error: DigimeError, arguments: argparse.Namespace) -> str:
    sentences = [str(error), *getattr(error, "__notes__", ())]
    if isinstance(error, NotAuthorizedError | AuthorizationExpiredError) and getattr(arguments, "account", None):
        access = "" if arguments.run is _write else " --access read"
        sentences.append(f"Here: digime-pandas authorize --account {shlex.quote(arguments.account)}{access}")
    return " ".join(sentences)


def _printable(text: str) -> str:
    # Programs of other contracts may have named the file; a terminal obeys control characters.
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode() for character in text
    )


def _is_plain_text(content: bytes) -> bool:
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return False
    return all(character.isprintable() or character in "\t\n\r" for character in text)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="digime-pandas",
        description="Put files into people's own digi.me libraries, and read them back.",
        epilog="All commands but demo and sandbox use the contract named by the DIGIME_* environment variables.",
    )
    parser.add_argument("--version", action="version", version=f"digime-pandas {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    demo = commands.add_parser("demo", help="write a real table in all formats into a sandbox and read it back")
    demo.add_argument("--json", action="store_true", help="print the result for machines")
    demo.set_defaults(run=_demo)

    sandbox = commands.add_parser("sandbox", help="run a sandbox digi.me until Ctrl-C")
    sandbox.add_argument("--port", type=int, default=0, help="TCP port (default: any free one)")
    sandbox.add_argument(
        "--data-dir", type=Path, help="folder that keeps keys, consents and files (default: temporary)"
    )
    protocol = sandbox.add_mutually_exclusive_group()
    protocol.add_argument("--postbox", action="store_true", default=True, help="consents bring a postbox (default)")
    protocol.add_argument("--import", dest="postbox", action="store_false", help="consents bring none: direct import")
    sandbox.set_defaults(run=_sandbox)

    person = argparse.ArgumentParser(add_help=False)
    person.add_argument("--account", required=True, metavar="ID", help="the person's id in your own system")

    write = commands.add_parser("write", parents=[person], help="send a file as it is")
    write.add_argument("file", type=Path, metavar="FILE")
    write.add_argument("--name", help="name in the library (default: FILE's own)")
    write.add_argument("--format", choices=FORMATS, help="needed where the suffix does not say it")
    write.add_argument("--tag", action="append", default=[], help="may be given several times")
    write.set_defaults(run=_write)

    files = commands.add_parser("files", parents=[person], help="list the files in a library, newest first")
    files.set_defaults(run=_files)

    read = commands.add_parser("read", parents=[person], help="fetch the newest file of a name")
    read.add_argument("name", metavar="NAME")
    read.add_argument("-o", "--output", type=Path, metavar="FILE", help="where to put it (default: standard output)")
    read.add_argument("--sha256", metavar="HEX", help="digest the file must have")
    read.set_defaults(run=_read)

    consent = commands.add_parser("authorize", help="ask a person for consent, in the browser")
    whose = consent.add_mutually_exclusive_group(required=True)
    whose.add_argument("--account", metavar="ID", help="the person's id in your own system")
    whose.add_argument(
        "--address", help="complete what was begun elsewhere, with the address that came back (- reads it from input)"
    )
    consent.add_argument("--access", choices=ACCESSES, default="write", help="default: write")
    consent.add_argument("--no-browser", dest="browser", action="store_false", help="only print the link")
    consent.add_argument("--timeout", type=float, default=300.0, metavar="SECONDS", help="longest wait (default: 300)")
    consent.set_defaults(run=_authorize)

    invite = commands.add_parser("invite", help="make consent links for people who are elsewhere")
    invite.add_argument("accounts", nargs="+", metavar="ID", help="the people's ids in your own system")
    invite.add_argument("--access", choices=ACCESSES, default="write", help="default: write")
    invite.add_argument("--callback", metavar="ADDRESS", help="where people come back to (default: the contract's)")
    invite.add_argument("--json", action="store_true", help="print the result for machines")
    invite.set_defaults(run=_invite)

    consents = commands.add_parser("consents", help="list who gave consent, was asked or refused, and until when")
    consents.add_argument("--json", action="store_true", help="print the result for machines")
    consents.set_defaults(run=_consents)

    forget = commands.add_parser("forget", parents=[person], help="forget stored authorizations")
    forget.add_argument("--access", choices=ACCESSES, help="default: both")
    forget.set_defaults(run=_forget)
    return parser


if __name__ == "__main__":
    sys.exit(main())
