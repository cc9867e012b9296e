"""What is in the files of a release: ``python -m tests.whole.released WHEEL SDIST``."""

from __future__ import annotations

import sys
import tarfile
import zipfile
from email.parser import Parser

NEEDED = {
    "pytest_digime.py",
    "digime_pandas/__init__.py",
    "digime_pandas/py.typed",
    "digime_pandas/data/penguins.csv",
    "digime_pandas/sandbox/templates/",
}
TOPS = {"digime_pandas", "pytest_digime.py"}


def problems_of_wheel(names: list[str], metadata: str) -> list[str]:
    """Return what is wrong with a wheel.

    Args:
        names: Of its files.
        metadata: Text of its ``METADATA``.
    """
    problems = [f"lacks {each}" for each in NEEDED if not any(name.startswith(each) for name in names)]
    tops = {name.partition("/")[0] for name in names}
    problems += [f"has {each}" for each in tops - TOPS if not each.endswith(".dist-info")]
    problems += [f"has {name}" for name in names if "__pycache__" in name or name == "digime_pandas/pytest_plugin.py"]
    fields = Parser().parsestr(metadata)
    wanted = ["Summary", "License-Expression", "License-File", "Requires-Python", "Author", "Keywords", "Classifier"]
    problems += [f"says no {each}" for each in wanted if not fields[each]]
    return problems


def main(wheel: str, sdist: str) -> None:
    """Exit with what is wrong with a wheel and an sdist, if anything is."""
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        (metadata,) = (name for name in names if name.endswith(".dist-info/METADATA"))
        problems = [f"The wheel {each}." for each in problems_of_wheel(names, archive.read(metadata).decode())]
    with tarfile.open(sdist) as tar:
        parts = {name.split("/")[1] for name in tar.getnames() if name.count("/") > 0}
    wanted = {"README.md", "LICENSE", "pyproject.toml", "digime_pandas", "tests", "notebooks", ".ci", ".github"}
    problems += [f"The sdist lacks {each}." for each in sorted(wanted - parts)]
    if problems:
        sys.exit("\n".join(problems))


if __name__ == "__main__":
    main(*sys.argv[1:])
