"""The fixtures for users' own tests: what they give, that each test has its own, and that other runs do not notice."""

from __future__ import annotations

import ast
import re
import sys
import threading
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from digime_pandas import pytest_plugin
from digime_pandas._client import connect as _connect
from tests.common.threads import left_since
from tests.whole.documents.pages import ROOT

pytest_plugins = ["pytester"]
pytestmark = pytest.mark.slow

PAGE = (ROOT / "notebooks" / "docs" / "how-to" / "testing.md").read_text(encoding="utf-8")
FIXTURES = ["digime_accounts", "digime_client", "digime_fail", "digime_sandbox"]
IMPORTS = "import pandas as pd\nimport pytest\n\nimport digime_pandas as digime\n\nFRAME = pd.DataFrame({'a': [1]})\n"


def example() -> str:
    [code] = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    return str(code)


def run(pytester: pytest.Pytester, *tests: str, options: tuple[str, ...] = ()) -> pytest.RunResult:
    """Run tests in this process, with warnings as errors."""
    pytester.makepyfile("\n\n".join((IMPORTS, *tests)))
    return pytester.runpytest_inprocess("-W", "error", "-p", "no:cacheprovider", *options)


def test_the_fixtures_are_those_that_the_page_has() -> None:
    found = [name for name in vars(pytest_plugin) if name.startswith("digime_")]
    assert sorted(found) == FIXTURES
    assert sorted(re.findall(r"^\| `(digime_\w+)` \|", PAGE, re.MULTILINE)) == FIXTURES


def test_pytest_loads_them_wherever_the_package_is_installed() -> None:
    assert {each.name: each.value for each in entry_points(group="pytest11")}["digime"] == "pytest_digime"
    installed = Path(sys.modules["pytest_digime"].__file__ or "").read_text(encoding="utf-8")
    assert installed == Path(pytest_plugin.__file__).read_text(encoding="utf-8"), "install it again: pip install -e ."


def test_to_load_them_loads_nothing_of_the_package() -> None:
    tree = ast.parse(Path(pytest_plugin.__file__).read_text(encoding="utf-8"))
    names = {alias.name for node in tree.body if isinstance(node, ast.Import) for alias in node.names}
    names |= {str(node.module) for node in tree.body if isinstance(node, ast.ImportFrom)}
    assert {name.partition(".")[0] for name in names} - sys.stdlib_module_names == {"pytest"}


def test_a_client_may_write_and_read_and_is_the_default_one_while_the_test_runs(pytester: pytest.Pytester) -> None:
    before, threads = _connect._default, set(threading.enumerate())
    result = run(
        pytester,
        """
def test_write(digime_client):
    receipt = FRAME.digime.write("a.csv", "patient-17")
    assert receipt.status == "delivered" and receipt.verify(digime_client)
    assert digime.read_frame("a.csv", account_id="patient-17", client=digime_client)["a"].tolist() == [1]
""",
        """
def test_nobody_else_gave_consent(digime_client):
    with pytest.raises(digime.NotAuthorizedError):
        FRAME.digime.write("a.csv", "patient-18")
""",
    )
    result.assert_outcomes(passed=2)
    assert _connect._default is before
    assert left_since(threads) == []


def test_each_test_has_a_sandbox_of_its_own(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
@pytest.mark.parametrize("again", [1, 2])
def test_write(digime_client, digime_sandbox, again, tmp_path):
    assert digime_sandbox.files() == []
    assert list(tmp_path.iterdir()) == []
    digime_sandbox.fail("upload", status=413, times=None)
    digime_sandbox.pending_lists = 1
    if again == 2:
        digime_sandbox.heal()
        FRAME.digime.write("a.csv", "patient-17")
        assert [file.name for file in digime_sandbox.files("patient-17")] == ["a.csv"]
""",
    )
    result.assert_outcomes(passed=2)


@pytest.mark.slow
@pytest.mark.parametrize(
    "override",
    [
        "@pytest.mark.parametrize('digime_accounts', [['ana', 'ben']])",
        "@pytest.fixture\ndef digime_accounts():\n    return ['ana', 'ben']\n\n",
    ],
    ids=["parametrized", "defined anew"],
)
def test_the_accounts_can_be_others(pytester: pytest.Pytester, override: str) -> None:
    test = """
def test_each(digime_client):
    table = pd.DataFrame({"who": ["ana", "ben"], "a": [1, 2]}).digime.write_each("who", "a.csv")
    assert table["status"].tolist() == ["delivered", "delivered"]
    assert [len(digime.read_frame("a.csv", account_id=who)) for who in ("ana", "ben")] == [1, 1]
"""
    run(pytester, f"{override}{test}").assert_outcomes(passed=1)


@pytest.mark.slow
def test_faults_are_arranged_and_end_with_the_test(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
def test_busy(digime_client, digime_fail):
    with digime_fail("upload", status=503, retry_after=0, times=2) as fault:
        receipt = FRAME.digime.write("a.csv", "patient-17", progress=False)
    assert (fault.hits, receipt.attempts) == (2, 3)
    digime_fail("upload", hang="answer", times=None)
    digime_fail("connect", refused=True)
""",
        """
def test_refused(digime_client, digime_sandbox):
    digime_sandbox.fail("upload", status=413, code="FileTooLarge", message="Too large.")
    with pytest.raises(digime.RefusedError):
        FRAME.digime.write("a.csv", "patient-17")
""",
    )
    result.assert_outcomes(passed=2)


@pytest.mark.slow
def test_what_a_test_connected_itself_is_the_default_no_longer(pytester: pytest.Pytester) -> None:
    before = _connect._default
    result = run(
        pytester,
        """
def test_connect(digime_client, digime_sandbox):
    addresses = {"base_url": digime_sandbox.base_url, "onboard_url": digime_sandbox.onboard_url}
    contracts = {"target": digime_sandbox.contract, "read_contract": digime_sandbox.read_contract}
    digime.connect(**contracts, **addresses, tokens=digime.MemoryTokenStore()).close()
""",
        """
def test_after(digime_client):
    assert FRAME.digime.write("a.csv", "patient-17").attempts == 1
""",
    )
    result.assert_outcomes(passed=2)
    assert _connect._default is before


def test_a_failing_test_ends_its_sandbox_too(pytester: pytest.Pytester) -> None:
    threads = set(threading.enumerate())
    run(pytester, "def test_fails(digime_client):\n    raise LookupError").assert_outcomes(failed=1)
    assert left_since(threads) == []


@pytest.mark.slow
@pytest.mark.parametrize("options", [(), ("-n", "2")], ids=["alone", "with xdist"])
def test_the_example_of_the_page_passes(pytester: pytest.Pytester, options: tuple[str, ...]) -> None:
    pytester.makepyfile(test_one=example(), test_two=example())
    result = pytester.runpytest_subprocess("-W", "error", *options)
    result.assert_outcomes(passed=2)
    assert not result.stderr.lines


@pytest.mark.slow
def test_a_run_without_the_fixtures_does_not_notice(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("""
        import sys

        def test_nothing_is_loaded():
            assert "pytest_digime" in sys.modules
            assert not {"digime_pandas", "pandas", "uvicorn"} & set(sys.modules)
    """)
    pytester.runpytest_subprocess("-W", "error").assert_outcomes(passed=1)


@pytest.mark.slow
def test_the_missing_extra_is_named_by_the_tests_that_need_it_alone(pytester: pytest.Pytester) -> None:
    pytester.makeconftest("import sys\n\nsys.modules['uvicorn'] = None")
    pytester.makepyfile("def test_with(digime_client):\n    pass\n\n\ndef test_without():\n    pass")
    result = pytester.runpytest_subprocess("-W", "error")
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*pip install 'digime-pandas?sandbox?'*"])
