"""The rows of a frame as slices of a text file, encoded one by one or several at the same time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

import pyarrow as pa

from digime_pandas._tabular.codecs.codec import EncodeJob, Piece, Run
from digime_pandas._tabular.columns import raise_about_column
from digime_pandas._tabular.engines.few_rows import TextRows
from digime_pandas._tabular.frames.batches import SizedBatches, few_rows_of
from digime_pandas._tabular.text_values import to_text

SLICE_BYTES = 3 << 20  # of those that are encoded at the same time together
FIRST_SLICE_BYTES = 1 << 20  # what is smaller is encoded as a whole before anything is sent
_TEXT_GROWTH = 2  # text is about so much larger than the same values in Arrow

EncodeSlice = Callable[[TextRows, bool], Piece]
"""Encodes rows; the second argument says whether they are the first of the file."""


def encode_slices(job: EncodeJob, encode: EncodeSlice, run: Run) -> Iterator[Piece]:
    """Yield the rows of a source as slices of text, none for a source without rows.

    Args:
        job: What is written. The more slices it encodes at the same time, the smaller they are.
        encode: Encodes one slice.
        run: Runs the tasks that encode one slice each.
    """
    names = [each.name for each in job.source.columns]
    few = few_rows_of(job.source, most_bytes=FIRST_SLICE_BYTES // _TEXT_GROWTH)
    if few is not None:
        yield encode(_as_text(few, names, job), True)
        return
    batches = SizedBatches(job.source, size=SLICE_BYTES // job.workers, first_bytes=FIRST_SLICE_BYTES // _TEXT_GROWTH)

    def encode_slice(batch: pa.RecordBatch, *, first: bool) -> Piece:
        piece = encode(_as_text(batch.columns, names, job), first)
        batches.adapt(batch.num_rows, len(piece))
        if len(piece) > FIRST_SLICE_BYTES:
            # Each thread's allocator would keep what a slice took, and several slices are encoded at the same time.
            pa.default_memory_pool().release_unused()
        return piece

    def tasks() -> Iterator[Callable[[], Piece]]:
        first = True
        for batch in batches:
            if not first:
                # What other threads have freed goes back to the allocator of this one.
                pa.default_memory_pool().release_unused()
            yield partial(encode_slice, batch, first=first)
            first = False

    yield from run(tasks(), workers=job.workers)


def _as_text(columns: Sequence[pa.Array], names: Sequence[str], job: EncodeJob) -> TextRows:
    """Return rows in types that text formats have."""
    arrays = []
    for name, array, file_type in zip(names, columns, job.file_types, strict=True):
        try:
            arrays.append(to_text(array if file_type is None else array.cast(file_type)))
        except BaseException as error:  # noqa: BLE001 - raised again
            raise_about_column(error, name)
    return TextRows(names, arrays)
