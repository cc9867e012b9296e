"""What is read of a file of others, and how much.

May import: `errors`. Files from bottom to top: ``limits``, ``threads``, ``whole_file``, ``arguments``.
"""
