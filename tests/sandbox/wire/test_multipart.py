from __future__ import annotations

import pytest

from digime_pandas.sandbox._wire.error_replies import ErrorReply
from digime_pandas.sandbox._wire.multipart import MultipartFileParser, read_boundary

BOUNDARY = "----090883096978857953890816"
FILE = 'form-data; name="file"; filename="visits.csv"'


def part(content: bytes, disposition: str = FILE) -> bytes:
    return f"--{BOUNDARY}\r\nContent-Disposition: {disposition}\r\n\r\n".encode() + content + b"\r\n"


END = f"--{BOUNDARY}--\r\n".encode()


def parse(body: bytes, size: int = 1 << 20) -> tuple[str, bytes]:
    """Return name and content of the file in a body, which is parsed in pieces of `size` bytes."""
    found = bytearray()
    parser = MultipartFileParser(BOUNDARY.encode(), found.extend)
    for start in range(0, len(body), size):
        parser.update(body[start : start + size])
    return parser.finish(), bytes(found)


@pytest.mark.parametrize("size", [1, 7, 64, 10_000])
def test_content_that_looks_like_a_boundary_is_content(size: int) -> None:
    content = f"\r\n--{BOUNDARY[:-1]}\r\n--\r\n\r\n-{BOUNDARY}".encode() * 50
    assert parse(part(content) + END, size) == ("visits.csv", content)


@pytest.mark.parametrize(
    ("content_type", "boundary"),
    [
        ("multipart/form-data; boundary=abc", b"abc"),
        ('Multipart/Form-Data; boundary="a b"', b"a b"),
        ("multipart/form-data; charset=utf-8; boundary=abc", b"abc"),
    ],
)
def test_the_boundary_is_read_from_the_content_type(content_type: str, boundary: bytes) -> None:
    assert read_boundary(content_type) == boundary


@pytest.mark.parametrize(
    "content_type",
    ["", "text/csv", "multipart/form-data", "multipart/form-data; boundary=", "multipart/mixed; boundary=a"],
)
def test_any_other_content_type_is_refused(content_type: str) -> None:
    with pytest.raises(ErrorReply) as raised:
        read_boundary(content_type)
    assert raised.value.code == "UnsupportedMediaType"


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "ends before its last boundary"),
        (b"no multipart", "cannot be parsed"),
        (part(b"x"), "ends before its last boundary"),
        (part(b"x") + END[:-4], "ends before its last boundary"),
        (part(b"x", 'form-data; name="file"') + END, "no part with name"),
        (part(b"x", 'form-data; name="other"; filename="x"') + END, "not named file"),
        (part(b"x", "nonsense") + END, "not named file"),
        (part(b"x") + part(b"y") + END, "more than one file"),
        (part(b"x", "a" * 100_000) + END, "cannot be parsed|not named file"),
    ],
)
def test_a_malformed_body_is_refused_with_the_reason(body: bytes, reason: str) -> None:
    with pytest.raises(ErrorReply, match=reason) as raised:
        parse(body)
    assert raised.value.code == "InvalidRequest"


def test_a_boundary_that_is_too_long_is_refused() -> None:
    with pytest.raises(ErrorReply, match="boundary"):
        MultipartFileParser(b"x" * 10_000, bytearray().extend)


def test_a_text_part_of_the_same_name_is_ignored() -> None:
    assert parse(part(b"text", 'form-data; name="file"') + part(b"content") + END) == ("visits.csv", b"content")
