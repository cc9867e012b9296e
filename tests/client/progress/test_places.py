from __future__ import annotations

import io
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from digime_pandas._client.progress.places import place_of_display


class _Stream(io.StringIO):
    def __init__(self, *, tty: bool) -> None:
        super().__init__()
        self._tty = tty

    def isatty(self) -> bool:
        return self._tty


def _fail(*_: object) -> object:
    raise LookupError


LIVE: dict[str, Any] = {"metadata": {"cellId": "b2f0", "trusted": True}}
KERNELS = {
    "a cell of JupyterLab": (lambda: LIVE, "notebook"),
    "nbconvert, papermill": (lambda: {"metadata": {}}, "page"),
    "a console": (lambda: {"metadata": {"deletedCells": []}}, "page"),
    "nothing was asked for": (dict, "page"),
    "another kernel": (lambda: None, "page"),
    "a kernel that fails": (_fail, "page"),
}


@pytest.fixture
def no_program(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """No notebook runs, and standard error is a file."""
    for name in ("IPython", "marimo"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setattr(sys, "stderr", _Stream(tty=False))
    return monkeypatch


@pytest.mark.parametrize(("tty", "place"), [(True, "terminal"), (False, "log")])
def test_a_script_has_a_bar_in_a_terminal_only(no_program: pytest.MonkeyPatch, tty: bool, place: str) -> None:
    no_program.setattr(sys, "stderr", _Stream(tty=tty))
    assert place_of_display({}) == place


@pytest.mark.parametrize("name", KERNELS)
def test_a_kernel_shows_a_bar_to_front_ends_that_say_which_cell_they_run(
    no_program: pytest.MonkeyPatch, name: str
) -> None:
    get_parent, place = KERNELS[name]
    shell = SimpleNamespace(kernel=SimpleNamespace(get_parent=get_parent))
    no_program.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    assert place_of_display({}) == place


@pytest.mark.parametrize("shell", [None, object(), SimpleNamespace(kernel=object())])
def test_ipython_in_a_terminal_is_a_terminal(no_program: pytest.MonkeyPatch, shell: object) -> None:
    no_program.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    no_program.setattr(sys, "stderr", _Stream(tty=True))
    assert place_of_display({}) == "terminal"


@pytest.mark.parametrize(("runs", "place"), [(True, "page"), (False, "terminal")])
def test_marimo_has_a_line_though_it_was_started_in_a_terminal(
    no_program: pytest.MonkeyPatch, runs: bool, place: str
) -> None:
    no_program.setattr(sys, "stderr", _Stream(tty=True))
    no_program.setitem(sys.modules, "marimo", SimpleNamespace(running_in_notebook=lambda: runs))
    assert place_of_display({}) == place


@pytest.mark.parametrize(
    ("value", "place"), [("1", "nowhere"), ("true", "nowhere"), ("0", "log"), ("", "log"), ("False", "log")]
)
def test_tqdm_disable_is_obeyed(no_program: pytest.MonkeyPatch, value: str, place: str) -> None:
    assert place_of_display({"TQDM_DISABLE": value}) == place


@pytest.mark.parametrize("stream", [None, object()], ids=["none", "unusual"])
def test_any_standard_error_will_do(no_program: pytest.MonkeyPatch, stream: object) -> None:
    no_program.setattr(sys, "stderr", stream)
    assert place_of_display({}) == ("nowhere" if stream is None else "log")
