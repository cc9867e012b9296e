"""Columns of the values that other libraries have in Arrow, or export to it.

May import: what is below `frames` in `_tabular`, `frames/used_values.py` and `errors`. Files from bottom to top:
``type_facts``, ``arrow_columns``, ``polars_columns``.
"""
