"""The public names: where they say they are from, and that pickles made under those names load elsewhere."""

from __future__ import annotations

import inspect
import pickle
import pydoc
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
