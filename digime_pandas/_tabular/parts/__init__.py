"""The files of many parts of one frame, made together and each as if it were made alone.

May import: what is below it in `_tabular`; `errors`. Files from bottom to top: ``part_columns``, ``part_files``.
"""
