"""Types of arguments, for programs that keep them in variables and have their calls checked.

::

    from digime_pandas.typing import CsvOptions

    FOR_SPREADSHEETS: CsvOptions = {"escape_formulas": True, "nested": "json"}
    digime.write(visits, "visits.csv", "patient-17", **FOR_SPREADSHEETS)

``digime.write(visits, ...)`` is the typed form of ``visits.digime.write(...)``: type checkers do not see what is
registered on a frame.
"""

from __future__ import annotations

from digime_pandas._client.arguments import WriteArguments
from digime_pandas._client.options import CsvOptions, JsonOptions, ParquetOptions
from digime_pandas._tabular.formats import FormatName

__all__ = ["CsvOptions", "FormatName", "JsonOptions", "ParquetOptions", "WriteArguments"]
