"""An account's two consents are compared by the service's id of its person."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from digime_pandas._service.authorization import Access, Authorization, Token, UserAccessToken
from digime_pandas._service.oauth.same_library import (
    another_library_notice,
    authorization_to_read,
    usable_authorization,
)
from digime_pandas.errors import AuthorizationError


class Stored:
    """Stands for the authorizations of one contract."""

    def __init__(self, authorization: Authorization | None) -> None:
        self.authorization = authorization

    def get(self, _: str) -> Authorization | None:
        return self.authorization

    def require(self, _: str) -> Authorization | None:
        return self.authorization


def consent(access: Access, user_id: str | None) -> Authorization:
    return Authorization("p", access, UserAccessToken(Token("a", 1), Token("r", 2)), user_id=user_id)


def stored(write: str | None, read: str | None) -> Mapping[Access, Any]:
    return {"write": Stored(consent("write", write)), "read": Stored(consent("read", read))}


@pytest.mark.parametrize(("write", "read"), [("ana", "ana"), (None, "ana"), ("ana", None), (None, None)])
def test_one_library_or_one_that_is_not_known_can_be_read(write: str | None, read: str | None) -> None:
    both = stored(write, read)
    assert usable_authorization(both, "p", "read") is both["read"].authorization
    assert authorization_to_read(both, "p") is both["read"].authorization
    assert another_library_notice(both, consent("read", read)) is None


def test_another_library_is_not_read_without_being_asked_for() -> None:
    both = stored("ana", "ben")
    assert usable_authorization(both, "p", "read") is None
    assert usable_authorization(both, "p", "write") is both["write"].authorization
    with pytest.raises(AuthorizationError, match="opens another library"):
        authorization_to_read(both, "p")


@pytest.mark.parametrize("access", ["write", "read"])
def test_a_new_consent_for_another_library_is_remarked_on(access: Access) -> None:
    notice = another_library_notice(stored("ana", "ben"), consent(access, "ana" if access == "write" else "ben"))
    assert notice is not None
    assert "another library" in notice
