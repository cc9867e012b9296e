from __future__ import annotations

import copy
import inspect
import pickle

import pytest

from digime_pandas import errors
from digime_pandas.errors import (
    APIError,
    ConsentRefusedError,
    DigimeError,
    DigimeWarning,
    FidelityError,
    InvalidTokenError,
    ReplyError,
    ServiceUnreachableError,
    SpoolError,
    TokenStoreError,
)

CLASSES = [value for _, value in inspect.getmembers(errors, inspect.isclass) if value.__module__ == errors.__name__]


def test_every_error_derives_from_one_base() -> None:
    assert len(CLASSES) > 20
    assert all(issubclass(each, DigimeError) for each in CLASSES if each is not DigimeWarning)


def test_a_warning_is_one_of_the_users_own_kind_and_no_error() -> None:
    assert issubclass(DigimeWarning, UserWarning)
    assert not issubclass(DigimeWarning, DigimeError)


def test_every_error_is_exported_and_in_the_tree_at_the_top() -> None:
    names = {each.__name__ for each in CLASSES}
    assert names | {"Outcome"} == set(errors.__all__)
    assert list(errors.__all__) == sorted(errors.__all__)
    drawn = set((errors.__doc__ or "").replace("(", " ").split())
    assert names <= drawn


@pytest.mark.parametrize(
    ("name", "natural"),
    [
        ("ConfigurationError", ValueError),
        ("InputError", ValueError),
        ("NotAuthorizedError", LookupError),
        ("RedirectError", ValueError),
        ("AuthorizationTimeoutError", TimeoutError),
        ("SpoolError", OSError),
        ("TokenStoreError", OSError),
        ("SecretError", TypeError),
        ("ServiceUnreachableError", ConnectionError),
        ("ReplyError", ValueError),
        ("FileNotInLibraryError", LookupError),
        ("SealedFileError", ValueError),
        ("DigestMismatchError", ValueError),
    ],
)
def test_an_error_is_also_what_python_would_call_it(name: str, natural: type[Exception]) -> None:
    assert issubclass(getattr(errors, name), natural)


@pytest.mark.parametrize(
    "error",
    [
        DigimeError("plain"),
        FidelityError("no such value", column="pulse", row=3),
        ConsentRefusedError("no", code="USER_CANCEL"),
        SpoolError("full"),
        TokenStoreError("read-only"),
        InvalidTokenError("old", outcome="refused", status=401, code="InvalidToken", reference="r", attempts=2),
        ServiceUnreachableError("away", outcome="unknown", attempts=5, retry_after=1.5),
        ReplyError("odd", outcome="unknown"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_crosses_processes_with_all_it_knows(error: DigimeError) -> None:
    error.add_note("a note")
    for again in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert type(again) is type(error)
        assert str(again) == str(error)
        assert again.__dict__ == error.__dict__
        assert again.__notes__ == ["a note"]


def test_what_is_not_known_of_a_request_is_none() -> None:
    error = APIError("away", outcome="not sent")
    assert (error.status, error.code, error.reference, error.retry_after) == (None, None, None, None)
    assert error.attempts == 1
