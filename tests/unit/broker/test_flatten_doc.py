"""Every test that the table in docs/FLATTEN.md names exists, and every row names one."""

import re
from pathlib import Path

from tests.sim.flatten.plants import PLANTS

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs/FLATTEN.md").read_text(encoding="utf-8")
PLACES = {"U": "tests/unit/broker/planner", "F": "tests/process/test_broker_faults.py"}
NAME = re.compile(r"([UFS]) `(\w+)`|`(tests/[\w/]+\.py)::(\w+)`")
WEAK_POINTS = 15
"""Weak points of the tools that the table is about."""


def rows() -> list[str]:
    table = PAGE.split("| their weak point |", 1)[1].split("\n\n", 1)[0]
    return [line for line in table.splitlines()[2:] if line.startswith("|")]


def names_in(place: str) -> set[str]:
    path = ROOT / place
    files = [path] if path.is_file() else sorted(path.glob("test_*.py"))
    found = (
        re.findall(r"^(?:async )?def (test_\w+)", f.read_text(encoding="utf-8"), re.MULTILINE)
        for f in files
    )
    return {name for names in found for name in names}


def test_every_row_names_tests_that_exist() -> None:
    assert len(rows()) >= WEAK_POINTS
    for row in rows():
        named = NAME.findall(row)
        assert named, row
        for kind, name, file, test in named:
            if kind == "S":
                assert name in PLANTS, row
            else:
                assert (name or test) in names_in(file or PLACES[kind]), row


def test_no_name_in_the_page_is_made_up() -> None:
    everywhere = {name for path in ROOT.glob("tests/**/test_*.py") for name in names_in(str(path))}
    assert set(re.findall(r"`(?:[\w/]+\.py::)?(test_\w+)`", PAGE)) <= everywhere
