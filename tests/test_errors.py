from __future__ import annotations

import copy
import inspect
import json
import linecache
import pickle
import traceback
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from digime_pandas import errors
from digime_pandas.errors import (
    APIError,
    ConsentRefusedError,
    DigimeError,
    DigimeWarning,
    FidelityError,
    FidelityWarning,
    InvalidTokenError,
    ReplyError,
    ServiceUnreachableError,
    SpoolError,
    TokenStoreError,
    call_site,
    collected_warnings,
    printable,
    warn,
    warnings_at,
)
from digime_pandas.errors.display import LONG_TRACEBACKS
from digime_pandas.errors.names import did_you_mean, near_names, one_of

CLASSES = [
    value
    for _, value in inspect.getmembers(errors, inspect.isclass)
    if value.__module__ == errors.__name__ and issubclass(value, Exception)
]


def test_every_error_derives_from_one_base() -> None:
    assert len(CLASSES) > 20
    assert all(issubclass(each, DigimeError) for each in CLASSES if not issubclass(each, Warning))


def test_a_warning_is_one_of_the_users_own_kind_and_no_error() -> None:
    assert issubclass(DigimeWarning, UserWarning)
    assert issubclass(FidelityWarning, DigimeWarning)
    assert not issubclass(DigimeWarning, DigimeError)


def test_every_error_is_exported_and_in_the_tree_at_the_top() -> None:
    names = {each.__name__ for each in CLASSES}
    assert names | {"Outcome"} == set(errors.__all__)
    assert list(errors.__all__) == sorted(errors.__all__)
    drawn = set((errors.__doc__ or "").replace("(", " ").split())
    assert names <= drawn


@pytest.mark.parametrize(
    ("name", "natural"),
    [
        ("ConfigurationError", ValueError),
        ("InputError", ValueError),
        ("NotAuthorizedError", LookupError),
        ("RedirectError", ValueError),
        ("AuthorizationTimeoutError", TimeoutError),
        ("SpoolError", OSError),
        ("TokenStoreError", OSError),
        ("JournalError", OSError),
        ("SecretError", TypeError),
        ("ServiceUnreachableError", ConnectionError),
        ("ReplyError", ValueError),
        ("FileNotInLibraryError", LookupError),
        ("SealedFileError", ValueError),
        ("DigestMismatchError", ValueError),
    ],
)
def test_an_error_is_also_what_python_would_call_it(name: str, natural: type[Exception]) -> None:
    assert issubclass(getattr(errors, name), natural)


@pytest.mark.parametrize(
    "error",
    [
        DigimeError("plain"),
        FidelityError("no such value", column="pulse", row=3),
        ConsentRefusedError("no", code="USER_CANCEL"),
        SpoolError("full"),
        TokenStoreError("read-only"),
        InvalidTokenError("old", outcome="refused", status=401, code="InvalidToken", reference="r", attempts=2),
        ServiceUnreachableError("away", outcome="unknown", attempts=5, retry_after=1.5),
        ReplyError("odd", outcome="unknown"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_crosses_processes_with_all_it_knows(error: DigimeError) -> None:
    error.add_note("a note")
    for again in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert type(again) is type(error)
        assert str(again) == str(error)
        assert again.__dict__ == error.__dict__
        assert again.__notes__ == ["a note"]


KEYWORDS: dict[str, dict[str, Any]] = {
    "APIError": {"outcome": "unknown"},
    "ConsentRefusedError": {"code": "USER_CANCEL"},
    "InvalidTokenError": {"outcome": "refused", "status": 401, "code": "InvalidToken"},
    "RefusedError": {"outcome": "refused", "status": 403},
    "ReplyError": {"outcome": "unknown", "status": 200},
    "ServiceUnreachableError": {"outcome": "not sent", "attempts": 5},
    "FidelityError": {"column": "pulse", "row": 3},
}
CAUSES: list[BaseException] = [
    OSError(28, "No space left on device", "/var/spool/file"),
    UnicodeEncodeError("utf-8", "a\ud800", 1, 2, "surrogates not allowed"),
    ConnectionRefusedError(111, "Connection refused"),
    json.JSONDecodeError("Expecting value", "<html>\n</html>", 0),
    KeyError("accessToken"),
]


@pytest.mark.parametrize("cause", CAUSES, ids=lambda each: type(each).__name__)
@pytest.mark.parametrize("kind", [each for each in CLASSES if issubclass(each, DigimeError)], ids=lambda k: k.__name__)
def test_every_class_shows_itself_in_a_few_lines_and_keeps_its_parts(
    kind: type[DigimeError], cause: BaseException
) -> None:
    def fail() -> None:
        try:
            raise cause
        except type(cause) as error:
            raise kind(
                f"It did not work ({error}).",
                given="pulse is 'x', a str.",
                remedy="Pass a number.",
                command="Add --pulse NUMBER.",
                cause=cause,
                **KEYWORDS.get(kind.__name__, {}),
            ) from error

    with pytest.raises(kind) as caught:
        fail()
    error = caught.value
    error.add_note("Another time\nit may.")
    error.add_note("Raised at a.py:1, whose frames are left out, since they hold secrets.")
    head, code, what, remedy, note = error._render_traceback_()
    assert head.startswith(f"{kind.__name__} in {__file__}, line ")
    assert code.strip() == "raise kind("
    assert what == " ".join(f"It did not work ({error_text(cause)}). pulse is 'x', a str.".split())
    assert (remedy, note) == ("Pass a number.", "Another time it may.")
    assert str(error) == f"It did not work ({error_text(cause)}). pulse is 'x', a str. Pass a number."
    assert error.text("shell").endswith("a str. Add --pulse NUMBER.")
    assert error.cause is cause
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.text("shell"), again.cause) == (str(error), error.text("shell"), None)
    assert str(error) in "".join(traceback.format_exception_only(error))


def error_text(cause: BaseException) -> str:
    return printable(str(cause))


def test_a_command_is_named_where_there_is_no_other_remedy() -> None:
    assert DigimeError("It is so.", remedy="Do that.").text("shell") == "It is so. Do that."
    assert DigimeError("It is so.", command="Do that.").text() == "It is so."
    assert DigimeError().text() == str(DigimeError()) == ""


COMMANDS = {
    "tags is 'x'; pass a list, tags=['x'].": "--tag is 'x'; pass a list, --tag x.",
    "account_id is ''. Pass another.": "The account id is ''. Pass another.",
    "Check base_url: it is not known.": "Check DIGIME_BASE_URL: it is not known.",
    "The column timeout is empty.": "The column timeout is empty.",
    "Run digime.AuthorizationWidget('a b') in a notebook cell, or digime.authorize('a b') elsewhere.": (
        "digime-pandas authorize --account 'a b' elsewhere."
    ),
    "Ask: digime.authorize('a', access='read'), or digime.AuthorizationWidget('a', access='read') in a notebook.": (
        "Ask: digime-pandas authorize --account a --access read."
    ),
    "Call client.forget(account_id); client.consents() shows it.": (
        "Call digime-pandas forget --account ID; digime-pandas consents shows it."
    ),
    "Ask with client.invite(account_ids).": "Ask with digime-pandas invite ID....",
    "Or pass missing='skip' to write the others.": "Or pass --missing skip to write the others.",
    "leave such rows out with drop_null=True.": "leave such rows out with --drop-null.",
    "Or give format= as one of csv, json.": "Or give --format as one of csv, json.",
    "Name one, for example account_id='patient-17'.": "Name one, for example --account patient-17.",
    "client.write(data, my_name=1, x.name=2)": "client.write(data, my_name=1, x.name=2)",
    "nested='json' writes them as text": "--option nested=json writes them as text",
    "refused with strict=True": "refused with --option strict=true",
}


@pytest.mark.parametrize(("python", "shell"), COMMANDS.items(), ids=range(len(COMMANDS)))
def test_arguments_are_options_on_the_command_line(python: str, shell: str) -> None:
    for error in (DigimeError(python), DigimeError("It is so.", remedy=python)):
        assert error.text("shell").endswith(shell)
        assert str(error).endswith(python)


def test_a_text_in_one_piece_is_shown_in_two() -> None:
    assert DigimeError("tags is 'x'; pass a list.")._render_traceback_() == [
        "DigimeError",
        "tags is 'x';",
        "pass a list.",
    ]
    shown = DigimeError("There is no key. Set it, or pass one. See 'a.b'.")._render_traceback_()
    assert shown == ["DigimeError", "There is no key.", "Set it, or pass one. See 'a.b'."]


def test_it_is_at_most_six_lines_however_much_there_is_to_say() -> None:
    error = DigimeError("a\nb\nc. D\ne.")
    for number in range(20):
        error.add_note(f"note {number}\nof two lines")
    lines = error._render_traceback_()
    assert len(lines) == 6
    assert "note 19 of two lines" in lines[-1]
    assert not [line for line in lines if "\n" in line]


def test_what_a_terminal_obeys_is_not_shown_as_it_is() -> None:
    lines = DigimeError("a\x1b[2Jb. C.", remedy="\x1b[31m")._render_traceback_()
    assert not [line for line in lines if "\x1b" in line]


@pytest.mark.parametrize("value", ["1", "long"])
def test_the_long_form_leaves_the_traceback_to_the_shell(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    assert hasattr(DigimeError("x"), "_render_traceback_")
    monkeypatch.setenv(LONG_TRACEBACKS, value)
    assert not hasattr(DigimeError("x"), "_render_traceback_")


NEAR = [
    ("tag", ["tags", "format"], ["tags"]),
    ("TAGS", ["tags", "Tags "], ["tags"]),
    ("visit.csv", ["notes.csv", "visits.csv", "visit-1.csv"], ["visits.csv", "visit-1.csv"]),
    ("zzz", ["tags"], []),
    ("", ["tags"], []),
    ("a", [], []),
]


@pytest.mark.parametrize(("given", "names", "near"), NEAR, ids=repr)
def test_near_names_are_the_most_like_ones_first(given: str, names: list[str], near: list[str]) -> None:
    assert near_names(given, names)[: len(near) or 1] == near


def test_near_names_are_offered_in_a_question() -> None:
    assert did_you_mean("tag", ["tags"], "{}=") == "Did you mean tags=?"
    assert did_you_mean("zzz", ["tags"]) == ""
    assert one_of("raed", ["write", "read"]) == "Did you mean 'read'? Pass 'write' or 'read'."
    assert one_of(7, ["write", "read"]) == "Pass 'write' or 'read'."


def test_what_is_not_known_of_a_request_is_none() -> None:
    error = APIError("away", outcome="not sent")
    assert (error.status, error.code, error.reference, error.retry_after) == (None, None, None, None)
    assert error.attempts == 1


def own(depth: int) -> Callable[[str], None]:
    """Return a function of the package that warns so many calls below the first one."""
    space: dict[str, object] = {"__name__": "digime_pandas._made_up", "warn": warn, "category": DigimeWarning}
    exec("def at_0(message):\n    warn(message, category)\n", space)
    for level in range(1, depth + 1):
        exec(f"def at_{level}(message):\n    [at_{level - 1}(each) for each in [message]]\n", space)
    found = space[f"at_{depth}"]
    assert callable(found)
    return found


@pytest.mark.parametrize("depth", [0, 1, 7])
def test_it_points_at_the_line_that_called_the_package_from_any_depth(depth: int) -> None:
    call = own(depth)
    with pytest.warns(DigimeWarning, match="^so it is$") as warned:
        call("so it is")
    (warning,) = warned
    assert warning.filename == __file__
    assert linecache.getline(__file__, warning.lineno).strip() == 'call("so it is")'


def test_it_comes_every_time_and_users_filters_hold() -> None:
    call = own(2)
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("default")
        for _ in range(3):
            call("the same")
        call("the same")
        warnings.filterwarnings("ignore", message="another")
        call("another")
    assert [str(warning.message) for warning in warned] == ["the same"] * 4
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(DigimeWarning, match="an error"):
            call("an error")


def test_a_package_of_a_similar_name_is_another_one() -> None:
    space: dict[str, object] = {"__name__": "digime_pandas_tools", "call": own(1)}
    with pytest.warns(DigimeWarning) as warned:
        exec(compile("call('x')", "<similar>", "exec"), space)
    assert [warning.filename for warning in warned] == ["<similar>"]


def test_a_thread_collects_its_own_and_no_other_threads() -> None:
    call = own(1)

    def collect(text: str) -> list[str]:
        with collected_warnings() as messages:
            call(text)
            call(text)
        return messages

    with ThreadPoolExecutor(2) as threads, collected_warnings() as messages:
        assert list(threads.map(collect, "ab")) == [["a", "a"], ["b", "b"]]
    assert messages == []
    with pytest.warns(DigimeWarning):
        call("shown again")


def test_it_points_past_other_packages_between_two_parts_of_this_one() -> None:
    library = {"__name__": "http_client"}
    exec("def read(body):\n    for _ in body:\n        pass\n", library)
    space = {"__name__": "digime_pandas._made_up", "call": own(1), "read": library["read"]}
    exec("def body():\n    yield 1\n    call('at the end')\n\n\ndef send():\n    read(body())\n", space)
    send = space["send"]
    assert callable(send)
    with pytest.warns(DigimeWarning) as warned:
        send()
    assert [warning.filename for warning in warned] == [__file__]


def test_a_thread_warns_at_the_line_that_it_is_given_and_pickles_it() -> None:
    space: dict[str, object] = {"__name__": "digime_pandas._made_up", "call_site": call_site}
    exec("def site():\n    return call_site()\n", space)
    get = space["site"]
    assert callable(get)
    site = pickle.loads(pickle.dumps(get()))
    assert linecache.getline(site.filename, site.lineno).strip() == "site = pickle.loads(pickle.dumps(get()))"

    def in_thread() -> None:
        with warnings_at(site):
            own(3)("in a thread")

    with ThreadPoolExecutor(1) as threads, pytest.warns(DigimeWarning) as warned:
        threads.submit(in_thread).result()
    assert [(warning.filename, warning.lineno) for warning in warned] == [(__file__, site.lineno)]


@pytest.mark.parametrize(
    "obeyed", ["\x1b[2J", "\x07", "\r", "\x00", "\x7f", "\x9b31m", "\u202e", "\u2066", "\u2028", "\ud800"], ids=ascii
)
def test_a_text_of_others_is_shown_and_not_obeyed(obeyed: str) -> None:
    shown = str(errors.ReadError(f"a{obeyed}b"))
    assert shown.isprintable()
    assert shown.startswith("a\\")
    with pytest.warns(errors.DigimeWarning) as caught:
        errors.warn(f"a{obeyed}b", errors.DigimeWarning)
    assert str(caught[0].message) == shown


def test_lines_tabs_and_letters_of_all_languages_stay() -> None:
    text = "a\n\tb \u00fc \u65e5\u672c \U0001f600 \u0645\u06cc\u200c\u062e"
    assert str(errors.ReadError(text)) == text
