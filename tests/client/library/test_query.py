from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pandas as pd
import pytest

from digime_pandas._client.library.file import LibraryFile, library_file
from digime_pandas._client.library.query import FileQuery
from digime_pandas._service.messages import Scope
from digime_pandas.errors import InputError

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
WRITE_ID = "urn:uuid:1"


def listed(*reference: str, tags: tuple[str, ...] = (), mime_type: str = "text/csv") -> LibraryFile:
    metadata = {"mimetype": mime_type, "reference": list(reference), "tags": list(tags)}
    return library_file("id", 0, metadata, lambda _: pytest.fail("nothing is fetched"))


FILES = [
    listed("a", "b", tags=("t",)),
    listed("a"),
    listed("a", mime_type="text/plain"),
    listed(tags=("t", "u")),
]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({}, [0, 1, 2, 3]),
        ({"reference": "a"}, [0, 1, 2]),
        ({"reference": ["a"], "mime_type": "text/csv"}, [0, 1]),
        ({"reference": ("a", "b"), "tags": ["t"]}, [0]),
        ({"reference": iter(["b"])}, [0]),
        ({"tags": ["t", "u"]}, [3]),
        ({"name": "a"}, [0, 1, 2]),
        ({"name": "b"}, []),
        ({"name": "id"}, [3]),
    ],
)
def test_files_are_wanted_that_have_all_that_is_asked_for(wanted: dict[str, Any], found: list[int]) -> None:
    query = FileQuery.of(**wanted)
    assert [number for number, file in enumerate(FILES) if query.matches(file)] == found


@pytest.mark.parametrize(
    ("since", "updated", "wanted"),
    [
        (None, 0, True),
        (NOON, NOON.timestamp() * 1000, True),
        (NOON, NOON.timestamp() * 1000 - 1, False),
        (NOON + timedelta(microseconds=500), NOON.timestamp() * 1000, True),
        (pd.Timestamp(NOON), NOON.timestamp() * 1000 + 0.5, True),
        (NOON.astimezone(timezone(timedelta(hours=5))), NOON.timestamp() * 1000 - 1, False),
    ],
    ids=str,
)
def test_files_are_wanted_that_were_changed_since(since: datetime | None, updated: float, wanted: bool) -> None:
    assert FileQuery.of(since=since).may_be(updated) is wanted


@pytest.mark.parametrize(
    ("wanted", "scope"),
    [
        ({}, None),
        ({"reference": [], "tags": ()}, None),
        ({"reference": "a"}, Scope(reference="a")),
        ({"name": "n", "reference": "a"}, Scope(reference="n")),
        ({"name": "n", "reference": ["a", WRITE_ID]}, Scope(reference=WRITE_ID)),
        ({"tags": ["t", "u"], "mime_type": "m"}, Scope(tag="t", mime_type="m")),
        ({"since": NOON + timedelta(seconds=1.9)}, Scope(since=int(NOON.timestamp()) + 1)),
    ],
    ids=repr,
)
def test_one_value_of_each_kind_is_asked_for_and_the_fewest_files_have_it(
    wanted: dict[str, Any], scope: Scope | None
) -> None:
    assert FileQuery.of(**wanted).scope == scope


def test_a_file_that_is_there_is_asked_for_like_the_wanted_ones() -> None:
    query = FileQuery.of(name="gone", tags="missing", mime_type="text/gone", since=NOON)
    known = listed("a", "b", tags=("t", "u"))
    assert query.scope_for(known) == Scope("b", "u", "text/csv", int(NOON.timestamp()))
    assert FileQuery.of(tags="missing").scope_for(listed(tags=("t", "u"))) == Scope(tag="u")


@pytest.mark.parametrize("file", [listed("a", tags=("t", "u")), listed("a", "b", tags=("t", "t")), listed()], ids=repr)
def test_a_file_with_one_value_shows_nothing_of_several(file: LibraryFile) -> None:
    assert FileQuery.of(reference="x", tags="y").scope_for(file) is None
    assert FileQuery.of(mime_type="text/gone").scope_for(file) == Scope(mime_type=file.mime_type)


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": 1},
        {"name": ["a"]},
        {"reference": 1},
        {"reference": [1]},
        {"tags": b"t"},
        {"tags": ["t", None]},
        {"mime_type": ["text/csv"]},
        {"since": "2026-01-05"},
        {"since": date(2026, 1, 5)},
        {"since": datetime(2026, 1, 5)},  # noqa: DTZ001 - without a zone on purpose
        {"since": pd.NaT},
        {"since": 1.7e9},
    ],
    ids=repr,
)
def test_what_is_not_valid_is_named(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=f"^{next(iter(wrong))} is .*; pass "):
        FileQuery.of(**wrong)
