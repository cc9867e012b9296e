"""The rows of the table of fidelity rules, by what they are about.

May import: columns, arrow and formats of `_tabular`. From bottom to top: rule; beside each other: sentences,
flat_columns, object_columns, other_columns.
"""
