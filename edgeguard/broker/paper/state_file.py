"""Keep a paper book in two files, so that a killed terminal comes back with its positions.

The real broker keeps positions when a terminal dies; these files do that for the paper one. What
changes often (money, positions, orders, counters) is written whole and atomically; deals and
finished orders are only ever added to a history file, before that. Nothing is synced to disk: a
killed process loses nothing, a power cut may.
"""

from pathlib import Path
from typing import Any, Final

import msgspec

from edgeguard.broker.paper.state import Book, Deal, Order
from edgeguard.broker.paper.wire import LENGTH, FrameBuffer, FrameError
from edgeguard.errors import ConfigError

_Entry = tuple[str, Any]
_KINDS: Final[dict[str, type[Deal | Order]]] = {"deal": Deal, "order": Order}
_UNREADABLE: Final = (msgspec.DecodeError, msgspec.ValidationError, FrameError, ValueError)


class StateFile:
    """A book's place on disk."""

    def __init__(self, path: Path) -> None:
        """Take where to save; nothing is read or written yet."""
        self._path = path
        self._history = path.with_name(path.name + ".history")
        self._mark: object = None
        self._deals_saved = 0
        self._orders_saved = 0

    def load(self) -> Book | None:
        """Return the saved book, None when there is none.

        Raises:
            ConfigError: The files are not a saved book.
        """
        try:
            book = msgspec.msgpack.decode(self._path.read_bytes(), type=Book)
            self._read_history(book)
        except FileNotFoundError:
            self._history.unlink(missing_ok=True)
            return None
        except _UNREADABLE as error:
            raise ConfigError(f"--state must be a saved paper book: {error}") from error
        self._deals_saved = len(book.deals)
        self._orders_saved = len(book.orders_done)
        return book

    def _read_history(self, book: Book) -> None:
        """Fill a book's history; what was added after the book was saved never happened.

        The file is cut there, and also at a record that a kill left half written.
        """
        if not self._history.exists():
            return
        good = 0
        for body in FrameBuffer().add(self._history.read_bytes()):
            kind, plain = msgspec.msgpack.decode(body, type=_Entry)
            entry = msgspec.convert(plain, _KINDS[kind])
            if isinstance(entry, Deal):
                if entry.ticket >= book.next_deal:
                    break
                book.deals[entry.ticket] = entry
            else:
                if entry.ticket >= book.next_order or entry.ticket in book.orders:
                    break
                book.orders_done[entry.ticket] = entry
            good += LENGTH.size + len(body)
        with self._history.open("r+b") as history:
            history.truncate(good)

    def save(self, book: Book) -> None:
        """Write the book if anything but prices changed since the last time."""
        mark = (
            *(book.next_order, book.next_deal, book.next_request),
            *(book.balance, book.credit, book.day, len(book.later)),
            tuple((order.ticket, order.type) for order in book.orders.values()),
            msgspec.msgpack.encode(book.switches),
        )
        if mark == self._mark:
            return
        self._add_history(book)
        # A copy without its history: the fields are shared, none is changed.
        hot = msgspec.structs.replace(book, deals={}, orders_done={})
        fresh = self._path.with_name(self._path.name + ".new")
        fresh.write_bytes(msgspec.msgpack.encode(hot))
        fresh.replace(self._path)
        self._mark = mark

    def _add_history(self, book: Book) -> None:
        """Append the deals and finished orders that are new since the last time."""
        deals = _newest(book.deals, len(book.deals) - self._deals_saved)
        orders = _newest(book.orders_done, len(book.orders_done) - self._orders_saved)
        records = [("deal", deal) for deal in deals] + [("order", order) for order in orders]
        if records:
            bodies = [msgspec.msgpack.encode(record) for record in records]
            with self._history.open("ab") as history:
                history.write(b"".join(LENGTH.pack(len(body)) + body for body in bodies))
        self._deals_saved = len(book.deals)
        self._orders_saved = len(book.orders_done)


def _newest(entries: dict[int, Any], count: int) -> list[Any]:
    """Return the last so many values of a dict that only grows, oldest first."""
    newest: list[Any] = []
    for entry in reversed(entries.values()):
        if len(newest) >= count:
            break
        newest.append(entry)
    newest.reverse()
    return newest
