"""House rules that no off-the-shelf linter knows; each failure names the way out."""

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILE_LINES_MAX, TEST_LINES_MAX, FUNCTION_LINES_MAX = 400, 600, 70
RUST_LINES_MAX = 600
UNFINISHED = re.compile(r"\b(" + "|".join(("TO" + "DO", "FIX" + "ME", "X" + "XX")) + r")\b")
REGISTRIES = re.compile("|".join(("py" + r"pi\.org", "python" + r"hosted\.", "crates" + r"\.io/")))
TEXT_SUFFIXES = {".py", ".pyi", ".rs", ".md", ".toml", ".yaml", ".yml", ".sh", ".txt", ".json"}


def tracked() -> list[Path]:
    """Return the files of the checkout that are not ignored."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],  # noqa: S607
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    return [ROOT / name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]


def python_files() -> list[Path]:
    return [path for path in tracked() if path.suffix == ".py"]


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def imports(path: Path) -> set[str]:
    """Return the modules that a file imports anywhere in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return found


def test_files_and_functions_stay_small() -> None:
    """A reader holds a page in mind: split the file into rooms, the function into steps."""
    faults: list[str] = []
    for path in python_files():
        text = path.read_text(encoding="utf-8")
        limit = TEST_LINES_MAX if name(path).startswith("tests/") else FILE_LINES_MAX
        if text.count("\n") > limit:
            faults.append(f"{name(path)} has {text.count(chr(10))} lines, at most {limit}")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                if length > FUNCTION_LINES_MAX:
                    faults.append(f"{name(path)}:{node.lineno} {node.name} has {length} lines")
    faults.extend(
        f"{name(path)} has more than {RUST_LINES_MAX} lines"
        for path in tracked()
        if path.suffix == ".rs" and path.read_text(encoding="utf-8").count("\n") > RUST_LINES_MAX
    )
    assert not faults, "\n".join(faults)


def test_nothing_is_left_unfinished() -> None:
    """What is not done is an issue, not a remark in the code."""
    faults = [
        f"{name(path)}:{number}: {line.strip()[:80]}"
        for path in tracked()
        if path.suffix in {".py", ".rs", ".toml"}
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if UNFINISHED.search(line)
    ]
    assert not faults, "\n".join(faults)


def test_no_file_names_a_registry_or_this_machine() -> None:
    """A clone builds anywhere: let the user's own configuration of pip and cargo say where from."""
    here = re.compile(re.escape(str(ROOT.parent)) + "/")
    faults = [
        name(path)
        for path in tracked()
        if path.suffix in TEXT_SUFFIXES or path.name in {"Makefile", "run"}
        for text in [path.read_text(encoding="utf-8", errors="replace")]
        if REGISTRIES.search(text) or here.search(text)
    ]
    assert not faults, "\n".join(faults)


def test_every_file_opens_with_what_it_is() -> None:
    """One sentence first: a reader should not have to guess."""
    faults = [
        name(path)
        for path in python_files()
        if path.read_text(encoding="utf-8").strip()
        and not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert not faults, "\n".join(faults)


def test_the_extension_has_few_doors() -> None:
    """The compiled half enters through edgeguard.engine, edgeguard.halt_page and the guard."""
    allowed = re.compile(r"edgeguard/(engine|halt_page)\.py|edgeguard/guard/\w+\.py")
    faults = [
        name(path)
        for path in python_files()
        if name(path).startswith("edgeguard/")
        and not allowed.fullmatch(name(path))
        and "edgeguard._core" in imports(path)
    ]
    assert not faults, f"import edgeguard.engine or edgeguard.halt_page instead: {faults}"


def test_the_cli_draws_and_the_rest_does_not() -> None:
    """`click` stays in the command line; `rich` there and in the demo's view."""
    faults = [
        name(path)
        for path in python_files()
        if name(path).startswith("edgeguard/")
        and not name(path).startswith(("edgeguard/cli/", "edgeguard/demo/view"))
        and any(module.split(".")[0] in {"click", "rich"} for module in imports(path))
    ]
    assert not faults, "\n".join(faults)


def test_tests_do_not_sleep() -> None:
    """Wait for what must happen, with a deadline, and never for a time to pass."""
    sleeps = {"time.sleep", "asyncio.sleep"}
    faults = [
        f"{name(path)}:{node.lineno}"
        for path in python_files()
        # A simulation sleeps on a clock of its own, which costs no time.
        if name(path).startswith("tests/") and not name(path).startswith("tests/sim/")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        # asyncio.sleep(0) lets others run and waits for nobody.
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) in sleeps
        and ast.unparse(node) != "asyncio.sleep(0)"
    ]
    assert not faults, "\n".join(faults)


def test_ci_calls_the_commands_of_the_readme() -> None:
    """One definition of clean: CI has no checks of its own."""
    ci = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    for target in ("make lint", "make test", "make demo", "make wheel-demo"):
        assert target in ci, f".ci/run must call {target}"
