"""A small Hugging Face Hub on the loopback interface, for the real client to talk to.

It speaks what `hf_hub_download` needs: `/{repo}/resolve/{revision}/{file}` with the Hub's headers,
ranges and error codes. What goes wrong is chosen with `Hub.fault` and `Repo.token`.
"""

from __future__ import annotations

import hashlib
import re
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

FAULTS = {
    "short": "the file ends in the middle, and its length says so",
    "broken": "the connection closes in the middle of the file, once",
    "stalled": "the file stops in the middle, until `resume` is set",
    "flipped": "one bit of the file is another",
    "down": "every answer is 503",
    "portal": "every answer is a web page, as behind a login to a network",
}


@lru_cache
def sha256_of(data: bytes) -> str:
    """SHA-256, computed once: files may be hundreds of megabytes."""
    return hashlib.sha256(data).hexdigest()


@dataclass
class Repo:
    """A repository of one commit, on the branch main and under its tags."""

    files: dict[str, bytes]
    tags: tuple[str, ...] = ()
    token: str | None = None  # gated unless this is given

    @property
    def commit(self) -> str:
        digest = hashlib.sha1()
        for name in sorted(self.files):
            digest.update(name.encode() + b"\0" + self.files[name])
        return digest.hexdigest()


@dataclass
class Hub:
    """The server; use it with `with`.

    `requests` holds the method, the file and the range of everything that was asked.
    """

    repos: dict[str, Repo] = field(default_factory=dict)
    fault: str | None = None
    requests: list[tuple[str, str, str | None]] = field(default_factory=list)
    resume: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Hub:
        handler = type("Handler", (_Handler,), {"hub": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self.resume.set()
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def downloads(self) -> list[str | None]:
        """The range of every GET of a file."""
        return [asked for method, _, asked in self.requests if method == "GET"]


class _Handler(BaseHTTPRequestHandler):
    hub: Hub

    def do_HEAD(self) -> None:
        self._serve()

    def do_GET(self) -> None:
        self._serve()

    def _serve(self) -> None:
        match = re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", self.path)
        if not match:
            return self._answer(404)
        name, revision, file = map(unquote, match.groups())
        self.hub.requests.append((self.command, file, self.headers["Range"]))
        if self.hub.fault == "down":
            return self._answer(503)
        if self.hub.fault == "portal":
            return self._answer(200, {"Content-Type": "text/html"}, b"<h1>Log in</h1>")
        repo = self.hub.repos.get(name)
        if repo is None:
            return self._answer(404, {"X-Error-Code": "RepoNotFound"})
        given = self.headers["Authorization"]
        if repo.token and given != f"Bearer {repo.token}":
            return self._answer(403 if given else 401, {"X-Error-Code": "GatedRepo"})
        if revision not in ("main", repo.commit, *repo.tags):
            return self._answer(404, {"X-Error-Code": "RevisionNotFound"})
        commit = {"X-Repo-Commit": repo.commit}
        if file not in repo.files:
            return self._answer(404, commit | {"X-Error-Code": "EntryNotFound"})
        return self._file(repo.files[file], commit)

    def _file(self, data: bytes, headers: dict[str, str]) -> None:
        digest = sha256_of(data)
        size = len(data)
        headers = headers | {
            "ETag": f'"{digest}"',
            "X-Linked-ETag": f'"{digest}"',
            "X-Linked-Size": str(size),
            "Accept-Ranges": "bytes",
        }
        fault = self.hub.fault if self.command == "GET" else None
        if fault == "short":
            return self._answer(200, headers, data[: size // 2])
        if fault == "flipped":
            data = data[:-1] + bytes([data[-1] ^ 1])
        if asked := re.fullmatch(r"bytes=(\d+)-", self.headers["Range"] or ""):
            start = int(asked[1])
            headers["Content-Range"] = f"bytes {start}-{size - 1}/{size}"
            return self._answer(206, headers, data[start:])
        if fault in ("broken", "stalled"):
            self._answer(200, headers | {"Content-Length": str(size)}, data[: size // 2])
            if fault == "broken":
                self.hub.fault = None
            else:
                self.hub.resume.wait()
                with suppress(ConnectionError):  # the client may be dead
                    self.wfile.write(data[size // 2 :])
            return None
        return self._answer(200, headers, data)

    def _answer(
        self, status: int, headers: dict[str, str] | None = None, body: bytes = b""
    ) -> None:
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(body))} | (headers or {})).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Tests have no use for a log."""
