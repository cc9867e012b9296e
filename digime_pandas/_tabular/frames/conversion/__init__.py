"""Values of pandas as Arrow arrays.

May import: `arrow`, `columns` of `_tabular`. One file: ``pandas_rows``.
"""
