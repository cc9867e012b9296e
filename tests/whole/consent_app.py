"""A web application in which people who are elsewhere give consent."""

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

import digime_pandas as digime

# With DIGIME_REDIRECT_URI, which is the address of /callback below.
client = digime.connect()


def connect(request: Request) -> Response:
    """Send a person, who is logged in to your application, to the consent page."""
    flow = client.begin_authorization(request.path_params["account_id"])
    response = RedirectResponse(flow.url, status_code=303)
    response.set_cookie("state", flow.state, httponly=True, samesite="lax", secure=request.url.scheme == "https")
    return response


def callback(request: Request) -> Response:
    """Take what the consent page sends the person back with, in whichever process they come back to."""
    try:
        done = client.complete_authorization(str(request.url), state=request.cookies.get("state", ""))
    except digime.AuthorizationError as error:
        return PlainTextResponse(str(error), status_code=400)
    return PlainTextResponse(f"Thank you. {done.account_id} is connected.")


app = Starlette(routes=[Route("/connect/{account_id}", connect), Route("/callback", callback)])
