"""How digi.me is spoken to: keys, encrypted and signed requests, consent, tokens, receipts.

May import: `errors`; no pandas and no pyarrow. Files from bottom to top: ``process``, ``streams``, ``received/``,
``display/``, ``descriptor``, ``masking/``, ``contract``, ``authorization`` < ``receipt_members``, ``receipt``,
``messages`` < ``crypto/`` < ``http/``, ``download`` < ``endpoints`` < ``upload``, ``oauth/``, ``journal/``,
``grants/``.
"""
