"""The public names: where they say they are from, and that pickles made under those names load elsewhere."""

from __future__ import annotations

import inspect
import pickle
import pydoc
import re
import subprocess
import sys

import pytest

import digime_pandas as digime

NAMED = [
    name
    for name in digime.__all__
    if inspect.isroutine(getattr(digime, name)) or inspect.isclass(getattr(digime, name))
]


def test_nearly_all_public_names_are_classes_and_functions() -> None:
    assert set(digime.__all__) - set(NAMED) == {"__version__", "errors"}


@pytest.mark.parametrize("name", NAMED)
def test_a_public_name_is_shown_under_its_public_place(name: str) -> None:
    value = getattr(digime, name)
    place = "digime_pandas.errors" if hasattr(digime.errors, name) else "digime_pandas"
    assert (value.__module__, value.__qualname__) == (place, name)
    assert getattr(sys.modules[place], name) is value
    assert pydoc.render_doc(value).splitlines()[0].endswith(f" in module {place}")


def test_dir_lists_the_public_names_alone() -> None:
    assert dir(digime) == digime.__all__


def test_help_begins_with_what_one_calls() -> None:
    page = pydoc.plain(pydoc.render_doc(digime))
    beginning, _ = page.split("\nPACKAGE CONTENTS\n")
    calls = [name for name in NAMED if inspect.isfunction(getattr(digime, name))]
    assert {"connect", "write", "read_frame"} <= set(calls)
    assert [name for name in (*calls, "AuthorizationWidget", "Journal") if f"`{name}`" not in beginning] == []
    named = re.findall(r"`(?:digime_pandas\.)?(\w+)`", beginning)
    assert set(named) - set(digime.__all__) == {"typing"}  # a module


@pytest.mark.slow
def test_a_pickle_loads_in_a_process_that_has_used_nothing_yet() -> None:
    token = digime.Token("t0ken", 1_800_000_000)
    values = (
        digime.FileDescriptor("text/csv", "patient-17", tags=["visits"]),
        digime.Postbox,
        digime.write,
        digime.FidelityError("no", column="a", row=1),
    )
    assert digime.UserAccessToken(token, token) == digime.UserAccessToken(token, token)
    code = "import pickle, sys; print([getattr(v, '__name__', v) for v in pickle.load(sys.stdin.buffer)])"
    done = subprocess.run([sys.executable, "-c", code], input=pickle.dumps(values), capture_output=True, check=True)
    assert b"FileDescriptor(mime_type='text/csv'" in done.stdout
    assert b"'Postbox', 'write', FidelityError('no')" in done.stdout
