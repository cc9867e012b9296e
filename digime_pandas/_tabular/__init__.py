"""_tabular."""
