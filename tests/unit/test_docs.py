"""The pages name tests, promises and attacks; each must be there and carry its name."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
TEST_FILE = r"(?:tests|core_rs/tests|sim/tests)/[\w/]+\.(?:py|rs)"
CATALOGUE = [
    *(f"I{number}" for number in range(1, 11)),
    *(f"H{number}" for number in range(1, 12)),
    *(f"N{number}" for number in range(1, 9)),
]
ATTACKS_MIN = 50


def read(page: str) -> str:
    return (DOCS / page).read_text(encoding="utf-8")


@pytest.mark.parametrize("page", ["PROMISES.md", "SECURITY.md", "FAULTS.md"])
def test_every_test_named_on_a_page_exists(page: str) -> None:
    """A page that names a test which is not there promises nothing."""
    faults: list[str] = []
    for file, name in re.findall(rf"({TEST_FILE})(?:::(\w+))?", read(page)):
        path = ROOT / file
        if not path.is_file():
            faults.append(file)
        elif name and not re.search(rf"\b(?:def|fn) {name}\(", path.read_text(encoding="utf-8")):
            faults.append(f"{file}::{name}")
    assert not faults, faults


def test_every_promise_is_carried_by_the_files_that_hold_it() -> None:
    """Each promise names its tests, and each of those files carries the promise's id."""
    promises = re.findall(r"- \*\*(P\d+) .*?(?=\n- \*\*P|\n## |\Z)", read("PROMISES.md"), re.DOTALL)
    blocks = re.split(r"\n(?=- \*\*P\d+ )", read("PROMISES.md"))[1:]
    assert promises == [f"P{number}" for number in range(1, 25)]
    faults: list[str] = []
    for promise, block in zip(promises, blocks, strict=True):
        files = re.findall(TEST_FILE, block.split("\n## ")[0])
        if not files:
            faults.append(f"{promise} names no test")
        faults += [
            f"{file} does not carry {promise}"
            for file in files
            if promise not in carried((ROOT / file).read_text(encoding="utf-8"))
        ]
    assert not faults, faults


def carried(text: str) -> set[str]:
    """Return the ids of the promises in a text; `P1-P4` stands for all four."""
    found: set[str] = set()
    for first, last in re.findall(r"\bP(\d+)(?:-P(\d+))?\b", text):
        found |= {f"P{number}" for number in range(int(first), int(last or first) + 1)}
    return found


def test_table_of_attacks_is_whole() -> None:
    """At least fifty attacks, each with an id of its own and a test that carries it out."""
    rows = re.findall(r"^\| (A-[A-Z]+-\d+) \|(.*)\|$", read("SECURITY.md"), re.MULTILINE)
    names = [name for name, _ in rows]
    assert len(names) == len(set(names)) >= ATTACKS_MIN
    assert not [name for name, row in rows if not re.search(rf"`{TEST_FILE}::\w+`", row)]


def test_ids_of_attacks_in_tests_are_those_of_the_table() -> None:
    """A test that says which attack it carries out is the one that the table names."""
    table = dict(
        re.findall(
            rf"^\| (A-[A-Z]+-\d+) \|.*`({TEST_FILE})::\w+` \|$", read("SECURITY.md"), re.MULTILINE
        )
    )
    faults: list[str] = []
    for path in (ROOT / "tests").rglob("test_*.py"):
        file = path.relative_to(ROOT).as_posix()
        named = re.findall(r"\b(A-[A-Z]+-\d+)\b", path.read_text(encoding="utf-8"))
        faults += [f"{file}: {name}" for name in named if name not in table]
    assert not faults, faults


def test_catalogue_of_faults_is_whole() -> None:
    """Every fault of inputs, processes, host and network has its row, with a test or a reason."""
    rows = dict(re.findall(r"^\| ([IHN]\d+) \|.*\| ([^|]*) \|$", read("FAULTS.md"), re.MULTILINE))
    assert list(rows) == CATALOGUE
    bare = [name for name, tests in rows.items() if not re.search(TEST_FILE + r"|\bsim\b", tests)]
    assert not bare, bare
