"""Local servers that speak as Discord and Telegram do, and misbehave as told."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Reply:
    """What the next request gets; `hang` keeps it waiting until the server closes."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict[str, str])
    hang: bool = False


@dataclass
class Service:
    """One server; `replies` are used up in order, then `usual` answers."""

    url: str = ""
    seen: list[tuple[str, Any]] = field(default_factory=list[tuple[str, Any]])
    replies: list[Reply] = field(default_factory=list[Reply])
    usual: Callable[[str, Any], Reply] = lambda _path, _body: Reply(204)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    def take(self, path: str, body: object) -> Reply:
        self.seen.append((path, body))
        self.arrived.set()
        return self.replies.pop(0) if self.replies else self.usual(path, body)

    def texts(self) -> list[str]:
        return [body.get("content") or body.get("text") for _, body in self.seen]

    async def wait_for(self, holds: Callable[[], bool]) -> None:
        """Wait until something holds of what was seen; a failure is a time-out, never a result."""
        async with asyncio.timeout(20):
            while not holds():
                self.arrived.clear()
                await self.arrived.wait()


@asynccontextmanager
async def service() -> AsyncGenerator[Service]:
    here = Service()
    closing = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                path = line.split()[1].decode()
                reply = here.take(path, await _body(reader))
                if reply.hang:
                    await closing.wait()
                    return
                writer.write(_bytes(reply))
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    here.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield here
    finally:
        closing.set()
        server.close()


async def _body(reader: asyncio.StreamReader) -> Any:  # noqa: ANN401 - whatever was sent
    length = 0
    while (head := await reader.readline()).strip():
        name, _, value = head.decode().partition(":")
        length = int(value) if name.lower() == "content-length" else length
    data = await reader.readexactly(length)
    return json.loads(data) if data else None


def _bytes(reply: Reply) -> bytes:
    content = b"" if reply.body is None else json.dumps(reply.body).encode()
    words = [f"HTTP/1.1 {reply.status} x", f"Content-Length: {len(content)}"]
    words += [f"{name}: {value}" for name, value in reply.headers.items()]
    return "\r\n".join([*words, "", ""]).encode() + content
