"""Sentences: why the gate is closed, and what would open it."""

from __future__ import annotations

from typing import Final

from edgeguard.guard.accounts import ACCOUNT, GuardedAccount

UNKNOWN: Final = "DAY_START_UNKNOWN"


def gate_why(account: GuardedAccount) -> str:
    """Return why the account's gate is closed, empty where it is open."""
    row = account.row()
    if row.halt is not None:
        return f"{row.halt.code}: {row.halt.reason}" if row.halt.reason else row.halt.code
    waiting = account.trading.waiting()
    if waiting:
        return "waiting for " + ", ".join(waiting)
    return ", ".join(sorted({f"{pause.code} ({pause.trigger})" for pause in row.pauses}))


def gate_opens_when(account: GuardedAccount, *, two_person: bool = False) -> str:
    """Return what would open the account's gate, empty where it is open.

    Args:
        account: whose gate it is.
        two_person: whether it takes two operators to lift anything.
    """
    who = "two operators run" if two_person else "an operator runs"
    row = account.row()
    if row.halt is not None:
        steps = [] if row.flatten == "FLAT_VERIFIED" else ["the account is verified flat"]
        steps.append(f"{who} `edgeguard resume --halt-id {row.halt.id}`")
        return " and then ".join(steps)
    waiting = account.trading.waiting()
    if waiting:
        return "these have arrived: " + ", ".join(waiting)
    rest = [pause for pause in row.pauses if pause.code != UNKNOWN]
    opens = {_opens(pause.code, who, held=pause.held) for pause in rest}
    if len(rest) < len(row.pauses):
        opens.add(_opens_day(account))
    return " and ".join(sorted(opens))


def _opens_day(account: GuardedAccount) -> str:
    """Return what tells the start of the day."""
    by_hand = f"`edgeguard rebaseline --account {account.id} --day AMOUNT`"
    if account.config.limits.first_reference != "history":
        return f"an operator tells the day's reference: {by_hand}"
    return f"the deal history tells the day's start ({account.day_why}), or {by_hand}"


def _opens(code: str, who: str, *, held: bool) -> str:
    if code == "UNACKNOWLEDGED":
        return f"{who} `edgeguard acknowledge`"
    if code == "STORAGE_UNTRUSTED":
        return "the disk is repaired and the guard restarted"
    if held:
        return f"{who} `edgeguard resume --pause` ({code})"
    opens = {
        "HOLE": "a fresh account snapshot arrives",
        "SNAPSHOT_AGE": "a fresh account snapshot arrives",
        "AWAY": "a fresh account snapshot arrives",
        "FEED_SILENT": "the silent feed speaks again",
    }
    return opens.get(code, f"{code} has cleared for its hold time")


def scope_of(text: str) -> str:
    """Return the scope that a command's text names: ``account``, ``strategy:`` or ``symbol:``."""
    return text if text.startswith(("strategy:", "symbol:")) else ACCOUNT
