"""A messenger for storms: `python -m benches.harness.sink PORT FILE`.

It takes every message; to those for ``/hang`` it never answers, as in a messenger's outage. FILE
gets a byte for each message, so that a run can show that there was a storm.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import sys
from pathlib import Path
from typing import Final

_LENGTH: Final = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_TAKEN: Final = b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n"


async def serve(port: int, file: Path) -> None:
    """Serve until the process is ended."""

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = _LENGTH.search(head)
                await reader.readexactly(int(length[1]) if length else 0)
                with file.open("ab") as out:
                    out.write(b".")
                if b" /hang" not in head:
                    writer.write(_TAKEN)

    server = await asyncio.start_server(take, "127.0.0.1", port)
    print("ready", flush=True)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), Path(sys.argv[2])))
