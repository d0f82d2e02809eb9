"""What the scope of a command means: which accounts, and what on them."""

from __future__ import annotations

from collections.abc import Mapping

from edgeguard.errors import UsageError
from edgeguard.guard.accounts import ACCOUNT, GuardedAccount

Scope = tuple[GuardedAccount, str]
"""An account, and ``account``, ``strategy:NAME`` or ``symbol:NAME`` on it."""


def scopes_of(accounts: Mapping[str, GuardedAccount], args: Mapping[str, str]) -> list[Scope]:
    """Return what a command's ``scope`` and ``account`` mean.

    ``scope``: ``all`` (default), ``account:ID``, ``strategy:NAME`` or ``symbol:NAME``; the latter
    two on every account, or on the one that ``account`` names.

    Raises:
        UsageError: there is no such account, strategy or form of scope.
    """
    text, only = args.get("scope", "all") or "all", args.get("account", "")
    kind, _, name = text.partition(":")
    if kind == "account" and name:
        only = name
    if only and only not in accounts:
        known = ", ".join(sorted(accounts))
        raise UsageError(f"account must be one of {known}, was {only!r}")
    chosen = [accounts[only]] if only else list(accounts.values())
    if text in {"all", ACCOUNT} or kind == "account":
        return [(account, ACCOUNT) for account in chosen]
    if kind not in {"strategy", "symbol"} or not name:
        raise UsageError(
            f"scope must be all, account:ID, strategy:NAME or symbol:NAME, was {text!r}"
        )
    if kind == "strategy" and any(name not in account.magics for account in chosen):
        known = ", ".join(sorted(chosen[0].magics)) or "none"
        raise UsageError(f"strategy must be one of the configuration's ({known}), was {name!r}")
    return [(account, text) for account in chosen]
