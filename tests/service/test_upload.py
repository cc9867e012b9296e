from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from types import SimpleNamespace
from typing import Any

import pytest

from digime_pandas._service.authorization import Authorization, Postbox, Token, UserAccessToken
from digime_pandas._service.descriptor import FileDescriptor
from digime_pandas._service.masking.secret import Secret
from digime_pandas._service.messages import Upload, UploadReply
from digime_pandas._service.streams import Buffer, ThreadPlan
from digime_pandas._service.upload import FileOutcome, as_upload, checked_pieces, content_of, upload
from digime_pandas.errors import (
    APIError,
    AuthorizationExpiredError,
    DescriptorError,
    DigimeError,
    InputError,
    InvalidTokenError,
    Outcome,
    RefusedError,
    ServiceUnreachableError,
)

CHUNKS: list[Buffer] = [b"day,pulse\r\n", bytearray(b"2026-01-05,"), memoryview(b"61\r\n")]
CONTENT = b"".join(bytes(chunk) for chunk in CHUNKS)
UPLOAD = Upload(lambda: CHUNKS, len(CONTENT), "visits.csv", FileDescriptor("text/csv", "p"))
OLD = Authorization("p", "write", UserAccessToken(Token("old", 1), Token("r", 2)))
DELIVERED = UploadReply("delivered", 17.0, 1)
PENDING = UploadReply("pending", None, 1)

Answer = UploadReply | Exception


def invalid(outcome: Outcome = "refused", attempts: int = 1) -> InvalidTokenError:
    return InvalidTokenError("old", outcome=outcome, status=401, attempts=attempts)


class Service:
    """Stands for the endpoints: gives its answers in turn."""

    base_url = "https://api.test/v1.7/"
    contract = SimpleNamespace(contract_id="contract")

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.sent: list[tuple[str, str, bytes]] = []
        self.refreshed: list[str] = []
        self.spent: list[float] = []

    def one_deadline(self, spent: float) -> AbstractContextManager[None]:
        self.spent.append(spent)
        return nullcontext()

    def import_file(self, file: Upload, access_token: Secret[str]) -> UploadReply:
        return self.take("import", file, access_token)

    def deliver_to_postbox(self, file: Upload, postbox: Postbox, access_token: Secret[str]) -> UploadReply:
        return self.take(postbox.id, file, access_token)

    def take(self, where: str, file: Upload, access_token: Secret[str]) -> UploadReply:
        content = file.content if isinstance(file.content, bytes) else b"".join(map(bytes, file.content()))
        self.sent.append((where, access_token.reveal(), content))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def refresh(self, authorization: Authorization) -> Authorization:
        self.refreshed.append(authorization.user_access_token.access_token.value)
        return replace(authorization, user_access_token=UserAccessToken(Token("new", 9), Token("r2", 9)))

    def upload(
        self,
        authorization: Authorization = OLD,
        file: Upload = UPLOAD,
        refresh: Callable[..., Any] | None = None,
        **options: Any,
    ) -> Any:
        return upload(self, file, authorization, refresh=refresh or self.refresh, **options)  # type: ignore[arg-type] # a stand-in


def test_a_delivery_ends_in_a_receipt_of_the_plain_bytes() -> None:
    service = Service(UploadReply("delivered", 17.0, 3))
    receipt = service.upload()
    assert service.sent == [("import", "old", CONTENT)]
    assert (receipt.status, receipt.expires, receipt.attempts) == ("delivered", 17.0, 3)
    assert (receipt.size, receipt.sha256) == (len(CONTENT), sha256(CONTENT).hexdigest())
    assert (receipt.file_name, receipt.rows, receipt.descriptor) == ("visits.csv", None, UPLOAD.descriptor)
    assert receipt.environment == service.base_url
    assert receipt.authorization is OLD
    assert receipt.elapsed >= 0


def test_a_postbox_is_used_where_there_is_one() -> None:
    service = Service(DELIVERED)
    service.upload(replace(OLD, postbox=Postbox("box", "key")))
    assert service.sent[0][0] == "box"


@pytest.mark.parametrize(
    ("reference", "answers", "said"),
    [
        ((), [RefusedError("no", outcome="unknown", status=503)], True),
        ((), [PENDING, RefusedError("no", outcome="refused", status=400)], True),
        ((), [RefusedError("no", outcome="refused", status=400)], False),
        (("urn:uuid:1",), [RefusedError("no", outcome="unknown", status=503)], False),
    ],
)
def test_where_nothing_tells_a_copy_an_error_that_leaves_it_open_says_so(
    reference: tuple[str, ...], answers: list[Answer], said: bool
) -> None:
    file = replace(UPLOAD, descriptor=FileDescriptor("text/csv", "p", reference))
    with pytest.raises(RefusedError) as raised:
        Service(*answers).upload(file=file)
    notes = " ".join(getattr(raised.value, "__notes__", []))
    assert ("nothing would tell a copy" in notes) is said
    is_open = raised.value.outcome == "unknown"
    assert ("Whether the file is in the library is not known" in notes) is is_open
    assert ("Written again with the same journal" in notes) is (is_open and bool(reference))


@pytest.mark.parametrize("first", [PENDING, invalid()], ids=["pending", "401"])
def test_pending_and_an_invalid_token_lead_to_one_refresh_and_one_more_sending(first: Answer) -> None:
    service = Service(first, DELIVERED)
    receipt = service.upload()
    assert [(token, content) for _, token, content in service.sent] == [("old", CONTENT), ("new", CONTENT)]
    assert service.refreshed == ["old"]
    assert (receipt.attempts, receipt.status) == (2, "delivered")
    assert receipt.authorization.user_access_token.access_token.value == "new"
    assert receipt.sha256 == sha256(CONTENT).hexdigest()


def test_a_refresh_and_the_second_sending_have_what_the_first_one_left_of_the_deadline() -> None:
    service, times = Service(invalid(), DELIVERED), iter([10.0, 17.0, 20.0])
    service.upload(clock=lambda: next(times))
    assert service.spent == [7]
    once = Service(DELIVERED)
    once.upload()
    assert once.spent == []


def test_a_second_pending_is_a_result() -> None:
    service = Service(PENDING, PENDING)
    receipt = service.upload()
    assert (receipt.status, receipt.attempts, service.refreshed) == ("pending", 2, ["old"])


def test_a_second_invalid_token_is_an_error() -> None:
    service = Service(invalid(attempts=2), invalid())
    with pytest.raises(InvalidTokenError) as raised:
        service.upload()
    assert (raised.value.attempts, raised.value.outcome, service.refreshed) == (3, "refused", ["old"])


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (PENDING, RefusedError("no", outcome="refused", status=400)),
        (PENDING, invalid()),
        (invalid(outcome="unknown"), RefusedError("no", outcome="refused", status=400)),
        (invalid(outcome="unknown"), ServiceUnreachableError("away", outcome="not sent")),
    ],
    ids=["pending, refused", "pending, 401", "lost then 401, refused", "lost then 401, away"],
)
def test_an_error_of_the_second_sending_does_not_hide_what_the_first_may_have_done(
    first: Answer, second: Exception
) -> None:
    with pytest.raises(APIError) as raised:
        Service(first, second).upload()
    assert raised.value is second
    assert raised.value.outcome == "unknown"
    assert "not known" in raised.value.__notes__[0]
    assert raised.value.attempts == 2


@pytest.mark.parametrize(
    "error", [AuthorizationExpiredError("over"), ServiceUnreachableError("away", outcome="not sent")]
)
@pytest.mark.parametrize(
    ("first", "known"),
    [
        (PENDING, "'pending' before: whether it keeps the file is not known"),
        (invalid(), "The file was not delivered"),
        (invalid(outcome="unknown"), "whether the file was delivered is not known"),
    ],
    ids=["pending", "401", "lost then 401"],
)
def test_a_refresh_that_fails_says_what_is_known_of_the_file(first: Answer, known: str, error: DigimeError) -> None:
    def refresh(_: Authorization) -> Authorization:
        options: dict[str, Any] = {"outcome": "not sent"} if isinstance(error, APIError) else {}
        raise type(error)(*error.args, **options)

    with pytest.raises(type(error)) as raised:
        Service(first).upload(refresh=refresh)
    assert known in raised.value.__notes__[0]


def test_any_other_error_is_raised_at_once() -> None:
    error = RefusedError("no", outcome="refused", status=400, attempts=2)
    service = Service(error)
    with pytest.raises(RefusedError) as raised:
        service.upload()
    assert raised.value is error
    assert (service.refreshed, error.attempts, hasattr(error, "__notes__")) == ([], 2, False)


@pytest.mark.parametrize("workers", [0, 1])
def test_digest_and_size_are_those_of_the_attempt_that_counted(workers: int) -> None:
    attempts: list[Iterable[Buffer]] = [[b"half", b"of it"], CHUNKS]
    service = Service(invalid(), DELIVERED)
    file = replace(UPLOAD, content=lambda: attempts.pop(0), threads=ThreadPlan(hash=workers))
    receipt = service.upload(file=file)
    assert [content for _, _, content in service.sent] == [b"halfof it", CONTENT]
    assert (receipt.size, receipt.sha256) == (len(CONTENT), sha256(CONTENT).hexdigest())


def test_a_small_file_is_sent_as_it_is_and_hashed_once() -> None:
    service = Service(invalid(), DELIVERED)
    receipt = service.upload(file=replace(UPLOAD, content=CONTENT))
    assert [content for _, _, content in service.sent] == [CONTENT, CONTENT]
    assert (receipt.size, receipt.sha256) == (len(CONTENT), sha256(CONTENT).hexdigest())


def test_rows_are_counted_after_the_file_was_sent() -> None:
    service = Service(DELIVERED)
    receipt = service.upload(file=replace(UPLOAD, count_rows=lambda: len(service.sent)))
    assert receipt.rows == 1


def test_elapsed_is_the_time_on_the_clock() -> None:
    clock = iter([10.0, 12.5])
    assert upload(Service(DELIVERED), UPLOAD, OLD, refresh=lambda _: OLD, clock=lambda: next(clock)).elapsed == 2.5  # type: ignore[arg-type] # a stand-in


def test_a_receipt_says_when_and_under_which_consent_and_what_was_lost() -> None:
    time = datetime(2026, 1, 5, 9, 30, tzinfo=UTC)
    losses: list[str] = []
    service = Service(invalid(), DELIVERED)

    def content() -> Iterator[Buffer]:
        yield CONTENT
        losses.append(f"sent {len(service.sent)} before")

    file = replace(UPLOAD, content=content, find_losses=lambda: tuple(losses))
    receipt = service.upload(replace(OLD, consent_id="consent"), file, now=lambda: time)
    assert (receipt.delivered_at, receipt.account_id, receipt.consent_id) == (time, "p", "consent")
    assert (receipt.contract_id, receipt.losses) == ("contract", ("sent 0 before", "sent 1 before"))


def test_the_clock_of_a_receipt_gives_utc() -> None:
    assert Service(DELIVERED).upload().delivered_at.tzinfo is UTC


UNREACHABLE = ServiceUnreachableError("away", outcome="unknown", attempts=3)
REFUSED = RefusedError("no", outcome="refused", status=400)


class TestOutcome:
    """What is known of the file after an error, which may be about another request."""

    @pytest.mark.parametrize(
        ("answers", "known", "attempts"),
        [
            ([REFUSED], "refused", 1),
            ([UNREACHABLE], "unknown", 3),
            ([ServiceUnreachableError("away", outcome="not sent", attempts=2)], "not sent", 2),
            ([invalid(), REFUSED], "refused", 2),
            ([invalid(), UNREACHABLE], "unknown", 4),
            ([invalid(outcome="unknown", attempts=2), REFUSED], "unknown", 3),
            ([PENDING, REFUSED], "unknown", 2),
            ([AuthorizationExpiredError("a key that cannot be used")], "not sent", 0),
        ],
    )
    @pytest.mark.parametrize("content", [CONTENT, UPLOAD.content], ids=["small", "large"])
    def test_of_the_sending(self, answers: list[Answer], known: Outcome, attempts: int, content: Any) -> None:
        errors = [type(each)(*each.args, **vars(each)) if isinstance(each, APIError) else each for each in answers]
        outcome = FileOutcome()
        with pytest.raises(DigimeError):
            Service(*errors).upload(file=replace(UPLOAD, content=content), outcome=outcome)
        # The stand-in takes a large file's content before it answers with an error that is none of its own.
        other = isinstance(answers[-1], AuthorizationExpiredError) and content is UPLOAD.content
        assert (outcome.known, outcome.attempts) == (("unknown", 1) if other else (known, attempts))

    @pytest.mark.parametrize(("first", "known"), [(PENDING, "unknown"), (invalid(), "refused")])
    def test_a_refresh_that_fails_does_not_change_it(self, first: Answer, known: Outcome) -> None:
        def refresh(_: Authorization) -> Authorization:
            raise ServiceUnreachableError("away", outcome="not sent")

        outcome = FileOutcome()
        with pytest.raises(ServiceUnreachableError):
            Service(first).upload(refresh=refresh, outcome=outcome)
        assert (outcome.known, outcome.attempts) == (known, 1)

    @pytest.mark.parametrize(("before", "known"), [(0, "not sent"), (1, "unknown")])
    def test_content_that_breaks_off_is_no_file_unless_an_earlier_attempt_sent_one(
        self, before: int, known: Outcome
    ) -> None:
        begun: list[int] = []

        def content() -> Iterator[Buffer]:
            begun.append(1)
            yield CONTENT
            if len(begun) > before:
                raise LookupError("the cursor is gone")

        class Retrying(Service):
            def take(self, where: str, file: Upload, access_token: Secret[str]) -> UploadReply:  # noqa: ARG002 - a stand-in
                assert not isinstance(file.content, bytes)
                for _ in range(before + 1):
                    b"".join(map(bytes, file.content()))
                raise AssertionError("the content breaks off")

        outcome = FileOutcome()
        with pytest.raises(LookupError):
            Retrying().upload(file=replace(UPLOAD, content=content), outcome=outcome)
        assert (outcome.known, outcome.attempts) == (known, before + 1)

    def test_after_an_interrupt_nothing_is_known(self) -> None:
        class Interrupted(Service):
            def take(self, where: str, file: Upload, access_token: Secret[str]) -> UploadReply:  # noqa: ARG002 - a stand-in
                raise KeyboardInterrupt

        outcome = FileOutcome()
        with pytest.raises(KeyboardInterrupt):
            Interrupted().upload(file=replace(UPLOAD, content=CONTENT), outcome=outcome)
        assert (outcome.known, outcome.attempts) == ("unknown", 1)


def test_what_is_sent_as_it_is_is_checked_first() -> None:
    descriptor = UPLOAD.descriptor
    with pytest.raises(DescriptorError, match="file_name"), as_upload(b"", "a/b", descriptor):
        pass
    with pytest.raises(DescriptorError, match="file_descriptor is a str"), as_upload(b"", "a", "text/csv"):  # type: ignore[arg-type] # wrong on purpose
        pass
    with as_upload(iter([b"a", b"b"]), "a", descriptor) as file:
        assert not isinstance(file.content, bytes)
        assert [b"".join(map(bytes, file.content())) for _ in range(2)] == [b"ab", b"ab"]


@pytest.mark.parametrize("size", [0, 1 << 20, (1 << 20) + 1, 3 << 20])
def test_small_data_is_one_piece_and_any_other_several(size: int) -> None:
    data = bytes(size)
    for given in (data, bytearray(data), memoryview(data)[::-1]):
        content = content_of(given)
        assert isinstance(content, bytes) == (size <= 1 << 20)
        pieces = [content] if isinstance(content, bytes) else [bytes(piece) for piece in content()]
        assert max(map(len, pieces)) <= 1 << 20
        assert b"".join(pieces) == data


@pytest.mark.parametrize("given", ["text", 7, {"a": 1}, None])
def test_what_gives_no_bytes_is_refused(given: object) -> None:
    with pytest.raises(InputError, match="pass bytes, a binary file or an iterable of bytes"):
        checked_pieces(given)


def test_a_piece_that_is_no_bytes_is_refused_when_it_comes() -> None:
    pieces = checked_pieces([b"one", "two"])
    assert bytes(next(pieces)) == b"one"
    with pytest.raises(InputError, match="gave a str"):
        next(pieces)
