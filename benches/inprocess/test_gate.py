"""A gate's check, as an engine calls it before each order; the loop around it counts too."""

from __future__ import annotations

from collections.abc import Callable
from itertools import repeat
from pathlib import Path

from edgeguard import halt_page
from edgeguard.gate import Gate

Measure = Callable[[Callable[[], None], int], None]
TIMES = 2000


def test_check(page: Path, measure: Measure) -> None:
    check = Gate(page, account="A").check
    assert check()

    def work() -> None:
        for _ in repeat(None, TIMES):
            check()

    measure(work, TIMES)


def test_check_with_scope_and_permit(page: Path, measure: Measure) -> None:
    require = Gate(page, account="A").require
    assert require("EURUSD", "trend")

    def work() -> None:
        for _ in repeat(None, TIMES):
            require("EURUSD", "trend")

    measure(work, TIMES)


def test_extension_alone(page: Path, measure: Measure) -> None:
    check = halt_page.reader(page, "A").check
    assert check() == halt_page.C_OPEN

    def work() -> None:
        for _ in repeat(None, TIMES):
            check()

    measure(work, TIMES)


def test_without_the_extension(page: Path, measure: Measure) -> None:
    check = halt_page.PurePageReader(page, "A").check
    assert check() == halt_page.C_OPEN

    def work() -> None:
        for _ in repeat(None, TIMES):
            check()

    measure(work, TIMES)


def test_empty_loop(measure: Measure) -> None:
    def nothing() -> None:
        return None

    def work() -> None:
        for _ in repeat(None, TIMES):
            nothing()

    measure(work, TIMES)
