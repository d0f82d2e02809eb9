"""Prove the pure wheel in a clean environment: `python -m tests.e2e.pure_wheel WHEEL`.

A new virtual environment gets the wheel and its locked requirements, nothing else; what it runs
starts elsewhere, so that neither the repository nor its extension is in sight.
"""
# ruff: noqa: T201 - a command that prints

from __future__ import annotations

import subprocess
import sys
import tempfile
import venv
from pathlib import Path

from edgeguard import halt_page
from edgeguard.clock import NS_PER_S, SystemClock

ROOT = Path(__file__).parents[2]
GUARD_ONLY = ("apsw", "uvloop")
NEEDS_EXTENSION = ("up", "guard", "demo", "replay", "journal")
WITHOUT = ("broker", "halt", "status", "check", "config", "keys")
GATE = """
import sys
from edgeguard import Gate, Reporter
assert Reporter.__module__ == "edgeguard.reporter"
answer = Gate(sys.argv[1], account="A").check()
print("OPEN" if answer else answer.code)
"""


def requirements() -> str:
    """Return the locked requirements without those of the guard alone."""
    blocks: list[str] = []
    for line in (ROOT / "requirements" / "runtime.txt").read_text().splitlines(keepends=True):
        if line[0].isspace():
            blocks[-1] += line
        else:
            blocks.append(line)
    return "".join(block for block in blocks if not block.startswith(GUARD_ONLY))


def install(folder: Path, wheel: Path) -> Path:
    """Make the environment and return its interpreter."""
    venv.create(folder / "venv", with_pip=True)
    (folder / "locked.txt").write_text(requirements())
    python = folder / "venv" / "bin" / "python"
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "--require-hashes", "-r", "locked.txt"], cwd=folder, check=True)  # noqa: S603
    subprocess.run([*pip, "--no-deps", "--no-index", str(wheel)], cwd=folder, check=True)  # noqa: S603
    subprocess.run([str(python), "-m", "pip", "check"], cwd=folder, check=True)  # noqa: S603
    return python


def run(python: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the clean interpreter, isolated from this one's paths, to its end."""
    command = [str(python), "-I", *arguments]
    return subprocess.run(  # noqa: S603
        command, cwd=folder, capture_output=True, text=True, check=False, timeout=120
    )


def gates(python: Path, folder: Path) -> None:
    """Hold the gate without the extension to a page that the extension writes."""
    place = folder / "run"
    place.mkdir(mode=0o700)

    def code() -> str:
        done = run(python, folder, "-c", GATE, str(place))
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    seen = [code()]
    writer = halt_page.writer(place / "halt.A", "A", 50 * NS_PER_S, 1)
    states = ("ACTIVE", "PAUSED", "HALTED")
    for number, name in enumerate(states, 1):
        writer.set_state((halt_page.STATE_BYTES.index(name), 0, 0, 0, number), "h1")
        for _ in range(halt_page.STREAK_MIN):
            writer.beat(SystemClock().boot_ns())
        seen.append(code())
    assert seen == ["MISSING", "OPEN", "PAUSED", "HALTED"], seen
    print(f"   gate without the extension: {' '.join(seen)}")


def commands(python: Path, folder: Path) -> None:
    """Hold what works, and what needs the extension, to their words."""
    for words in (["--version"], ["--help"], *([name, "--help"] for name in WITHOUT)):
        done = run(python, folder, "-m", "edgeguard", *words)
        assert done.returncode == 0, done.stderr
    said = ""
    for name in NEEDS_EXTENSION:
        done = run(python, folder, "-m", "edgeguard", name)
        assert done.returncode == 3, (name, done)
        assert len(done.stderr.splitlines()) == 1, done.stderr
        assert "extension" in done.stderr, done.stderr
        said = done.stderr.strip()
    print(f"   {', '.join(NEEDS_EXTENSION)}: {said}")


def main(wheel: Path) -> int:
    with tempfile.TemporaryDirectory(prefix="egw") as name:
        folder = Path(name)
        python = install(folder, wheel.resolve())
        commands(python, folder)
        gates(python, folder)
        desk = ROOT / "tests" / "e2e" / "pure_desk.py"
        done = run(python, folder, str(desk), str(folder))
        print(done.stdout, end="")
        assert done.returncode == 0, done.stderr
    print(f"{wheel.name} works without the extension")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
