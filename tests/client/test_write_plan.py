from __future__ import annotations

import pickle
import re
from typing import Any, cast

import pandas as pd
import pytest

from digime_pandas._client.arguments import WriteArguments
from digime_pandas._client.write_plan import WritePlan, check_write_request, plan_write
from digime_pandas._service.descriptor import SCHEMA_PREFIX
from digime_pandas.errors import DescriptorError, FormatError, InputError

FRAME = pd.DataFrame({"day": ["2026-01-05"], "pulse": [61]})
UUID = re.compile(r"urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


def plan(frame: object = FRAME, file_name: str = "visits.csv", account_id: Any = "p", **arguments: Any) -> WritePlan:
    return plan_write(frame, check_write_request(file_name, account_id, cast("WriteArguments", arguments)))


@pytest.mark.parametrize(
    ("file_name", "format", "mime_type"),
    [
        ("visits.csv", None, "text/csv"),
        ("visits.CSV", None, "text/csv"),
        ("visits.json", None, "application/json"),
        ("visits.ndjson", None, "application/x-ndjson"),
        ("visits.jsonl", None, "application/x-ndjson"),
        ("visits.parquet", None, "application/vnd.apache.parquet"),
        ("visits", "parquet", "application/vnd.apache.parquet"),
        ("visits.v2", "csv", "text/csv"),
        ("visits.csv", "csv", "text/csv"),
    ],
)
def test_suffix_or_argument_say_the_format_and_that_the_media_type(
    file_name: str, format: str | None, mime_type: str
) -> None:
    assert plan(file_name=file_name, format=format).descriptor.mime_type == mime_type


def test_a_media_type_that_is_given_is_declared() -> None:
    assert plan(mime_type="text/csv; header=present").descriptor.mime_type == "text/csv; header=present"


def test_a_file_is_found_by_its_name_and_a_write_id_of_its_own() -> None:
    references = [plan().descriptor.reference for _ in range(2)]
    assert [reference[0] for reference in references] == ["visits.csv"] * 2
    assert all(UUID.fullmatch(reference[1]) for reference in references)
    assert references[0][1] != references[1][1]


def test_a_schema_is_sent_beside_a_text_format_only_and_only_where_nothing_else_is_asked_for() -> None:
    typed = pd.DataFrame({"day": pd.to_datetime(["2026-01-05"])})
    assert plan(typed).descriptor.reference[2].startswith(SCHEMA_PREFIX)
    assert len(plan(typed, "visits.parquet").descriptor.reference) == 2
    assert plan(typed, reference=["mine"]).descriptor.reference == ("mine",)
    assert plan(typed, reference=[]).descriptor.reference == ()


def test_accounts_tags_and_references_may_come_from_one_shot_iterables() -> None:
    made = plan(account_id=iter(["p", "q"]), tags=iter(["t"]), reference=iter(["r"])).descriptor
    assert (made.accounts, made.tags, made.reference) == (("p", "q"), ("t",), ("r",))


@pytest.mark.parametrize(
    ("changes", "kind", "named"),
    [
        ({"file_name": "visits.xlsx"}, FormatError, "file_name='visits.xlsx'"),
        ({"file_name": "visits"}, FormatError, "format="),
        ({"file_name": "visits.csv", "format": "parquet"}, FormatError, "disagree"),
        ({"format": "excel"}, FormatError, "format='excel'"),
        ({"format": ""}, FormatError, "format=''"),
        ({"account_id": ""}, DescriptorError, "account_id"),
        ({"account_id": []}, DescriptorError, "account_id"),
        ({"account_id": None}, DescriptorError, "account_id"),
        ({"tags": "visits"}, DescriptorError, "tags is the bare str"),
        ({"reference": "visits"}, DescriptorError, "reference is the bare str"),
        ({"reference": ""}, DescriptorError, "reference is the bare str"),
        ({"mime_type": ""}, DescriptorError, "mime_type"),
        ({"mime_type": "csv"}, DescriptorError, "mime_type"),
        ({"file_name": "../visits.csv"}, DescriptorError, "file_name"),
        ({"file_name": "a/b.csv"}, DescriptorError, "file_name"),
        ({"file_name": 'a".csv'}, DescriptorError, "file_name"),
        ({"file_name": "a\r\n.csv"}, DescriptorError, "file_name"),
        ({"file_name": f"{'x' * 252}.csv"}, DescriptorError, "256 bytes"),
        ({"file_name": None}, DescriptorError, "file_name is None"),
        ({"frame": pd.DataFrame([[1, 2]], columns=["a", "a"]), "file_name": "a.json"}, InputError, "a"),
        ({"frame": pd.DataFrame([[1, 2]], columns=["a", "a"]), "file_name": "a.parquet"}, InputError, "a"),
        ({"frame": [1, 2]}, InputError, "list"),
        ({"frame": None}, InputError, "NoneType"),
        ({"frame": "visits"}, InputError, "str"),
        ({"no_such_option": 1}, InputError, "no_such_option"),
    ],
)
def test_what_cannot_be_written_is_named_before_anything_is_sent(
    changes: dict[str, Any], kind: type[Exception], named: str
) -> None:
    with pytest.raises(kind, match=re.escape(named)) as raised:
        plan(**changes)
    assert isinstance(raised.value, InputError)


def test_planning_changes_no_frame() -> None:
    frame = pd.DataFrame({"day": pd.to_datetime(["2026-01-05"]), "pulse": [61]}, index=pd.Index([7], name="n"))
    before = frame.copy(deep=True)
    for suffix in ("csv", "json", "ndjson", "parquet"):
        list(plan(frame, f"visits.{suffix}").frame.chunks())
    pd.testing.assert_frame_equal(frame, before)


def test_a_part_has_its_own_name_account_and_write_id_and_is_sent_to_another_process() -> None:
    request = check_write_request("visits.csv", ["p", "q"], {"tags": iter(["t"]), "typed": False}, is_part=True)
    parts = [pickle.loads(pickle.dumps(request.for_part("visits.csv", each))) for each in ("p", "q")]
    assert [part.descriptor.accounts for part in parts] == [("p",), ("q",)]
    assert {part.descriptor.tags for part in parts} == {("t",)}
    assert [part.options for part in parts] == [{"typed": False}] * 2
    assert len({part.descriptor.reference[1] for part in parts}) == 2
    with pytest.raises(DescriptorError, match="file_name"):
        request.for_part("a/b.csv", "p")


def test_references_that_are_given_are_those_of_every_part() -> None:
    request = check_write_request("visits.csv", "p", {"reference": iter(["mine"])})
    assert request.for_part("other.csv", "q").descriptor.reference == ("mine",)
