"""The reading of large files by several threads.

May import: `errors`, what is below `reading`, and what its other files share. Files from bottom to top: ``csv_parts``.
"""
