"""How secrets stay out of what is printed, logged, pickled and shown by tracebacks.

May import: `errors`. Files from bottom to top: ``secret``, ``tracebacks``.
"""
