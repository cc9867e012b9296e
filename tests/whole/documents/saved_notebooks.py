"""What notebooks show where they are saved with outputs: run, and compared.

``python -m tests.whole.documents.saved_notebooks`` saves them anew.

What differs from run to run (ports, ids, times) is replaced, so that the outputs can be compared with those of a run.
"""

from __future__ import annotations

import json
import os
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

NOTEBOOKS = sorted((Path(__file__).parents[3] / "notebooks").glob("*.ipynb"))
# Others show what differs from run to run, such as an order in parallel, or memory.
WITH_OUTPUTS = [path for path in NOTEBOOKS if path.stem == "01_quickstart"]

_SECONDS_PER_CELL = 120
_DIFFERENT = {
    r"(127\.0\.0\.1|localhost):\d+": r"\1:50000",
    r"(write|read)-[0-9a-f]{16}\b": r"\1-0123456789abcdef",
    r"\burn:uuid:[0-9a-f-]{36}": "urn:uuid:01234567-89ab-4def-8123-456789abcdef",
    r"\b[0-9a-f]{32}\b": "0123456789abcdef0123456789abcdef",
    r"\b\d{4}-\d\d-\d\d \d\d:\d\d(:\d\d)? UTC": "2026-03-02 12:00:00 UTC",
    r"\b\d{1,2} [A-Z][a-z]{2,8} \d{4}\b": "2 March 2027",
    r"\b\d{4}-\d\d-\d\d(?=, and longer)": "2027-03-02",
    r"\b[\d.]+ s(?=, 1 attempt)": "0.02 s",
}


def kernel_environment(folder: Path) -> dict[str, str]:
    """Return the variables with which a kernel is this very interpreter, whatever kernels the user has installed."""
    spec = folder / "jupyter" / "kernels" / "python3" / "kernel.json"
    spec.parent.mkdir(parents=True)
    command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec.write_text(json.dumps({"argv": command, "display_name": "Python", "language": "python"}))
    own = ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR", "XDG_DATA_HOME")
    # Nobody is there to give consent, and how long a write takes decides whether progress is shown.
    same = {"CI": "true", "TQDM_DISABLE": "1"}
    return same | {"JUPYTER_PATH": str(folder / "jupyter")} | {name: str(folder / name.lower()) for name in own}


def execute(notebook: Any, folder: Path, *, widget_state: bool = False) -> None:
    """Run all cells of a notebook, with `folder` as the working folder."""
    NotebookClient(
        notebook,
        timeout=_SECONDS_PER_CELL,
        kernel_name="python3",
        record_timing=False,
        coalesce_streams=True,
        store_widget_state=widget_state,
        resources={"metadata": {"path": str(folder)}},
    ).execute()


def comparable(outputs: Any) -> Any:
    """Return outputs with the same text in place of whatever differs from run to run."""
    if isinstance(outputs, str):
        for pattern, same in _DIFFERENT.items():
            outputs = re.sub(pattern, same, outputs)
        return outputs
    if isinstance(outputs, list):
        return [comparable(each) for each in outputs]
    if isinstance(outputs, dict):
        return {name: comparable(each) for name, each in outputs.items()}
    return outputs


def save_anew(path: Path) -> None:
    """Run a notebook and save it with its outputs."""
    notebook = nbformat.read(path, as_version=4)
    metadata = dict(notebook.metadata)
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= kernel_environment(Path(folder))
        execute(notebook, Path(folder))
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [nbformat.from_dict(output) for output in comparable(cell.outputs)]
    notebook.metadata = nbformat.from_dict(metadata)
    path.write_text(nbformat.writes(notebook) + "\n", encoding="utf-8")


if __name__ == "__main__":
    for each in WITH_OUTPUTS:
        save_anew(each)
