"""Tables of what was written.

May import nothing of this package. One file: ``typed_frame``.
"""
