"""The rows of frames as Arrow values, and pandas columns made of Arrow values.

May import: what is below it in `_tabular`; `errors`. From bottom to top: used_values, arrow_input/,
conversion/, objects/, object_columns, frequencies, pandas_columns, labels, source, batches; beside them inference,
restore (which imports frequencies), split < parts.
"""
