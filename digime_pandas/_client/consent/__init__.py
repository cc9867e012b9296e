"""How a person is asked for consent: in a terminal, below a notebook cell, and as the content of the widget.

May import ``client`` and ``connect`` of ``_client``, ``_service`` and ``errors``. Files from bottom to top:
``descriptions``, ``prompts``, ``latest``, ``state``, ``pastes``, ``session``, ``html``,
``panel``, ``authorize``.
"""
