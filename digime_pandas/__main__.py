"""The command line: ``python -m digime_pandas``, also installed as ``digime-pandas``.

``demo`` and ``sandbox`` need nothing but the package. The other commands use the contract of the ``DIGIME_*``
variables, as ``connect()`` does.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence

from digime_pandas._client.command_line.consents import add_consent_commands
from digime_pandas._client.command_line.each import add_each_commands
from digime_pandas._client.command_line.failures import USAGE, run_command
from digime_pandas._client.command_line.library import add_library_commands
from digime_pandas._client.command_line.options import JsonParser, Parser, json_option, person_option
from digime_pandas._client.command_line.trial import add_trial_commands, environment_exports
from digime_pandas._client.command_line.writing import add_writing_commands
from digime_pandas._version import __version__

_environment_exports = environment_exports  # what tests set their environment by
_EPILOG = """\
Start with: digime-pandas demo. All commands but demo and sandbox use the contract named by the DIGIME_* environment
variables. Exit status: 0 done, 1 failed (standard error says why), 2 wrong usage, 130 interrupted.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        argv: The arguments. Default: those of the process.

    Returns:
        The exit status: 0 done, 1 failed (standard error says why), 130 interrupted. Wrong usage exits with 2.
    """
    argv = sys.argv[1:] if argv is None else argv
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # names may hold what its encoding has not
            stream.reconfigure(errors="backslashreplace")
    parser = _parser(as_json="--json" in argv)
    if not argv:
        parser.print_help(sys.stderr)
        parser.exit(USAGE)
    return run_command(parser.parse_args(argv))


def _parser(*, as_json: bool = False) -> Parser:
    make = JsonParser if as_json else Parser
    parser = make(
        prog="digime-pandas",
        description="Put files into people's own digi.me libraries, and read them back.",
        epilog=_EPILOG,
    )
    parser.add_argument("--version", action="version", version=f"digime-pandas {__version__}")
    parser.add_argument("--json", action="store_true", help="print results and errors for machines")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND", parser_class=make)
    shared, person = [json_option()], person_option()
    add_trial_commands(commands, shared)
    add_consent_commands(commands, shared, person)
    add_writing_commands(commands, shared, person)
    add_each_commands(commands, shared)
    add_library_commands(commands, shared, person)
    return parser


if __name__ == "__main__":
    sys.exit(main())
