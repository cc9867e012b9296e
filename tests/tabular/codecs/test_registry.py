from __future__ import annotations

from digime_pandas._tabular.codecs.registry import CODECS
from digime_pandas._tabular.formats import FORMATS


def test_every_format_has_a_codec() -> None:
    assert CODECS.keys() == FORMATS.keys()
