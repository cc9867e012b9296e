from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable

import brotli
import pytest

from digime_pandas._service.received.decompression import PIECE_BYTES, decompressor

ZEROS = bytes(16 << 20)
_COMPRESS: dict[str, Callable[[bytes], bytes]] = {"gzip": gzip.compress, "brotli": brotli.compress}


@pytest.mark.parametrize("name", _COMPRESS)
def test_pieces_are_bounded_however_high_the_compression_is(name: str) -> None:
    stream = decompressor(name)
    sizes = [len(piece) for piece in stream.update(_COMPRESS[name](ZEROS))]
    assert sum(sizes) + len(stream.finish()) == len(ZEROS)
    assert max(sizes) <= 4 * PIECE_BYTES


def test_many_small_members_are_decompressed_without_copying_all_that_follow() -> None:
    member = zlib.compress(b"x", wbits=31)
    stream = decompressor("gzip")
    assert b"".join(stream.update(member * 20_000)) + stream.finish() == b"x" * 20_000
