"""What is known of a column before it is written: its Arrow values slice by slice, its rule, its specification."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, NamedTuple, NoReturn, get_args

import pandas as pd
import pyarrow as pa

from digime_pandas.errors import DigimeError, DigimeWarning, FidelityError

BLOCK_ROWS = 65_536
TEXT_DTYPE = pd.Series(["a"]).dtype  # str since pandas 3, object before

UnreadableRule = Literal[
    "other",
    "complex",
    "long double",
    "extension without Arrow form",
    "mixed objects",
    "objects of another type",
    "keys that are not text",
    "time of day with a zone",
    "nested too deeply",
    "text with a lone surrogate",
    "text that is not UTF-8",
    "invalid Arrow values",
    "zone without a name",
    "unreadable",
]
"""Rules of values that Arrow cannot hold: a column that falls under one cannot be read."""
RuleName = Literal[
    UnreadableRule,
    # Of a type: each column falls under exactly one of them.
    "null",
    "boolean",
    "integer",
    "float",
    "decimal",
    "text",
    "bytes",
    "date",
    "time",
    "timestamp",
    "zoned timestamp",
    "duration",
    "period",
    "interval",
    "category",
    "sparse",
    "list",
    "struct",
    "map",
    "extension",
    # Of a type or of values, in some formats or with some options.
    "decimal as number",
    "escaped text",
    "nested as JSON",
    "null in the only column",
    "missing float",
    "NaN beside null",
    "infinity",
    "timestamp in seconds",
    "beyond milliseconds",
    "year beyond 1 to 9999",
    "year of a period",
    "unused categories",
    "unused categories sent",
    "unused dictionary values",
    "unused dictionary values sent",
    "ordered dictionary of a stream",
    "unused fill value",
    "structs with different members",
    "sequences of other types",
    "nulls of several kinds",
    "missing values inside",
    "NaN inside",
    "infinity inside",
    "negative zero",
    "several time zones",
    "other offset",
    "numpy scalars",
    "other Python types",
    "byte order",
    "zone of another kind",
    "frequency without a name",
    "Arrow type that is not restored",
    "type that Parquet lacks",
    "member names that JSON lacks",
    # Of names.
    "name that is not text",
    "duplicate name",
    "name with a lone surrogate",
]
DtypeFamily = Literal[
    "numpy", "masked", "string", "object", "arrow", "period", "interval", "category", "sparse", "range", "extension"
]
DTYPE_FAMILIES: frozenset[str] = frozenset(get_args(DtypeFamily))
NullName = Literal["None", "nan", "NA", "NaT"]
TimeUnit = Literal["s", "ms", "us", "ns"]
TICKS_PER_SECOND: dict[TimeUnit, int] = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}

SliceReader = Callable[[int, int], pa.Array]  # returns rows `start` to `stop`

_UNREADABLE: frozenset[RuleName] = frozenset(get_args(UnreadableRule))
_LONGEST_LINE = 160  # characters of an error of a library that are shown
_PANICS = "pyo3_runtime"  # the module of what a library in Rust raises, outside Exception, where it fails


class RangeParameters(NamedTuple):
    """The numbers of a RangeIndex."""

    start: int
    stop: int
    step: int


class StringParameters(NamedTuple):
    """What a `pandas.StringDtype` is made of; `na_value` is ``"NA"`` or ``"nan"``."""

    storage: Literal["python", "pyarrow"]
    na_value: Literal["NA", "nan"]


class CategoryParameters(NamedTuple):
    """Order of a categorical column; its categories where they are not just its sorted values; their freq and name."""

    ordered: bool
    categories: pa.Array | None
    freq: str | None = None
    name: Hashable = None


@dataclass(frozen=True, slots=True)
class ColumnSpec:
    """How a pandas column is made again from Arrow values: the part of a column that the schema of a file holds.

    ============  ==================================================  =============================
    dtype_family  parameters                                          inner
    ============  ==================================================  =============================
    numpy         None                                                None
    masked        None                                                None
    arrow         None                                                None
    extension     None                                                None
    object        `NullName` of its missing values                    None
    string        `StringParameters`                                  None
    period        frequency, such as ``"M"``                          None
    interval      closed side, such as ``"right"``                    of the ends
    category      `CategoryParameters`                                of the categories
    sparse        fill value; None for that of the dtype by default   of the dense column
    range         `RangeParameters`                                   None
    ============  ==================================================  =============================

    Attributes:
        dtype_family: Which kind of pandas dtype the column had.
        type: The Arrow type of its values.
        parameters: What else the dtype is made of; see the table.
        inner: The column inside a ``category``, ``interval`` or ``sparse`` column.
    """

    dtype_family: DtypeFamily
    type: pa.DataType
    parameters: RangeParameters | StringParameters | CategoryParameters | str | float | None = None
    inner: ColumnSpec | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule of fidelity that a column falls under.

    Attributes:
        rule: Name of the rule.
        row: Position of the first value it is true of, counted from 0, or None when it is true of the column.
        count: How many values it is true of, or None when they were not counted.
        seen: What was seen of it, such as a type or the text of an error, for the note on the column.
        advice: What to call on the column, for instance, so that the format can hold it.
    """

    rule: RuleName
    row: int | None = None
    count: int | None = None
    seen: str | None = None
    advice: str | None = None


@dataclass(frozen=True, slots=True)
class Column:
    """One column as it is written to a file.

    ========  ==================  ======================  =======================================
    Example   ``[1, 2]``          ``Categorical(["a"])``  ``["a", 1]``, which Arrow cannot hold
    ========  ==================  ======================  =======================================
    dtype     ``int64``           ``category``            ``object``
    type      ``int64``           ``dictionary<string>``  ``null``
    rule      ``integer``         ``category``            ``mixed objects``
    spec      numpy, ``int64``    category, inner string  object
    findings  none                ``text``                ``mixed objects`` in row 1
    ========  ==================  ======================  =======================================

    Attributes:
        name: Its name in the file.
        rule: Name of the rule of fidelity that its dtype falls under.
        dtype: Its dtype in pandas (or its type in Arrow), as text for users.
        type: Arrow type of the arrays that `read` returns. It differs from ``spec.type`` where Parquet has no form for
            a type inside: dictionaries of views become dictionaries of text.
        spec: How it is made again.
        read: Returns rows `start` to `stop` as one Arrow array.
        findings: What else is known of it from its dtype, its values and its name.
        cause: The error by which it was found to be unreadable, if it was by one.
    """

    name: str
    rule: RuleName
    dtype: str
    type: pa.DataType
    spec: ColumnSpec
    read: SliceReader
    findings: tuple[Finding, ...] = ()
    cause: BaseException | None = None

    @property
    def readable(self) -> bool:
        """Whether `read` returns its values: no rule says that Arrow cannot hold them."""
        return not any(each.rule in _UNREADABLE for each in self.findings)

    def blocks(self, rows: int) -> Iterator[tuple[int, pa.Array]]:
        """Yield the column in blocks of at most 65,536 rows, each with the position of its first row.

        Args:
            rows: How many rows the column has.
        """
        for start in range(0, rows, BLOCK_ROWS):
            yield start, self.read(start, min(start + BLOCK_ROWS, rows))


@lru_cache(maxsize=256)
def bits_of(type: pa.DataType) -> int | None:
    """Return how many bits each value of a type has; None where they differ in their size."""
    try:
        return int(type.bit_width)
    except ValueError:
        return None


def unsupported_column(name: str, dtype: object, finding: Finding, cause: BaseException | None = None) -> Column:
    """Return a column without values, of which `finding` says why.

    Args:
        name: Its name in the file.
        dtype: Its dtype.
        finding: The rule by which Arrow cannot hold its values.
        cause: The error that said so, if there was one.
    """
    return Column(name, finding.rule, str(dtype), pa.null(), ColumnSpec("object", pa.null()), _nulls, (finding,), cause)


def _nulls(start: int, stop: int) -> pa.Array:
    return pa.nulls(stop - start)


def is_of_a_library(error: BaseException) -> bool:
    """Return whether an error was raised by a library that cannot deal with a value or a type.

    Args:
        error: Any error. Those of this package are none of these, nor are an interrupt, the end of a generator or of
            the process, and a lack of memory.
    """
    if isinstance(error, Exception):
        return not isinstance(error, DigimeError | DigimeWarning | MemoryError)
    return type(error).__module__ == _PANICS


def unreadable(error: BaseException) -> Finding:
    """Return the finding about a column whose values a library failed to read.

    Args:
        error: What the library raised.
    """
    return Finding("unreadable", seen=first_line_of(error))


def first_line_of(error: BaseException) -> str:
    """Return the type of an error and the beginning of its text, of at most 160 characters."""
    line = str(error).strip().partition("\n")[0]
    return f"{type(error).__name__}: {line}"[:_LONGEST_LINE] if line else type(error).__name__


def raise_about_column(error: BaseException, column: str) -> NoReturn:
    """Raise a refusal of a column in the place of what a library raised, and any other error as it is.

    Args:
        error: The error that is being handled.
        column: Name of the column.

    Raises:
        FidelityError: It was raised by a library.
    """
    _raise(
        error, f"Column {column!r}: its values cannot be written", "Convert it, for instance with astype(str)", column
    )


def raise_about_frame(error: BaseException, done: str) -> NoReturn:
    """Raise a refusal of a frame in the place of what a library raised, and any other error as it is.

    Args:
        error: The error that is being handled; it is not about one column.
        done: What cannot be done to the frame, such as "read".

    Raises:
        FidelityError: It was raised by a library.
    """
    _raise(error, f"The frame cannot be {done}", "Leave out columns to find which one it is, and convert that", None)


def _raise(error: BaseException, what: str, advice: str, column: str | None) -> NoReturn:
    if is_of_a_library(error):
        raise FidelityError(f"{what} ({first_line_of(error)}). {advice}.", column=column) from error
    raise error
