"""The one part of a postbox write that holds the file."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from digime_pandas.sandbox._wire.error_replies import Refusal

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

_FIELD = b"file"


def read_boundary(content_type: str) -> bytes:
    """Return the boundary that a Content-Type names.

    Raises:
        Refusal: ``UnsupportedMediaType``.
    """
    media_type, options = parse_options_header(content_type)
    boundary = options.get(b"boundary")
    if media_type != b"multipart/form-data" or not boundary:
        raise Refusal("UnsupportedMediaType", "The Content-Type is not multipart/form-data with a boundary")
    return boundary


class FilePart:
    """Takes the file out of a multipart body, piece by piece.

    The file is the part named ``file`` that has a file name; the Node SDKs quote the name and leave UTF-8 as it is,
    iOS sends no Content-Type with it, Android adds a text part of the same name, which is let through
    (digi.me API, SDK-observed).

    Args:
        boundary: From the Content-Type.
        write: Receives the file's bytes in pieces that are only valid during the call.
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
        """Take the next piece of the body.

        Raises:
            Refusal: ``InvalidRequest``.
        """
        try:
            self._parser.write(piece)
        except FormParserError:
            raise _invalid("it cannot be parsed") from None

    def finish(self) -> str:
        """Return the file's name.

        Raises:
            Refusal: ``InvalidRequest``: the body is cut, or holds no file.
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


def _invalid(reason: str) -> Refusal:
    return Refusal("InvalidRequest", f"The multipart body cannot be used: {reason}")
