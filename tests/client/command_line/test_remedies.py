"""What commands recommend where something is wrong: commands, options and variables, and no Python."""

from __future__ import annotations

import json
import os
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from digime_pandas.__main__ import main
from digime_pandas.sandbox import Sandbox

PERSON = "PERSON"
# What people make mistakes with, and what is said; the word PERSON stands for who gave consent.
COMMANDS: dict[str, str] = {
    # Accounts
    "write a.csv --account ''": r"The account id is ''",
    "write a.csv --account nobody": r"Here: digime-pandas authorize --account nobody$",
    "files --account nobody": r"authorize --account nobody --access read",
    "read a.csv --account nobody": r"authorize --account nobody --access read",
    "verify a.csv --account nobody": r"authorize --account nobody --access read",
    "write-each a.csv --by patient": r"digime-pandas invite ID\.\.\. makes links\. Or add --missing skip",
    "write-each a.csv --by patient --missing skip": r"ask for it with digime-pandas authorize --account p",
    "write-each a.csv --by pateint": r"Did you mean 'patient'\?",
    "invite a a": r"Pass each account once",
    "invite a --callback https://app.example.org/x": r"pass a registered one as --callback",
    # Files
    f"write nothing.csv --account {PERSON}": r"nothing\.csv: No such file",
    f"write . --account {PERSON}": r"'\.' is a folder\. Give files\.",
    f"write - --account {PERSON}": r"give --name",
    f"write a.csv --name x/a.csv --account {PERSON}": r"The file name 'x/a\.csv' holds '/'",
    f"write a.csv --name a.json --format csv --account {PERSON}": r"Leave --format out",
    f"write a.csv --name a.csv.gz --account {PERSON}": r"say with --mime-type",
    f"write a.csv --mime-type csv --account {PERSON}": r"--mime-type is 'csv'\. Pass a media type",
    f"write a.csv --tag '' --account {PERSON}": r"--tag holds an empty",
    f"write a.csv --journal . --account {PERSON}": r"is no journal",
    f"write damaged.parquet --name a.csv --account {PERSON}": r"Say with --from which format it is",
    f"write damaged.csv --name a.json --account {PERSON}": r"no csv file",
    f"write lists.json --name a.csv --account {PERSON}": r"--option nested=json writes them as text",
    f"write a.csv --name a.json --option decimal=x --account {PERSON}": r"names .decimal.*Did you mean decimals\?",
    f"write a.csv --name a.parquet --option compression=zst --account {PERSON}": r"Did you mean 'zstd'",
    f"write a.csv --name a.parquet --option nested=json --account {PERSON}": r"--option nested= is an option of csv",
    # Reading
    f"read nothing.csv --account {PERSON}": rf"digime-pandas files --account {PERSON}",
    f"read a.csv --sha256 x --account {PERSON}": r"--sha256 is 'x'; pass 64 hex digits",
    f"read a.csv --max-bytes 3 --account {PERSON}": r"Give a larger --max-bytes",
    "verify": r"Give either FILE and --account, or --receipt",
    "verify --receipt lists.json": r"Give what write --json printed",
    "verify --receipt empty.json": r"Give what write --json printed",
    # Consent
    "authorize --account new --timeout 0.01 --no-browser": r"Try again with a larger --timeout",
    "authorize --address x": r"Copy the whole address",
    "authorize --address https://x.example.org/?success=true&code=c&state=s": r"digime-pandas authorize --account ID",
    # The sandbox
    "sandbox --port 99999": r"leave it out for a free port",
    "sandbox --data-dir a.csv": r"--data-dir a\.csv cannot be used",
}
VARIABLES: dict[str, tuple[dict[str, str | None], str]] = {
    "nothing is set": (
        dict.fromkeys(("DIGIME_APPLICATION_ID", "DIGIME_CONTRACT_ID", "DIGIME_PRIVATE_KEY_FILE")),
        r"Not set: DIGIME_APPLICATION_ID, DIGIME_CONTRACT_ID, DIGIME_PRIVATE_KEY .*digime-pandas demo",
    ),
    "one is not set": ({"DIGIME_CONTRACT_ID": None}, r"Not set: DIGIME_CONTRACT_ID\. Set it\."),
    "a key of the read contract": (
        {"DIGIME_READ_PRIVATE_KEY_FILE": None},
        r"Not set: DIGIME_READ_PRIVATE_KEY \(or DIGIME_READ_PRIVATE_KEY_FILE\)",
    ),
    "no file of a key": ({"DIGIME_PRIVATE_KEY_FILE": "nothing.pem"}, r"DIGIME_PRIVATE_KEY_FILE is neither PEM"),
    "a file without a key": ({"DIGIME_PRIVATE_KEY_FILE": "a.csv"}, r"DIGIME_PRIVATE_KEY_FILE is not a PEM"),
    "two keys": ({"DIGIME_PRIVATE_KEY": "x"}, r"Both DIGIME_PRIVATE_KEY and DIGIME_PRIVATE_KEY_FILE are set"),
    "a base that is no address": ({"DIGIME_BASE_URL": "api.digi.me"}, r"DIGIME_BASE_URL is 'api\.digi\.me'"),
    "an onboarding address that is none": ({"DIGIME_ONBOARD_URL": "x"}, r"DIGIME_ONBOARD_URL is 'x'"),
    "a redirect address that is none": ({"DIGIME_REDIRECT_URI": "x"}, r"DIGIME_REDIRECT_URI is 'x'"),
}
PYTHON = re.compile(
    r"\w\(\)|\w\(\.\.\.\)|(?<!option )\b[a-z_]+=(?!\w*&)|\b(?:digime|client|flow|pd|df)\.|\b(?:Contract|FileTokenStore|"
    r"MemoryTokenStore|AuthorizationWidget|Receipt)\b|\b(?:None|True|False)\b|\b(?:account_id|file_name|private_key|"
    r"mime_type|max_bytes|base_url)\b(?!\})"
)


@pytest.fixture
def _files(configured: Sandbox) -> None:
    Path("a.csv").write_text("patient,pulse\np,61\n")
    Path("damaged.csv").write_text('a,b\n"1,2\n')
    Path("damaged.parquet").write_bytes(b"x")
    Path("lists.json").write_text('[{"x": [1, 2]}]')
    Path("empty.json").write_text("{}")


def said_by(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """Run a command that is to say something on standard error; return its last line."""
    capsys.readouterr()
    status = main(arguments)
    said = capsys.readouterr().err.splitlines()
    assert status == 1 or "--missing" in arguments
    return said[-1]


@pytest.mark.slow
@pytest.mark.parametrize(("command", "remedy"), COMMANDS.items(), ids=range(len(COMMANDS)))
@pytest.mark.usefixtures("_files")
def test_a_mistake_is_answered_in_words_of_the_command_line(
    person: str, capsys: pytest.CaptureFixture[str], command: str, remedy: str
) -> None:
    if command.startswith("read a.csv"):
        assert main(["write", "a.csv", "--account", person]) == 0
    said = said_by([person if word == PERSON else word for word in shlex.split(command)], capsys)
    assert re.search(remedy.replace(PERSON, person), said), said
    # What is quoted, and what the service says, in brackets, is not what is recommended.
    assert PYTHON.search(re.sub(r"\(\w+: .*?\)|'[^']*'|success=true", "", said)) is None, said


@pytest.mark.parametrize(("variables", "remedy"), VARIABLES.values(), ids=VARIABLES)
@pytest.mark.usefixtures("_files")
def test_what_comes_from_a_variable_is_said_of_the_variable(
    person: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    variables: dict[str, Any],
    remedy: str,
) -> None:
    for name, value in variables.items():
        if value is None:
            monkeypatch.delenv(name)
        else:
            monkeypatch.setitem(os.environ, name, value)
    said = said_by(["write", "a.csv", "--account", person], capsys)
    assert re.search(remedy, said), said
    assert PYTHON.search(said) is None, said


@pytest.mark.usefixtures("_files")
def test_another_key_than_that_of_the_consent_is_said_of_the_variables(
    person: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIGIME_PRIVATE_KEY_FILE", os.environ["DIGIME_READ_PRIVATE_KEY_FILE"])
    said = said_by(["write", "a.csv", "--account", person], capsys)
    assert f"digime-pandas authorize --account {person}" in said
    assert "Check DIGIME_PRIVATE_KEY" in said
    assert PYTHON.search(said) is None, said


@pytest.mark.usefixtures("_files")
def test_the_remedy_is_a_member_for_machines_in_the_same_words(person: str, capsys: pytest.CaptureFixture[str]) -> None:
    said = said_by(["write", "a.csv", "--name", "a.json", "--format", "csv", "--account", person, "--json"], capsys)
    error = json.loads(said)["error"]
    assert error["remedy"] in error["message"]
    assert "--format" in error["remedy"]
    assert PYTHON.search(error["message"]) is None


MISSPELT = {
    "wirte a.csv": "Did you mean write?",
    "write a.csv --account p --jornal x": "Did you mean --journal?",
    "write a.csv --acount=p": "--acount is no option of it. Did you mean --account?",
    "files --account p --access raed": "Did you mean --access?",
    "authorize --account p --access raed": "Did you mean read?",
    "write a.csv --account p --format parqet": "Did you mean parquet?",
}


@pytest.mark.parametrize(("command", "near"), MISSPELT.items(), ids=MISSPELT)
def test_near_names_of_commands_options_and_values_are_offered(
    capsys: pytest.CaptureFixture[str], command: str, near: str
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(shlex.split(command))
    assert capsys.readouterr().err.rstrip().endswith(near)


@pytest.mark.parametrize(
    "command",
    [
        "read a.csv --account p --max-bytes -1",
        "write-each a.csv --by p --workers 0",
        "authorize --account p --timeout 0",
    ],
)
def test_numbers_that_cannot_be_meant_are_wrong_usage(capsys: pytest.CaptureFixture[str], command: str) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(shlex.split(command))
    assert re.search(r"is no (whole number|number of seconds) above 0$", capsys.readouterr().err.rstrip())
