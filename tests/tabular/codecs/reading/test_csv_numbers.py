"""What is taken for a file of numbers is one by the rules of inference, too."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from random import Random

import numpy as np
import pandas as pd
import pytest

from digime_pandas._tabular.codecs.csv import CsvReader
from digime_pandas._tabular.codecs.reading.csv_numbers import NumberCheck
from digime_pandas._tabular.formats import FORMATS
from digime_pandas._tabular.parse import parse, parse_batches
from digime_pandas._tabular.reading.limits import DEFAULT_LIMITS

_FIELDS = ("0.5", "-0.25", "1e-05", "10", "-7", "0", "-0", "100.01", "1E5", "", "5.", "+1.5")
_ODD = ("007", ".5", "-.5", "-01", "00.5", " 1", "1 ", "\t1", '"1"', "nan", "NaN", "inf", "true", "1_0", "1/2", "x")


def _file(random: Random) -> bytes:
    rows = random.randint(1, 40)
    pools = [random.choice([_FIELDS, ("1", "-2", ""), ("0.5", "2")]) for _ in range(3)]
    fields = [[random.choice(pool) for pool in pools] for _ in range(rows)]
    if random.random() < 0.6:
        fields[random.randrange(rows)][random.randrange(3)] = random.choice(_ODD)
    end = random.choice(["\r\n", "\n"])
    return ("a,b,c" + end + end.join(map(",".join, fields)) + random.choice(["", end])).encode()


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.slow
def test_numbers_are_read_as_by_the_rules(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    random = Random(seed)
    monkeypatch.setattr("digime_pandas._tabular.codecs.csv._SAMPLE_BYTES", 60)
    fast = 0
    for _ in range(80):
        data = _file(random)
        found = parse(data, FORMATS["csv"])
        # In pieces, texts are read, and the rules applied to them.
        (expected,) = parse_batches(BytesIO(data), FORMATS["csv"], batch_rows=1_000)
        pd.testing.assert_frame_equal(found, expected)
        types = dict.fromkeys(found.columns)
        (columns,) = CsvReader(BytesIO(data), DEFAULT_LIMITS, escaped=False, typed=False).columns(types, None)
        fast += not any(str(each.type) == "string" for each in columns.values())
    assert fast > 10


def test_floats_are_not_read_as_text_first(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(1).standard_normal((2_000, 5))
    frame = pd.DataFrame(values, columns=list("abcde"))
    data = frame.to_csv(index=False).encode()
    monkeypatch.setattr("digime_pandas._tabular.codecs.csv._SAMPLE_BYTES", 4_000)
    monkeypatch.setattr("digime_pandas._tabular.frames.inference.typed_text", None)

    pd.testing.assert_frame_equal(parse(data, FORMATS["csv"]), frame, check_exact=True)


def _pieces(text: bytes, random: Random) -> Iterator[bytes]:
    while text:
        size = random.randint(1, 8)
        yield text[:size]
        text = text[size:]


@pytest.mark.parametrize("odd", _ODD)
def test_odd_fields_are_found_wherever_they_are(odd: str) -> None:
    random = Random(odd)
    for place in range(30):
        fields = [random.choice(_FIELDS) for _ in range(30)]
        check = NumberCheck()
        assert all(check.holds(piece) for piece in _pieces(",".join(fields).encode(), random))

        fields[place] = odd
        check = NumberCheck()
        is_fraction_to_arrow = odd == "1/2"  # which its parser refuses
        found = all(check.holds(piece) for piece in list(_pieces(",".join([*fields, ""]).encode(), random)))
        assert found is is_fraction_to_arrow
