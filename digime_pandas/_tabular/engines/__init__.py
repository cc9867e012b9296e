"""Text made of Arrow values, by polars or by Arrow alone, ISO 8601 text, and how deep JSON text is.

May import: `columns` of `_tabular`. Files from bottom to top: ``arrow_text``, ``polars_text``, ``iso_text``,
``json_depth``.
"""
