from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from digime_pandas._client.imports.later_import import when_imported

ROOT = Path(__file__).parents[3]

pytestmark = pytest.mark.slow  # each one starts an interpreter


def run(code: str, *paths: Path) -> str:
    """Run code in an interpreter of its own; return what it prints."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env={"PYTHONPATH": ":".join(map(str, (ROOT, *paths)))},
    )
    assert done.stderr == ""
    return done.stdout


def test_what_is_imported_already_is_done_at_once() -> None:
    done: list[int] = []
    when_imported("sys", lambda: done.append(1))
    assert done == [1]


def test_it_is_done_once_after_the_import(tmp_path: Path) -> None:
    (tmp_path / "later.py").write_text("value = 1\n")
    watch = "from digime_pandas._client.imports.later_import import when_imported as when"
    act = "when('later', lambda: print(sys.modules['later'].value))"
    code = f"import sys; {watch}; {act}; print('before'); import later; import later; print(len(sys.meta_path))"
    plain = run("import sys; import digime_pandas; print(len(sys.meta_path))")
    assert run(code, tmp_path).split() == ["before", "1", *plain.split()]


def test_what_is_not_installed_stays_missing_and_is_watched_on(tmp_path: Path) -> None:
    watch = "from digime_pandas._client.imports.later_import import when_imported as when"
    code = (
        f"import sys, pathlib, importlib; {watch}; when('later', lambda: print('done'))\n"
        "try:\n    import later\nexcept ModuleNotFoundError: print('missing')\n"
        f"pathlib.Path({str(tmp_path)!r}, 'later.py').write_text('')\nimportlib.invalidate_caches()\nimport later"
    )
    assert run(code, tmp_path).split() == ["missing", "done"]


def test_an_import_that_fails_says_so_and_nothing_is_done(tmp_path: Path) -> None:
    (tmp_path / "later.py").write_text("raise RuntimeError('broken')\n")
    watch = "from digime_pandas._client.imports.later_import import when_imported as when"
    code = (
        f"{watch}; when('later', lambda: print('done'))\ntry:\n    import later\nexcept RuntimeError: print('failed')"
    )
    assert run(code, tmp_path).split() == ["failed"]


@pytest.mark.parametrize("first", ["digime_pandas", "polars"])
def test_polars_has_the_namespace_in_either_order(first: str) -> None:
    second = {"digime_pandas": "polars", "polars": "digime_pandas"}[first]
    code = (
        f"import {first}; import {second}; import polars as pl; print(type(pl.DataFrame({{'a': [1]}}).digime).__name__)"
    )
    assert run(code).split() == ["PolarsDataFrameNamespace"]
