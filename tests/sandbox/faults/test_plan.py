from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from digime_pandas.sandbox._faults.fault import FaultArguments, fault_of
from digime_pandas.sandbox._faults.plan import FaultPlan, InjectedFault

UPLOAD = ("postbox", "upload", "any")


def add(plan: FaultPlan, times: int | None = 1, after: int = 0, **what: object) -> InjectedFault:
    arguments: FaultArguments = {"status": 503, **what}  # type: ignore[typeddict-item] # mixed values
    return plan.add(fault_of("upload", times, after, arguments), lambda _: None)


def test_a_fault_happens_so_many_times_after_so_many_requests() -> None:
    plan = FaultPlan()
    fault = add(plan, times=2, after=1)
    assert [plan.take(UPLOAD) is fault for _ in range(5)] == [False, True, True, False, False]
    assert (fault.hits, fault.is_over) == (2, True)


def test_without_a_number_it_happens_until_it_is_taken_back() -> None:
    plan = FaultPlan()
    fault = add(plan, times=None)
    assert all(plan.take(UPLOAD) is fault for _ in range(5))
    fault.heal()
    assert plan.take(UPLOAD) is None
    assert repr(fault) == "<InjectedFault of 'upload', hits: 5>"


def test_other_calls_are_left_alone_and_not_counted() -> None:
    plan = FaultPlan()
    fault = add(plan)
    assert plan.take(("list", "any")) is None
    assert plan.take(()) is None
    assert fault.hits == 0


def test_the_first_of_several_that_is_not_over_happens() -> None:
    plan = FaultPlan()
    first, second = add(plan), add(plan)
    assert [plan.take(UPLOAD) for _ in range(3)] == [first, second, None]


def test_taking_back_all_takes_back_each_once() -> None:
    plan = FaultPlan()
    healed: list[InjectedFault] = []
    for _ in range(2):
        plan.add(fault_of("upload", None, 0, {"status": 503}), healed.append)
    plan.heal()
    plan.heal()
    assert len(healed) == 2
    with add(plan) as fault:
        assert not fault.is_over
    assert fault.is_healed


def test_threads_never_take_a_fault_too_often() -> None:
    plan = FaultPlan()
    fault = add(plan, times=50)
    with ThreadPoolExecutor(8) as pool:
        taken = list(pool.map(lambda _: plan.take(UPLOAD) is fault, range(400)))
    assert (sum(taken), fault.hits) == (50, 50)
