"""The paper terminal as a process of its own: who dies takes nobody along, and who hangs hangs.

Every test talks to real processes over a real socket. None sleeps to synchronise: they wait on
answers, on exits, or on threads that must still be blocked.
"""

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgeguard.broker.paper import PaperControl, PaperTerminal, dump_spec, presets
from edgeguard.broker.paper import constants as c
from edgeguard.broker.paper.wire import FrameBuffer, RequestFrame, pack, unpack_reply
from tests.contract.paper_terminal import (
    STUCK_S,
    Running,
    argv,
    buy,
    connect,
    environment,
    running,
)

pytestmark = pytest.mark.slow


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of mode 0700."""
    tmp_path.chmod(0o700)
    return tmp_path


@pytest.fixture
def terminal(folder: Path) -> Iterator[Running]:
    """A running terminal."""
    with running(folder / "t.sock") as started:
        yield started


def run(command: list[str]) -> "subprocess.CompletedProcess[bytes]":
    """Run a command of this test to its end."""
    return subprocess.run(  # noqa: S603
        command, env=environment(), capture_output=True, check=False, timeout=STUCK_S
    )


def test_trades_go_through_and_are_counted(terminal: Running) -> None:
    """Feed, trade, close over the socket; structs, empty tuples and counters are as in process."""
    feed = [("EURUSD", 1.1, 1.1001, 5), ("NOPE", 1.0, 1.1, 5), ("GBPUSD", 1.3, 1.2, 5)]
    assert terminal.control.feed(feed) == 1
    opened = terminal.mt5.order_send(buy())
    assert opened is not None
    assert (opened.retcode, opened.price) == (c.TRADE_RETCODE_DONE, 1.1001)
    held = terminal.mt5.positions_get(ticket=opened.order)
    assert held is not None
    close = buy(type=c.ORDER_TYPE_SELL, position=opened.order)
    closed = terminal.mt5.order_send(close)
    assert closed is not None
    assert terminal.mt5.positions_get() == ()
    assert terminal.mt5.positions_get(ticket=opened.order) == ()
    assert closed.request.position == opened.order
    counters = terminal.control.admin("counters")
    assert (counters["requests"], counters["executed"], counters["by_action"]) == (2, 2, {1: 2})


def test_feed_without_an_id_needs_no_reading(terminal: Running) -> None:
    """A bridge may send ticks and never read; the last one is in force afterwards."""
    with PaperControl(str(terminal.socket)) as bridge:
        for step in range(100):
            price = round(1.1 + step / 10_000, 5)
            bridge.feed([("EURUSD", price, price, 0)], wait=False)
        assert bridge.feed([("EURUSD", 1.2, 1.2001, 0)]) == 1
    tick = terminal.mt5.symbol_info_tick("EURUSD")
    assert tick is not None
    assert (tick.bid, tick.ask) == (1.2, 1.2001)


def test_killed_client_leaves_the_book(terminal: Running) -> None:
    """kill -9 of a client between its trades: positions and the terminal stay for the next one."""
    code = (
        "import os, signal, sys\n"
        "from tests.contract.paper_terminal import buy, connect\n"
        "from pathlib import Path\n"
        "client = connect(Path(sys.argv[1]))\n"
        "assert client.initialize()\n"
        "assert client.order_send(buy()).retcode == 10009\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    command = [sys.executable, "-c", code, str(terminal.socket)]
    done = run(command)
    assert done.returncode == -signal.SIGKILL
    assert terminal.client().positions_total() == 1


def test_client_killed_in_a_call_leaves_the_order_executed(terminal: Running) -> None:
    """A call whose caller dies while it waits is carried out all the same: -10002's worst case."""
    terminal.control.admin(
        "faults", plan={"rules": [{"name": "hang", "execute": True, "on": ["order_send"]}]}
    )
    with socket.socket(socket.AF_UNIX) as stream:
        stream.connect(str(terminal.socket))
        values = [1, 0, 0, "EURUSD", 0.1, *[0.0] * 4, 0, 0, 1, 0, 0, "", 0, 0]
        stream.sendall(pack(RequestFrame(id=1, call="order_send", args=[values])))
        # The admin's answer comes after the order was taken: one process, one queue.
        while terminal.control.admin("counters")["requests"] == 0:
            pass
    assert terminal.client().positions_total() == 1


def test_killed_terminal_gives_10002_then_10004(terminal: Running) -> None:
    """The first call after the terminal's death learns of it; the others do no I/O."""
    terminal.process.kill()
    terminal.process.wait()
    assert terminal.mt5.positions_get() is None
    assert terminal.mt5.last_error() == (-10002, "IPC recv failed")
    for _ in range(2):
        assert terminal.mt5.positions_get() is None
        assert terminal.mt5.last_error() == (-10004, "No IPC connection")
    assert terminal.mt5.initialize() is False
    assert terminal.mt5.last_error() == (
        -10003,
        "IPC initialize failed, MetaTrader 5 x64 not found",
    )


def test_initialize_launches_a_terminal_that_outlives_the_client(folder: Path) -> None:
    """With a launch command initialize() starts the process; the next client finds it running."""
    path = folder / "deep" / "t.sock"
    client = connect(path, argv(path))
    assert client.initialize() is True
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        assert (mode, stat.S_IMODE(path.parent.stat().st_mode)) == (0o600, 0o700)
        client.shutdown()
        other = connect(path, argv(path))
        assert other.initialize() is True
        other.shutdown()
    finally:
        with PaperControl(str(path)) as control:
            control.admin("stop")
    assert not path.exists()


def test_initialize_relaunches_a_terminal_that_was_killed(folder: Path) -> None:
    """Dead terminal, -10002, initialize(): a new one with the same book, and no zombie left."""
    path = folder / "t.sock"
    client = connect(path, argv(path, "--state", str(folder / "book")))
    assert client.initialize() is True
    pids: list[int] = []
    try:
        for expected in (1, 2):
            with PaperControl(str(path)) as control:
                control.admin("market", open=True)
                pids.append(control.admin("pid"))
            assert client.order_send(buy()) is not None
            os.kill(pids[-1], signal.SIGKILL)
            while client.positions_total() is not None:
                pass
            assert client.last_error()[0] == -10002
            # A process that is still dying may take the connection and not answer it.
            while not client.initialize():
                assert client.last_error()[0] == -10002
            assert client.positions_total() == expected
        assert not Path(f"/proc/{pids[0]}").exists()
    finally:
        with PaperControl(str(path)) as control:
            control.admin("stop")
        client.shutdown()


def test_state_file_brings_positions_back_after_a_kill(folder: Path) -> None:
    """As the broker keeps positions when a terminal dies, so does --state."""
    path, state = folder / "t.sock", str(folder / "book")
    with running(path, "--state", state) as first:
        opened = first.mt5.order_send(buy())
        assert opened is not None
        first.process.kill()
        first.process.wait()
        with running(path, "--state", state) as second:
            held = second.mt5.positions_get()
            assert held is not None
            assert [position.ticket for position in held] == [opened.order]
            again = second.mt5.order_send(buy())
            assert again is not None
            assert again.order > opened.order


def test_hanging_call_blocks_its_caller_alone_until_it_is_ended(terminal: Running) -> None:
    """The caller waits without a time-out; another client works meanwhile."""
    terminal.control.admin("faults", plan={"rules": [{"name": "hang", "count": 1}]})
    answers: list[int] = []

    def call() -> None:
        result = terminal.mt5.order_send(buy())
        answers.append(0 if result is None else result.retcode)

    caller = threading.Thread(target=call)
    caller.start()
    other = terminal.client()
    while terminal.control.admin("counters")["firings"] == {}:
        pass
    assert other.positions_total() == 0
    assert caller.is_alive()
    assert terminal.control.admin("unhang") == 1
    caller.join(STUCK_S)
    assert answers != []


def test_hanging_terminal_blocks_everybody_but_the_admin(terminal: Running) -> None:
    """A terminal-wide hang holds every client's calls and answers them when it ends."""
    rule = {"name": "hang", "scope": "terminal", "on": ["account_info"], "count": 1}
    terminal.control.admin("faults", plan={"rules": [rule]})
    others = [terminal.client() for _ in range(2)]
    done: list[object] = []

    def read(other: PaperTerminal) -> None:
        done.append(other.positions_total())

    threads = [
        threading.Thread(target=lambda: done.append(terminal.mt5.account_info())),
        *(threading.Thread(target=read, args=(other,)) for other in others),
    ]
    threads[0].start()
    while terminal.control.admin("counters")["firings"] == {}:
        pass
    for thread in threads[1:]:
        thread.start()
    # Two round trips of the admin later nobody has an answer.
    terminal.control.admin("counters")
    terminal.control.admin("counters")
    assert done == []
    released = 0
    while released < len(threads):
        released += terminal.control.admin("unhang")
        if not any(thread.is_alive() for thread in threads):
            break
    for thread in threads:
        thread.join(STUCK_S)
    assert len(done) == len(threads)


def test_stopped_terminal_hangs_its_caller(terminal: Running) -> None:
    """SIGSTOP is the real hang: no answer, no error; SIGCONT and the call goes on."""
    os.kill(terminal.process.pid, signal.SIGSTOP)
    done: list[object] = []
    caller = threading.Thread(target=lambda: done.append(terminal.mt5.positions_total()))
    caller.start()
    caller.join(0.2)
    assert caller.is_alive()
    os.kill(terminal.process.pid, signal.SIGCONT)
    caller.join(STUCK_S)
    assert done == [0]


def test_holding_the_gil_stops_every_thread_of_the_client(terminal: Running) -> None:
    """As in the vendor's extension: during a call no other thread of the process runs.

    A thread counts while the main thread waits 300 ms in one call; with the lock held the count
    hardly moves, without it it does.
    """
    code = (
        "import sys, threading\n"
        "from pathlib import Path\n"
        "from tests.contract.paper_terminal import connect\n"
        "client = connect(Path(sys.argv[1]), hold_gil=sys.argv[2] == '1')\n"
        "assert client.initialize()\n"
        "count = [0]\n"
        "def work():\n"
        "    while True: count[0] += 1\n"
        "threading.Thread(target=work, daemon=True).start()\n"
        "before = count[0]\n"
        "client.account_info()\n"
        "print(count[0] - before)\n"
    )
    rule = {"name": "latency", "ms": 300, "on": ["account_info"]}
    terminal.control.admin("faults", plan={"rules": [rule]})
    counted: list[int] = []
    for hold in ("1", "0"):
        command = [sys.executable, "-c", code, str(terminal.socket), hold]
        done = run(command)
        assert done.returncode == 0, done.stderr
        counted.append(int(done.stdout))
    assert counted[0] * 2 < counted[1]


@pytest.mark.parametrize(
    ("name", "code", "executed", "lost"),
    [
        ("ipc_desync", -10000, 1, False),
        ("ipc_send", -10001, 0, False),
        ("ipc_recv", -10002, 1, True),
        ("ipc_connect", -10004, 0, True),
    ],
)
def test_pipe_faults_over_a_real_pipe(
    terminal: Running, name: str, code: int, executed: int, *, lost: bool
) -> None:
    """The client sees the code; the book says what really happened; a lost pipe needs a new one."""
    terminal.control.admin("faults", plan={"rules": [{"name": name, "count": 1}]})
    assert terminal.mt5.order_send(buy()) is None
    assert terminal.mt5.last_error()[0] == code
    if lost:
        assert terminal.mt5.positions_total() is None
        assert terminal.mt5.last_error()[0] == -10004
        assert terminal.mt5.initialize() is True
    assert terminal.mt5.positions_total() == executed


def test_late_fill_happens_without_anybody_asking(terminal: Running) -> None:
    """10008 over the process's own clock: the order leaves the list by itself."""
    rule = {"name": "placed_late_fill", "ms": 50, "count": 1}
    terminal.control.admin("faults", plan={"rules": [rule]})
    placed = terminal.mt5.order_send(buy())
    assert placed is not None
    assert placed.retcode == c.TRADE_RETCODE_PLACED
    while terminal.control.admin("dump")["orders"]:
        pass
    assert terminal.mt5.positions_total() == 1


def test_admin_lays_out_books_and_moves_money(terminal: Running) -> None:
    """open_book, deposit, withdraw, credit, market, autotrading, close, switches, audit, dump."""
    admin = terminal.control.admin
    made = admin(
        "open_book",
        positions=[
            {"symbol": "EURUSD", "side": "buy", "lots": 1.0, "price": 1.08, "magic": 7},
            {"symbol": "EURUSD", "side": "sell", "lots": 0.5, "swap": -3.0},
        ],
        orders=[{"symbol": "XAUUSD", "type": "buy_limit", "lots": 0.1, "price": 2_300.0}],
    )
    held = terminal.mt5.positions_get()
    orders = terminal.mt5.orders_get()
    assert held is not None
    assert orders is not None
    assert [position.ticket for position in held] == made["positions"]
    assert [order.ticket for order in orders] == made["orders"]
    assert (held[0].magic, held[0].price_open, held[1].swap) == (7, 1.08, -3.0)
    balance = admin("deposit", amount=1_000.0)["balance"]
    assert admin("withdraw", amount=400.0)["balance"] == balance - 400.0
    assert admin("credit", amount=50.0) == {"credit": 50.0}
    assert admin("autotrading", on=False) == {"on": False}
    refused = terminal.mt5.order_send(buy())
    assert refused is not None
    assert refused.retcode == c.TRADE_RETCODE_CLIENT_DISABLES_AT
    assert admin("autotrading", on=True) == {"on": True}
    assert admin("market", symbol="EURUSD", open=False)["closed"] == ["EURUSD"]
    refused = terminal.mt5.order_send(buy())
    assert refused is not None
    assert refused.retcode == c.TRADE_RETCODE_MARKET_CLOSED
    assert admin("close", ticket=made["positions"][1])["deal"] > 0
    assert admin("switches", values={"shift_s": 3_600})["shift_s"] == 3_600
    assert len(admin("audit")) == 2
    assert len(admin("dump")["positions"]) == 1
    assert admin("counters")["executed"] == 1
    assert admin("spec")["account"]["login"] == 5_000_001


@pytest.mark.parametrize(
    ("name", "params", "text"),
    [
        ("bogus", {}, "admin must be one of"),
        ("deposit", {}, "missing required field `amount`"),
        ("deposit", {"amount": "1"}, "$.amount"),
        ("faults", {"plan": {"rules": [{"name": "nope"}]}}, "$.plan.rules[0].name"),
        ("open_book", {"positions": [{"symbol": "X", "side": "buy", "lots": 1.0}]}, "symbol must"),
        ("switches", {"values": {"nope": 1}}, "must name fields"),
        ("close", {"ticket": 1}, "ticket must be an open position, was 1"),
        ("market", {"symbol": "NOPE"}, "symbol must be one of"),
    ],
)
def test_admin_refuses_with_a_sentence(
    terminal: Running, name: str, params: dict[str, object], text: str
) -> None:
    """Wrong admin requests are answered, not obeyed, and the process goes on."""
    with pytest.raises(ValueError, match=r".") as raised:
        terminal.control.admin(name, **params)
    assert text in str(raised.value)
    assert terminal.mt5.positions_total() == 0


def test_admin_family_is_not_on_the_surface(terminal: Running) -> None:
    """A call named like an admin request is an unsupported function, nothing more."""
    with socket.socket(socket.AF_UNIX) as stream:
        stream.connect(str(terminal.socket))
        stream.sendall(pack(RequestFrame(id=9, call="deposit", args=[1_000.0])))
        buffer = FrameBuffer()
        bodies: list[bytes] = []
        while not bodies:
            bodies = buffer.add(stream.recv(4_096))
    reply = unpack_reply(bodies[0])
    assert (reply.id, reply.code, reply.text) == (9, -7, "Terminal: Unsupported function")
    assert terminal.control.admin("dump")["balance"] == 100_000.0


@pytest.mark.parametrize(
    "garbage", [b"GET / HTTP/1.0\r\n\r\n", b"\xff" * 64, b"\x00\x00\x00\x01\xc1"]
)
def test_garbage_ends_its_own_connection_alone(terminal: Running, garbage: bytes) -> None:
    """A peer that talks nonsense is cut off; the others notice nothing."""
    with socket.socket(socket.AF_UNIX) as stream:
        stream.connect(str(terminal.socket))
        stream.sendall(garbage)
        assert stream.recv(100) == b""
    assert terminal.mt5.positions_total() == 0


@pytest.mark.parametrize(
    "values",
    [["x"] * 17, [1, 0, 0, "EURUSD", "1.0"], [-1.5], None, "text"],
)
def test_wrong_arguments_from_a_foreign_client_do_not_kill_the_process(
    terminal: Running, values: object
) -> None:
    """Our own client checks arguments first; a foreign one gets a failed call."""
    with socket.socket(socket.AF_UNIX) as stream:
        stream.connect(str(terminal.socket))
        for method in ("order_send", "order_check", "positions_get", "history_deals_get"):
            stream.sendall(pack(RequestFrame(id=1, call=method, args=[values])))
            buffer = FrameBuffer()
            bodies: list[bytes] = []
            while not bodies:
                bodies = buffer.add(stream.recv(4_096))
            assert unpack_reply(bodies[0]).code == -2
    assert terminal.mt5.positions_total() == 0


def refused(folder: Path, *more: str) -> "subprocess.CompletedProcess[bytes]":
    """Run a terminal that is expected to refuse to start."""
    return run(argv(folder / "t.sock", *more))


def test_second_terminal_on_a_socket_is_refused(terminal: Running, folder: Path) -> None:
    """Exit code 4 and one sentence; the first goes on."""
    second = refused(folder)
    assert second.returncode == 4
    assert b"already listens" in second.stderr
    assert terminal.mt5.positions_total() == 0


def test_socket_left_by_a_crash_is_taken_over(folder: Path) -> None:
    """A stale socket file does not keep the next terminal from starting."""
    with running(folder / "t.sock") as first:
        first.process.kill()
        first.process.wait()
        assert (folder / "t.sock").exists()
        with running(folder / "t.sock") as second:
            assert second.mt5.positions_total() == 0


def test_folder_open_to_others_is_refused(folder: Path) -> None:
    """Exit code 3: who can open the folder could trade."""
    folder.chmod(0o755)
    done = refused(folder)
    assert done.returncode == 3
    assert b"0700" in done.stderr


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", b"must be a paper spec"),
        ('{"accounts": {}}', b"accounts"),
        ('{"account": {"leverage": 0}}', b"$.account.leverage"),
        ('{"account": {"fifo_close": true, "margin_mode": 0}}', b"fifo_close"),
        ('{"symbols": [{"name": "A", "digits": 2}, {"name": "A", "digits": 2}]}', b"unique"),
    ],
)
def test_wrong_specs_are_refused_with_where_and_what(
    folder: Path, text: str, problem: bytes
) -> None:
    """Exit code 3 and a sentence with the key; never a traceback."""
    spec = folder / "spec.json"
    spec.write_text(text)
    done = refused(folder, "--spec", str(spec))
    assert done.returncode == 3
    assert problem in done.stderr
    assert b"Traceback" not in done.stderr
    assert refused(folder, "--spec", str(folder / "none.json")).returncode == 3


def test_spec_file_round_trip(folder: Path) -> None:
    """A dumped preset, edited as JSON, is what the terminal runs on."""
    plain = json.loads(dump_spec(presets.netting(("EURUSD",))))
    plain["account"]["login"] = 77
    spec = folder / "spec.json"
    spec.write_text(json.dumps(plain))
    with running(folder / "t.sock", "--spec", str(spec)) as terminal:
        account = terminal.mt5.account_info()
        assert account is not None
        assert (account.login, account.margin_mode) == (77, c.ACCOUNT_MARGIN_MODE_RETAIL_NETTING)
        assert terminal.mt5.symbols_total() == 1


def test_prices_from_a_seed_and_from_another_socket(folder: Path) -> None:
    """--prices synthetic ticks by itself; --prices unix: reads feed frames from a listener."""
    upstream = folder / "prices.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(upstream))
        listener.listen(1)
        with running(
            folder / "t.sock", "--prices", f"unix:{upstream}", "--prices", "synthetic:1:10"
        ) as terminal:
            stream, _ = listener.accept()
            with stream:
                stream.sendall(pack(RequestFrame(feed=[("EURUSD", 9.0, 9.1, 0)])))
                while terminal.control.admin("dump")["quotes"]["EURUSD"]["bid_high"] < 9.0:
                    pass
            while terminal.control.admin("counters")["ticks"] < 30:
                pass
    assert refused(folder, "--prices", "carrier-pigeon").returncode == 3


def test_term_ends_the_process_cleanly(terminal: Running) -> None:
    """SIGTERM: exit 0 and no socket left."""
    terminal.process.terminate()
    assert terminal.process.wait(STUCK_S) == 0
    assert not terminal.socket.exists()


def test_threads_of_one_client_do_not_mix_their_answers(terminal: Running) -> None:
    """Clients that call from worker threads get each their own answer, one after the other."""
    names = ("EURUSD", "GBPUSD", "USDJPY", "XAUUSD")
    wrong: list[object] = []

    def read(name: str) -> None:
        for _ in range(100):
            info = terminal.mt5.symbol_info(name)
            if info is None or info.name != name:
                wrong.append((name, info))

    threads = [threading.Thread(target=read, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(STUCK_S)
    assert wrong == []


def test_many_clients_and_a_large_list(terminal: Running) -> None:
    """20 clients at once read 2,000 positions: frames larger than any socket buffer."""
    book = [{"symbol": "EURUSD", "side": "buy", "lots": 0.01} for _ in range(2_000)]
    terminal.control.admin("open_book", positions=book)
    clients = [terminal.client() for _ in range(20)]
    counts: list[int] = []

    def read(index: int) -> None:
        found = clients[index].positions_get()
        counts.append(-1 if found is None else len(found))

    threads = [threading.Thread(target=read, args=(index,)) for index in range(len(clients))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(STUCK_S)
    assert counts == [2_000] * len(clients)


def test_import_needs_no_extension_no_uvloop_no_zmq_and_no_unix() -> None:
    """The package loads where there is neither fcntl nor Unix sockets, and drags nothing along."""
    code = (
        "import socket, sys\n"
        "sys.modules['fcntl'] = None\n"
        "del socket.AF_UNIX\n"
        "from edgeguard.broker.paper import local_terminal\n"
        "terminal, server = local_terminal()\n"
        "assert terminal.initialize() and terminal.positions_get() == ()\n"
        "heavy = {'uvloop', 'zmq', 'numpy', 'edgeguard._core', 'asyncio'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = run([sys.executable, "-c", code])
    assert done.returncode == 0, done.stderr.decode()
