"""Text made of Arrow values, by polars, Arrow alone or Python, ISO 8601 text, what is UTF-8, and how deep JSON is.

And the memory of values that were read. May import: `columns` and `arrow` of `_tabular`. Files from bottom to top:
``own_memory``, ``few_rows``, ``arrow_text``, ``polars_text``, ``utf8_text``, ``iso_text``, ``json_depth``.
"""
