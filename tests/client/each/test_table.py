"""The result shows losses first, of a few accounts, as text."""

from __future__ import annotations

from digime_pandas._client.each.table import EachResult, PartResult, result_table


def shown(count: int) -> str:
    accounts = [f"<p-{number}>" for number in range(count)]
    results = [PartResult("failed", "refused", lost=[f"lost-{number} <i>."]) for number in range(count)]
    table = result_table("who", accounts, names=["a"] * count, rows=[1] * count, results=results, reason=None)
    return str(table._repr_html_())


def test_losses_come_first_and_stay_text() -> None:
    page = shown(2)
    assert page.index("&lt;p-1&gt;: lost-1 &lt;i&gt;.") < page.index("0 of 2 delivered (2 failed)")
    assert "<i>" not in page
    assert "more accounts" not in page


def test_of_many_accounts_a_few_are_named() -> None:
    page = shown(9)
    notice = page.partition("0 of 9 delivered")[0]
    assert "lost-4" in notice
    assert "lost-5" not in notice
    assert "and of 4 more accounts; see the column &#x27;lost&#x27;" in notice


def test_a_selection_of_columns_shows_itself_as_a_plain_frame() -> None:
    table = EachResult({"x": [1]})
    assert "digime-card" not in str(table._repr_html_())
