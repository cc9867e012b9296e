"""How the house is built: what imports what, what is loaded when, and how large files are."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import digime_pandas

PACKAGE = Path(digime_pandas.__file__).parent
NAME = "digime_pandas"
LONGEST_FILE = 350

# From the lowest floor to the highest. A file imports from the floors below its own only.
FLOORS: dict[str, tuple[str, ...]] = {
    "errors": ("errors", "_process", "_version", "_warn"),
    "values that show nothing": ("_secret", "_tracebacks"),
    "values": ("_authorization", "_contract", "_descriptor"),
    "values made of values": ("_receipt", "_wire"),
    "engines": ("_polars", "_without_polars"),
    "steps": (
        "_arrow_types",
        "_columns",
        "_csv",
        "_dictionaries",
        "_file_data",
        "_formats",
        "_json_array",
        "_parquet_join",
        "_pipeline",
        "_pkce",
        "_refusal",
        "_request_body",
        "_sign",
        "_text",
    ),
    "steps on columns and formats": (
        "_envelope",
        "_examine",
        "_json",
        "_objects",
        "_options",
        "_plain_rules",
        "_restore",
        "_rules",
        "_split",
        "_tables",
    ),
    "steps that describe a frame": ("_describe", "_fidelity"),
    "steps that describe labels": ("_labels",),
    "steps that look at a frame": ("_frame",),
    "steps on one format": ("_parquet", "_schema"),
    "steps from a frame": ("_rebuild", "_serialize"),
    "steps to a frame": ("_parse",),
    "edges": ("_consent", "_http", "_progress", "_prompt", "_token_store", "_vault"),
    "edges on edges": ("_opening", "_redirect", "_spool"),
    "endpoints": ("_api",),
    "flows": ("_deliver", "_flow", "_library"),
    "consents": ("_consents",),
    "shelf": ("_same_library", "_shelf"),
    "client": ("_client",),
    "default client": ("_connect",),
    "plans": ("_plan", "_walkthrough", "_wording"),
    "previews": ("_panel", "_preview"),
    "stories": ("_authorize", "_read", "_write"),
    "stories of stories": ("_demo", "_write_each"),
    "faces": ("_accessor", "dask", "widget"),
    "doors": ("__init__", "__main__", "polars"),
}
FLOOR_OF = {module: number for number, modules in enumerate(FLOORS.values()) for module in modules}
PURE = [module for floor, modules in FLOORS.items() if floor.startswith(("values", "steps")) for module in modules]

FILES = sorted(PACKAGE.rglob("*.py"))
MODULES = [path for path in FILES if path.parent == PACKAGE]
SANDBOX = [path for path in FILES if path.parent == PACKAGE / "sandbox"]


def name_of(path: Path) -> str:
    return path.relative_to(PACKAGE).with_suffix("").as_posix()


def imports(tree: ast.AST) -> Iterator[str]:
    """Every module that is imported anywhere in a file, in full."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            inner = node.module == NAME
            yield from (f"{NAME}.{alias.name}" for alias in node.names) if inner else iter([node.module or ""])


def own(tree: ast.AST) -> set[str]:
    """The modules of this package that a file imports, without the package's name."""
    return {name.removeprefix(f"{NAME}.") for name in imports(tree) if name == NAME or name.startswith(f"{NAME}.")}


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def test_every_module_has_its_floor() -> None:
    assert {path.stem for path in MODULES} == set(FLOOR_OF)
    assert len(FLOOR_OF) == sum(map(len, FLOORS.values()))


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_imports_only_from_the_floors_below_it(path: Path) -> None:
    floor = FLOOR_OF[path.stem]
    too_high = {name for name in own(parsed(path)) if FLOOR_OF.get(name.partition(".")[0], 0) >= floor}
    assert too_high == set()


@pytest.mark.parametrize("path", SANDBOX, ids=name_of)
def test_the_sandbox_shares_only_errors_and_values_with_the_client(path: Path) -> None:
    outside = {name for name in own(parsed(path)) if name != "sandbox" and not name.startswith("sandbox.")}
    assert outside <= {"errors", "_contract", "_descriptor"}


def test_nothing_but_the_command_line_and_the_demonstration_knows_the_sandbox() -> None:
    knowing = {path.stem for path in MODULES if any(name.startswith("sandbox") for name in own(parsed(path)))}
    assert knowing <= {"__main__", "_demo"}


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_no_own_module_is_imported_inside_a_function(path: Path) -> None:
    functions = [node for node in ast.walk(parsed(path)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    assert {name for function in functions for name in own(function)} == set()


def test_own_modules_are_loaded_by_name_only_where_they_are_optional_and_heavy() -> None:
    by_name = {name_of(path): re.findall(r"import_module\(\"([\w.]+)\"\)", path.read_text()) for path in FILES}
    assert {module: names for module, names in by_name.items() if names} == {
        "__init__": [f"{NAME}.polars"],
        "__main__": [f"{NAME}.sandbox"],
        "_accessor": [f"{NAME}._write", f"{NAME}._preview", f"{NAME}._write_each"],
        "_connect": [f"{NAME}.sandbox"],
    }


def test_type_checkers_find_the_public_names_where_they_are_loaded_from() -> None:
    blocks = [node for node in parsed(PACKAGE / "__init__.py").body if isinstance(node, ast.If)]
    [checked] = [block for block in blocks if ast.unparse(block.test) == "TYPE_CHECKING"]
    shown = {
        alias.name: node.module for node in checked.body if isinstance(node, ast.ImportFrom) for alias in node.names
    }
    assert shown == {name: f"{NAME}.{module}" for name, module in digime_pandas._MODULES.items()}


@pytest.mark.parametrize("module", PURE)
def test_values_and_steps_know_neither_network_nor_clock_nor_chance(module: str) -> None:
    worldly = {"httpx", "http.client", "random", "requests", "secrets", "socket", "time", "urllib.request"}
    assert set(imports(parsed(PACKAGE / f"{module}.py"))) & worldly == set()


def test_one_file_alone_imports_httpx() -> None:
    assert [path.stem for path in FILES if "httpx" in set(imports(parsed(path)))] == ["_http"]


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_no_file_is_too_long(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= LONGEST_FILE


def test_no_file_is_named_after_nothing() -> None:
    words = {word for path in FILES for word in path.stem.strip("_").split("_")}
    assert words & {"utils", "util", "helpers", "helper", "common", "base", "misc", "tools"} == set()


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
        "DescriptorError",
        "DigestMismatchError",
        "DigimeError",
        "FidelityError",
        "FileDescriptor",
        "FileNotInLibraryError",
        "FileTokenStore",
        "FormatError",
        "InputError",
        "LibraryFile",
        "MemoryTokenStore",
        "NotAuthorizedError",
        "Postbox",
        "Preview",
        "Receipt",
        "RefusedError",
        "ServiceUnreachableError",
        "Token",
        "UserAccessToken",
        "__version__",
        "authorize",
        "connect",
        "errors",
        "read_batches",
        "read_file",
        "read_frame",
        "write",
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
