from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path, PurePath, PureWindowsPath
from typing import Any

import numpy as np
import pytest

from digime_pandas._service.descriptor import FileDescriptor, check_accounts, check_file_name
from digime_pandas.errors import DescriptorError


def test_the_wire_form_is_the_one_the_vendor_sends(vector: Callable[[str], Any]) -> None:
    for name in ("v8_write_text", "v16_write_text"):
        recorded = vector(name)["input"]["descriptor"]
        accounts = [account["accountId"] for account in recorded["accounts"]]
        assert FileDescriptor(recorded["mimeType"], accounts).to_dict() == recorded


def test_the_json_is_compact_in_the_vendors_order_and_unescaped(vector: Callable[[str], Any]) -> None:
    recorded = vector("v8_write_text")["requests"][0]["metadata_plain_json"]
    assert FileDescriptor("text/plain", "acc-1").to_json() == recorded
    full = FileDescriptor("text/csv", ["a/2 ü", 'q"'], ["réf", "中"], ["t\n"])
    assert full.to_json() == (
        '{"mimeType":"text/csv","accounts":[{"accountId":"a/2 ü"},{"accountId":"q\\""}],'
        '"reference":["réf","中"],"tags":["t\\n"]}'
    )
    assert json.loads(full.to_json()) == full.to_dict()


@pytest.mark.parametrize("text", ['"', "\\", "/", "\x00\x1f\x7f", "\u2028", "ü中🎈"], ids=ascii)
def test_the_json_escapes_as_any_encoder_does(text: str) -> None:
    made = FileDescriptor("text/csv", f"a{text}", [text], [text, "t"])
    assert made.to_json() == json.dumps(made.to_dict(), ensure_ascii=False, separators=(",", ":"))


def test_one_with_checked_values_is_like_any_other() -> None:
    whole = FileDescriptor("text/csv", ["a", "b"], ["all"], ["t"])
    part = whole.with_checked(("b",), ("x.csv", "y"))
    assert part == FileDescriptor("text/csv", "b", ["x.csv", "y"], ["t"])
    assert hash(part) == hash(FileDescriptor("text/csv", "b", ["x.csv", "y"], ["t"]))


def test_sequences_are_kept_in_order_as_tuples() -> None:
    made = FileDescriptor("text/csv", iter(["b", "a"]), reference=iter(["y", "x"]), tags=iter(["2", "1"]))
    assert (made.accounts, made.reference, made.tags) == (("b", "a"), ("y", "x"), ("2", "1"))
    assert made == FileDescriptor("text/csv", ("b", "a"), ["y", "x"], ["2", "1"])
    assert hash(made) == hash(FileDescriptor("text/csv", ("b", "a"), ["y", "x"], ["2", "1"]))


@pytest.mark.parametrize(
    "given", ["", "  ", [], (), [""], ["a", " "], ["a", "a"], "a\ud800", None, 1.5, [1.5], True, [True], b"a", [b"a"]]
)
def test_account_ids_are_texts_that_are_not_blank_and_named_once(given: object) -> None:
    with pytest.raises(DescriptorError, match="account_id"):
        check_accounts(given)


@pytest.mark.parametrize(
    ("given", "texts"),
    [(17, ("17",)), ([17, "b"], ("17", "b")), (np.int64(17), ("17",)), (range(2), ("0", "1")), (-1, ("-1",))],
    ids=str,
)
def test_a_whole_number_stands_for_its_decimal_text(given: object, texts: tuple[str, ...]) -> None:
    assert check_accounts(given) == texts
    assert FileDescriptor("text/csv", given).accounts == texts  # type: ignore[arg-type]  # beyond what it declares


def test_one_number_twice_or_too_long_to_be_a_text_is_refused() -> None:
    with pytest.raises(DescriptorError, match="twice"):
        check_accounts([17, "17"])
    with pytest.raises(DescriptorError, match="more digits"):
        check_accounts(10**5000)


@pytest.mark.parametrize("path", [Path("out/visits.csv"), Path("visits.csv"), PureWindowsPath(r"C:\out\visits.csv")])
def test_of_a_path_the_last_part_is_the_name(path: PurePath) -> None:
    assert check_file_name(path) == "visits.csv"


@pytest.mark.parametrize("path", [Path(), Path("/")])
def test_a_path_without_a_last_part_is_no_name(path: PurePath) -> None:
    with pytest.raises(DescriptorError, match="file_name is ''"):
        check_file_name(path)


def test_of_a_text_with_separators_the_last_part_is_offered() -> None:
    with pytest.raises(DescriptorError, match=r"holds '/'\. Use a plain name such as 'visits\.csv'\."):
        check_file_name("out/visits.csv")


@pytest.mark.parametrize("name", ["reference", "tags"])
@pytest.mark.parametrize("given", ["visits", [""], [17], [None], 17, b"x", [b"x"], ["\ud800"]])
def test_references_and_tags_are_sequences_of_texts(name: str, given: object) -> None:
    with pytest.raises(DescriptorError, match=f"^{name} "):
        FileDescriptor("text/csv", "a", **{name: given})  # type: ignore[arg-type] # wrong on purpose


def test_a_bare_text_is_answered_with_the_list_that_was_meant() -> None:
    with pytest.raises(DescriptorError, match=r"pass a list, tags=\['visits'\]"):
        FileDescriptor("text/csv", "a", tags="visits")


@pytest.mark.parametrize(
    "given", ["text/csv", "application/vnd.apache.parquet", "text/csv; charset=utf-8", "text/csv;header=present", "a/b"]
)
def test_media_types_may_have_parameters(given: str) -> None:
    assert FileDescriptor(given, "a").mime_type == given


@pytest.mark.parametrize(
    "given",
    [
        "",
        "csv",
        "text/",
        "/csv",
        "text/csv;",
        "text/csv\n",
        "text/csv;\r\nX-Header: 1",
        "text/csv\r\n; charset=utf-8",
        "text/csv; charset=\ud800",
        "text/csv; charset=ü",
        "text/csv; a\0b",
        f"{'a' * 128}/csv",
        None,
        b"text/csv",
    ],
)
def test_a_media_type_cannot_break_out_of_a_header(given: object) -> None:
    with pytest.raises(DescriptorError, match="mime_type"):
        FileDescriptor(given, "a")  # type: ignore[arg-type] # wrong on purpose


@pytest.mark.parametrize(
    "name", ["visits.parquet", "Besuche März 2026.csv", "中文.json", "a'b.csv", "x" * 255, ".csv", "…"]
)
def test_a_plain_name_of_at_most_255_bytes_is_taken(name: str) -> None:
    assert check_file_name(name) == name


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "plain name"),
        (" ", "plain name"),
        (".", "plain name"),
        ("..", "plain name"),
        ("../visits.csv", "holds '/'"),
        ("a/b.csv", "holds '/'"),
        ("a\\b.csv", "holds"),
        ('a"b.csv', "holds"),
        ("a\nb.csv", "line break or control"),
        ("a\r\nb.csv", "line break or control"),
        ("a\0.csv", "line break or control"),
        ("a\x85b.csv", "line break or control"),
        ("a\u2028b.csv", "line break or control"),
        ("a\x7f.csv", "line break or control"),
        ("\ud800.csv", "lone surrogate"),
        ("x" * 256, "256 bytes"),
        ("ü" * 128, "256 bytes"),
        (None, "file_name is None"),
        (b"a.csv", "bytes"),
    ],
)
def test_a_name_that_is_not_safe_in_a_header_or_on_a_disk_is_refused(name: object, reason: str) -> None:
    with pytest.raises(DescriptorError, match=reason) as raised:
        check_file_name(name)
    assert "file_name" in str(raised.value)
