"""Proves the kill channel again and again, so that nobody finds it broken on the day it is needed.

Each turn asks every account's broker for what `edgeguard check` asks, without trading. The guard
hears the answers and tells their age in its status; health and the dead man's switch hang on it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Final, cast

PROVE_EVERY_S: Final = 20.0
"""Three proofs within the age at which `api.health` stops believing one."""

Ask = Callable[[str], None]
Status = Callable[[], Mapping[str, Any] | None]


class Prover:
    """Asks for a proof of each account at each turn, but of none that is being flattened."""

    def __init__(self, accounts: tuple[str, ...], status: Status, ask: Ask) -> None:
        """Take whom to prove, and the two questions; both block and are asked on threads.

        Args:
            accounts: the configured ones.
            status: returns the guard's status, None where no guard answers.
            ask: asks an account's broker for a proof, and raises nothing where there is none.
        """
        self._accounts = accounts
        self._status = status
        self._ask = ask

    async def run(self) -> None:
        """Prove until cancelled."""
        while True:
            await self.turn()
            await asyncio.sleep(PROVE_EVERY_S)

    async def turn(self) -> None:
        """Prove every account once.

        A terminal answers one question at a time, so a proof must not stand before a close.
        """
        busy = _flattening(await asyncio.to_thread(self._status))
        for account in self._accounts:
            if account not in busy:
                await asyncio.to_thread(self._ask, account)


def _flattening(status: Mapping[str, Any] | None) -> set[object]:
    if status is None:
        return set()
    rows = cast("list[Mapping[str, object]]", status.get("accounts") or [])
    return {row.get("id") for row in rows if row.get("flatten") in {"IN_PROGRESS", "NOT_FLAT"}}
