"""Text made of Arrow values, by polars, Arrow alone or Python, ISO 8601 text, what is UTF-8, and how deep JSON is.

May import: `columns` of `_tabular`. Files from bottom to top: ``few_rows``, ``arrow_text``, ``polars_text``,
``utf8_text``, ``iso_text``, ``json_depth``.
"""
