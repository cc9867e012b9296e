from __future__ import annotations

import math
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from digime_pandas import anywidget, widget
from digime_pandas._client.client import Client
from digime_pandas._service.authorization import Authorization
from digime_pandas.errors import DescriptorError, InputError
from digime_pandas.sandbox import Sandbox
from tests.client.consent.test_session import SOON, visit
from tests.common.threads import join_named

Panel = Any


@pytest.fixture(params=[widget.AuthorizationWidget, anywidget.AuthorizationWidget], ids=["ipywidgets", "anywidget"])
def panel(request: pytest.FixtureRequest, client: Client, account_id: str) -> Iterator[Panel]:
    """Makes panels of either kind, for the same account unless told otherwise."""
    made: list[Any] = []

    def make(account_id: object = account_id, **options: Any) -> Any:
        made.append(request.param(account_id, **({"client": client} | options)))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture
def silent(client: Client) -> Iterator[Client]:
    """A client of a service that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"http://127.0.0.1:{server.getsockname()[1]}/v1.7/"
        with Client(client.contract, base_url=address, onboard_url=address, tokens=client.tokens) as made:
            yield made


def begun(panel: Panel) -> Panel:
    """The panel, when its thread that asks for the link has done all that follows, such as to tell the stage."""
    join_named("digime-start")
    assert panel.stage != "starting"
    return panel


def ended(panel: Panel) -> Authorization:
    """The result, when the panel's threads have done all that follows."""
    result = panel.result(SOON)
    join_named("digime-start", "digime-consent")
    assert isinstance(result, Authorization)
    return result


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"access": "reads"}, "Did you mean 'read'"),
        ({"access": None}, "Pass 'write' or 'read'"),
        ({"access": ["read"]}, "Pass 'write' or 'read'"),
        ({"timeout": "5 minutes"}, "how many seconds"),
        ({"timeout": -1}, "how many seconds"),
        ({"timeout": math.nan}, "how many seconds"),
        ({"timeout": math.inf}, "how many seconds"),
        ({"timeout": True}, "how many seconds"),
        ({"on_authorized": "print"}, "function of one argument"),
    ],
    ids=str,
)
def test_a_wrong_argument_is_named_and_what_to_pass(panel: Panel, arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        panel(**arguments)
    assert next(iter(arguments)) in str(caught.value)


def test_a_person_is_one_account(panel: Panel) -> None:
    with pytest.raises(DescriptorError):
        panel(["patient-17", "patient-18"])


@pytest.mark.slow
def test_a_service_that_does_not_answer_blocks_nothing_and_can_be_left(panel: Panel, silent: Client) -> None:
    shown = panel(client=silent)
    assert shown.stage == "starting"
    shown._session.cancel()
    assert shown.stage == "cancelled"
    assert shown.flow is None
    assert shown.authorization is None


def test_the_stage_can_be_observed_and_a_function_is_called(panel: Panel, sandbox: Sandbox) -> None:
    authorized: list[Any] = []
    shown = begun(panel(on_authorized=authorized.append))
    seen: list[str] = []
    shown.observe(lambda change: seen.append(change.new), "stage")
    visit(sandbox.approve(shown.flow.url))
    authorization = ended(shown)
    again = panel(on_authorized=authorized.append)
    assert ended(again) == authorization
    assert seen == ["done"]
    assert again.stage == "done"
    assert authorized == [authorization, authorization]


def test_an_observer_may_ask_for_the_result(panel: Panel, sandbox: Sandbox) -> None:
    shown = begun(panel())
    results: list[Any] = []
    shown.observe(lambda change: results.append(shown.result(0.0)) if change.new == "done" else None, "stage")
    shown.flow.complete(sandbox.approve(shown.flow.url))
    assert results == [ended(shown)]


def test_what_the_functions_raise_is_logged_and_ends_nothing(
    panel: Panel, sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_: object) -> None:
        raise LookupError("not here")

    shown = begun(panel(on_authorized=fail))
    shown.observe(fail, "stage")
    visit(sandbox.approve(shown.flow.url))
    assert ended(shown).access == "write"
    assert "LookupError" in shown._session.state.message
    assert {record.name for record in caplog.records} == {"digime_pandas"}
    assert len(caplog.records) == 2


def test_the_repr_of_either_holds_no_secret(panel: Panel, account_id: str) -> None:
    shown = begun(panel())
    assert repr(shown) == f"<AuthorizationWidget account_id={account_id!r} access='write' waiting>"
