"""The multipart body of a postbox write, parsed piece by piece."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from digime_pandas.sandbox._wire.error_replies import ErrorReply

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

_FIELD = b"file"


def read_boundary(content_type: str) -> bytes:
    """Return the multipart boundary of a Content-Type.

    Raises:
        ErrorReply: ``UnsupportedMediaType``.
    """
    media_type, options = parse_options_header(content_type)
    boundary = options.get(b"boundary")
    if media_type.lower() != b"multipart/form-data" or not boundary:
        raise ErrorReply("UnsupportedMediaType", "The Content-Type is not multipart/form-data with a boundary")
    return boundary


class MultipartFileParser:
    """Extracts the file from a multipart body, piece by piece.

    The file is the part named ``file`` that has a file name. The Node SDKs quote the name and send it as plain UTF-8,
    iOS sends no Content-Type with it, and Android adds a text part of the same name, which is ignored (digi.me API,
    SDK-observed).

    Args:
        boundary: The boundary in the Content-Type.
        write: Called with the file's bytes in pieces; a piece is valid during the call only.

    Raises:
        ErrorReply: ``InvalidRequest``: the boundary cannot be used.
    """

    def __init__(self, boundary: bytes, write: Callable[[memoryview], object]) -> None:
        self.file_name: str | None = None
        self._write = write
        self._in_file = False
        self._ended = False
        self._header_name = self._header_value = b""
        self._disposition = b""
        callbacks: MultipartCallbacks = {
            "on_header_field": self._on_header_field,
            "on_header_value": self._on_header_value,
            "on_header_end": self._on_header_end,
            "on_headers_finished": self._on_headers_finished,
            "on_part_data": self._on_part_data,
            "on_part_end": self._on_part_end,
            "on_end": self._on_end,
        }
        try:
            self._parser = MultipartParser(boundary, callbacks)
        except FormParserError:
            raise _invalid("its boundary cannot be used") from None

    def update(self, piece: bytes) -> None:
        """Parse the next piece of the body.

        Args:
            piece: Bytes of any length.

        Raises:
            ErrorReply: ``InvalidRequest``: it is no multipart body, holds a part that is not named ``file``, or a
                second file.
        """
        try:
            self._parser.write(piece)
        except FormParserError:
            raise _invalid("it cannot be parsed") from None

    def finish(self) -> str:
        """Return the file name, after the last piece.

        Raises:
            ErrorReply: ``InvalidRequest``: the body is truncated, or holds no file.
        """
        if not self._ended:
            raise _invalid("it ends before its last boundary")
        if self.file_name is None:
            raise _invalid('it has no part with name="file" and a file name')
        return self.file_name

    def _on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._header_name += data[start:end]

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._header_value += data[start:end]

    def _on_header_end(self) -> None:
        if self._header_name.lower() == b"content-disposition":
            self._disposition = self._header_value
        self._header_name = self._header_value = b""

    def _on_headers_finished(self) -> None:
        _, options = parse_options_header(self._disposition)
        self._disposition = b""
        if options.get(b"name") != _FIELD:
            raise _invalid("it has a part that is not named file")
        file_name = options.get(b"filename")
        if file_name is None:
            return
        if self.file_name is not None:
            raise _invalid("it has more than one file")
        self._in_file = True
        self.file_name = file_name.decode("utf-8", "replace")

    def _on_part_data(self, data: bytes, start: int, end: int) -> None:
        if self._in_file:
            self._write(memoryview(data)[start:end])

    def _on_part_end(self) -> None:
        self._in_file = False

    def _on_end(self) -> None:
        self._ended = True


def _invalid(reason: str) -> ErrorReply:
    return ErrorReply("InvalidRequest", f"The multipart body cannot be used: {reason}")
