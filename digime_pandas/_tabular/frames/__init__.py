"""The rows of frames as Arrow values, and pandas columns made of Arrow values.

May import: columns, arrow, text_values, formats and engines of `_tabular`; errors. From bottom to top: used_values,
object_columns, pandas_columns, labels, source, batches; beside them restore, inference, split.
"""
