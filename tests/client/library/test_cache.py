from __future__ import annotations

import threading

from digime_pandas._client.library.cache import BoundedCache


def test_what_was_not_used_for_the_longest_time_is_dropped() -> None:
    cache = BoundedCache[str, int](2)
    cache.put("a", 1)
    cache.put("b", 2)
    assert cache.get("a") == 1
    cache.put("c", 3)
    assert [cache.get(key) for key in "abc"] == [1, None, 3]
    assert len(cache) == 2


def test_a_key_has_one_value_the_last_one() -> None:
    cache = BoundedCache[str, int](2)
    cache.put("a", 1)
    cache.put("b", 2)
    cache.put("a", 3)
    cache.put("c", 4)
    assert [cache.get(key) for key in "abc"] == [3, None, 4]


def test_all_can_be_dropped() -> None:
    cache = BoundedCache[str, int](2)
    cache.put("a", 1)
    cache.clear()
    assert cache.get("a") is None
    assert len(cache) == 0


def test_threads_keep_it_within_its_bound() -> None:
    cache = BoundedCache[int, int](8)

    def use(start: int) -> None:
        for number in range(start, start + 500):
            cache.put(number, number)
            assert cache.get(number) in {number, None}

    threads = [threading.Thread(target=use, args=(start,)) for start in range(0, 2000, 500)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(cache) == 8
