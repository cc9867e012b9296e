from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from digime_pandas._service.authorization import Authorization, Token, UserAccessToken
from digime_pandas._service.masking.secret import Secret
from digime_pandas._service.oauth.pending.lifecycle import KEPT_SECONDS, PendingAuthorizations
from digime_pandas._service.oauth.pending.record import PendingAuthorization, digest
from digime_pandas._service.oauth.pending.stores import MemoryPendingStore, PendingStore
from digime_pandas._service.oauth.private_folder import NoRoomError
from digime_pandas._service.oauth.redirect import RedirectResult
from digime_pandas._service.oauth.token_store import FileTokenStore
from digime_pandas.errors import (
    AuthorizationError,
    AuthorizationTimeoutError,
    DigimeError,
    InputError,
    RedirectError,
    RefusedError,
    ServiceUnreachableError,
    TokenStoreError,
)

DAY = 86_400.0
ENVIRONMENT, CONTRACT = "https://api.test/v1.7/", "app_contract"
STATE, VERIFIER = Secret("st4te-of-one"), Secret("v3rifier-of-one")
RESULT, ANOTHER = RedirectResult("c0de", None), RedirectResult("another-c0de", None)
UNUSED = RefusedError("It was refused.", outcome="refused", status=400)
UNREACHABLE = ServiceUnreachableError("No network.", outcome="not sent")
LOST = ServiceUnreachableError("The answer was lost.", outcome="unknown")


class Process:
    """One process that shares a store with others; what it exchanges is stored for all of them."""

    def __init__(self, store: PendingStore, tokens: dict[str, Authorization], clock: list[float]) -> None:
        self.tokens = tokens
        self.exchanged: list[tuple[str, str, str]] = []
        self.failures: list[BaseException] = []
        self.before_storing: Callable[[], object] = lambda: None
        self.pending = PendingAuthorizations(
            store,
            "write",
            ENVIRONMENT,
            CONTRACT,
            exchange=self.exchange,
            stored=tokens.get,
            timeout=10.0,
            now=lambda: clock[0],
        )

    def exchange(self, account_id: str, result: RedirectResult, verifier: Secret[str]) -> Authorization:
        self.exchanged.append((account_id, result.code, verifier.reveal()))
        if self.failures:
            raise self.failures.pop(0)
        self.before_storing()
        pair = UserAccessToken(Token(f"a{len(self.exchanged)}", 1), Token("r", 2))
        self.tokens[account_id] = Authorization(account_id, "write", pair)
        return self.tokens[account_id]


@pytest.fixture
def clock() -> list[float]:
    return [1_700_000_000.0]


@pytest.fixture(params=["file", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> PendingStore:
    return FileTokenStore(tmp_path / "tokens").pending if request.param == "file" else MemoryPendingStore()


@pytest.fixture
def make(store: PendingStore, clock: list[float]) -> Callable[[], Process]:
    tokens: dict[str, Authorization] = {}
    return lambda: Process(store, tokens, clock)


@pytest.fixture
def process(make: Callable[[], Process]) -> Process:
    return make()


def kept(store: PendingStore) -> PendingAuthorization:
    found = store.get(digest(STATE))
    assert found is not None
    return found


def test_one_that_was_begun_is_completed_by_another_process(make: Callable[[], Process], store: PendingStore) -> None:
    one, other = make(), make()
    expires = one.pending.begin("patient-17", STATE, VERIFIER)
    assert expires == 1_700_000_000.0 + KEPT_SECONDS
    assert (kept(store).status, kept(store).verifier) == ("pending", VERIFIER)
    made = other.pending.complete(STATE, RESULT)
    assert other.exchanged == [("patient-17", "c0de", "v3rifier-of-one")]
    assert (kept(store).status, kept(store).verifier) == ("given", None)
    assert one.pending.complete(STATE, RESULT) is made
    assert one.exchanged == []


def test_threads_with_one_address_exchange_once(make: Callable[[], Process]) -> None:
    processes = [make() for _ in range(4)]
    processes[0].pending.begin("patient-17", STATE, VERIFIER)
    start = threading.Barrier(4)

    def complete(each: Process) -> Authorization:
        start.wait(20)
        return each.pending.complete(STATE, RESULT)

    with ThreadPoolExecutor(4) as threads:
        made = list(threads.map(complete, processes))
    assert len(set(made)) == 1
    assert sum(len(each.exchanged) for each in processes) == 1


def test_a_store_holds_no_state_in_clear(tmp_path: Path, clock: list[float]) -> None:
    process = Process(FileTokenStore(tmp_path / "tokens").pending, {}, clock)
    process.pending.begin("patient-17", STATE, VERIFIER)
    process.pending.complete(STATE, RESULT)
    files = [file for file in (tmp_path / "tokens").rglob("*") if file.is_file()]
    assert len(files) == 2
    for file in files:
        for secret in (STATE.reveal(), VERIFIER.reveal(), RESULT.code):
            assert secret not in file.name + file.read_text()


def test_another_address_is_refused_once_it_is_complete(process: Process) -> None:
    process.pending.begin("patient-17", STATE, VERIFIER)
    process.pending.complete(STATE, RESULT)
    with pytest.raises(AuthorizationError, match="'patient-17' is complete, by another address"):
        process.pending.complete(STATE, ANOTHER)
    process.tokens.clear()
    with pytest.raises(AuthorizationError, match="its tokens are not stored any more"):
        process.pending.complete(STATE, RESULT)
    assert len(process.exchanged) == 1


def test_an_unknown_state_says_where_it_may_have_been_begun(process: Process) -> None:
    with pytest.raises(RedirectError, match=r"another token store.*cancelled, forgotten, or has long expired"):
        process.pending.complete(STATE, RESULT)


def test_one_of_another_contract_is_unknown(process: Process, store: PendingStore) -> None:
    process.pending.begin("patient-17", STATE, VERIFIER)
    other = PendingAuthorizations(
        store,
        "write",
        ENVIRONMENT,
        "app_another",
        exchange=process.exchange,
        stored=process.tokens.get,
        timeout=1.0,
        now=lambda: 0.0,
    )
    with pytest.raises(RedirectError):
        other.complete(STATE, RESULT)
    assert other.records() == []
    assert not other.forget("patient-17")
    assert len(process.pending.records()) == 1


def test_an_answer_that_comes_too_late_is_not_taken(process: Process, clock: list[float]) -> None:
    process.pending.begin("patient-17", STATE, VERIFIER)
    clock[0] += KEPT_SECONDS
    with pytest.raises(
        AuthorizationTimeoutError, match=r"'patient-17' has expired: it was made on 2023-11-14, .* until 2023-11-21"
    ):
        process.pending.complete(STATE, RESULT)
    assert process.exchanged == []


@pytest.mark.parametrize("again", ["same", "later"])
def test_a_state_is_used_once(process: Process, again: str) -> None:
    process.pending.begin("patient-17", STATE, VERIFIER)
    if again == "later":
        process.pending.complete(STATE, RESULT)
    with pytest.raises(InputError, match="state was used before"):
        process.pending.begin("patient-18", STATE, VERIFIER)
    assert process.pending.complete(STATE, RESULT).account_id == "patient-17"


@pytest.mark.parametrize("state", ["", None, 17])
def test_a_state_is_a_text(process: Process, state: object) -> None:
    with pytest.raises(InputError, match="state is empty or no str"):
        process.pending.begin("patient-17", Secret(state), VERIFIER)  # type: ignore[arg-type] # wrong on purpose


@pytest.mark.parametrize("failure", [UNUSED, UNREACHABLE, RedirectError("A damaged key.")], ids=str)
def test_an_exchange_that_did_not_use_the_code_can_be_tried_again(
    process: Process, store: PendingStore, failure: DigimeError
) -> None:
    process.pending.begin("patient-17", STATE, VERIFIER)
    process.failures = [failure, failure]
    for _ in range(2):
        with pytest.raises(type(failure), match=str(failure)):
            process.pending.complete(STATE, RESULT)
        assert kept(store).status == "pending"
    assert process.pending.complete(STATE, RESULT).account_id == "patient-17"


@pytest.mark.parametrize("cut", [LOST, KeyboardInterrupt()], ids=["the answer", "the process"])
def test_what_was_cut_off_is_tried_again_and_said_to_be_lost_where_the_code_is_used(
    make: Callable[[], Process], store: PendingStore, cut: BaseException
) -> None:
    one, other = make(), make()
    one.pending.begin("patient-17", STATE, VERIFIER)
    one.failures = [cut]
    with pytest.raises(type(cut)):
        one.pending.complete(STATE, RESULT)
    assert kept(store).status == "exchanging"
    other.failures = [UNREACHABLE, UNUSED]
    with pytest.raises(ServiceUnreachableError):
        other.pending.complete(STATE, RESULT)
    with pytest.raises(AuthorizationError, match=r"tokens did not reach the store.*begin a new authorization") as lost:
        other.pending.complete(STATE, RESULT)
    assert lost.value.__cause__ is UNUSED
    assert other.pending.complete(STATE, RESULT).account_id == "patient-17"  # a service that takes it after all


def test_tokens_that_cannot_be_stored_are_said_to_be_lost(process: Process, store: PendingStore) -> None:
    process.pending.begin("patient-17", STATE, VERIFIER)
    process.failures = [TokenStoreError("The disk is full.")]
    with pytest.raises(TokenStoreError) as full:
        process.pending.complete(STATE, RESULT)
    assert "did not reach the store" in full.value.__notes__[0]
    assert kept(store).status == "exchanging"


def test_what_is_stored_counts_even_where_that_cannot_be_noted(process: Process, tmp_path: Path) -> None:
    process.pending.begin("patient-17", STATE, VERIFIER)
    put = process.pending.store.put

    def full(key: str, pending: PendingAuthorization) -> None:
        if pending.status == "given":
            raise TokenStoreError("The disk is full.")
        put(key, pending)

    process.pending.store.put = full  # type: ignore[method-assign] # the disk's end
    assert process.pending.complete(STATE, RESULT) is process.tokens["patient-17"]


class TestRefusal:
    def test_it_is_noted_and_a_consent_after_it_is_taken(self, process: Process, store: PendingStore) -> None:
        process.pending.begin("patient-17", STATE, VERIFIER)
        process.pending.refuse(STATE)
        process.pending.refuse(STATE)
        assert kept(store).status == "refused"
        process.pending.complete(STATE, RESULT)
        process.pending.refuse(STATE)
        assert kept(store).status == "given"

    def test_it_stays_noted_when_the_flow_ends(self, process: Process, store: PendingStore) -> None:
        process.pending.begin("patient-17", STATE, VERIFIER)
        process.pending.refuse(STATE)
        process.pending.cancel(STATE)
        assert (kept(store).status, kept(store).verifier) == ("refused", None)
        with pytest.raises(AuthorizationError, match="'patient-17' said no"):
            process.pending.complete(STATE, RESULT)
        assert process.exchanged == []

    def test_of_an_unknown_one_nothing_is_noted(self, process: Process) -> None:
        process.pending.refuse(STATE)
        assert process.pending.records() == []


class TestCancelling:
    def test_what_is_cancelled_is_not_taken(self, process: Process) -> None:
        process.pending.begin("patient-17", STATE, VERIFIER)
        process.pending.cancel(STATE)
        process.pending.cancel(STATE)
        with pytest.raises(RedirectError, match="was cancelled"):
            process.pending.complete(STATE, RESULT)

    def test_what_is_complete_stays(self, process: Process, store: PendingStore) -> None:
        process.pending.begin("patient-17", STATE, VERIFIER)
        process.pending.complete(STATE, RESULT)
        process.pending.cancel(STATE)
        assert kept(store).status == "given"

    def test_what_is_being_completed_goes_on(self, make: Callable[[], Process], store: PendingStore) -> None:
        one, other = make(), make()
        one.pending.begin("patient-17", STATE, VERIFIER)
        one.before_storing = lambda: other.pending.cancel(STATE)
        with ThreadPoolExecutor(1) as threads:
            threads.submit(one.pending.complete, STATE, RESULT).result()
        assert kept(store).status == "given"


def test_forgetting_an_account_forgets_its_links_alone(process: Process) -> None:
    other = Secret("another-st4te")
    process.pending.begin("patient-17", STATE, VERIFIER)
    process.pending.begin("patient-18", other, VERIFIER)
    assert process.pending.forget("patient-17")
    assert not process.pending.forget("patient-17")
    with pytest.raises(RedirectError):
        process.pending.complete(STATE, RESULT)
    assert process.pending.complete(other, ANOTHER).account_id == "patient-18"
    assert not process.pending.forget("patient-18")  # nothing was waited for any more
    assert process.pending.records() == []


class TestSweeping:
    def sweep(self, make: Callable[[], Process], number: int) -> None:
        make().pending.begin("someone", Secret(f"st4te-{number}"), VERIFIER)

    def test_the_verifier_goes_when_the_link_has_expired_and_the_note_later(
        self, make: Callable[[], Process], store: PendingStore, clock: list[float]
    ) -> None:
        process = make()
        process.pending.begin("patient-17", STATE, VERIFIER)
        clock[0] += KEPT_SECONDS - 1
        self.sweep(make, 1)
        assert kept(store).verifier == VERIFIER
        clock[0] += 1
        self.sweep(make, 2)
        assert (kept(store).status, kept(store).verifier) == ("pending", None)
        with pytest.raises(AuthorizationTimeoutError):
            process.pending.complete(STATE, RESULT)
        clock[0] += 30 * DAY
        self.sweep(make, 3)
        assert store.get(digest(STATE)) is None

    def test_what_is_complete_goes_with_its_time(
        self, make: Callable[[], Process], store: PendingStore, clock: list[float]
    ) -> None:
        process = make()
        process.pending.begin("patient-17", STATE, VERIFIER)
        process.pending.complete(STATE, RESULT)
        clock[0] += KEPT_SECONDS
        self.sweep(make, 1)
        assert store.get(digest(STATE)) is None

    def test_it_is_done_now_and_then_only(self, process: Process, clock: list[float]) -> None:
        lists: list[float] = []
        listed = process.pending.store.list
        process.pending.store.list = lambda: lists.append(clock[0]) or listed()  # type: ignore[method-assign, func-returns-value] # counted
        for number, seconds in enumerate((0.0, 1.0, 598.0, 1.0)):
            clock[0] += seconds
            process.pending.begin("patient-17", Secret(f"st4te-{number}"), VERIFIER)
        assert lists == [1_700_000_000.0, 1_700_000_600.0]


class TestNotes:
    AUTHORIZATION = Authorization("patient-17", "write", UserAccessToken(Token("a", 1), Token("refresh-t0ken", 2**63)))
    SPENT = Secret("c0de")

    def test_an_answer_is_kept_under_the_digest_of_what_it_answers_for_a_week(
        self, make: Callable[[], Process], store: PendingStore, clock: list[float]
    ) -> None:
        one, other = make(), make()
        one.pending.keep_answer(self.SPENT, Secret("answer"))
        [(key, note)] = store.list()
        assert (key, note.status) == (digest(self.SPENT), "unverified")
        kept = other.pending.kept_answer(self.SPENT)
        assert kept is not None
        assert (kept.answer, kept.begun) == (Secret("answer"), clock[0])
        assert other.pending.kept_answer(Secret("another")) is None
        other.pending.forget_answer(self.SPENT)
        assert one.pending.kept_answer(self.SPENT) is None
        one.pending.keep_answer(self.SPENT, Secret("answer"))
        clock[0] += 7 * 86_400
        assert other.pending.kept_answer(self.SPENT) is None
        other.pending.begin("patient-18", Secret("another"), VERIFIER)  # which sweeps
        assert digest(self.SPENT) not in dict(store.list())

    def test_where_the_store_fails_it_is_kept_in_memory(self, process: Process) -> None:
        def full(key: str, pending: PendingAuthorization) -> None:
            raise TokenStoreError("The disk is full.")

        process.pending.store.put = full  # type: ignore[method-assign] # a store that fails
        process.pending.keep_answer(self.SPENT, Secret("answer"))
        assert process.pending.kept_answer(self.SPENT) is not None
        process.pending.forget_answer(self.SPENT)
        assert process.pending.kept_answer(self.SPENT) is None

    def test_that_an_authorization_was_forgotten_is_noted(self, make: Callable[[], Process]) -> None:
        one, other = make(), make()
        assert not one.pending.is_forgotten(self.AUTHORIZATION)
        one.pending.note_forgotten(self.AUTHORIZATION)
        assert other.pending.is_forgotten(self.AUTHORIZATION)


def test_where_there_is_no_room_for_the_tokens_the_code_is_not_used_up(process: Process, store: PendingStore) -> None:
    process.pending.begin("patient-17", STATE, VERIFIER)
    process.failures = [NoRoomError("The disk is full.")]
    with pytest.raises(TokenStoreError) as full:
        process.pending.complete(STATE, RESULT)
    assert not hasattr(full.value, "__notes__")
    assert kept(store).status == "pending"
    assert process.pending.complete(STATE, RESULT).account_id == "patient-17"
