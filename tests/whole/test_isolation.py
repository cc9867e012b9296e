# The stubs of pandas know fewer inputs than the library takes.
# mypy: disable-error-code="arg-type, attr-defined, call-overload"
"""No library holds anything of another person: whatever the keys, dtypes, index and labels of the frame that was split.

Every value of a frame is a text or number that belongs to one person alone. After the frame was split and written, each
person's library is opened, and everything in it (bytes, Parquet's dictionaries, statistics and metadata, descriptors,
references, names) is searched for what belongs to the others.
"""

from __future__ import annotations

import base64
import itertools
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import digime_pandas as digime
from digime_pandas.sandbox import Sandbox
from digime_pandas.sandbox._store.library import SandboxFile
from tests.file_contents import inflated, unpacked

EXAMPLES = max(4, int(os.environ.get("DIGIME_TEST_EXAMPLES", "200")) // 40)
many = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    database=None,
)
FORMATS = ("csv", "json", "ndjson", "parquet")
SCHEMA = "urn:x-digime-pandas:schema:"
FIRST_NUMBER = 7_301_000_000  # no file holds so large a number by chance

KEYS = (
    "kq-alpha",
    "kq-alpha\0one",
    "kq-alpha\0two",
    "kq-ALPHA",
    "kq-beta \N{GRINNING FACE}",
    "kq-gamma\N{COMBINING ACUTE ACCENT}",
    'kq-"delta", or 1=1',
    "kq-long" + "g" * 180 + "1",
    "kq-long" + "g" * 180 + "2",
    "0017",
    "17",
    "170",
)
FILES = itertools.count(1)


@dataclass
class Marks:
    """Gives out values, and remembers whose they are."""

    texts: dict[str, list[str]] = field(default_factory=dict)
    numbers: dict[str, list[int]] = field(default_factory=dict)
    _count: Iterator[int] = field(default_factory=lambda: itertools.count(FIRST_NUMBER, 1_009))

    def text(self, owner: str) -> str:
        self.texts.setdefault(owner, []).append(f"m{next(self._count):x}q")
        return self.texts[owner][-1]

    def number(self, owner: str) -> int:
        self.numbers.setdefault(owner, []).append(next(self._count))
        return self.numbers[owner][-1]


Maker = Callable[[Sequence[str], Marks], Any]


def _texts(owners: Sequence[str], marks: Marks) -> list[str]:
    return [marks.text(owner) for owner in owners]


def _numbers(owners: Sequence[str], marks: Marks) -> list[int]:
    return [marks.number(owner) for owner in owners]


def _categories(ordered: bool) -> Maker:
    return lambda owners, marks: pd.Categorical(_texts(owners, marks), ordered=ordered)


def _sparse(owners: Sequence[str], marks: Marks) -> Any:
    numbers = _numbers(owners, marks)
    return pd.arrays.SparseArray(numbers, fill_value=numbers[0], dtype=pd.SparseDtype("int64", numbers[0]))


def _sparse_texts(owners: Sequence[str], marks: Marks) -> Any:
    numbers = [float(each) for each in _numbers(owners, marks)]
    return pd.arrays.SparseArray(numbers, dtype=pd.SparseDtype("float64", numbers[-1]))


def _masked(owners: Sequence[str], marks: Marks) -> Any:
    """What lies under the mask of a row is somebody else's."""
    hidden = np.roll(np.array(_numbers(owners, marks), dtype="int64"), 1)
    return pd.arrays.IntegerArray(hidden, np.ones(len(hidden), dtype=bool))


def _arrow(array: pa.Array) -> Any:
    return pd.array(array, dtype=pd.ArrowDtype(array.type))


def _dictionary(owners: Sequence[str], marks: Marks) -> Any:
    return _arrow(pa.array(_texts(owners, marks)).dictionary_encode())


def _dictionaries_in_lists(owners: Sequence[str], marks: Marks) -> Any:
    values = pa.array(_texts(owners, marks)).dictionary_encode()
    return _arrow(pa.ListArray.from_arrays(pa.array(range(len(owners) + 1), pa.int32()), values))


def _dictionaries_in_structs(owners: Sequence[str], marks: Marks) -> Any:
    values = pa.array(_texts(owners, marks)).dictionary_encode()
    kind = pa.field("inner", values.type, metadata={"people": ",".join(itertools.chain(*marks.texts.values()))})
    return _arrow(pa.StructArray.from_arrays([values], fields=[kind]))


def _hidden_in_structs(owners: Sequence[str], marks: Marks) -> Any:
    values = pa.array(np.roll(_texts(owners, marks), 1))
    return _arrow(pa.StructArray.from_arrays([values], ["inner"], mask=pa.array([True] * len(owners))))


COLUMNS: dict[str, Maker] = {
    "texts": lambda owners, marks: pd.array(_texts(owners, marks), dtype="string"),
    "objects": lambda owners, marks: np.array(_texts(owners, marks), dtype=object),
    "numbers": lambda owners, marks: np.array(_numbers(owners, marks)),
    "category": _categories(ordered=False),
    "ordered category": _categories(ordered=True),
    "category of numbers": lambda owners, marks: pd.Categorical(_numbers(owners, marks)),
    "category of intervals": lambda owners, marks: pd.Categorical(
        pd.arrays.IntervalArray.from_arrays(numbers := _numbers(owners, marks), [each + 1 for each in numbers])
    ),
    "category of times": lambda owners, marks: pd.Categorical(pd.to_datetime(_numbers(owners, marks), unit="s")),
    "bytes": lambda owners, marks: np.array([each.encode() for each in _texts(owners, marks)], dtype=object),
    "lists": lambda owners, marks: pd.Series([[each] for each in _texts(owners, marks)]).to_numpy(),
    "dicts": lambda owners, marks: pd.Series([{"a": each} for each in _texts(owners, marks)]).to_numpy(),
    "sparse": _sparse,
    "sparse floats": _sparse_texts,
    "masked": _masked,
    "dictionary": _dictionary,
    "dictionaries in lists": _dictionaries_in_lists,
    "dictionaries in structs": _dictionaries_in_structs,
    "hidden in structs": _hidden_in_structs,
}


def _plain_index(owners: Sequence[str], _: Marks) -> pd.Index[Any]:
    return pd.RangeIndex(len(owners))


def _categorical_index(owners: Sequence[str], marks: Marks) -> pd.Index[Any]:
    return pd.CategoricalIndex(_texts(owners, marks), name="visit")


def _text_index(owners: Sequence[str], marks: Marks) -> pd.Index[Any]:
    return pd.Index(_texts(owners, marks))


def _levels(owners: Sequence[str], marks: Marks) -> pd.Index[Any]:
    return pd.MultiIndex.from_arrays(
        [pd.Categorical(_texts(owners, marks)), _texts(owners, marks), _numbers(owners, marks)],
        names=["ward", None, "bed"],
    )


INDEXES = (_plain_index, _categorical_index, _text_index, _levels)


@st.composite
def splits(draw: st.DrawFn) -> tuple[pd.DataFrame, Marks, dict[str, Any]]:
    """A frame with a column of keys, whose every other value belongs to one of the people."""
    people = draw(st.lists(st.sampled_from(KEYS), min_size=2, max_size=4, unique=True))
    rows = draw(st.lists(st.sampled_from(people), min_size=len(people), max_size=9))
    owners = draw(st.permutations([*people, *rows]))
    marks = Marks()
    names = draw(st.lists(st.sampled_from(sorted(COLUMNS)), min_size=1, max_size=4, unique=True))
    frame = pd.DataFrame({name: pd.Series(COLUMNS[name](owners, marks)) for name in names})
    key = draw(st.sampled_from([np.array(owners, dtype=object), pd.Categorical(owners), pd.array(owners, "string")]))
    frame.insert(draw(st.integers(0, len(names))), "who", key)
    frame.index = draw(st.sampled_from(INDEXES))(owners, marks)
    if draw(st.booleans()):
        frame.columns = pd.CategoricalIndex(frame.columns, categories=[*frame.columns, marks.text("nobody")])
    frame.attrs = {"people": people, "first": marks.text("nobody")}
    return frame, marks, {"index": draw(st.sampled_from([None, True, False]))}


def _haystack(file: SandboxFile) -> bytes:
    parts = [file.content, file.name.encode(), repr(dict(file.descriptor)).encode(), repr(file.reference).encode()]
    parts += [inflated(each.removeprefix(SCHEMA)) for each in file.reference if each.startswith(SCHEMA)]
    if file.mime_type.endswith("parquet"):
        parts += unpacked(file.content)
    return b"\n".join(parts)


def _needles(owner: str, marks: Marks) -> Iterator[bytes]:
    for text in marks.texts.get(owner, ()):
        yield text.encode()
        yield base64.b64encode(text.encode()).rstrip(b"=")[:-1]
    for number in marks.numbers.get(owner, ()):
        yield str(number).encode()
        yield number.to_bytes(8, "little")
        yield str(pd.Timestamp(number, unit="s")).replace(" ", "T").encode()


def _keys_of_others(key: str, keys: Sequence[str]) -> Iterator[bytes]:
    yield from (each.encode() for each in keys if each != key and len(each) > 5 and each not in key)


@pytest.fixture(scope="module", params=["postbox", pytest.param("import", marks=pytest.mark.slow)])
def sandbox_and_client(request: pytest.FixtureRequest) -> Iterator[tuple[Sandbox, digime.Client]]:
    """A sandbox whose people have the keys, all of whom gave consent."""
    with Sandbox(postbox=request.param == "postbox") as sandbox:
        client = digime.Client(
            sandbox.contract,
            base_url=sandbox.base_url,
            onboard_url=sandbox.onboard_url,
            tokens=digime.MemoryTokenStore(),
        )
        with client:
            for key in KEYS:
                with client.begin_authorization(key) as flow:
                    flow.complete(sandbox.approve(flow.url))
            yield sandbox, client


@pytest.mark.parametrize("suffix", FORMATS)
@many
@given(drawn=splits())
def test_no_file_holds_anything_of_another_person(
    suffix: str, sandbox_and_client: tuple[Sandbox, digime.Client], drawn: tuple[pd.DataFrame, Marks, dict[str, Any]]
) -> None:
    sandbox, client = sandbox_and_client
    frame, marks, options = drawn
    if suffix == "csv":
        options = options | {"nested": "json"}
    name = f"part-{next(FILES)}.{suffix}"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", digime.errors.FidelityWarning)
        result = frame.digime.write_each("who", name, client=client, **options)
    assert set(result["status"]) == {"delivered"}, result["error"].tolist()

    people = list(result.index)
    for key in people:
        (file,) = [each for each in sandbox.files(key) if name in each.reference]
        assert file.accounts == (key,)
        held = _haystack(file)
        others = [owner for owner in [*people, "nobody"] if owner != key]
        found = [needle for owner in others for needle in _needles(owner, marks) if needle in held]
        found += [needle for needle in _keys_of_others(key, people) if needle in held]
        assert not found, f"the file of {key!r} holds {found[:3]} of others"
        own = [needle for needle in _needles(key, marks) if needle in held]
        hidden = {"masked", "hidden in structs"}
        assert own or set(frame.columns) <= {"who", *hidden}, "the search finds nothing at all"
