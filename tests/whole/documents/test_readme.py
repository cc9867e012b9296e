"""What the README says is true: its examples run, its commands parse, the files and variables it names exist."""

from __future__ import annotations

import re
import shlex
from ast import literal_eval
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

import digime_pandas
from digime_pandas.__main__ import _environment_exports, _parser
from digime_pandas._client import connect as _connect
from digime_pandas._service.authorization import Access
from digime_pandas._tabular.fidelity_rules import render_rules
from digime_pandas._tabular.formats import FORMATS
from digime_pandas.sandbox import Sandbox

ROOT = Path(__file__).parents[3]
README = (ROOT / "README.md").read_text(encoding="utf-8")
CLAIM = re.compile(r"^(\S.*?)  # (.+)$", flags=re.MULTILINE)


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, flags=re.MULTILINE | re.DOTALL)


@pytest.fixture
def own_sandbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """The sandbox that `connect` finds, whether by name or by the variables."""
    with Sandbox(tmp_path / "sandbox") as sandbox:
        monkeypatch.setattr(_connect, "_sandbox", sandbox)
        monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
        monkeypatch.chdir(tmp_path)
        for line in _environment_exports(sandbox, tmp_path / "sandbox").splitlines():
            if line.startswith("export "):
                monkeypatch.setenv(*shlex.split(line)[1].split("=", 1))
        yield sandbox


@pytest.fixture
def person(own_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Someone who gives consent at once, in place of the widget that leads them to it."""

    def consent(account_id: str, *, access: Access = "write") -> None:
        flow = _connect.current_client().begin_authorization(account_id, access=access)
        flow.complete(own_sandbox.approve(flow.url))

    monkeypatch.setattr(digime_pandas, "AuthorizationWidget", consent)
    return consent


@pytest.mark.usefixtures("person")
def test_the_examples_run_one_after_the_other() -> None:
    namespace: dict[str, object] = {}
    with ExitStack() as clients:
        for block in blocks("python"):
            exec(block, namespace)
            clients.callback(_connect.current_client().close)
            for expression, value in CLAIM.findall(block):
                assert eval(expression, namespace) == literal_eval(value)


def test_values_are_claimed_and_so_checked() -> None:
    assert len(CLAIM.findall("\n".join(blocks("python")))) == 12


@pytest.mark.parametrize("ending", ["digime_pandas demo", "pytest"])
def test_each_of_the_two_commands_is_there_once_on_one_line(ending: str) -> None:
    assert len(re.findall(rf"^python3 -m venv \.venv && .* {ending}$", README, flags=re.MULTILINE)) == 1


def test_the_command_lines_are_understood() -> None:
    commands = [line for line in "".join(blocks("sh")).splitlines() if line.startswith("digime-pandas ")]
    assert {shlex.split(line)[1] for line in commands} == set(_parser()._subparsers._group_actions[0].choices or ())  # type: ignore[union-attr] # argparse has no public way to list them
    for line in commands:
        _parser().parse_args(shlex.split(line)[1:])


def test_the_files_it_names_exist() -> None:
    named = set(re.findall(r"`([\w/.]*\w+\.(?:py|md|csv|ipynb))`", README)) - {"copy.csv", "visits.csv"}
    assert len(named) >= 10
    assert not [
        name for name in named if not any((folder / name).exists() for folder in (ROOT, ROOT / "digime_pandas"))
    ]


def test_the_errors_it_names_are_exported() -> None:
    named = set(re.findall(r"`(\w+Error)`", README))
    assert len(named) > 10
    assert named <= set(digime_pandas.__all__)


def test_the_variables_it_names_are_read() -> None:
    named = set(re.findall(r"DIGIME_(?:READ_)?[A-Z_]+[A-Z]", README))
    sources = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "digime_pandas").rglob("*.py"))
    assert not [name for name in named if name.replace("READ_", "").removeprefix("DIGIME_") not in sources]


def test_the_table_of_what_each_format_keeps_is_the_one_that_the_package_goes_by() -> None:
    assert render_rules() in README


def test_tables_of_formats_and_media_types_are_the_package_s() -> None:
    rows = re.findall(r"^\| (\w+) \| ((?:`\.\w+`(?:, )?)+) \| `([\w./-]+)` \|$", README, flags=re.MULTILINE)
    from_readme = {name.lower(): (tuple(re.findall(r"`(\.\w+)`", suffixes)), mime) for name, suffixes, mime in rows}
    assert from_readme == {each.name: (each.suffixes, each.mime_type) for each in FORMATS.values()}
