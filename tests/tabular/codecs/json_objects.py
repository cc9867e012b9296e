"""Objects whose JSON has what takes arrays apart wrongly: brackets, commas and quotes within texts."""

from __future__ import annotations

from hypothesis import strategies as st

_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(alphabet=st.sampled_from('{}[]",\\:a\n\u00e9\U0001f600'))
    | st.just("},{"),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(alphabet='{},"\\'), inner),
    max_leaves=8,
)
OBJECTS = st.lists(st.dictionaries(st.text(), _VALUES), min_size=1)
