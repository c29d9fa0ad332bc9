"""The web server of a study: one page for subjects, one for the experimenter."""

from __future__ import annotations

import hmac
import json
import sqlite3
import sys
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import SriqaError
from ..config import STUDY_HOST
from .attempts import Attempts
from .guard import Guard
from .service import Study
from .store import Refused

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request

STATIC = Path(__file__).parent / "static"
PAGES = {
    "/": ("index.html", "text/html"),
    "/admin": ("admin.html", "text/html"),
    "/study.js": ("study.js", "text/javascript"),
    "/admin.js": ("admin.js", "text/javascript"),
    "/study.css": ("study.css", "text/css"),
}
LARGEST_BODY = 16384
BODY_SECONDS = 15.0
QUEUE_SECONDS = 5.0  # that a request waits for those before it
GUESSABLE = ("start", "resume")  # these tell whether there is a code

_Action = Callable[[dict[str, Any]], dict[str, Any]]


def create_app(study: Study, host: str = STUDY_HOST, names: Sequence[str] = ()) -> Starlette:
    """The ASGI application of a study.

    Parameters
    ----------
    study : Study
    host : str
        Address that it is served at.
    names : sequence of str
        Other names that it is reached by.

    Raises
    ------
    SriqaError
        If starlette is not installed.
    """
    try:
        from anyio import CapacityLimiter, fail_after, to_thread
        from starlette.applications import Starlette
        from starlette.middleware import Middleware
        from starlette.requests import ClientDisconnect
        from starlette.responses import JSONResponse, Response
        from starlette.routing import Route
    except ImportError as error:
        raise SriqaError(f"{error}; pip install 'sriqa-metric[study]'") from error

    codes, tokens = Attempts(), Attempts()
    writer = CapacityLimiter(1)

    async def write(action: _Action, data: dict[str, Any]) -> dict[str, Any]:
        # One at a time, as in the file: while another process holds its lock, those that wait do
        # not take the threads that read pages and images.
        with fail_after(QUEUE_SECONDS):
            return await to_thread.run_sync(action, data, limiter=writer)

    def api(name: str, action: _Action) -> Callable[..., Any]:
        async def endpoint(request: Request) -> Response:
            try:
                data = await _read_json(request)
                if name == "info":  # needs no file
                    return JSONResponse(action(data))
                with codes.attempt(_address(request)) if name in GUESSABLE else nullcontext():
                    return JSONResponse(await write(action, data))
            except ClientDisconnect:
                return Response(status_code=400)  # to nobody
            except (Refused, sqlite3.Error, TimeoutError) as error:
                return failed(error)

        return endpoint

    def failed(error: Exception) -> Response:
        if isinstance(error, Refused):
            return JSONResponse({"error": str(error)}, error.status)
        print(f"{study.db}: {error or 'locked by another process'}", file=sys.stderr)
        return JSONResponse({"error": "The study's file cannot be used just now."}, 503)

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

    async def admin(request: Request) -> Response:
        given = request.headers.get("authorization", "").encode()
        what = request.path_params["what"]
        try:
            with tokens.attempt(_address(request)):
                if not hmac.compare_digest(given, f"Bearer {study.admin_token}".encode()):
                    raise Refused(401, "The token is not right.")
            if what == "report":
                return JSONResponse(await to_thread.run_sync(study.report))
            return Response(await to_thread.run_sync(study.votes_csv, what), media_type="text/csv")
        except (Refused, sqlite3.Error) as error:
            return failed(error)
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
            *(Route(f"/api/{n}", api(n, a), methods=["POST"]) for n, a in actions.items()),
            Route("/favicon.ico", lambda request: Response(status_code=204)),
            Route("/image/{name}", image),
            Route("/admin/{what}", admin),
        ],
        middleware=[Middleware(Guard, host=host, names=names)],
    )


def _address(request: Request) -> str:
    return request.client.host if request.client else ""


async def _read_json(request: Request) -> dict[str, Any]:
    """The body as an object; a request from another site cannot have this content type."""
    from anyio import fail_after

    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        raise Refused(415, "The body must be application/json.")
    body = b""
    try:
        with fail_after(BODY_SECONDS):
            async for part in request.stream():
                body += part
                if len(body) > LARGEST_BODY:
                    raise Refused(413, f"The body is longer than {LARGEST_BODY} bytes.")
    except TimeoutError:
        raise Refused(408, f"The body took longer than {BODY_SECONDS:g} seconds.") from None
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        raise Refused(400, "The body is not JSON.") from None
    if not isinstance(data, dict):
        raise Refused(400, "The body is no JSON object.")
    return data
