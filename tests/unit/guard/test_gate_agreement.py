"""One gate in three languages: the extension's, the plain Python one and the C header's agree."""

from __future__ import annotations

import random
import shutil
import subprocess
from collections.abc import AsyncGenerator, Callable, Generator
from enum import Enum
from pathlib import Path
from typing import cast

import pytest

from edgeguard import halt_page
from edgeguard.clock import SystemClock
from edgeguard.gate import Gate, GateClosedError, Permit, Refusal
from tests.unit.guard.test_halt_page import LEASE_NS, Page

ROOT = Path(__file__).parents[3]
PAGES = 500
CHECKS = 10


class NativeC:
    """The C header's gate, in a process that is told what to do."""

    def __init__(self, folder: Path) -> None:
        program = folder / "halt_page"
        compiler = shutil.which("cc")
        assert compiler is not None, "cc is needed, as it is for the Rust toolchain"
        flags = ("-std=c11", "-O2", "-Wall", "-Wextra", "-Werror", f"-I{ROOT / 'include'}")
        source = ROOT / "tests" / "native" / "halt_page.c"
        subprocess.run([compiler, *flags, "-o", program, source], check=True)  # noqa: S603
        self._process = subprocess.Popen(  # noqa: S603
            [program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )

    def ask(self, *words: str) -> str:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(" ".join(words) + "\n")
        return self._process.stdout.readline().strip()

    def close(self) -> None:
        self._process.communicate()
        assert self._process.returncode == 0


@pytest.fixture
def in_c(tmp_path: Path) -> Generator[NativeC]:
    """The compiled program, running."""
    program = NativeC(tmp_path)
    yield program
    program.close()


class Gates:
    """A gate of each language on one page."""

    def __init__(self, page: Page, in_c: NativeC) -> None:
        self.native = Gate(page.path, "A")
        self.pure = Gate(page.path, "A", clock=SystemClock())
        self.in_c = in_c
        assert "check" in vars(self.native), "the extension answers by itself"
        assert "check" not in vars(self.pure)
        assert in_c.ask("open", str(page.path), "A") == "opened"

    def texts(self, symbol: str | None, strategy: str | None) -> set[str]:
        """Return the whole answers in Python."""
        return {str(gate.check(symbol, strategy)) for gate in (self.native, self.pure)}

    def codes(self, symbol: str | None, strategy: str | None) -> set[str]:
        """Return every language's code; one if they agree."""
        found = {code_of(gate.check(symbol, strategy)) for gate in (self.native, self.pure)}
        scopes = [f"symbol:{symbol}"] if symbol is not None else []
        scopes += [f"strategy:{strategy}"] if strategy is not None else []
        return found | {self.in_c.ask("check", *scopes)}


def code_of(answer: Permit | Refusal) -> str:
    """Return an answer's code, OPEN for a permit."""
    return answer.code if isinstance(answer, Refusal) else "OPEN"


def spoil(page: Page, dice: random.Random) -> None:
    """Change a page as an honest writer, a hostile one or a clock would."""
    hashes = [halt_page.hash_word(text) for text in ("H1", "H2", "symbol:EURUSD", "strategy:X")]
    places = [
        *(halt_page.W_MAGIC, halt_page.W_LEASE, halt_page.W_STATE, halt_page.W_BEAT),
        *(halt_page.W_HALT, halt_page.W_STREAK, halt_page.W_MANUAL),
        *range(halt_page.W_RESUMED, halt_page.W_RESUMED + 4),
        *range(halt_page.W_SCOPES, halt_page.W_SCOPES + 8),
    ]
    page.poke(halt_page.W_MAGIC, halt_page.MAGIC)
    page.poke(halt_page.W_MANUAL, 0)
    page.poke(halt_page.W_BEAT, SystemClock().boot_ns())
    for _ in range(dice.randint(0, 3)):
        word = dice.choice([0, 1, 2, 3, 4, 2 | 1 << 24, 2 | 8 << 24, 2**64 - 1, *hashes])
        place = dice.choice(places)
        # A lease of milliseconds may end between two gates' looks, and both would be right.
        if place != halt_page.W_LEASE or word in {0, 1, 2, 3, 4, 2**64 - 1}:
            page.poke(place, word)


def test_gates_agree_on_random_pages(tmp_path: Path, in_c: NativeC) -> None:
    """H10, P22: 5,000 checks of spoiled pages, with and without scopes; one answer each."""
    dice = random.Random(5)
    seen: set[str] = set()
    page = Page(tmp_path)
    for number in range(PAGES):
        # New gates and sane words, since a latched halt would hide every other branch.
        renew(page)
        gates = Gates(page, in_c)
        for _ in range(CHECKS):
            spoil(page, dice)
            asked = dice.choice([None, "EURUSD", "XAUUSD"]), dice.choice([None, "X", "Y"])
            codes = gates.codes(*asked)
            assert len(codes) == 1, (number, asked, codes)
            if "OPEN" not in codes:
                assert len(gates.texts(*asked)) == 1
            seen |= codes
        gates.native.close()
        gates.pure.close()
    assert seen == set(halt_page.CODES) - {"WRONG_ACCOUNT"}


def renew(page: Page) -> None:
    """Give a page its sane words back."""
    page.poke(halt_page.W_LEASE, LEASE_NS)
    end = halt_page.W_SCOPES + 2 * halt_page.SCOPES_MAX
    with page.path.open("r+b") as file:
        file.seek(8 * halt_page.W_RESUMED)
        file.write(bytes(8 * (end - halt_page.W_RESUMED)))
    page.state("ACTIVE")
    page.poke(halt_page.W_STREAK, 3)


def _absent(page: Page) -> None:
    page.path.unlink()


def _other_boot(page: Page) -> None:
    page.poke(halt_page.W_BOOT, 1)


def _other_account(page: Page) -> None:
    page.poke(halt_page.W_ACCOUNT, 1)


def _public(page: Page) -> None:
    page.path.chmod(0o604)


def _linked(page: Page) -> None:
    page.path.rename(page.path.with_name("elsewhere"))
    page.path.symlink_to(page.path.with_name("elsewhere"))


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (_absent, "MISSING"),
        (_other_boot, "MISSING"),
        (_other_account, "WRONG_ACCOUNT"),
        (_public, "MISSING"),
        (_linked, "MISSING"),
    ],
)
def test_gates_agree_on_what_is_no_page(
    tmp_path: Path, in_c: NativeC, change: Callable[[Page], None], code: str
) -> None:
    """H10: absence, another boot or account, a public file and a link are refused in three ways."""
    page = Page(tmp_path)
    change(page)
    gates = Gates(page, in_c)
    assert gates.codes(None, None) == {code}
    assert gates.codes("EURUSD", "X") == {code}


def test_each_scope_is_latched_though_another_is_closed(tmp_path: Path, in_c: NativeC) -> None:
    """P1: two halted scopes asked for at once are both remembered when the table forgets them."""
    page = Page(tmp_path)
    gates = Gates(page, in_c)
    page.writer.set_scope("symbol:EURUSD", (4, 0, 0, 0, 1))
    page.writer.set_scope("strategy:X", (4, 0, 0, 0, 1))
    assert gates.codes("EURUSD", "X") == {"SCOPE"}
    for index in range(halt_page.W_SCOPES, halt_page.W_SCOPES + 4):
        page.poke(index, 0)
    assert gates.codes("EURUSD", None) == {"SCOPE"}
    assert gates.codes(None, "X") == {"SCOPE"}
    assert gates.codes(None, None) == {"OPEN"}


class Pair(str, Enum):  # noqa: UP042  # a StrEnum prints as its text, this one does not
    """Symbols as many engines write them."""

    EURUSD = "EURUSD"


def test_scope_names_are_judged_by_their_text(tmp_path: Path) -> None:
    """A name is what its text is, whichever object carries it; what is no text is refused."""
    page = Page(tmp_path)
    page.writer.set_scope("symbol:EURUSD", (3, 0, 0, 0, 1))
    for gate in (Gate(page.path, "A"), Gate(page.path, "A", clock=SystemClock())):
        for name in ("EURUSD", "EURUSD.m".removesuffix(".m"), Pair.EURUSD):
            assert code_of(gate.check(name)) == "SCOPE"
            assert code_of(gate.check(symbol=name, strategy="X")) == "SCOPE"
        assert gate.check(strategy="EURUSD")
        # More names than either keeps by address, asked for twice.
        for number in [*range(200), *range(200)]:
            assert gate.check(f"S{number}")
        for wrong in (5, b"EURUSD", ["EURUSD"], "\ud800"):
            answer = gate.check(cast("str", wrong))
            assert isinstance(answer, Refusal)
            assert answer.code == "MISSING"
            assert "the check itself failed" in answer.why


def test_generators_are_not_guarded(tmp_path: Path) -> None:
    """P4: their bodies would run with a permit of long ago."""

    def orders() -> Generator[str]:
        yield "buy"

    async def more() -> AsyncGenerator[str]:
        yield "buy"

    with Gate(tmp_path, "A") as gate:
        for function in (orders, more):
            with pytest.raises(TypeError, match=r"ask gate\.require\(\) inside it"):
                gate.guards()(function)


def test_require_raises_the_refusal(tmp_path: Path) -> None:
    """`require` returns the permit or raises the refusal, by the extension and without."""
    page = Page(tmp_path)
    for gate in (Gate(page.path, "A"), Gate(page.path, "A", clock=SystemClock())):
        assert isinstance(gate.require("EURUSD", "X"), Permit)
    page.state("PAUSED")
    for gate in (Gate(page.path, "A"), Gate(page.path, "A", clock=SystemClock())):
        with pytest.raises(GateClosedError, match="PAUSED") as caught:
            gate.require(symbol="EURUSD")
        assert caught.value.refusal.code == "PAUSED"


def test_closed_gate_refuses_for_good(tmp_path: Path) -> None:
    """A gate that its owner closed refuses, also by what was the extension's method."""
    gate = Gate(Page(tmp_path).path, "A")
    assert gate.check()
    gate.close()
    assert not gate.check()
    with pytest.raises(GateClosedError, match="closed by its owner"):
        gate.require()


def test_subclass_that_asks_more_keeps_its_say(tmp_path: Path) -> None:
    """The extension's methods stand in for `Gate`'s own, never for those of a stricter class."""

    class Strict(Gate):
        def check(self, symbol: str | None = None, strategy: str | None = None) -> Permit | Refusal:
            answer = super().check(symbol, strategy)
            return answer if symbol != "XAUUSD" else Refusal(self.account, "SCOPE", "not here")

    gate = Strict(Page(tmp_path).path, "A")
    assert gate.check("EURUSD")
    assert not gate.check("XAUUSD")
    with pytest.raises(GateClosedError):
        gate.require("XAUUSD")
