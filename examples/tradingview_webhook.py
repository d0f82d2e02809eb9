"""A TradingView webhook handler with EdgeGuard beside it, on the standard library alone.

    EDGEGUARD_HOOK_TOKEN=... python examples/tradingview_webhook.py RUN_DIR ACCOUNT [PORT]

The alert's message: ``{"token": "T", "action": "buy", "symbol": "EURUSD", "strategy": "X"}``. Put a
TLS proxy in front. TradingView waits 3 seconds and does not repeat: what is refused stays refused.
"""

from __future__ import annotations

import hmac
import json
import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final, cast

from edgeguard import Gate, Refusal, Reporter  # +

BODY_MAX: Final = 4096


def place(action: str, symbol: str) -> None:
    """Send the order to your broker; here it is printed."""
    sys.stdout.write(f"{action} {symbol}\n")
    sys.stdout.flush()


class Hook(BaseHTTPRequestHandler):
    """Answers one alert: 200 sent, 403 wrong token, 409 refused by the gate, 422 not understood."""

    gate: Gate
    reporter: Reporter
    token: str
    timeout = 5

    def do_POST(self) -> None:
        """Take an alert."""
        try:
            alert = self._alert()
            token, action, symbol = alert["token"].encode(), alert["action"], alert["symbol"]
        except (ValueError, KeyError):
            self._answer(422, "an alert must be JSON with token, action and symbol")
            return
        if not self.token or not hmac.compare_digest(token, self.token.encode()):
            self._answer(403, "wrong token")
        elif action in {"buy", "sell"}:
            answer = self.gate.check(symbol=symbol, strategy=alert.get("strategy"))  # +
            if isinstance(answer, Refusal):  # +
                self._answer(409, str(answer))  # +
                return  # +
            self._send(action, symbol)
        elif action in {"close", "cancel"}:
            self._send(action, symbol)  # exits and cancels never ask
        else:
            self._answer(422, f"action must be buy, sell, close or cancel, was {action!r}")

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Log no request."""

    def _alert(self) -> dict[str, str]:
        size = int(self.headers.get("Content-Length") or 0)
        if not 0 < size <= BODY_MAX:
            raise ValueError(size)
        alert: object = json.loads(self.rfile.read(size))
        if not isinstance(alert, dict):
            raise ValueError(alert)  # noqa: TRY004  # one kind of answer for every bad alert
        return {str(key): str(value) for key, value in cast("dict[object, object]", alert).items()}

    def _send(self, action: str, symbol: str) -> None:
        try:
            place(action, symbol)
        except Exception as error:
            self.reporter.error("order", text=repr(error))  # + ten a minute pause the account
            self._answer(502, "the broker refused")
            raise
        self._answer(200, "sent")

    def _answer(self, status: int, text: str) -> None:
        body = (text + "\n").encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def main(run_dir: str, account: str, port: str = "0") -> None:
    """Serve until interrupted."""
    with Gate(run_dir, account) as gate, Reporter(run_dir, account) as reporter:  # +
        Hook.gate, Hook.reporter = gate, reporter  # +
        Hook.token = os.environ.get("EDGEGUARD_HOOK_TOKEN", "")
        with ThreadingHTTPServer(("127.0.0.1", int(port)), Hook) as server:
            reporter.start_beats()  # + proves this process; it has no loop that could prove more
            sys.stdout.write(f"listening on {server.server_port}\n")
            sys.stdout.flush()
            server.serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
