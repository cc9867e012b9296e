"""The values of object columns: which Arrow type holds them, and whether they come back as what they are.

Values are taken apart level by level: all items of all lists at once, all values of one key of all dicts at once. May
import: columns and arrow of `_tabular`; errors. From bottom to top: python_types, advice, containers, profile,
arrow_types, conversion, faithfulness.
"""
