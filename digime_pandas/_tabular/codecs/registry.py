"""The codec of each format."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from digime_pandas._tabular.codecs.codec import Codec
from digime_pandas._tabular.codecs.csv import CsvCodec
from digime_pandas._tabular.codecs.json import JsonCodec
from digime_pandas._tabular.codecs.parquet import ParquetCodec
from digime_pandas._tabular.formats import FormatName

CODECS: Mapping[FormatName, Codec] = MappingProxyType(
    {
        "csv": CsvCodec(),
        "json": JsonCodec(array=True),
        "ndjson": JsonCodec(array=False),
        "parquet": ParquetCodec(),
    }
)
