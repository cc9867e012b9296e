"""What is installed, what is loaded, and which versions: as pyproject.toml and `.ci/run` say."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
import tomllib
from email.message import Message
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest

import digime_pandas as digime
from digime_pandas.__main__ import main
from tests.whole.released import problems_of_wheel

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "digime_pandas"
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
HTTPX_FILE = "_service/http/lines.py"
# What takes long to load, or is not there in every installation, and is not needed for a small write.
NOT_LOADED = ["brotli", "dask", "httpx", "IPython", "ipywidgets", "polars", "python_socks", "tqdm", "traitlets"]

SMALL_WRITE = f"""
import sys
import pandas as pd
before = set(sys.modules)
import digime_pandas as digime
client = digime.connect("sandbox")
client.sandbox.approve_all(["p"], tokens=client.tokens)
receipt = pd.DataFrame({{"a": [1]}}).digime.write("x.csv", account_id="p")
print(receipt.status, [name for name in {NOT_LOADED} if name in sys.modules and name not in before])
"""

# A module of another name has the interface, and the first name cannot be imported.
TWIN = """
import sys
import httpx
globals().update(vars(httpx))
sys.modules["httpx"] = None
"""
WRITE_BY_TWIN = """
import httpx_twin
import pandas as pd
import digime_pandas as digime
from digime_pandas.sandbox import Sandbox

class Counting(httpx_twin.HTTPTransport):
    count = 0
    def handle_request(self, request):
        Counting.count += 1
        return super().handle_request(request)

with Sandbox() as sandbox:
    options = {"read_contract": sandbox.read_contract, "base_url": sandbox.base_url, "onboard_url": sandbox.onboard_url}
    client = digime.Client(sandbox.contract, **options, tokens=digime.MemoryTokenStore(), transport=Counting())
    sandbox.approve_all(["p"], tokens=client.tokens)
    receipt = pd.DataFrame({"a": [1]}).digime.write("x.csv", account_id="p", client=client)
    try:
        import httpx
    except ImportError:
        print(receipt.status, Counting.count > 0, digime.__file__)
"""


def names_of(requirements: list[str]) -> set[str]:
    return {re.split(r"[^\w-]", each)[0].lower().replace("_", "-") for each in requirements}


def run(code: str, **options: Any) -> str:
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=100, **options)
    return str(done.stdout)


def test_the_version_is_kept_once(capsys: pytest.CaptureFixture[str]) -> None:
    assert PROJECT["dynamic"] == ["version"]
    with pytest.raises(SystemExit, match=r"^0$"):
        main(["--version"])
    assert digime.__version__ in capsys.readouterr().out


def test_the_classifiers_name_the_pythons_that_all_tests_are_run_with() -> None:
    classifiers = re.findall(r"Python :: (3\.\d+)$", "\n".join(PROJECT["classifiers"]), re.MULTILINE)
    [line] = re.findall(r"^versions='([^']*)'", (ROOT / ".ci" / "run").read_text(encoding="utf-8"), re.MULTILINE)
    assert classifiers == line.split()[: len(classifiers)]
    assert PROJECT["requires-python"] == f">={classifiers[0]}"


def test_everything_that_is_imported_is_declared() -> None:
    declared = names_of(PROJECT["dependencies"])
    declared |= {name for extra in PROJECT["optional-dependencies"].values() for name in names_of(extra)}
    # Of Jupyter's kernel or pytest, which are there where these are used.
    declared |= {"ipython", "ipykernel", "traitlets", "digime-pandas"}
    imported = set()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                imported.add(str(node.module).partition(".")[0])
    packages = packages_distributions()
    others = {
        name: [each.lower().replace("_", "-") for each in packages.get(name, [name])]
        for name in imported - set(sys.stdlib_module_names)
    }
    assert len(others) > 10
    assert {name for name, packages in others.items() if not declared.intersection(packages)} == set()


@pytest.mark.slow
def test_a_small_write_loads_nothing_that_few_need() -> None:
    assert run(SMALL_WRITE) == "delivered []\n"


@pytest.mark.slow
def test_another_module_takes_the_place_of_httpx_by_one_line(tmp_path: Path) -> None:
    shutil.copytree(PACKAGE, tmp_path / "digime_pandas", ignore=shutil.ignore_patterns("__pycache__"))
    text = (tmp_path / "digime_pandas" / HTTPX_FILE).read_text(encoding="utf-8")
    [line] = re.findall(r"^_LIBRARY = .*$", text, flags=re.MULTILINE)
    changed = text.replace(line, '_LIBRARY = "httpx_twin"')
    (tmp_path / "digime_pandas" / HTTPX_FILE).write_text(changed, encoding="utf-8")
    (tmp_path / "httpx_twin.py").write_text(TWIN)
    (tmp_path / "write.py").write_text(WRITE_BY_TWIN)
    path = tmp_path / "digime_pandas" / "__init__.py"
    assert run("import write", cwd=tmp_path) == f"delivered True {path}\n"


def test_what_is_wrong_with_a_wheel_is_found() -> None:
    fields = ["Summary", "License-Expression", "License-File", "Requires-Python", "Author", "Keywords", "Classifier"]
    metadata = Message()
    for each in fields:
        metadata[each] = "x"
    names = ["pytest_digime.py", "digime_pandas/__init__.py", "digime_pandas/py.typed"]
    names += ["digime_pandas/data/penguins.csv", "digime_pandas/sandbox/templates/a.html", "x.dist-info/METADATA"]
    assert problems_of_wheel(names, metadata.as_string()) == []
    assert problems_of_wheel([*names, "tests/a.py"], metadata.as_string()) == ["has tests"]
    assert problems_of_wheel(names[1:], metadata.as_string()) == ["lacks pytest_digime.py"]
    del metadata["Author"]
    assert problems_of_wheel(names, metadata.as_string()) == ["says no Author"]
