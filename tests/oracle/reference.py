"""Replay by brute force: the exact decision lines that TRIGGERS.md asks for."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.oracle.account import Account
from tests.oracle.coverage import reached
from tests.oracle.errors import BadConfig, Refused, Unreadable
from tests.oracle.events import AccountLine, Event, Tick, parse_event
from tests.oracle.inputs import Record, merged, parse_spec
from tests.oracle.lines import Line, Origin, text
from tests.oracle.settings import load


class Replay:
    """All accounts on one clock."""

    def __init__(self, config_path: Path) -> None:
        settings = load(config_path)
        self.config_hash = settings.config_hash
        self.accounts = [Account(settings, account) for account in settings.accounts]
        self.ids = {account.id for account in self.accounts}
        self.index = 0
        self.now: int | None = None
        self.highest_seq: dict[tuple[type[Event], str | None, str | None], int] = {}
        self.halted: set[str] = set()
        self.has_account_lines = False

    def step(self, record: Record) -> Iterator[str]:
        """Run the deadlines due by a record's time, then the record."""
        event = self._read(record)
        self.index += 1
        origin = Origin(self.index, record.file, record.line)
        yield from self._advance(record.t_ns, origin)
        if self._is_repeated(event):
            reached("seq_ignored")
            return
        self.has_account_lines |= isinstance(event, AccountLine)
        for account in self._concerned(event):
            for line in account.handle(record.t_ns, event, is_spec=record.is_spec):
                yield self._text(line, record.t_ns, account, origin)

    def _read(self, record: Record) -> Event:
        if record.problem is not None:
            raise Unreadable(record.file, record.line, record.problem)
        try:
            event = parse_event(record.fields)
        except Refused as error:
            raise Unreadable(record.file, record.line, str(error)) from error
        if event.account is not None and event.account not in self.ids:
            problem = f"account must be in the configuration, was {event.account!r}"
            raise Unreadable(record.file, record.line, problem)
        return event

    def _advance(self, t_ns: int, origin: Origin) -> Iterator[str]:
        """Move the clock, instant by instant."""
        if self.now is None:
            for account in self.accounts:
                account.start(t_ns)
        elif self.now == t_ns:
            reached("equal_times")
        self.now = t_ns
        while (time := min(account.next_due() for account in self.accounts)) <= t_ns:
            for account in self.accounts:
                if time == t_ns and account.rollover_ns == time:
                    reached("rollover_at_event")
                for line in account.advance(time):
                    reached("deadline_line")
                    yield self._text(line, time, account, origin)

    def _is_repeated(self, event: Event) -> bool:
        """Tell whether a line repeats or goes below a sequence number of its kind."""
        if event.seq is None:
            return False
        key = (type(event), event.account, event.source)
        if key in self.highest_seq and event.seq <= self.highest_seq[key]:
            return True
        self.highest_seq[key] = event.seq
        return False

    def _concerned(self, event: Event) -> list[Account]:
        if event.account is not None:
            return [account for account in self.accounts if account.id == event.account]
        if not isinstance(event, Tick):
            return self.accounts[:0]
        if len(self.accounts) > 1:
            reached("tick_for_every_account")
        return self.accounts

    def _text(self, line: Line, t_ns: int, account: Account, origin: Origin) -> str:
        if account.id in self.halted:
            reached("line_on_halted_account")
        if line.action == "halt":
            self.halted.add(account.id)
        return text(line, t_ns, account.id, origin, self.config_hash)


def replay(
    config_path: Path, tick_specs: Sequence[str] = (), tapes: Sequence[Path] = ()
) -> Iterator[str]:
    """Yield the decision lines; raise BadConfig (exit 3) or Unreadable (exit 6)."""
    try:
        run = Replay(config_path)
        for record in merged([parse_spec(spec) for spec in tick_specs], list(tapes)):
            yield from run.step(record)
    except (BadConfig, Refused) as error:
        reached("exit_3")
        raise error if isinstance(error, BadConfig) else BadConfig(str(error)) from error
    except Unreadable:
        reached("exit_6")
        raise
    if not run.has_account_lines:
        reached("no_account_lines")
