"""The faults that `Sandbox.fail` arranges: between the server and the application, which knows nothing of them.

May import: `_context`, `_store` and `_wire`. Files from bottom to top: ``fault`` < ``plan`` < ``calls``, ``answer`` <
``changes``, ``delivery`` < ``middleware``, ``connections``.
"""
