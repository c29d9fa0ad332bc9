"""A small Hugging Face Hub on the loopback interface, for the real client to talk to.

It speaks what `hf_hub_download` needs: `/{repo}/resolve/{revision}/{file}` with the Hub's headers,
ranges and error codes. What goes wrong is chosen with `Hub.fault` and `Repo.token`.

It takes what `create_repo`, `create_commit` (large files by LFS, in one part) and `create_tag` send
of those who have a token in `Hub.writers`; files of a new repository begin as none.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote

FAULTS = {
    "short": "the file ends in the middle, and its length says so",
    "broken": "the connection closes in the middle of the file, once",
    "stalled": "the file stops in the middle, until `resume` is set",
    "dripping": "the file stops in the middle and goes on a byte at a time, until `resume` is set",
    "flipped": "one bit of the file is another",
    "down": "every answer is 503",
    "portal": "every answer is a web page, as behind a login to a network",
}


@lru_cache
def sha256_of(data: bytes) -> str:
    """SHA-256, computed once: files may be hundreds of megabytes."""
    return hashlib.sha256(data).hexdigest()


def blob_id(data: bytes) -> str:
    """What git calls a file."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


@dataclass
class Repo:
    """A repository of one commit, on the branch main and under its tags."""

    files: dict[str, bytes]
    tags: tuple[str, ...] = ()
    token: str | None = None  # gated unless this is given
    private: bool = False
    commits: list[str] = field(default_factory=list)  # those that were sent here

    @property
    def commit(self) -> str:
        digest = hashlib.sha1()
        for name in sorted(self.files):
            digest.update(name.encode() + b"\0" + self.files[name])
        return digest.hexdigest()


@dataclass
class Hub:
    """The server; use it with `with`.

    `requests` holds the method, the file and the range of everything that was asked of the
    download side, `sent` the method, the path and the JSON of the rest. `writers` are the tokens
    that may write, and the names before the slash that they may write to.
    """

    repos: dict[str, Repo] = field(default_factory=dict)
    fault: str | None = None
    requests: list[tuple[str, str, str | None]] = field(default_factory=list)
    resume: threading.Event = field(default_factory=threading.Event)
    writers: dict[str, str] = field(default_factory=dict)
    sent: list[tuple[str, str, Any]] = field(default_factory=list)
    objects: dict[str, bytes] = field(default_factory=dict)  # large files by SHA-256
    refuses_objects: bool = False
    etag: str | None = None  # instead of the right one
    agents: set[str] = field(default_factory=set)  # how clients call themselves

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
        if self.path.startswith("/api/"):
            self._api(None)
        else:
            self._serve()

    def do_POST(self) -> None:
        lines = [json.loads(line) for line in self._body().splitlines()]
        self._api(lines if "/commit/" in self.path else lines[0])

    def do_PUT(self) -> None:
        """A large file, to the address that `_batch` gave."""
        body = self._body()
        self.hub.sent.append(("PUT", self.path, None))
        if self.hub.refuses_objects:
            return self._answer(500)
        digest = self.path.removeprefix("/objects/")
        if sha256_of(body) != digest:
            return self._answer(400)
        self.hub.objects[digest] = body
        return self._answer(200)

    def _body(self) -> bytes:
        if self.headers["Transfer-Encoding"] != "chunked":
            return self.rfile.read(int(self.headers["Content-Length"] or 0))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _api(self, body: Any) -> None:
        """Everything but files; the Hub's addresses, answers and refusals."""
        path = unquote(self.path).partition("?")[0]
        self.hub.sent.append((self.command, path, body))
        if self.hub.fault == "down":
            return self._answer(503)
        if self.hub.fault == "portal":
            return self._answer(200, {"Content-Type": "text/html"}, b"<h1>Log in</h1>")
        if path == "/api/validate-yaml":
            return self._json({"errors": [], "warnings": []})
        token = (self.headers["Authorization"] or "").removeprefix("Bearer ")
        if token not in self.hub.writers:
            invalid = "Invalid credentials in Authorization header"
            return self._answer(401, {"X-Error-Message": invalid})
        new = path == "/api/repos/create"
        match = re.fullmatch(
            r"/(?:api/models/)?([^/]+/[^/]+?)(?:\.git/info/lfs/objects)?(?:/(\w+)(?:/(.+))?)?", path
        )
        name = f"{body['organization']}/{body['name']}" if new else match[1]
        if name.partition("/")[0] != self.hub.writers[token]:
            return self._answer(403, {"X-Error-Message": "no right to write here"})
        if new:
            return self._create(name, body)
        repo = self.hub.repos.get(name)
        if repo is None:
            return self._answer(404, {"X-Error-Code": "RepoNotFound"})
        kinds = {
            "preupload": self._preupload,
            "batch": self._batch,
            "commit": self._commit,
            "tag": self._tag,
            "refs": self._refs,
        }
        if match[2] in kinds:
            return kinds[match[2]](name, repo, body)
        return self._json({"id": name, "sha": repo.commit, "private": repo.private})

    def _create(self, name: str, body: dict[str, Any]) -> None:
        new = name not in self.hub.repos
        if new:
            private = body.get("visibility") == "private" or bool(body.get("private"))
            self.hub.repos[name] = Repo({}, private=private)
        self._json({"url": f"{self.hub.url}/{name}"}, 200 if new else 409)

    def _preupload(self, name: str, repo: Repo, body: dict[str, Any]) -> None:
        """How each file is to be sent, and the one of that name which is there."""
        answer = []
        for file in body["files"]:
            there = repo.files.get(file["path"])
            large = file["path"].endswith(".safetensors")
            oid = there and (sha256_of(there) if large else blob_id(there))
            mode = "lfs" if large else "regular"
            answer.append(
                {"path": file["path"], "uploadMode": mode, "shouldIgnore": False, "oid": oid}
            )
        self._json({"files": answer})

    def _batch(self, name: str, repo: Repo, body: dict[str, Any]) -> None:
        answer = []
        for wanted in body["objects"]:
            known = wanted["oid"] in self.hub.objects
            upload = {"upload": {"href": f"{self.hub.url}/objects/{wanted['oid']}"}}
            answer.append(wanted | ({} if known else {"actions": upload}))
        self._json({"transfer": "basic", "objects": answer})

    def _commit(self, name: str, repo: Repo, lines: list[dict[str, Any]]) -> None:
        for line in lines:
            value = line["value"]
            if line["key"] == "file":
                repo.files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                repo.files[value["path"]] = self.hub.objects[value["oid"]]
        repo.commits.append(repo.commit)
        self._json({"commitUrl": f"{self.hub.url}/{name}", "commitOid": repo.commit})

    def _tag(self, name: str, repo: Repo, body: dict[str, Any]) -> None:
        if body["tag"] in repo.tags:
            return self._answer(409)
        repo.tags = (*repo.tags, body["tag"])
        return self._answer(200)

    def _refs(self, name: str, repo: Repo, body: None) -> None:
        tags = [
            {"name": tag, "ref": f"refs/tags/{tag}", "targetCommit": repo.commit}
            for tag in repo.tags
        ]
        self._json({"branches": [], "converts": [], "tags": tags})

    def _json(self, answer: Any, status: int = 200) -> None:
        self._answer(status, {"Content-Type": "application/json"}, json.dumps(answer).encode())

    def _serve(self) -> None:
        match = re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", self.path)
        if not match:
            return self._answer(404)
        name, revision, file = map(unquote, match.groups())
        self.hub.agents.add(self.headers["User-Agent"] or "")
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
            "ETag": f'"{self.hub.etag or digest}"',
            "X-Linked-ETag": f'"{self.hub.etag or digest}"',
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
        if fault in ("broken", "stalled", "dripping"):
            self._answer(200, headers | {"Content-Length": str(size)}, data[: size // 2])
            if fault == "broken":
                self.hub.fault = None
            else:
                with suppress(ConnectionError):  # the client may be dead
                    while not self.hub.resume.wait(0.02 if fault == "dripping" else None):
                        self.wfile.write(data[:1])
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


def client_environment(hub: Hub, home: Path) -> dict[str, str]:
    """Variables of a process whose client may write to this Hub, and knows no other."""
    own = ("HF_", "HUGGINGFACE", "SRIQA_", "XDG_")
    environment = {key: value for key, value in os.environ.items() if not key.startswith(own)}
    return environment | {
        "HF_ENDPOINT": hub.url,
        "HF_HOME": str(home),
        "HF_HUB_DISABLE_XET": "1",
        "HF_TOKEN": "hf_right",
        "NO_PROXY": "127.0.0.1",
    }
