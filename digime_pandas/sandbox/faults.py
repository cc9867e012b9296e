"""The faults of `Sandbox.fail`, for tests of what an application does when digi.me, or the network before it, fails.

::

    with sandbox.fail("upload", status=503, retry_after=1, times=2) as fault:
        receipt = visits.digime.write("visits.csv", account_id="patient-17")
    assert (fault.hits, receipt.attempts) == (2, 3)

A fault happens to the next request of its call, `times` times, after `after` requests that it leaves alone. Where
several are arranged, the first one that is not over happens. The first argument, `call`, is one of:

===================  ==================================================================================================
``"authorize"``      the request for consent, before the page
``"exchange"``       tokens for the code that came back from the page
``"refresh"``        new tokens for a refresh token
``"keys"``           the key set that tokens are verified with; clients keep it for a while
``"upload"``         a write; also ``"postbox"`` and ``"import"``, one protocol each
``"session"``        the begin of a reading session
``"list"``           the list of its files
``"describe"``       the description of a file (HEAD)
``"download"``       a file
``"connect"``        the connection itself, before any request; connections that are open without one are closed
``"any"``            every request of the API
===================  ==================================================================================================

What happens is one or more of the following. Without another word the service does what it was asked to, and its answer
is changed or does not arrive; an answer in place of its own one means that it did nothing, unless ``stored=True``.

===================  ==================================================================================================
``status``           answer this status; alone it has no body
``code, message``    answer digi.me's error body and header fields, with a reference
``body``             answer this text or these bytes, such as a page of HTML with ``status=200``
``content_type``     state this Content-Type
``headers``          state these header fields, such as ``{"Content-Encoding": "gzip"}`` of what is not gzip
``retry_after``      state this Retry-After: seconds, a date, or anything
``early``            answer `status` in the middle of the request's body
``stored``           True: the service does what it was asked to all the same. False: it does not
``edit``             a function that is given the JSON object of the answer, of ``"authorize"``, ``"exchange"`` and
                     ``"refresh"`` the claims of its token, and returns another one
``encoding``         encode the body as ``"gzip"``, ``"deflate"`` or ``"br"``, which was not asked for
``bomb``             with `encoding`: so many bytes of spaces before the body
``skew``             of tokens: the service's clock is so many seconds ahead (``iat``, ``nbf``, ``exp``, Date)
``keys``             of ``"keys"``: ``"wrong"``: another key under the known id. ``"unknown"``: another key and id.
                     ``"replaced"``: tokens are signed by another key under the same id, until it is taken back
``cut``              close the connection at a place
``reset``            reset it there
``hang``             leave it silent there, until the client leaves or the fault is taken back
``trickle``          go on there byte by byte (``"request"``: piece by piece), one each `every` seconds
``delay``            seconds to wait before the answer
``pending``          answer a postbox write ``pending``
``expired``          once the request is in, let all access tokens expire: in the middle of an upload, that is
``rotated``          of ``"refresh"``: another program used the refresh token before
``ignore_scope``     of ``"session"``: list all files, whatever the scope
``refused``          of ``"connect"``: refuse connections until it is taken back; these are not counted
===================  ==================================================================================================

Places are ``"connect"``, ``"request"`` (in the middle of its body), ``"answer"`` (before it), ``"head"`` and ``"body"``
(in the middle of them). A small body is on its way as a whole before anything can happen in its middle.
"""

from __future__ import annotations

from digime_pandas.sandbox._faults.fault import Call, Encoding, FaultArguments, KeySet, Place
from digime_pandas.sandbox._faults.plan import InjectedFault

__all__ = ["Call", "Encoding", "FaultArguments", "InjectedFault", "KeySet", "Place"]
