"""The tree of the package is as README shows it: what is where, what each part may import, how large files are."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import digime_pandas

NAME = "digime_pandas"
PACKAGE = Path(digime_pandas.__file__).parent
README = (PACKAGE.parent / "README.md").read_text(encoding="utf-8")
MOST_LINES = 350
MOST_FILES = 12

TREE = """\
digime_pandas/
  __init__.py  The public names, loaded at first use.             imports _client, _service, widget, errors
  __main__.py  The command line.                                  imports _client, _service, _tabular.formats, errors
  errors/      Every error and warning.                           imports nothing
  widget.py    AuthorizationWidget.                               imports _client, errors
  anywidget.py The same for marimo and other front ends.          imports _client, errors
  typing.py    The types of arguments.                            imports _client, _tabular.formats
  dask.py      The accessor of Dask frames.                       imports _client, errors
  polars.py    The namespace of polars frames.                    imports _client
  pytest_plugin.py  Fixtures, installed as `pytest_digime`.       imports sandbox
  _client/     What users call: connect, authorize, write, read.  imports _service, _tabular, data, errors
  _service/    How digi.me is spoken to: keys, requests, consent.  imports errors
  _tabular/    How a frame becomes the bytes of a file, and back.  imports errors
  sandbox/     An embedded digi.me.  imports _service.authorization, _service.contract, _service.descriptor, errors
  data/        The table of the demonstration.                    imports nothing
"""
ROWS = re.findall(r"^  (\w+)(?:\.py|/) .+ imports (.+)$", TREE, flags=re.MULTILINE)
MAY_IMPORT = {name: [] if allowed == "nothing" else allowed.split(", ") for name, allowed in ROWS}
VERSION = "_version"  # a constant, which every file may import
SANDBOX_ORDER = [
    *("_wire", "_server", "_store", "_context", "_setup", "_approvals", "_endpoints", "_app", "_browser"),
    *("_faults", "faults", "_running", "_scripted_count", "_sandbox", "_shared"),
]

FILES = sorted(PACKAGE.rglob("*.py"))
FOLDERS = sorted({path.parent for path in FILES})
PRIVATE_FOLDERS = [folder for folder in FOLDERS if folder.name.startswith("_")]
NETWORK = {"http.client", "http.server", "httpx", "requests", "socket", "socketserver", "ssl", "urllib.request"}
CLOCK_AND_CHANCE = {"random", "secrets", "time", "uuid"}
TABLES = {"numpy", "pandas", "polars", "pyarrow"}
WITH_SECRETS = {"cryptography", "jwt"}


def name_of(path: Path) -> str:
    """`_service.http.transport` for a file, `_service.http` for a folder."""
    return ".".join(path.relative_to(PACKAGE).parts).removesuffix(".py")


def imports(tree: ast.AST) -> Iterator[str]:
    """Every module that is imported anywhere in a file, in full."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.module, "imports are absolute"
            for alias in node.names:
                inner = PACKAGE.parent.joinpath(*node.module.split("."), alias.name)
                is_module = inner.is_dir() or inner.with_suffix(".py").is_file()
                yield f"{node.module}.{alias.name}" if is_module else node.module


@cache
def own(tree: ast.AST) -> set[str]:
    """The modules of this package that a file imports, without the package's name."""
    return {name.removeprefix(f"{NAME}.") for name in imports(tree) if name.partition(".")[0] == NAME}


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def is_in(name: str, parts: set[str] | list[str]) -> bool:
    return any(name == part or name.startswith(f"{part}.") for part in parts)


def content_of(folder: Path) -> set[str]:
    """The names of a folder's modules and sub-packages."""
    modules = {path.stem for path in folder.glob("*.py")} - {"__init__"}
    return modules | {inner.parent.name for inner in folder.glob("*/__init__.py")}


def order_of(folder: Path) -> list[str]:
    """A folder's modules and sub-packages from bottom to top, as its docstring has them."""
    if folder.name == "sandbox":
        return SANDBOX_ORDER
    [_, order] = (ast.get_docstring(parsed(folder / "__init__.py")) or "").split("bottom to top:")
    return re.findall(r"``(\w+)/?``", order)


def not_allowed(path: Path) -> set[str]:
    """The modules that a file imports although its part may not."""
    part = name_of(path).partition(".")[0]
    allowed = [*MAY_IMPORT.get(part, []), part, VERSION]
    if part == "__init__":
        allowed.append("errors")
    return {name for name in own(parsed(path)) if name != NAME and not is_in(name, allowed)}


def inside_functions(path: Path) -> set[str]:
    """The modules of this package that functions of a file import."""
    functions = [node for node in ast.walk(parsed(path)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    return {name for function in functions for name in own(function)}


def test_readme_shows_this_tree() -> None:
    assert f"```\n{TREE}```\n" in README


def test_the_tree_is_what_is_there() -> None:
    assert content_of(PACKAGE) | {"__init__"} == {*MAY_IMPORT, VERSION}


def test_a_file_imports_what_its_part_may() -> None:
    assert {name_of(path): names for path in FILES if (names := not_allowed(path))} == {}


@pytest.mark.parametrize("folder", [*PRIVATE_FOLDERS, PACKAGE / "sandbox"], ids=name_of)
def test_files_of_a_folder_import_one_way(folder: Path) -> None:
    order = order_of(folder)
    assert sorted(order) == sorted(content_of(folder))
    for position, name in enumerate(order):
        files = [folder / f"{name}.py"] if (folder / f"{name}.py").exists() else (folder / name).rglob("*.py")
        higher = {f"{name_of(folder)}.{other}" for other in order[position + 1 :]}
        for file in files:
            assert {found for found in own(parsed(file)) if is_in(found, higher)} == set(), name_of(file)


@pytest.mark.parametrize("folder", PRIVATE_FOLDERS, ids=name_of)
def test_a_private_folder_begins_with_a_docstring_only(folder: Path) -> None:
    statements = parsed(folder / "__init__.py").body
    assert [type(each) for each in statements] == [ast.Expr]


def test_no_own_module_is_imported_inside_a_function() -> None:
    assert {name_of(path): names for path in FILES if (names := inside_functions(path))} == {}


def test_own_modules_are_loaded_by_name_only_where_they_are_optional_or_heavy() -> None:
    by_name = {name_of(path): re.findall(r"import_module\(\"([\w.]+)\"\)", path.read_text()) for path in FILES}
    assert {module: names for module, names in by_name.items() if names} == {
        "__init__": [f"{NAME}.polars"],
        "_client.accessor": [f"{NAME}._client.{name}" for name in ("write", "preview", "write_each")],
        "_client.command_line.trial": [f"{NAME}.sandbox"],
        "_client.connect": [f"{NAME}.sandbox"] * 2,
    }


def test_one_file_alone_imports_httpx() -> None:
    importing = {name_of(path) for path in FILES if any(is_in(name, ["httpx"]) for name in imports(parsed(path)))}
    assert importing == {"_service.http.lines"}


@pytest.mark.parametrize(
    ("part", "unknown"),
    [("_service", TABLES), ("_tabular", NETWORK | CLOCK_AND_CHANCE | WITH_SECRETS)],
    ids=["service", "tabular"],
)
def test_what_a_part_does_not_know(part: str, unknown: set[str]) -> None:
    for path in (PACKAGE / part).rglob("*.py"):
        assert {name for name in imports(parsed(path)) if is_in(name, unknown)} == set(), name_of(path)


def test_no_file_is_too_long() -> None:
    lines = {name_of(path): len(path.read_text(encoding="utf-8").splitlines()) for path in FILES}
    assert {name: count for name, count in lines.items() if count > MOST_LINES} == {}


def test_no_folder_has_too_many_files() -> None:
    files = {name_of(folder): len(list(folder.glob("*.py"))) for folder in FOLDERS}
    assert {name: count for name, count in files.items() if count > MOST_FILES} == {}


def test_no_file_is_named_after_nothing() -> None:
    words = {word for path in FILES for word in path.stem.strip("_").split("_")}
    assert words & {"utils", "util", "helpers", "helper", "common", "base", "misc", "tools"} == set()


def test_type_checkers_find_the_public_names_where_they_are_loaded_from() -> None:
    blocks = [node for node in parsed(PACKAGE / "__init__.py").body if isinstance(node, ast.If)]
    [checked] = [block for block in blocks if ast.unparse(block.test) == "TYPE_CHECKING"]
    shown = {
        alias.name: node.module for node in checked.body if isinstance(node, ast.ImportFrom) for alias in node.names
    }
    assert shown == {name: f"{NAME}.{module}" for name, module in digime_pandas._MODULES.items()}


def test_the_public_names_are_these() -> None:
    assert list(digime_pandas.__all__) == [
        "APIError",
        "Authorization",
        "AuthorizationError",
        "AuthorizationExpiredError",
        "AuthorizationFlow",
        "AuthorizationTimeoutError",
        "AuthorizationWidget",
        "Client",
        "ConfigurationError",
        "ConsentRefusedError",
        "Contract",
        "ContractError",
        "DatasetError",
        "DescriptorError",
        "DigestMismatchError",
        "DigimeError",
        "FidelityError",
        "FidelityWarning",
        "FileDescriptor",
        "FileNotInLibraryError",
        "FileTokenStore",
        "FormatError",
        "GrantExpiredError",
        "InputError",
        "Journal",
        "LibraryFile",
        "MemoryTokenStore",
        "NotAuthorizedError",
        "Postbox",
        "Preview",
        "Receipt",
        "RefusedError",
        "ServiceUnreachableError",
        "Token",
        "UploadGrant",
        "UploadResult",
        "UserAccessToken",
        "__version__",
        "authorize",
        "connect",
        "errors",
        "files",
        "preview",
        "preview_each",
        "read_batches",
        "read_file",
        "read_frame",
        "write",
        "write_each",
    ]


def test_every_public_name_is_there_and_shown() -> None:
    for name in digime_pandas.__all__:
        assert getattr(digime_pandas, name) is not None
        assert name in dir(digime_pandas)
    with pytest.raises(AttributeError, match="no attribute 'Accessor'"):
        _ = digime_pandas.Accessor


def test_importing_the_package_loads_no_heavy_part() -> None:
    code = f"import json, sys, {NAME}; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, cwd=PACKAGE.parent)
    loaded = {name.partition(".")[0] for name in json.loads(done.stdout)}
    assert {NAME, "pandas"} <= loaded
    heavy = {
        "cryptography",
        "dask",
        "distributed",
        "duckdb",
        "httpx",
        "ipywidgets",
        "IPython",
        "jinja2",
        "jwt",
        "polars",
        "starlette",
        "tqdm",
        "uvicorn",
    }
    assert loaded & heavy == set()
