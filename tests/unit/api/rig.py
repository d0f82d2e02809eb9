"""The HTTP interface on a real socket, with a guard that does as the test says."""

from __future__ import annotations

import asyncio
import http.client
import json
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from edgeguard.api.app import Api, Parts
from edgeguard.api.port import HaltAnswer, HaltOrder, Stage
from edgeguard.api.server import Server
from edgeguard.api.tokens import Tokens, read_tokens
from edgeguard.clock import Clock, SystemClock
from edgeguard.config.model import AccountConfig, ApiConfig, Config, StrategyConfig, SymbolConfig
from edgeguard.errors import UnreachableError

HALT, RESUME, READ = "halt-" + "h" * 30, "resume-" + "r" * 30, "read-" + "d" * 30
ENVIRONMENT = {
    "EMERGENCY_TOKEN": HALT,
    "EDGEGUARD_RESUME_TOKEN": RESUME,
    "EDGEGUARD_READ_TOKEN": READ,
}


def make_config(**api: Any) -> Config:  # noqa: ANN401 - keys of [api]
    account = AccountConfig(
        id="A",
        login=1,
        server="Paper",
        trade_mode="demo",
        currency="USD",
        initial_balance="100000",
        terminal="paper",
    )
    return Config(
        account=(account,),
        symbol=(SymbolConfig(name="EURUSD", digits=5),),
        strategy=(StrategyConfig(name="trend", magic=(7,)),),
        api=ApiConfig(port=0, **api),
    )


def good_status() -> dict[str, Any]:
    return {
        "state": "ACTIVE",
        "guard": {"storage": {"trusted": True}},
        "worker": {"A": {"alive": True, "connected": True, "trade_allowed": True}},
        "accounts": [{"id": "A", "snapshot_age_ms": 10}],
        "channel_proven_ns": SystemClock().wall_ns(),
    }


@dataclass
class FakeControl:
    """Answers as told and remembers what it was asked."""

    code: int = 0
    status: dict[str, Any] | None = field(default_factory=good_status)
    fault: Exception | None = None
    orders: list[HaltOrder] = field(default_factory=list[HaltOrder])
    asked: list[tuple[str, str, str, dict[str, str]]] = field(default_factory=list[Any])
    proven: list[str] = field(default_factory=list[str])
    hold: threading.Event | None = None
    in_halt: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    def halt(self, order: HaltOrder) -> HaltAnswer:
        self.orders.append(order)
        self.in_halt.release()
        if self.hold is not None:
            assert self.hold.wait(20)
        if self.fault is not None:
            raise self.fault
        body = {"halts": [{"account": "A", "id": "H1", "scope": "account"}]}
        return HaltAnswer(self.code, (Stage("stopped", "the gate is closed", body),))

    def ask(self, verb: str, operator: str, reason: str, args: dict[str, str]) -> list[Stage]:
        self.asked.append((verb, operator, reason, args))
        if self.fault is not None:
            raise self.fault
        if verb == "status":
            if self.status is None:
                raise UnreachableError("no guard answers")
            return [Stage("done", "", self.status)]
        return [Stage("done", "as asked", {})]

    def prove(self, account: str) -> None:
        self.proven.append(account)


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    data: bytes

    @property
    def body(self) -> Any:  # noqa: ANN401 - JSON
        return json.loads(self.data)


@dataclass
class Site:
    """The running interface."""

    control: FakeControl
    port: int
    audits: list[tuple[str, str, str]]
    page_code: list[str]

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        token: str = "",
        **headers: str,
    ) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if token:
            sent["Authorization"] = f"Bearer {token}"
        try:
            connection.request(method, path, body, sent)
            answer = connection.getresponse()
            return Answer(answer.status, dict(answer.getheaders()), answer.read())
        finally:
            connection.close()

    def post(self, path: str, document: object, token: str = "", **headers: str) -> Answer:
        return self.ask("POST", path, json.dumps(document).encode(), token, **headers)


@contextmanager
def site(
    config: Config | None = None,
    *,
    tokens: Tokens | None = None,
    clock: Clock | None = None,
    halts: Callable[[], list[dict[str, Any]]] = list,
) -> Generator[Site]:
    config = config or make_config()
    control = FakeControl()
    audits: list[tuple[str, str, str]] = []
    page_code = ["OPEN"]
    api = Api(
        Parts(
            config=config,
            tokens=tokens or read_tokens(config.api, ENVIRONMENT),
            control=control,
            page_code=lambda _account: page_code[0],
            halts=halts,
            audit=lambda who, what, outcome: audits.append((who, what, outcome)),
            acknowledge=lambda name, by: f"{name} by {by}" if name == "INC-2026-001" else None,
            about=lambda: {"channels": {}},
            clock=clock or SystemClock(),
        )
    )
    server = Server(api.app(), config.api)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve()))
    thread.start()
    try:
        yield Site(control, server.address[1], audits, page_code)
    finally:
        if control.hold is not None:
            control.hold.set()
        server.stop()
        thread.join(20)
        api.close()
        assert not thread.is_alive()
