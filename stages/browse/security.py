"""Who may see the pages: whoever has the link. And what the pages may do: nothing that they did not bring."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any
from urllib.parse import parse_qsl, urlencode

from starlette.datastructures import Headers
from starlette.requests import cookie_parser
from starlette.responses import PlainTextResponse, RedirectResponse, Response

POLICY = (
    "default-src 'none'; img-src 'self'; style-src 'self'; script-src 'self'; connect-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
"""The content security policy: no text of a page is run, and nothing comes from elsewhere."""
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "x-frame-options": "DENY",
}
LOCAL = ("127.0.0.1", "localhost", "[::1]")
App = Callable[..., Awaitable[None]]


def new_token() -> str:
    """192 bits by chance."""
    return secrets.token_urlsafe(24)


class Guard:
    """Lets those in who have the token, from the link's `token=` once and then from a cookie, and adds `HEADERS`.

    Requests that name another host are refused, so that no name of somebody else's can be made to point here; so are
    requests that change something and come from another page.
    """

    def __init__(self, app: App, token: str, port: int, hosts: Iterable[str] = LOCAL) -> None:
        self._app, self._token, self._hosts = app, token, tuple(hosts)
        # Cookies know no ports: another page of ours on this machine has a cookie of its own.
        self._cookie = f"visualprm-{port}"

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def sending(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                held = [pair for pair in message["headers"] if pair[0].lower().decode() not in HEADERS]
                message["headers"] = [*held, *((name.encode(), value.encode()) for name, value in HEADERS.items())]
            await send(message)

        refusal = self._refusal(scope)
        await (refusal or self._app)(scope, receive, sending)

    def _refusal(self, scope: MutableMapping[str, Any]) -> Response | None:
        headers = Headers(scope=scope)
        host = headers.get("host", "").lower()
        if host.rpartition(":")[0] not in self._hosts and host not in self._hosts:
            return PlainTextResponse("This page has another name: open the link that the command printed.", 403)
        pairs = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        given = dict(pairs).get("token")
        if given is not None and self._is_right(given) and scope["method"] == "GET":
            rest = urlencode([pair for pair in pairs if pair[0] != "token"])
            # One slash: two would lead to another host.
            path = "/" + scope["path"].lstrip("/")
            answer = RedirectResponse(path + (f"?{rest}" if rest else ""), 303)
            answer.set_cookie(self._cookie, self._token, httponly=True, samesite="strict")
            return answer
        if not self._is_right(cookie_parser(headers.get("cookie", "")).get(self._cookie, "")):
            return PlainTextResponse("Open the link that the command printed: it holds the token of this page.", 403)
        if scope["method"] not in ("GET", "HEAD") and not _own_request(headers, host):
            return PlainTextResponse("Only the page itself may change something.", 403)
        return None

    def _is_right(self, token: str) -> bool:
        return hmac.compare_digest(token.encode(), self._token.encode())


def _own_request(headers: Headers, host: str) -> bool:
    origin = headers.get("origin")
    return (
        headers.get("content-type", "").partition(";")[0] == "application/json"
        and headers.get("sec-fetch-site", "same-origin") == "same-origin"
        and (origin is None or origin.partition("://")[2].lower() == host)
    )
