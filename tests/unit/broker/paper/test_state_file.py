"""The saved book: whatever moment a kill comes at, what is read back is a state that once was."""

from pathlib import Path

import msgspec
import pytest

from edgeguard.broker.paper import PaperServer, presets
from edgeguard.broker.paper import constants as c
from edgeguard.broker.paper.state_file import StateFile
from edgeguard.errors import ConfigError
from tests.unit.broker.paper.bench import Bench


def played(state: StateFile) -> tuple[Bench, list[bytes]]:
    """Trade a little, saving after each step; return the bench and every state it went through."""
    bench = Bench(presets.hedging())
    states: list[bytes] = []
    for step in range(12):
        if step % 3 == 2:
            bench.close(bench.positions()[0])
        elif step % 3 == 1:
            bench.place(c.ORDER_TYPE_BUY_LIMIT, 0.1, 1.08)
        else:
            bench.buy(0.1 * (step + 1))
        state.save(bench.server.book)
        states.append(msgspec.msgpack.encode(bench.server.book))
    return bench, states


def test_saved_book_comes_back_whole(tmp_path: Path) -> None:
    """Money, positions, orders, history and counters: byte for byte."""
    bench, states = played(StateFile(tmp_path / "book"))
    again = StateFile(tmp_path / "book").load()
    assert again is not None
    assert msgspec.msgpack.encode(again) == states[-1]
    server = PaperServer(presets.hedging(), bench.now_ns, again)
    assert server.book.next_order == bench.server.book.next_order


def test_nothing_saved_is_no_book(tmp_path: Path) -> None:
    """A missing file is a fresh start, also where a history was left over."""
    (tmp_path / "book.history").write_bytes(b"left over")
    assert StateFile(tmp_path / "book").load() is None
    assert not (tmp_path / "book.history").exists()


def test_kill_between_the_two_files_loses_only_the_unsaved_step(tmp_path: Path) -> None:
    """History is written first: with the book one step behind, its extra records are cut."""
    state = StateFile(tmp_path / "book")
    bench, states = played(state)
    before = (tmp_path / "book").read_bytes()
    bench.buy(0.5)
    state.save(bench.server.book)
    (tmp_path / "book").write_bytes(before)
    again = StateFile(tmp_path / "book")
    book = again.load()
    assert book is not None
    assert msgspec.msgpack.encode(book) == states[-1]
    server = PaperServer(presets.hedging(), bench.now_ns, book)
    again.save(server.book)
    reread = StateFile(tmp_path / "book").load()
    assert msgspec.msgpack.encode(reread) == msgspec.msgpack.encode(server.book)


def test_record_cut_anywhere_is_dropped(tmp_path: Path) -> None:
    """A half-written record at the end is no error: everything before it is read."""
    played(StateFile(tmp_path / "book"))
    whole = (tmp_path / "book.history").read_bytes()
    sizes: set[int] = set()
    for cut in range(len(whole) - 40, len(whole)):
        (tmp_path / "book.history").write_bytes(whole[:cut])
        book = StateFile(tmp_path / "book").load()
        assert book is not None
        sizes.add(len(book.deals) + len(book.orders_done))
    assert len(sizes) <= 2


@pytest.mark.parametrize("name", ["book", "book.history"])
def test_foreign_files_are_refused(tmp_path: Path, name: str) -> None:
    """A file that is no saved book is a configuration error, never overwritten."""
    played(StateFile(tmp_path / "book"))
    (tmp_path / name).write_bytes(b"\x00\x00\x00\x03abc nonsense")
    with pytest.raises(ConfigError, match="--state must be a saved paper book"):
        StateFile(tmp_path / "book").load()


def test_price_moves_alone_write_nothing(tmp_path: Path) -> None:
    """Ticks change marks, not the book that matters after a restart."""
    state = StateFile(tmp_path / "book")
    bench, _ = played(state)
    stamp = (tmp_path / "book").stat().st_ino
    bench.tick("EURUSD", 1.09, 1.09006)
    state.save(bench.server.book)
    assert (tmp_path / "book").stat().st_ino == stamp
    bench.buy(0.1)
    state.save(bench.server.book)
    assert (tmp_path / "book").stat().st_ino != stamp
