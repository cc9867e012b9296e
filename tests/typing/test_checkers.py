"""mypy and pyright accept the right calls and refuse the wrong ones."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
CALLS = [str(Path(__file__).with_name(f"{name}_calls.py")) for name in ("right", "wrong")]
# Nothing is downloaded: the packages have the programs, and in this environment no address can be reached.
OFFLINE = {"HTTPS_PROXY": "http://127.0.0.1:9", "PYRIGHT_PYTHON_USE_BUNDLED_PYRIGHT": "1"}


def check(*command: str, files: list[str]) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", *command, *files]
    environment = {**os.environ, **OFFLINE}
    return subprocess.run(line, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=110, check=False)


@pytest.mark.parametrize("command", [("mypy",), ("pyright", "--pythonpath", sys.executable)], ids=["mypy", "pyright"])
def test_a_checker_agrees(command: tuple[str, ...]) -> None:
    done = check(*command, files=CALLS)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("command", [("mypy",), ("pyright", "--pythonpath", sys.executable)], ids=["mypy", "pyright"])
def test_each_wrong_call_is_complained_of(command: tuple[str, ...], tmp_path: Path) -> None:
    source = Path(CALLS[1]).read_text(encoding="utf-8")
    lines = [number for number, line in enumerate(source.splitlines(), 1) if "# type: ignore" in line]
    (tmp_path / "calls.py").write_text(source.replace("# type: ignore", "# wrong"), encoding="utf-8")
    done = check(*command, files=[str(tmp_path / "calls.py")])
    assert len(lines) > 25
    assert [number for number in lines if f"calls.py:{number}:" not in done.stdout] == []
