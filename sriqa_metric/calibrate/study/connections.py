"""How long a client may keep a connection: uvicorn alone waits for a request's end for ever."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from uvicorn.protocols.http.h11_impl import H11Protocol

HEADER_SECONDS = 15.0  # from the connection, or the last answer, to a whole header
ANSWER_SECONDS = 120.0  # until an answer has been taken: 8 MB at 0.5 Mbit/s
MOST_CONNECTIONS = 200


def connection_class() -> type[H11Protocol]:
    """The class of connections for uvicorn, which is optional and known only when it is called."""
    from uvicorn.protocols.http.h11_impl import H11Protocol

    class Connection(H11Protocol):
        """An HTTP connection that is closed when the client is too slow.

        Above `MOST_CONNECTIONS`, the one that has waited for a request the longest makes room.
        """

        _deadline: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            """Start to wait for a header."""
            super().connection_made(transport)
            self._wait(HEADER_SECONDS)
            if len(self.connections) > MOST_CONNECTIONS:
                others = [each for each in self.connections if isinstance(each, Connection)]
                waiting = [each for each in others if not each.answering()]
                if waiting:
                    oldest = min(waiting, key=lambda each: each.since)
                    oldest.transport.abort()
                    self.connections.discard(oldest)  # not only when the loop comes to its end

        def data_received(self, data: bytes) -> None:
            """Read; with the header whole, the application watches over the body."""
            super().data_received(data)
            if self.answering():
                self._wait(ANSWER_SECONDS)

        def on_response_complete(self) -> None:
            """Wait for the next header, or until this answer has been taken."""
            super().on_response_complete()
            if not self.answering():  # no request was waiting behind it
                taken = self.transport.get_write_buffer_size() == 0
                self._wait(HEADER_SECONDS if taken else ANSWER_SECONDS)

        def connection_lost(self, exc: Exception | None) -> None:
            """Nothing to wait for any more."""
            super().connection_lost(exc)
            if self._deadline:
                self._deadline.cancel()

        def answering(self) -> bool:
            """Whether a request is there that has not been answered."""
            return self.cycle is not None and not self.cycle.response_complete

        def _wait(self, seconds: float) -> None:
            if self._deadline:
                self._deadline.cancel()
            self.since = self.loop.time()
            self._deadline = self.loop.call_later(seconds, self.transport.abort)

    return Connection
