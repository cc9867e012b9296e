from __future__ import annotations

import pytest

from digime_pandas._service.authorization import Authorization, Token, UserAccessToken
from digime_pandas._service.oauth.tokens.unstored import UnstoredAuthorizations
from digime_pandas.errors import DigimeWarning, TokenStoreError


def authorization(serial: int) -> Authorization:
    pair = UserAccessToken(Token(f"a{serial}", 1), Token(f"r{serial}", 2))
    return Authorization("patient-17", "write", pair, serial=serial)


class Store:
    """A store of one account that may fail."""

    def __init__(self, kept: Authorization | None) -> None:
        self.kept = kept
        self.fails = {"read": False, "put": True}

    def read(self, account_id: str) -> Authorization | None:
        self.fail("read")
        return self.kept if account_id == "patient-17" else None

    def put(self, authorization: Authorization) -> None:
        self.fail("put")
        self.kept = authorization

    def fail(self, act: str) -> None:
        if self.fails[act]:
            raise TokenStoreError("The disk is broken.")


@pytest.fixture
def store() -> Store:
    return Store(authorization(1))


@pytest.fixture
def unstored(store: Store) -> UnstoredAuthorizations:
    made = UnstoredAuthorizations(store.read, store.put)
    with pytest.warns(DigimeWarning, match="'patient-17' could not be stored.*The disk is broken"):
        made.keep(authorization(2), TokenStoreError("The disk is broken."))
    return made


def test_what_is_kept_is_the_newest_until_the_store_takes_it(store: Store, unstored: UnstoredAuthorizations) -> None:
    for store.fails["read"] in (False, True):
        found = unstored.get("patient-17")
        assert found is not None
        assert found.serial == 2
    assert store.kept is not None
    assert store.kept.serial == 1
    store.fails = {"read": False, "put": False}
    assert unstored.get("patient-17") is store.kept is not None
    assert store.kept.serial == 2
    assert unstored.kept == {}


def test_others_are_read_from_the_store(store: Store, unstored: UnstoredAuthorizations) -> None:
    assert unstored.get("patient-18") is None
    store.fails["read"] = True
    with pytest.raises(TokenStoreError):
        unstored.get("patient-18")


def test_a_newer_one_in_the_store_counts(store: Store, unstored: UnstoredAuthorizations) -> None:
    store.kept = authorization(3)
    assert unstored.get("patient-17") is store.kept
    assert unstored.kept == {}


def test_what_was_forgotten_elsewhere_is_forgotten(store: Store, unstored: UnstoredAuthorizations) -> None:
    store.kept, store.fails["put"] = None, False
    assert unstored.get("patient-17") is None
    assert unstored.kept == {}
    assert store.kept is None


def test_a_first_consent_that_the_store_did_not_take_is_no_forgotten_one() -> None:
    store = Store(None)
    unstored = UnstoredAuthorizations(store.read, store.put)
    with pytest.warns(DigimeWarning, match="could not be stored"):
        unstored.keep(authorization(1), TokenStoreError("The disk is broken."))
    assert unstored.get("patient-17") == authorization(1)
    store.fails["put"] = False
    assert unstored.get("patient-17") == authorization(1) == store.kept


def test_it_is_forgotten_with_the_account(unstored: UnstoredAuthorizations) -> None:
    assert unstored.forget("patient-17")
    assert not unstored.forget("patient-17")
