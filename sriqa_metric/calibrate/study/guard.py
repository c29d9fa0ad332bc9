"""What a request must be like before the study looks at it: its Host, its Origin, and headers.

A page of another site whose name was made to point to this computer (DNS rebinding) gives itself
away by that name in Host and Origin; a browser lets no page change these.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
LOOPBACK = ("127.0.0.1", "::1", "localhost")
ANY_ADDRESS = ("0.0.0.0", "::")
_RAW_HEADERS = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]
_AUTHORITY = re.compile(r"(\[[0-9a-f:.]+\]|[^\[\]:/@\s]+)(:[0-9]{1,5})?")


class Guard:
    """Refuses hosts that are not served and origins that are other sites; adds the headers.

    Parameters
    ----------
    app : ASGI application
    host : str
        Address that the server listens on. At every address of the computer, every address in
        digits is served: only a name can be made to point elsewhere.
    names : sequence of str
        Other names that the study is reached by.
    """

    def __init__(self, app: ASGIApp, host: str, names: Sequence[str]) -> None:
        self.app = app
        self.named = {name.lower() for name in names}
        self.hosts = {*LOOPBACK, host.lower(), *self.named}
        self.any_address = host in ANY_ADDRESS

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        from starlette.responses import JSONResponse

        if scope["type"] != "http":  # the application's own start and end
            await self.app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                names = {name for name, _ in message["headers"]}
                message["headers"] = [
                    *message["headers"],
                    *(pair for pair in _RAW_HEADERS if pair[0] not in names),
                ]
            await send(message)

        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        if problem := self._problem(headers, scope["method"] in ("GET", "HEAD")):
            status, text = problem
            await JSONResponse({"error": text}, status)(scope, receive, send_with_headers)
        else:
            await self.app(scope, receive, send_with_headers)

    def _problem(self, headers: dict[bytes, str], only_reads: bool) -> tuple[int, str] | None:
        authority = headers.get(b"host", "").lower()
        host = name_of(authority)
        if host is None or not (host in self.hosts or (self.any_address and _is_address(host))):
            return 421, (
                f"This study is not served as {authority[:100]!r}. The experimenter can allow the "
                "name of a host with the option --name."
            )
        origin = headers.get(b"origin")
        if only_reads or origin is None:
            return None
        scheme, separator, site = origin.lower().partition("://")
        # A web server in front may have put another name into Host: its own is in `named`.
        if not (separator and scheme in ("http", "https")) or (
            site != authority and name_of(site) not in self.named
        ):
            return 403, f"A page of another site ({origin[:100]!r}) cannot take part."
        return None


def name_of(authority: str) -> str | None:
    """The host of `host:port`, without brackets and a last dot; None where it is none."""
    found = _AUTHORITY.fullmatch(authority)
    return found[1].strip("[]").rstrip(".") if found else None


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
