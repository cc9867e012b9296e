"""The notebooks: each runs by itself from top to bottom against the sandbox; what is saved is true and no secret."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient.exceptions import CellExecutionError

from tests.whole.documents.saved_notebooks import NOTEBOOKS, WITH_OUTPUTS, comparable, execute, kernel_environment

WITHOUT_OUTPUTS = [path for path in NOTEBOOKS if path not in WITH_OUTPUTS]
# Keys and tokens, links of consent, and paths of the computer on which a notebook was run.
NOT_TO_BE_SAVED = re.compile(r"eyJ[\w-]{10,}\.|PRIVATE KEY-----|[?&](code|state)=|/(home|root|tmp|usr|var|Users|work)/")
LINK = re.compile(r"\]\(([^)#:]+)\)")
# Run last in the notebook's own kernel: puts aside what must not be in the notebook.
TELL_SECRETS = """
import json as _json, pathlib as _pathlib
from digime_pandas._client import connect as _module
_kept = [_module._sandbox_tokens.get(k.environment, k.contract, k.account_id) for k in _module._sandbox_tokens.list()]
_pathlib.Path({path!r}).write_text(_json.dumps([each.to_dict() for each in _kept]))
"""


@pytest.fixture
def unattended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kernels are this interpreter, with temporary folders, and know that nobody is there."""
    for name, value in kernel_environment(tmp_path).items():
        monkeypatch.setenv(name, value)


def code_cells(notebook: Any) -> list[Any]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def test_the_notebooks_are_there() -> None:
    assert "01_quickstart.ipynb" in [path.name for path in WITH_OUTPUTS]
    assert len(WITHOUT_OUTPUTS) >= 3


@pytest.mark.parametrize("path", WITHOUT_OUTPUTS, ids=lambda path: path.stem)
def test_a_notebook_whose_outputs_differ_is_kept_without(path: Path) -> None:
    cells = code_cells(nbformat.read(path, as_version=4))
    assert [cell.outputs for cell in cells] == [[]] * len(cells)
    assert {cell.execution_count for cell in cells} == {None}


@pytest.mark.parametrize("path", WITH_OUTPUTS, ids=lambda path: path.stem)
def test_a_notebook_with_outputs_was_run_once_from_top_to_bottom(path: Path) -> None:
    cells = code_cells(nbformat.read(path, as_version=4))
    assert [cell.execution_count for cell in cells] == [*range(1, len(cells) + 1)]
    assert all(cell.outputs for cell in cells)
    assert not [output for cell in cells for output in cell.outputs if output.output_type == "error"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_what_is_saved_tells_nothing_of_the_computer_or_the_run(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    assert set(notebook.metadata) <= {"kernelspec", "language_info"}
    assert {name for cell in notebook.cells for name in cell.metadata} <= {"tags"}
    for cell in code_cells(notebook):
        assert not NOT_TO_BE_SAVED.search(json.dumps(cell.outputs))
        assert comparable(cell.outputs) == cell.outputs


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_ends_with_what_to_open_next(path: Path) -> None:
    last = nbformat.read(path, as_version=4).cells[-1]
    _, heading, following = last.source.partition("## What to open next\n")
    assert heading
    links = LINK.findall(following)
    assert links
    assert not [link for link in links if not (path.parent / link).is_file()]


def test_the_quick_start_opens_with_the_widget() -> None:
    first = code_cells(nbformat.read(WITH_OUTPUTS[0], as_version=4))[0]
    assert first.source.splitlines()[-2:] == ['widget = digime.AuthorizationWidget("patient-17")', "widget"]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
@pytest.mark.slow
@pytest.mark.kernel
def test_a_notebook_runs_unattended_and_saves_no_secret(path: Path, unattended: None, tmp_path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    aside = tmp_path / "secrets.json"
    notebook.cells.append(nbformat.v4.new_code_cell(TELL_SECRETS.format(path=str(aside))))
    execute(notebook, tmp_path, widget_state=True)
    saved = nbformat.writes(notebook)
    secrets = list(token_values(json.loads(aside.read_text())))
    assert len(secrets) >= 2
    assert not [secret for secret in secrets if secret in saved]
    assert not re.search(r"eyJ[\w-]{10,}\.|PRIVATE KEY-----", saved)


@pytest.mark.parametrize("path", WITH_OUTPUTS, ids=lambda path: path.stem)
@pytest.mark.slow
@pytest.mark.kernel
def test_saved_outputs_are_what_a_run_shows(path: Path, unattended: None, tmp_path: Path) -> None:
    saved = nbformat.read(path, as_version=4)
    notebook = nbformat.read(path, as_version=4)
    execute(notebook, tmp_path)
    for cell, kept in zip(code_cells(notebook), code_cells(saved), strict=True):
        assert comparable(cell.outputs) == kept.outputs, "run python -m tests.whole.documents.saved_notebooks"


@pytest.mark.slow
@pytest.mark.kernel
def test_the_quick_start_says_what_to_press_while_nobody_does(
    unattended: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CI")
    notebook = nbformat.read(WITH_OUTPUTS[0], as_version=4)
    opening, waiting = code_cells(notebook)[:2]
    assert waiting.source.endswith("widget.result(timeout=600)")
    waiting.source = waiting.source.replace("timeout=600", "timeout=0.5")
    notebook.cells = [opening, waiting]
    with pytest.raises(CellExecutionError, match=r"has not given consent within 0\.5 second"):
        execute(notebook, tmp_path)
    assert 'Press "Open the consent page" above, and "Approve"' in waiting.outputs[0].text


def token_values(value: Any) -> list[str]:
    """Return every token value in what `Authorization.to_dict` gave."""
    if isinstance(value, list):
        return [found for each in value for found in token_values(each)]
    if isinstance(value, dict):
        own = [value["value"]] if "value" in value else []
        return own + [found for each in value.values() for found in token_values(each)]
    return []
