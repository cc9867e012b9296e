"""What every test with a browser needs: Chromium, and marks that say what is missing where it is not there."""

from __future__ import annotations

import shutil
from importlib.util import find_spec
from pathlib import Path

import pytest

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
ROOT = Path(__file__).parents[2]
FOLDERS = (
    *("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR"),
    *("JUPYTERLAB_SETTINGS_DIR", "JUPYTERLAB_WORKSPACES_DIR", "XDG_DATA_HOME"),
)
"""Variables that name where Jupyter keeps what is of the user."""


def needs_browser(program: str, advice: str = "") -> list[pytest.MarkDecorator]:
    """Return the marks of tests that show a program in Chromium."""
    # Not imported, which takes seconds: it runs as a program of its own.
    reason = f"{program} is not installed{advice}"
    return [
        pytest.mark.slow,
        pytest.mark.browser,
        pytest.mark.skipif(find_spec(program.lower()) is None, reason=reason),
        pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here (apt-get install chromium)"),
        pytest.mark.timeout(600),
    ]
