"""Call the vendor's package on another host through an mt5linux (rpyc classic) server.

The mt5linux client fetches every field of every position by a round trip of its own. Here one
round trip makes the call over there, turns the result into JSON over there, and brings the error
code of that very call along.

A classic server runs whatever its clients send it: it must listen on loopback or inside a tunnel
only. This side exposes nothing to it.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from typing import Any, Final

from edgeguard.errors import TerminalError

REMOTE: Final = """
import json as _eg_json
try:
    import MetaTrader5 as _eg_mt5
except ImportError:
    import sys
    sys.path.append("C:\\\\mt5libs")
    import MetaTrader5 as _eg_mt5

def _eg_plain(value):
    if hasattr(value, "_asdict"):
        return {name: _eg_plain(inner) for name, inner in value._asdict().items()}
    if isinstance(value, (tuple, list)):
        return [_eg_plain(inner) for inner in value]
    return value.item() if hasattr(value, "item") else value

def _eg_call(text):
    name, args, kwargs = _eg_json.loads(text)
    value = getattr(_eg_mt5, name)(*args, **kwargs)
    return _eg_json.dumps([_eg_plain(value), list(_eg_mt5.last_error())])
"""
"""What runs on the other side; the same reading of structs as `child.plain`."""


class Mt5LinuxTerminal:
    """The vendor's functions over there, as attributes here."""

    def __init__(self, host: str, port: int) -> None:
        """Connect and define the helper on the other side.

        Raises:
            TerminalError: nothing answers, or the other side has no MetaTrader5 package.
        """
        where = f'terminal "mt5linux://{host}:{port}"'
        try:
            rpyc: Any = importlib.import_module("rpyc")
        except ImportError as e:
            raise TerminalError(
                f"{where} needs the mt5linux package: install it with `pip install mt5linux`"
            ) from e
        # Whoever hangs is killed from outside, as with the vendor's own package.
        patience = {"sync_request_timeout": None}
        try:
            self._connection: Any = rpyc.connect(host, port, rpyc.VoidService, config=patience)
        except OSError as e:
            raise TerminalError(
                f"{where} does not answer ({e.strerror or e}): start the mt5linux server there, or "
                "correct host and port"
            ) from e
        try:
            self._connection.root.execute(REMOTE)
        except Exception as e:
            reason = str(e).strip().splitlines()[-1]
            raise TerminalError(
                f"{where} cannot use the MetaTrader5 package of the other side: {reason}"
            ) from e
        self._error: tuple[int, str] = (1, "Success")

    def __getattr__(self, name: str) -> Callable[..., Any]:
        """Return the vendor's function of that name."""

        def call(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - as the vendor's functions
            text = json.dumps([name, args, kwargs])
            answer = self._connection.root.eval(f"_eg_call({text!r})")
            value, (code, words) = json.loads(answer)
            self._error = (int(code), str(words))
            return value

        return call

    def last_error(self) -> tuple[int, str]:
        """Return code and text of the last call, read over there right after it."""
        return self._error
