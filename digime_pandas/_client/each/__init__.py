"""One file per person: what is checked before, how the files are sent, and the table of what became of them.

Files from bottom to top: ``table``, ``consents``, ``job``, ``preflight``, ``preview``, ``breaker``, ``run``,
``sending``, ``unsent``.
"""
