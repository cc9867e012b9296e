"""Text made of Arrow values, by polars or by Arrow alone.

May import: nothing of this package. Files from bottom to top: ``arrow_text``, ``polars_text``.
"""
