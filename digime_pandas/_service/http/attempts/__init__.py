"""What bounds the attempts of a call: its deadline, the waits between them, and what a client may repeat.

May import: `errors`. Files from bottom to top: ``deadline``, ``retry_budget``, ``waits``, ``timing`` <
``own_thread``.
"""
