"""`python -m tests.sim.flatten.trace SEED [PLANT]`: one seed, told step by step."""

from __future__ import annotations

import sys
from typing import Any

from tests.sim.flatten import link as link_module
from tests.sim.flatten.plants import planted
from tests.sim.flatten.run import World, simulate
from tests.sim.flatten.scenario import draw


def main(argv: list[str]) -> int:
    scenario = draw(int(argv[1]))
    print(scenario.mode, scenario.scope, f"faults end {scenario.faults_end_ns / 1e9} s")
    for rule in scenario.plan.rules:
        print("  rule", rule.name, rule.on, rule.probability, rule.ms, rule.retcode)
    for kill in scenario.kills:
        print("  ", kill)
    for item in scenario.book["positions"] + scenario.book["orders"]:
        print("  ", item)
    told = World.tell

    def tell(self: World, kind: str, flattening: Any, text: str, body: Any) -> None:
        print(f"{self.loop.now_ns / 1e9:9.3f} {kind}: {text[:300]}")
        told(self, kind, flattening, text, body)

    World.tell = tell  # type: ignore[method-assign]
    call = link_module.SimLink.call

    async def traced(self: Any, method: str, timeout_s: float, args: Any = (), **kwargs: Any) -> Any:
        quiet = method not in ("order_send", "initialize") and "-v" not in argv
        if not quiet:
            print(f"{self._loop.now_ns / 1e9:9.3f} > {method} {args} {kwargs}")
        try:
            reply = await call(self, method, timeout_s, args, **kwargs)
        except BaseException as e:
            print(f"{self._loop.now_ns / 1e9:9.3f} < {method} {e!r}")
            raise
        if not quiet or reply.code != 1:
            import msgspec

            value = msgspec.msgpack.decode(reply.value)
            shown = value and {k: value[k] for k in ("retcode", "volume", "price", "order", "deal", "comment")} if isinstance(value, dict) and "retcode" in value else value
            print(f"{self._loop.now_ns / 1e9:9.3f} < {method} {shown} {reply.code} {reply.text}")
        return reply

    link_module.SimLink.call = traced  # type: ignore[method-assign]
    plant = argv[2] if argv[2:] and argv[2] != "-v" else None
    with planted(plant):
        result = simulate(scenario)
    print("\n".join(result.violations) or "no violation")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
