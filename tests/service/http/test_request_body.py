"""The body of one attempt counts what is sent of it and knows how it ended."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from digime_pandas._service.http.request_body import RequestBody


def test_progress_is_called_after_each_piece_and_the_whole_body_is_noted() -> None:
    seen: list[tuple[int, int | None]] = []
    body = RequestBody([b"one", b"four"], 7, lambda sent, size: seen.append((sent, size)), copied=False)
    pieces = iter(body)
    assert next(pieces) == b"one"
    assert (seen, body.whole) == ([], False)
    assert next(pieces) == b"four"
    assert (seen, body.whole) == ([(3, 7)], False)
    assert list(pieces) == []
    assert (seen, body.whole, body.failed) == ([(3, 7), (7, 7)], True, False)


def test_an_error_of_the_pieces_is_raised_as_it_is_and_noted() -> None:
    def pieces() -> Iterator[bytes]:
        yield b"one"
        raise LookupError("gone")

    body = RequestBody(pieces(), None, None, copied=False)
    handed_out = iter(body)
    assert next(handed_out) == b"one"
    with pytest.raises(LookupError, match="gone"):
        next(handed_out)
    assert (body.whole, body.failed) == (False, True)


@pytest.mark.parametrize("copied", [True, False])
def test_a_piece_is_copied_where_it_may_be_kept(copied: bool) -> None:
    buffer = bytearray(b"abc")
    body = RequestBody([memoryview(buffer)], None, None, copied=copied)
    piece = next(iter(body))
    buffer[:] = b"xyz"
    assert bytes(piece) == (b"abc" if copied else b"xyz")


def test_closing_ends_a_generator_and_leaves_a_list_alone() -> None:
    ended = []

    def pieces() -> Iterator[bytes]:
        try:
            yield b"one"
        finally:
            ended.append(True)

    body = RequestBody(pieces(), None, None, copied=False)
    next(iter(body))
    body.close()
    assert ended == [True]
    RequestBody([b"one"], None, None, copied=False).close()
