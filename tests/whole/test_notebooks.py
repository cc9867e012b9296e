"""The notebooks: each runs by itself from top to bottom against the sandbox, and what is saved holds no secret."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))
TOKEN_OR_KEY = re.compile(r"eyJ[\w-]{10,}\.|PRIVATE KEY-----")
# Run last in the notebook's own kernel: puts aside what must not be in the notebook.
TELL_SECRETS = """
import json as _json, pathlib as _pathlib
from digime_pandas._client import connect as _module
_kept = [_module._sandbox_tokens.get(k.environment, k.contract, k.account_id) for k in _module._sandbox_tokens.list()]
_pathlib.Path({path!r}).write_text(_json.dumps([each.to_dict() for each in _kept]))
"""


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A kernel of this very interpreter, whatever kernels the user has installed; all its folders are temporary."""
    folder = tmp_path / "jupyter" / "kernels" / "this-interpreter"
    folder.mkdir(parents=True)
    command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    (folder / "kernel.json").write_text(json.dumps({"argv": command, "display_name": "Python", "language": "python"}))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    for variable in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR", "XDG_DATA_HOME"):
        monkeypatch.setenv(variable, str(tmp_path / variable.lower()))
    return folder.name


def test_the_notebooks_are_there() -> None:
    assert "01_quickstart.ipynb" in [path.name for path in NOTEBOOKS]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_kept_without_outputs(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.outputs for cell in cells] == [[]] * len(cells)
    assert {cell.execution_count for cell in cells} == {None}
    assert set(notebook.metadata) <= {"kernelspec", "language_info"}


@pytest.mark.timeout(300)
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
@pytest.mark.slow
@pytest.mark.kernel
def test_a_notebook_runs_unattended_and_saves_no_secret(path: Path, kernel: str, tmp_path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    aside = tmp_path / "secrets.json"
    notebook.cells.append(nbformat.v4.new_code_cell(TELL_SECRETS.format(path=str(aside))))
    NotebookClient(
        notebook,
        timeout=120,
        kernel_name=kernel,
        store_widget_state=True,
        resources={"metadata": {"path": str(tmp_path)}},
    ).execute()
    saved = nbformat.writes(notebook)
    secrets = list(token_values(json.loads(aside.read_text())))
    assert len(secrets) >= 2
    assert not [secret for secret in secrets if secret in saved]
    assert not TOKEN_OR_KEY.search(saved)


def token_values(value: Any) -> list[str]:
    """Return every token value in what `Authorization.to_dict` gave."""
    if isinstance(value, list):
        return [found for each in value for found in token_values(each)]
    if isinstance(value, dict):
        own = [value["value"]] if "value" in value else []
        return own + [found for each in value.values() for found in token_values(each)]
    return []
