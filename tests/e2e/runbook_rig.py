"""An environment as the runbook's reader has it: guard, broker, ops, a book, and a phone."""

import asyncio
import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from edgeguard.clock import NS_PER_S, SystemClock
from edgeguard.codec.native import encode
from edgeguard.config.load import load_config
from edgeguard.config.paths import PathNames, Paths
from edgeguard.demo.book import Entry, Pending
from edgeguard.demo.trader import Trader
from edgeguard.messages import Tick, TickBatch
from edgeguard.transport import make_context, publisher
from tests.e2e.rig import PAPER, PATIENCE_S, Running, end_what_stays
from tests.ports import free_ports
from tests.unit.notify.services import Reply, Service, service

ROOT = Path(__file__).parents[2]
TOKENS = {
    "EMERGENCY_TOKEN": "emergency-token-of-the-tests",
    "EDGEGUARD_RESUME_TOKEN": "resume-token-of-the-tests",
    "EDGEGUARD_READ_TOKEN": "read-token-of-the-tests",
}
FEED_S = 0.05
STRATEGIES = """
[[strategy]]
name = "trend"
magic = [101]
[[strategy]]
name = "range"
magic = [202]
"""


def patient(holds: Callable[[], Any], what: str, every_s: float = 0.05) -> Any:  # noqa: ANN401 - whatever it returns
    """Ask until something is true; fail when it never is."""
    clock = SystemClock()
    end_ns = clock.boot_ns() + int(PATIENCE_S * NS_PER_S)
    pause = threading.Event()
    while clock.boot_ns() < end_ns:
        if found := holds():
            return found
        pause.wait(every_s)
    raise AssertionError(f"it never came to this: {what}")


class Phone:
    """Local servers that speak as Discord and Telegram do, in a thread with a loop of its own."""

    def __init__(self) -> None:
        self.discord = Service()
        self.telegram = Service()
        self._updates: list[object] = []
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._run)

    def press_the_button(self) -> str:
        """Press the button under the Telegram alert; return the incident that it names."""
        alert = next(body for _, body in self.telegram.seen if "reply_markup" in body)
        assert alert["text"].startswith("🚨 P1 INCIDENT: ")
        data = alert["reply_markup"]["inline_keyboard"][0][0]["callback_data"]
        message = {"chat": {"id": 42}, "text": "alert"}
        press = {"id": "q", "from": {"id": 7}, "data": data, "message": message}
        update = {"update_id": 1, "callback_query": press}
        self._updates.append(update)
        return data.removeprefix("ack:")

    def texts(self, service_: Service) -> list[str]:
        return [
            str(body.get("content") or body.get("text"))
            for path, body in list(service_.seen)
            if not path.endswith(("getUpdates", "answerCallbackQuery"))
        ]

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(PATIENCE_S)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(PATIENCE_S)
        self._loop.close()

    def _telegram(self, path: str, _body: object) -> Reply:
        result: list[object] = []
        if path.endswith("getUpdates") and self._updates:
            result.append(self._updates.pop())
        return Reply(200, {"ok": True, "result": result})

    def _run(self) -> None:
        self._loop.run_until_complete(self._serve())

    async def _serve(self) -> None:
        async with service() as self.discord, service() as self.telegram:
            self.telegram.usual = self._telegram
            self._ready.set()
            await self._stop.wait()


class Feed:
    """A publisher of quotes that stay as they are."""

    def __init__(self, endpoint: str) -> None:
        self._stop = threading.Event()
        self._endpoint = endpoint
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def close(self) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        context, clock = make_context(), SystemClock()
        quotes = publisher(context, self._endpoint, bind=True)
        epoch, seq = clock.wall_ns(), 0
        while not self._stop.wait(FEED_S):
            seq += 1
            now_ns = clock.wall_ns()
            ticks = (Tick("EURUSD", "1.38694", "1.38705", now_ns),)
            batch = TickBatch("", "market", epoch, seq, now_ns, ticks)
            quotes.send_multipart((b"market.ticks", encode(batch)))
        context.destroy(linger=0)


class Environment:
    """One guard on a configuration of its own."""

    def __init__(self, folder: Path, name: str, others: dict[str, Path], phone: Phone) -> None:
        self.folder = folder / name
        self.folder.mkdir()
        self.config = self.folder / "edgeguard.toml"
        self.log = self.folder / "incident_log.md"
        state_dir = self.folder / "state"
        self.paths = Paths(PathNames(state_dir=str(state_dir))).create()
        self.feed_endpoint = f"ipc://{self.paths.run_dir}/market.ipc"
        (self.port,) = free_ports(1)
        self.config.write_text(self._text(name, others, phone), encoding="utf-8")
        self.processes: list[subprocess.Popen[str]] = []
        self._traders: list[Trader] = []

    def _text(self, name: str, others: dict[str, Path], phone: Phone) -> str:
        text = PAPER.read_text(encoding="utf-8") + STRATEGIES
        changes = {
            'state_dir = "../var/paper"': f'state_dir = "{self.paths.state_dir}"',
            'environment = "paper"': f'environment = "{name}"',
            'endpoint = "" ': f'endpoint = "{self.feed_endpoint}" ',
            'log = "../var/paper/incident_log.md"': f'log = "{self.log}"',
            "port = 8000": f"port = {self.port}",
            'contacts = "emergency_contacts.yaml"': (
                f'contacts = "{ROOT}/config/emergency_contacts.yaml"'
            ),
        }
        for old, new in changes.items():
            assert old in text, old
            text = text.replace(old, new)
        for other, config in others.items():
            text += f'\n[[environment]]\nname = "{other}"\nconfig = "{config}"\n'
        return text + (
            f'\n[[notify.channel]]\nname = "discord"\nkind = "discord"\n'
            f'url = "{phone.discord.url}/api/webhooks/1/token"\n'
            f'\n[[notify.channel]]\nname = "telegram"\nkind = "telegram"\nchat = "42"\n'
            f'url = "{phone.telegram.url}/bot1:token"\n'
        )

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start one process that stays, its output in a file."""
        log = (self.folder / f"{arguments[0]}.log").open("w", encoding="utf-8")
        with log:
            process = subprocess.Popen(  # noqa: S603 - our own command
                [sys.executable, "-m", "edgeguard", *arguments, "--config", str(self.config)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                text=True,
                env={**os.environ, **TOKENS},
            )
        self.processes.append(process)
        return process

    def wait_for_ops(self) -> None:
        """Wait until the whole channel is proven, by the interface's own word."""
        patient(lambda: self.get("/health")[0] == 200, "a proven kill channel", every_s=0.25)

    def get(self, path: str) -> tuple[int, Any]:
        """Ask the interface; 0 while nobody listens."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
        headers = {"Authorization": f"Bearer {TOKENS['EDGEGUARD_READ_TOKEN']}"}
        try:
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        except ConnectionError:
            return 0, None
        finally:
            connection.close()

    def curl(self, document: object) -> tuple[int, Any]:
        """Send the runbook's curl, the name resolved to this machine, without TLS."""
        url = f"http://api.edgefactory.local:{self.port}/emergency/shutdown"
        result = subprocess.run(  # noqa: S603 - curl with our own arguments
            [
                *("curl", "-s", "-w", "\n%{http_code}", "-X", "POST", url),
                *("--resolve", f"api.edgefactory.local:{self.port}:127.0.0.1", "--noproxy", "*"),
                *("-H", f"Authorization: Bearer {TOKENS['EMERGENCY_TOKEN']}"),
                *("-d", json.dumps(document)),
            ],
            capture_output=True,
            text=True,
            timeout=PATIENCE_S * 2,
            check=True,
        )
        body, _, status = result.stdout.rpartition("\n")
        return int(status), json.loads(body)

    def open_book(self) -> Trader:
        """Open two positions and place a pending order."""
        trader = Trader(str(self.paths.paper_socket("A")))
        self._traders.append(trader)
        trader.open(Entry("EURUSD", "buy", "0.50", 101))
        trader.open(Entry("GBPUSD", "sell", "0.30", 101))
        trader.place(Pending("EURUSD", "buy_limit", "0.20", "0.01", 101))
        assert trader.counts() == (2, 1)
        return trader

    def look(self) -> tuple[int, int]:
        """Return the numbers of positions and pending orders by a connection of its own."""
        trader = Trader(str(self.paths.paper_socket("A")))
        self._traders.append(trader)
        return trader.counts()

    def hang_up(self) -> None:
        """Close the connections to the terminal."""
        for trader in self._traders:
            trader._terminal.shutdown()  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] - it has no close of its own
        self._traders.clear()

    def close(self) -> None:
        """End every process, the last one started first."""
        self.hang_up()
        for process in reversed(self.processes):
            process.send_signal(signal.SIGCONT)
            process.terminate()
            process.wait(PATIENCE_S)
        end_what_stays(self.paths.state_dir)
        shutil.rmtree(self.paths.run_dir, ignore_errors=True)


@contextmanager
def environment(
    folder: Path,
    phone: Phone,
    name: str = "desk",
    others: dict[str, Path] | None = None,
    *,
    ops: bool = False,
) -> Generator[tuple[Environment, Running]]:
    """Run guard and broker on a feed until the block ends."""
    here = Environment(folder, name, others or {}, phone)
    load_config(here.config)
    feed = Feed(here.feed_endpoint)
    try:
        with_ops = "--ops" if ops else "--no-ops"
        up = here.start("up", with_ops, "--state-dir", str(here.paths.state_dir))
        running = Running(up, here.paths)
        try:
            running.until(lambda status: status["state"] == "ACTIVE")
            if ops:
                here.wait_for_ops()
            yield here, running
        finally:
            running.client.close()
    finally:
        here.close()
        feed.close()


def runbook(module: str, *arguments: str, config: Path) -> subprocess.CompletedProcess[str]:
    """Run a command of the runbook from the checkout, as printed."""
    return subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-m", module, *arguments],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S * 3,
        check=False,
        cwd=ROOT,
        env={**os.environ, "EDGEGUARD_CONFIG": str(config)},
    )
