"""What stands before every route: Host and Origin checks, and bodies bounded in size and time."""

from __future__ import annotations

import asyncio
from typing import Final

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from edgeguard.errors import EdgeGuardError

BODY_BYTES_MAX: Final = 64 * 1024
BODY_S_MAX: Final = 5.0
"""How long a body may take to arrive."""


class BodyError(EdgeGuardError):
    """A body that was not taken; `status` is its HTTP status."""

    def __init__(self, status: int, text: str) -> None:
        """Take the HTTP status and one sentence."""
        super().__init__(text)
        self.status = status


class Front:
    """Lets through what is called by one of the configured names and comes from no web page.

    A browser that was tricked into calling (DNS rebinding, a foreign form) shows a foreign Host or
    sends an Origin; neither a person's curl nor a monitor does.
    """

    def __init__(self, app: ASGIApp, hosts: tuple[str, ...]) -> None:
        """Guard `app`; `hosts` are its names without ports."""
        self._app = app
        self._hosts = frozenset(host.lower().encode() for host in hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or refuse it."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1000})
            return
        fault = self._fault(scope) if scope["type"] == "http" else ""
        if fault:
            await _refusal(fault)(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _fault(self, scope: Scope) -> str:
        headers: list[tuple[bytes, bytes]] = scope["headers"]
        hosts = [value for name, value in headers if name == b"host"]
        if len(hosts) != 1 or _host(hosts[0]) not in self._hosts:
            return "the Host must be one of the configuration's [api] hosts"
        if any(name == b"origin" for name, _ in headers):
            return "requests of web pages are refused"
        return ""


def _host(value: bytes) -> bytes:
    """Return a Host header's name without port and brackets."""
    if value.startswith(b"["):
        return value[1:].partition(b"]")[0].lower()
    return value.partition(b":")[0].lower()


def _refusal(text: str) -> Response:
    return Response(msgspec.json.encode({"error": text}), 403, media_type="application/json")


async def read_data(request: Request) -> bytes:
    """Return the body's bytes.

    Raises:
        BodyError: it is too large (413), or does not come in time (408).
    """
    announced = request.headers.get("content-length", "0")
    if announced.isdigit() and int(announced[:20]) > BODY_BYTES_MAX:
        raise BodyError(413, f"the body must have at most {BODY_BYTES_MAX} bytes")
    data = bytearray()
    try:
        async with asyncio.timeout(BODY_S_MAX):
            async for chunk in request.stream():
                data += chunk
                if len(data) > BODY_BYTES_MAX:
                    raise BodyError(413, f"the body must have at most {BODY_BYTES_MAX} bytes")
    except TimeoutError as e:
        raise BodyError(408, f"the body must come within {BODY_S_MAX:g} s") from e
    except ClientDisconnect as e:
        raise BodyError(400, "the body must be whole, was cut off") from e
    return bytes(data)
