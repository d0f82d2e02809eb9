"""`python -m tests.sim.flatten.trace SEED [PLANT]`: one seed, told step by step."""
# ruff: noqa: T201, ANN401 - a command that prints, over calls of any shape

from __future__ import annotations

import sys
from typing import Any, cast
from unittest import mock

import msgspec

from tests.sim.flatten.link import SimLink
from tests.sim.flatten.plants import planted
from tests.sim.flatten.run import World, simulate
from tests.sim.flatten.scenario import Scenario, draw

TOLD = ("order_send", "initialize")
"""Calls that are printed; reads only where they fail."""
FIELDS = ("retcode", "volume", "price", "order", "deal", "comment")
TEXT_MAX = 300


def _show_scenario(scenario: Scenario) -> None:
    print(scenario.mode, scenario.scope, f"faults end {scenario.faults_end_ns / 1e9} s")
    for rule in scenario.plan.rules:
        print("  rule", rule.name, rule.on, rule.probability, rule.ms, rule.retcode)
    for kill in scenario.kills:
        print("  ", kill)
    for item in scenario.book["positions"] + scenario.book["orders"]:
        print("  ", item)


def _shown(raw: msgspec.Raw) -> object:
    value: object = msgspec.msgpack.decode(raw)
    if not isinstance(value, dict):
        return value
    row = cast("dict[str, object]", value)
    return {name: row[name] for name in FIELDS} if "retcode" in row else row


class TracedLink(SimLink):
    """Prints what goes over it."""

    async def call(
        self, method: str, timeout_s: float, args: tuple[Any, ...] = (), **kwargs: Any
    ) -> Any:
        if method in TOLD:
            print(f"{self.now_s:9.3f} > {method} {args} {kwargs}")
        try:
            reply = await super().call(method, timeout_s, args, **kwargs)
        except BaseException as e:
            print(f"{self.now_s:9.3f} < {method} {e!r}")
            raise
        if method in TOLD or reply.code != 1:
            print(f"{self.now_s:9.3f} < {method} {_shown(reply.value)} {reply.code} {reply.text}")
        return reply


class TracedWorld(World):
    """Prints what is told."""

    def tell(self, kind: str, flattening: object, text: str, body: object) -> None:
        print(f"{self.loop.now_ns / 1e9:9.3f} {kind}: {text[:TEXT_MAX]}")
        super().tell(kind, flattening, text, body)


def main(argv: list[str]) -> int:
    scenario = draw(int(argv[1]))
    _show_scenario(scenario)
    with (
        planted(argv[2] if argv[2:] else None),
        mock.patch("tests.sim.flatten.run.SimLink", TracedLink),
        mock.patch("tests.sim.flatten.run.World", TracedWorld),
    ):
        result = simulate(scenario)
    print("\n".join(result.violations) or "no violation")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
