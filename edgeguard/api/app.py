"""The routes. Nothing here decides: it asks the guard, and tells what was seen."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final, cast

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from edgeguard.api.front import BodyError, Front, read_data
from edgeguard.api.health import PageCode, judge_health
from edgeguard.api.limits import RateLimit
from edgeguard.api.openapi import openapi
from edgeguard.api.port import Control, HaltAnswer, HaltOrder, Stage
from edgeguard.api.requests import InvalidError, Pause, Resume, Shutdown, read_body, read_operator
from edgeguard.api.tokens import Right, Tokens
from edgeguard.clock import Clock
from edgeguard.config.model import Config
from edgeguard.errors import EdgeGuardError, RefusedError, UsageError

HALT_THREADS: Final = 32
ASK_THREADS: Final = 8
HALT_STATUS: Final[Mapping[int, int]] = {0: 200, 11: 202}
"""The HTTP status of a halt's exit code; every other one is 503: halted, but not durable."""
RESULTS: Final[Mapping[int, str]] = {
    0: "halted, durable, verified flat",
    10: "halted and verified flat, NOT DURABLE",
    11: "halted, durable, NOT VERIFIED FLAT: positions may be open",
    12: "halted, NOT DURABLE, NOT VERIFIED FLAT: positions may be open",
    13: "ONLY THE HALT FILE was written: positions may be open",
    14: "NOTHING could be done: positions may be open and trading may go on",
}
UNREACHABLE: Final = 503

Audit = Callable[[str, str, str], None]
"""Writes down who (an address) asked what, and how it ended."""
Halts = Callable[[], list[dict[str, Any]]]


@dataclass(frozen=True)
class Parts:
    """What the routes reach.

    Attributes:
        config: the configuration.
        tokens: who may do what.
        control: the way to the guard.
        page_code: reads a halt page as a gate does.
        halts: returns halts and resumes, newest first; blocks.
        audit: writes down what concerns control.
        acknowledge: takes an incident on for somebody; returns what to say, None if it is unknown.
        about: returns what the ops process knows of itself: its channels.
        clock: the clocks.
    """

    config: Config
    tokens: Tokens
    control: Control
    page_code: PageCode
    halts: Halts
    audit: Audit
    acknowledge: Callable[[str, str], str | None]
    about: Callable[[], dict[str, Any]]
    clock: Clock


class Api:
    """The routes over their parts."""

    def __init__(self, parts: Parts) -> None:
        """Make the routes' threads: halts have threads that nothing else can use up."""
        self._parts = parts
        self._limit = RateLimit(parts.config.api.requests_per_s, parts.clock)
        self._halts = ThreadPoolExecutor(HALT_THREADS, "edgeguard-halt")
        self._asks = ThreadPoolExecutor(ASK_THREADS, "edgeguard-ask")
        self._document = msgspec.json.encode(openapi())

    def app(self) -> Front:
        """Return the application behind its checks."""
        routes = [
            Route("/emergency/shutdown", self._caught(self._shutdown), methods=["POST"]),
            Route("/emergency/pause", self._caught(self._pause), methods=["POST"]),
            Route("/emergency/resume", self._caught(self._resume), methods=["POST"]),
            Route("/incidents/{incident}/ack", self._caught(self._acknowledge), methods=["POST"]),
            Route("/health", self._caught(self._health), methods=["GET"]),
            Route("/status", self._caught(self._status), methods=["GET"]),
            Route("/halts", self._caught(self._list_halts), methods=["GET"]),
            Route("/openapi.json", self._caught(self._openapi), methods=["GET"]),
        ]
        app = Starlette(routes=routes, exception_handlers={HTTPException: _http_error})
        return Front(app, self._parts.config.api.hosts)

    def close(self) -> None:
        """Give up the threads; a halt under way goes on at the guard's."""
        self._halts.shutdown(wait=False, cancel_futures=False)
        self._asks.shutdown(wait=False, cancel_futures=True)

    def _caught(
        self, handler: Callable[[Request], Awaitable[Response]]
    ) -> Callable[[Request], Awaitable[Response]]:
        async def handle(request: Request) -> Response:
            try:
                return await handler(request)
            except BodyError as e:
                code, text = e.status, str(e)
            except (InvalidError, UsageError) as e:
                code, text = 422, str(e)
            except RefusedError as e:
                code, text = 409, str(e)
            except EdgeGuardError as e:
                code, text = UNREACHABLE, str(e)
            self._audit(request, f"{code} {text}")
            return _json({"error": text}, code)

        return handle

    async def _shutdown(self, request: Request) -> Response:
        self._admit(request, "halt")
        body = read_body(await read_data(request), Shutdown, self._parts.config)
        operator = body.operator or f"http:{_address(request)}"
        wait_s = float(self._parts.config.api.wait_s)
        order = HaltOrder(body.reason, body.scope, operator, wait_s)
        loop = asyncio.get_running_loop()
        answer = await loop.run_in_executor(self._halts, self._parts.control.halt, order)
        self._audit(request, f"halt {body.scope}: {RESULTS.get(answer.code, answer.code)}")
        return _json(_halt_document(order, answer), HALT_STATUS.get(answer.code, UNREACHABLE))

    async def _pause(self, request: Request) -> Response:
        self._admit(request, "halt")
        body = read_body(await read_data(request), Pause, self._parts.config)
        operator = body.operator or f"http:{_address(request)}"
        return await self._ask(request, "pause", (operator, body.reason), {"scope": body.scope})

    async def _resume(self, request: Request) -> Response:
        self._admit(request, "resume")
        body = read_body(await read_data(request), Resume, self._parts.config)
        args = {"scope": body.scope, "pause": "1"} if body.pause else {"halt_id": body.halt_id}
        return await self._ask(request, "resume", (body.operator, body.reason), args)

    async def _acknowledge(self, request: Request) -> Response:
        self._admit(request, "halt")
        incident = request.path_params["incident"]
        operator = read_operator(await read_data(request)) or f"http:{_address(request)}"
        said = self._parts.acknowledge(incident, operator)
        if said is None:
            raise HTTPException(404)
        self._audit(request, said)
        return _json({"result": said, "stages": []}, 200)

    async def _health(self, request: Request) -> Response:
        self._count(request)
        status: dict[str, Any] | None = None
        with contextlib.suppress(EdgeGuardError):
            status = await self._guard_status()
        wall_ns = self._parts.clock.wall_ns()
        parts = self._parts
        health = judge_health(status, parts.config, parts.page_code, wall_ns)
        return _json(health, 200 if health.ok else UNREACHABLE)

    async def _status(self, request: Request) -> Response:
        self._admit(request, "read")
        return _json({**await self._guard_status(), "ops": self._parts.about()}, 200)

    async def _list_halts(self, request: Request) -> Response:
        self._admit(request, "read")
        loop = asyncio.get_running_loop()
        return _json({"halts": await loop.run_in_executor(self._asks, self._parts.halts)}, 200)

    async def _openapi(self, request: Request) -> Response:
        self._count(request)
        return Response(self._document, media_type="application/json")

    async def _guard_status(self) -> dict[str, Any]:
        loop = asyncio.get_running_loop()
        args: dict[str, str] = {}
        stages = await loop.run_in_executor(
            self._asks, self._parts.control.ask, "status", "", "", args
        )
        return stages[-1].body

    async def _ask(
        self, request: Request, verb: str, words: tuple[str, str], args: dict[str, str]
    ) -> Response:
        loop = asyncio.get_running_loop()
        ask = self._parts.control.ask
        stages: list[Stage] = await loop.run_in_executor(self._asks, ask, verb, *words, args)
        self._audit(request, f"{verb} {args}: {stages[-1].text}")
        return _json({"result": stages[-1].text, "stages": stages}, 200)

    def _admit(self, request: Request, right: Right) -> None:
        """Let the bearer of the right's token in; an authorised halt is never counted."""
        header = dict(request.scope["headers"]).get(b"authorization")
        tokens = self._parts.tokens
        is_allowed = tokens.allows(right, header)
        if is_allowed and right == "halt":
            return
        self._count(request)
        if not is_allowed:
            status = 403 if tokens.holds_any(header) else 401
            self._audit(request, f"{status} no {right} token")
            raise HTTPException(status)

    def _count(self, request: Request) -> None:
        if not self._limit.takes(_address(request)):
            raise HTTPException(429)

    def _audit(self, request: Request, outcome: str) -> None:
        self._parts.audit(_address(request), f"{request.method} {request.url.path}", outcome)


_REASONS: Final[Mapping[int, str]] = {
    401: "unauthorized",
    403: "forbidden",
    404: "not found",
    405: "method not allowed",
    429: "too many requests",
}


async def _http_error(_request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    given = error.headers if isinstance(error, HTTPException) else None
    headers = dict(given or {})
    if status == 401:  # noqa: PLR2004 - the number is the name
        headers["WWW-Authenticate"] = "Bearer"
    response = _json({"error": _REASONS.get(status, "error")}, status)
    response.headers.update(headers)
    return response


def _json(document: object, status: int) -> Response:
    data = msgspec.json.encode(document)
    return Response(data, status, media_type="application/json")


def _address(request: Request) -> str:
    return request.client.host if request.client is not None else "unknown"


def _halt_document(order: HaltOrder, answer: HaltAnswer) -> dict[str, Any]:
    """Return the halt object with its stages: only what was seen."""
    halts: list[dict[str, Any]] = []
    for stage in answer.stages:
        if isinstance(stage.body, dict):
            body = cast("dict[str, Any]", stage.body)
            halts = body.get("halts") or halts
    seen = answer.code
    return {
        "result": RESULTS.get(answer.code, f"ended with {answer.code}"),
        "code": answer.code,
        "halt": {
            "id": halts[0].get("id") if halts else None,
            "scope": order.scope,
            "reason": order.reason,
            "operator": order.operator,
            "durable": seen in {0, 11, 13},
            "flat": seen in {0, 10},
            "halts": halts,
        },
        "stages": answer.stages,
    }
