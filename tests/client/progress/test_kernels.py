"""What a write shows in a Jupyter kernel: of what asks for a cell it depends, whether it can replace what is shown."""

from __future__ import annotations

from typing import Any

import pytest
from jupyter_client.manager import run_kernel

pytestmark = [pytest.mark.slow, pytest.mark.kernel]

CELL = """
import pandas as pd
import digime_pandas as digime
client = digime.connect("sandbox", tokens=digime.MemoryTokenStore())
client.sandbox.approve_all(["patient-17"], tokens=client.tokens)
receipt = pd.DataFrame({"value": range(100_000)}).digime.write("visits.csv", "patient-17", progress=True)
"""


def shown_by(metadata: dict[str, Any]) -> list[dict[str, Any]]:
    """Run the cell as a request with this metadata, and return what it shows."""
    shown: list[dict[str, Any]] = []
    with run_kernel() as started:
        client: Any = started
        request = client.session.msg("execute_request", {"code": CELL, "allow_stdin": False}, metadata=metadata)
        client.shell_channel.send(request)
        while True:
            message = client.get_iopub_msg(timeout=60)
            if message["parent_header"].get("msg_id") != request["header"]["msg_id"]:
                continue
            if message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
                return shown
            if message["msg_type"] not in ("status", "execute_input"):
                shown.append(message)


def test_one_line_at_the_end_where_nothing_can_be_replaced() -> None:
    (line,) = shown_by({})
    assert line["msg_type"] == "stream"
    assert line["content"]["text"].startswith("visits.csv: sent 100,000 rows (")
    assert line["content"]["text"].endswith(" s\n")


def test_one_display_is_replaced_in_a_cell_that_is_looked_at() -> None:
    first, *others = shown_by({"cellId": "b2f0"})
    assert first["msg_type"] == "display_data"
    assert {each["msg_type"] for each in others} == {"update_display_data"}
    displays = {each["content"]["transient"]["display_id"] for each in (first, *others)}
    assert len(displays) == 1
    assert "<progress " in first["content"]["data"]["text/html"]
    last = others[-1]["content"]["data"]
    assert last["text/plain"].startswith("visits.csv: sent 100,000 rows (")
    assert "<progress " not in last["text/html"]
