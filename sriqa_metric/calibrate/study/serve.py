"""The process of a study: it listens, serves until it is told to stop, and closes the file."""

from __future__ import annotations

import secrets
import signal
import socket
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ...errors import SriqaError
from ..config import STUDY_HOST, STUDY_PORT
from .assignment import Settings
from .guard import LOOPBACK, name_of
from .server import create_app
from .service import Study


def serve(
    pairs_csv: Path,
    root: Path,
    db: Path,
    host: str = STUDY_HOST,
    port: int = STUDY_PORT,
    admin_token: str | None = None,
    settings: Settings | None = None,
    names: Sequence[str] = (),
) -> None:
    """Serve a study until Ctrl-C, SIGTERM or SIGHUP (the terminal is closed).

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
    names : sequence of str
        Names of hosts by which browsers reach the study, beside `host` and this computer's own.

    Raises
    ------
    SriqaError
        For input that is wrong, an address that cannot be listened on, and missing packages.
    """
    try:
        import uvicorn  # noqa: F401
    except ImportError as error:
        raise SriqaError(f"{error}; pip install 'sriqa-metric[study]'") from error
    token = secrets.token_urlsafe(16) if admin_token is None else admin_token
    if len(token) < 8 or not (token.isascii() and token.isprintable()) or " " in token:
        raise SriqaError(f"admin token is {token!r}; it must have 8 or more ASCII characters")
    for name in names:
        if name_of(name.lower()) != name.lower():
            raise SriqaError(f"name is {name!r}; it must be a host's, without http:// and port")
    with _stopped_by_signals():
        study = Study.open(pairs_csv, root, db, settings or Settings(), token)
        try:
            _run(study, host, port, names)
        except KeyboardInterrupt:
            pass
        finally:
            study.store.close()
        _say(f"stopped; the votes are in {db}")


def _run(study: Study, host: str, port: int, names: Sequence[str]) -> None:
    import uvicorn

    from .connections import connection_class

    with _listen(host, port) as listener:
        port = listener.getsockname()[1]
        address = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        _say(f"study:        {address}/")
        _say(f"experimenter: {address}/admin#{study.admin_token}")
        if host not in LOOPBACK:
            _say(f"anyone who can reach {host} can take part; votes travel unencrypted")
        config = uvicorn.Config(
            create_app(study, host, names),
            http=connection_class(),
            log_level="warning",
            access_log=False,
            server_header=False,
            lifespan="off",
            ws="none",
            timeout_graceful_shutdown=5,
        )
        uvicorn.Server(config).run(sockets=[listener])


@contextmanager
def _stopped_by_signals() -> Iterator[None]:
    """Let SIGTERM and SIGHUP stop as Ctrl-C does; before and after uvicorn, which has its own."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {signal.SIGTERM: signal.signal(signal.SIGTERM, signal.default_int_handler)}
    hangup = getattr(signal, "SIGHUP", None)  # Windows has none
    if hangup and signal.getsignal(hangup) is not signal.SIG_IGN:  # under nohup it goes on
        # Uvicorn listens to SIGTERM alone.
        before[hangup] = signal.signal(hangup, lambda *_: signal.raise_signal(signal.SIGTERM))
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _listen(host: str, port: int) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=256)
    except (OSError, OverflowError) as error:
        raise SriqaError(f"{host}:{port}: cannot listen: {error}") from error


def _say(message: str) -> None:
    print(message, file=sys.stderr, flush=True)
