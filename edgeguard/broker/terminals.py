"""Load a terminal by its configured name: the paper one, the vendor's package, or one over rpyc."""

from __future__ import annotations

import importlib
from typing import Any, Final, Protocol, cast

from edgeguard.errors import TerminalError

CALLS: Final = frozenset(
    {
        "initialize",
        "shutdown",
        "version",
        "last_error",
        "account_info",
        "terminal_info",
        "positions_get",
        "orders_get",
        "symbol_info",
        "symbol_info_tick",
        "symbol_select",
        "history_deals_get",
        "history_orders_get",
        "order_check",
        "order_send",
    }
)
"""The vendor's functions that EdgeGuard calls, and the only ones its child will call."""
MT5LINUX: Final = "mt5linux://"


class Terminal(Protocol):
    """The vendor's functions as this package uses them; everything is read with `getattr`."""

    def initialize(self, *args: Any, **kwargs: Any) -> bool:  # noqa: ANN401
        """Connect to the terminal; False leaves the reason in `last_error`."""
        ...

    def last_error(self) -> tuple[int, str]:
        """Return code and text of the last call."""
        ...


def check_terminal_name(name: str) -> None:
    """Refuse a terminal name that no loader knows.

    Raises:
        TerminalError: says what a terminal may be.
    """
    if name in ("paper", "metatrader5"):
        return
    host, port = _host_port(name)
    if not host or not port:
        raise TerminalError(
            f'terminal must be "paper", "metatrader5" or "mt5linux://HOST:PORT", was "{name}"'
        )


def load_terminal(name: str, *, paper_socket: str = "") -> Terminal:
    """Return the terminal of the given name; loading may import the vendor's package.

    Args:
        name: ``paper``, ``metatrader5`` or ``mt5linux://HOST:PORT``.
        paper_socket: where the paper terminal's process listens.

    Raises:
        TerminalError: it cannot be loaded; one sentence says what to do.
    """
    check_terminal_name(name)
    if name == "paper":
        return _load_paper(paper_socket)
    if name == "metatrader5":
        return _load_vendor()
    from edgeguard.broker.mt5linux import Mt5LinuxTerminal  # noqa: PLC0415 - only this one needs it

    return cast("Terminal", Mt5LinuxTerminal(*_host_port(name)))


def _load_paper(socket: str) -> Terminal:
    paper = importlib.import_module("edgeguard.broker.paper")
    return cast("Terminal", paper.PaperTerminal(paper.SocketConnection(socket)))


def _load_vendor() -> Terminal:
    try:
        return cast("Terminal", importlib.import_module("MetaTrader5"))
    except ImportError as e:
        raise TerminalError(
            'terminal "metatrader5" needs the MetaTrader5 package, which exists for Windows only: '
            "install it there with `pip install MetaTrader5`, or use "
            '"mt5linux://HOST:PORT" (Wine or another host) or "paper"'
        ) from e


def _host_port(name: str) -> tuple[str, int]:
    if not name.startswith(MT5LINUX):
        return "", 0
    host, _, port = name.removeprefix(MT5LINUX).rpartition(":")
    return host, int(port) if port.isdecimal() else 0
