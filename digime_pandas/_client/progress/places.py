"""Where a program runs, as far as the display of progress depends on it."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

Place: TypeAlias = Literal["terminal", "notebook", "page", "log", "nowhere"]
"""``"notebook"``: one in which a person looks at the cell that runs, and what it shows can be replaced. ``"page"``: the
output of a cell that is read when it has ended."""

_NOT_SET = ("", "0", "false", "no", "off")


def place_of_display(environment: Mapping[str, str] = os.environ) -> Place:
    """Return where progress can be shown.

    Args:
        environment: The environment variables. ``TQDM_DISABLE=1`` shows nothing anywhere, as it does for tqdm.
    """
    if environment.get("TQDM_DISABLE", "").strip().lower() not in _NOT_SET or sys.stderr is None:
        return "nowhere"
    in_kernel = _in_kernel()
    if in_kernel is not None:
        return in_kernel
    if _is_marimo():  # whose standard error is a part of its page, and says of itself what the terminal's is
        return "page"
    return "terminal" if getattr(sys.stderr, "isatty", bool)() else "log"


def _in_kernel() -> Place | None:
    """Return whether a front end asked for a cell of a notebook that it shows, or None outside kernels.

    JupyterLab, Notebook 7 and VS Code say which cell it is (`cellId` in the request's metadata); they replace what a
    cell shows. What runs notebooks without showing them (nbconvert, papermill) and consoles do not say it: they would
    show what came first, or all that came, one after the other.
    """
    ipython = sys.modules.get("IPython")
    shell: Any = None if ipython is None else ipython.get_ipython()
    get_parent = getattr(getattr(shell, "kernel", None), "get_parent", None)
    if get_parent is None:
        return None
    try:
        return "notebook" if "cellId" in get_parent()["metadata"] else "page"
    except Exception:  # noqa: BLE001 - kernels other than ipykernel may answer anything
        return "page"


def _is_marimo() -> bool:
    marimo: Any = sys.modules.get("marimo")
    return marimo is not None and bool(getattr(marimo, "running_in_notebook", bool)())
