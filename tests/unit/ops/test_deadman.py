"""The dead man's switch calls only while the kill channel is proven."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import httpx

from edgeguard.clock import NS_PER_S, ManualClock
from edgeguard.ops.deadman import Deadman
from tests.unit.notify.services import Reply, Service, service

NOW = 1_700_000_000 * NS_PER_S
Scene = Callable[[Service, Deadman, list[bool]], Coroutine[Any, Any, None]]


def play(scene: Scene) -> None:
    async def run() -> None:
        proven = [True]

        async def is_proven() -> bool:
            return proven[0]

        async with service() as here, httpx.AsyncClient() as client:
            here.usual = lambda _path, _body: Reply(200)
            url = f"{here.url}/ping/secret"
            await scene(here, Deadman(url, 60, client, is_proven, ManualClock(NOW)), proven)

    asyncio.run(run())


def test_it_calls_while_the_channel_is_proven() -> None:
    async def scene(here: Service, deadman: Deadman, proven: list[bool]) -> None:
        await deadman.call()
        assert [path for path, _ in here.seen] == ["/ping/secret"]
        assert (deadman.called_ns, deadman.error) == (NOW, "")
        proven[0] = False
        await deadman.call()
        assert len(here.seen) == 1
        assert "not proven" in deadman.error

    play(scene)


def test_a_failure_is_kept_without_the_secret() -> None:
    async def scene(here: Service, deadman: Deadman, _proven: list[bool]) -> None:
        here.replies.append(Reply(500))
        await deadman.call()
        assert deadman.error == "answered 500"
        here.url = ""

    play(scene)


def test_a_dead_address_raises_nothing() -> None:
    async def run() -> None:
        async def is_proven() -> bool:
            return True

        async with httpx.AsyncClient() as client:
            address = "http://127.0.0.1:1/secret"
            deadman = Deadman(address, 60, client, is_proven, ManualClock(NOW))
            await deadman.call()
            assert deadman.error == "ConnectError"

    asyncio.run(run())
