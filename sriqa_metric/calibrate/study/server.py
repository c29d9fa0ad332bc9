"""The web server of a study: one page for subjects, one for the experimenter."""

from __future__ import annotations

import hmac
import json
import secrets
import socket
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import SriqaError
from ..config import STUDY_HOST, STUDY_PORT
from .assignment import Settings
from .service import Study
from .store import Refused

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

STATIC = Path(__file__).parent / "static"
PAGES = {
    "/": ("index.html", "text/html"),
    "/admin": ("admin.html", "text/html"),
    "/study.js": ("study.js", "text/javascript"),
    "/admin.js": ("admin.js", "text/javascript"),
    "/study.css": ("study.css", "text/css"),
}
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
_RAW_HEADERS = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]
LARGEST_BODY = 16384
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


def create_app(study: Study) -> Starlette:
    """The ASGI application of a study.

    Raises
    ------
    SriqaError
        If starlette is not installed.
    """
    try:
        from starlette.applications import Starlette
        from starlette.concurrency import run_in_threadpool
        from starlette.middleware import Middleware
        from starlette.responses import JSONResponse, Response
        from starlette.routing import Route
    except ImportError as error:
        raise SriqaError(f"{error}; pip install 'sriqa-metric[study]'") from error

    def api(action: Callable[[dict[str, Any]], dict[str, Any]]) -> Callable[..., Any]:
        async def endpoint(request: Request) -> Response:
            try:
                data = await _read_json(request)
                return JSONResponse(await run_in_threadpool(action, data))
            except Refused as error:
                return JSONResponse({"error": str(error)}, error.status)
            except sqlite3.Error as error:
                print(f"{study.db}: {error}", file=sys.stderr)
                return JSONResponse({"error": "The study's file cannot be written."}, 503)

        return endpoint

    def page(request: Request) -> Response:
        name, kind = PAGES[request.url.path]
        return Response((STATIC / name).read_bytes(), media_type=kind)

    def image(request: Request) -> Response:
        try:
            data = study.images.png(request.path_params["name"])
        except SriqaError as error:
            print(error, file=sys.stderr)
            return Response("this image cannot be read", 500, media_type="text/plain")
        if data is None:
            return Response("no such image", 404, media_type="text/plain")
        forever = {"Cache-Control": "private, max-age=86400, immutable"}
        return Response(data, media_type="image/png", headers=forever)

    def admin(request: Request) -> Response:
        given = request.headers.get("authorization", "").encode()
        if not hmac.compare_digest(given, f"Bearer {study.admin_token}".encode()):
            return JSONResponse({"error": "The token is not right."}, 401)
        what = request.path_params["what"]
        try:
            if what == "report":
                return JSONResponse(study.report())
            return Response(study.votes_csv(what), media_type="text/csv")
        except SriqaError as error:
            return JSONResponse({"error": str(error)}, 404)

    actions = {
        "info": study.info,
        "start": study.start,
        "resume": study.resume,
        "progress": study.progress,
        "vote": study.vote,
    }
    return Starlette(
        routes=[
            *(Route(path, page) for path in PAGES),
            *(Route(f"/api/{n}", api(action), methods=["POST"]) for n, action in actions.items()),
            Route("/favicon.ico", lambda request: Response(status_code=204)),
            Route("/image/{name}", image),
            Route("/admin/{what}", admin),
        ],
        middleware=[Middleware(_WithHeaders)],
    )


class _WithHeaders:
    """Adds the security headers to every response that does not set its own."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                names = {name for name, _ in message["headers"]}
                message["headers"] = [
                    *message["headers"],
                    *(pair for pair in _RAW_HEADERS if pair[0] not in names),
                ]
            await send(message)

        await self.app(scope, receive, send_with_headers)


async def _read_json(request: Request) -> dict[str, Any]:
    """The body as an object; a request from another site cannot have this content type."""
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        raise Refused(415, "The body must be application/json.")
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > LARGEST_BODY:
            raise Refused(413, f"The body is longer than {LARGEST_BODY} bytes.")
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        raise Refused(400, "The body is not JSON.") from None
    if not isinstance(data, dict):
        raise Refused(400, "The body is no JSON object.")
    return data


def serve(
    pairs_csv: Path,
    root: Path,
    db: Path,
    host: str = STUDY_HOST,
    port: int = STUDY_PORT,
    admin_token: str | None = None,
    settings: Settings | None = None,
) -> None:
    """Serve a study until Ctrl-C.

    Parameters
    ----------
    pairs_csv : Path
        See `read_pairs`.
    root : Path
        Folder that the images' paths are relative to.
    db : Path
        SQLite file; a study that is in it is continued.
    host : str
        Address to listen on; only this computer can reach the default.
    port : int
        0 picks a free one.
    admin_token : str, optional
        Opens the experimenter's page; a new one is made and printed by default.
    settings : Settings, optional

    Raises
    ------
    SriqaError
        For input that is wrong, an address that cannot be listened on, and missing packages.
    """
    try:
        import uvicorn
    except ImportError as error:
        raise SriqaError(f"{error}; pip install 'sriqa-metric[study]'") from error
    token = secrets.token_urlsafe(16) if admin_token is None else admin_token
    if len(token) < 8 or not (token.isascii() and token.isprintable()) or " " in token:
        raise SriqaError(f"admin token is {token!r}; it must have 8 or more ASCII characters")
    study = Study.open(pairs_csv, root, db, settings or Settings(), token)
    try:
        with _listen(host, port) as listener:
            port = listener.getsockname()[1]
            address = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
            _say(f"study:        {address}/")
            _say(f"experimenter: {address}/admin#{token}")
            if host not in _LOOPBACK:
                _say(f"anyone who can reach {host} can take part; votes travel unencrypted")
            config = uvicorn.Config(
                create_app(study),
                log_level="warning",
                access_log=False,
                server_header=False,
                lifespan="off",
                ws="none",
                timeout_graceful_shutdown=5,
            )
            uvicorn.Server(config).run(sockets=[listener])
    except KeyboardInterrupt:
        pass
    finally:
        study.store.close()
    _say(f"stopped; the votes are in {db}")


def _listen(host: str, port: int) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=256)
    except (OSError, OverflowError) as error:
        raise SriqaError(f"{host}:{port}: cannot listen: {error}") from error


def _say(message: str) -> None:
    print(message, file=sys.stderr, flush=True)
