"""How the command line ends where something fails: one line, or JSON, and an exit status."""

from __future__ import annotations

import json
import os
import shlex
import sys
import warnings
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TextIO

from digime_pandas._client.command_line.output import print_notice
from digime_pandas.errors import AuthorizationExpiredError, DigimeError, DigimeWarning, NotAuthorizedError
from digime_pandas.errors.commands import as_options

DONE, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130
"""The exit statuses; the last one is what a shell reports of a program that Ctrl-C ended."""
_PARTS = ("outcome", "status", "code", "reference", "attempts", "retry_after", "column", "row")


def run_command(arguments: Namespace) -> int:
    """Run a command; report what it fails with, and return the exit status."""
    with _warnings_as_lines(as_json=arguments.json):
        try:
            status: int = arguments.run(arguments)
            sys.stdout.flush()
        except BrokenPipeError:
            # The program that read the output has ended, and wants no more of it.
            status = FAILED
        except (DigimeError, OSError) as error:
            report(error, arguments)
            status = FAILED
        except KeyboardInterrupt as error:
            report(error, arguments)
            status = INTERRUPTED
    _flush_or_discard()
    return status


def report(error: BaseException, arguments: Namespace) -> None:
    """Print an error on standard error: as a line, or with ``--json`` as JSON on a line."""
    if arguments.json:
        print_error_json(error_members(error, arguments))
    else:
        print_notice(error_text(error, arguments))


def print_error_json(members: dict[str, object]) -> None:
    """Print the members of an error as JSON, on one line of standard error."""
    with suppress(OSError):
        print(json.dumps({"error": members}), file=sys.stderr, flush=True)


def error_members(error: BaseException, arguments: Namespace) -> dict[str, object]:
    """Return what is known of an error, as values for JSON."""
    known = {name: getattr(error, name) for name in _PARTS if hasattr(error, name)}
    message, remedy = error_text(error, arguments), ""
    if isinstance(error, DigimeError):
        remedy = error.command or as_options(error.remedy)
    return {"type": type(error).__name__, "message": message, "remedy": remedy or None, **known}


def error_text(error: BaseException, arguments: Namespace) -> str:
    """Return an error as a sentence or two, with what to do on the command line."""
    if isinstance(error, KeyboardInterrupt):
        return "interrupted"
    if not isinstance(error, DigimeError):
        where = getattr(error, "filename", None) or "the output"
        return f"{where}: {getattr(error, 'strerror', None) or error}"
    sentences = [error.text("shell"), *getattr(error, "__notes__", ())]
    is_about_consent = isinstance(error, NotAuthorizedError | AuthorizationExpiredError)
    if is_about_consent and not error.command and getattr(arguments, "account", None):
        sentences.append(f"Here: {authorize_command(arguments.account, arguments.access_needed)}")
    return " ".join(sentences)


def authorize_command(account_id: str, access: str = "write") -> str:
    """Return the command that asks a person for consent."""
    option = "" if access == "write" else f" --access {access}"
    return f"digime-pandas authorize --account {shlex.quote(account_id)}{option}"


@contextmanager
def _warnings_as_lines(*, as_json: bool) -> Iterator[None]:
    def show(  # noqa: PLR0917 - as `warnings` calls it
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        if not issubclass(category, DigimeWarning):
            usual(message, category, filename, lineno, file, line)
        elif as_json:
            with suppress(OSError):
                warning = {"type": category.__name__, "message": str(message)}
                print(json.dumps({"warning": warning}), file=sys.stderr, flush=True)
        else:
            print_notice(f"warning: {as_options(str(message))}")

    with warnings.catch_warnings():
        warnings.simplefilter("always", DigimeWarning)
        usual, warnings.showwarning = warnings.showwarning, show
        yield


def _flush_or_discard() -> None:
    """Let the interpreter's own flush at its end have nothing to fail for."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            with suppress(OSError, ValueError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
