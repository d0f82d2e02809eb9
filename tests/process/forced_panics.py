"""An EdgeGuard whose extension panics for real in the call that the environment names.

`cargo build --features forced-panics`, and a copy of the package by links with that extension. The
shipped one has no such code (`bindings/src/panics.rs`).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.process.guard_rig import ROOT

EXTENSION = "_core.abi3.so"


def panicking_package(folder: Path) -> Path:
    """Build the extension and return a directory to import such an `edgeguard` from.

    Skips the test where there is no cargo.
    """
    cargo = shutil.which("cargo")
    if cargo is None or not (ROOT / "Cargo.toml").exists():
        pytest.skip("an extension that panics must be built: cargo and the sources are needed")
    # Into the tests' own directory and profile: what `cargo test` has built of it is not built
    # again. The shipped extension is of another profile and never comes from there.
    command = "build -p edgeguard-py --features forced-panics --locked --quiet --target-dir target"
    subprocess.run([cargo, *command.split()], cwd=ROOT, check=True)  # noqa: S603  # our own
    package = folder / "edgeguard"
    package.mkdir()
    for entry in (ROOT / "edgeguard").iterdir():
        if entry.name not in {EXTENSION, "__pycache__"}:
            (package / entry.name).symlink_to(entry)
    shutil.copy(ROOT / "target/debug/lib_core.so", package / EXTENSION)
    (folder / "tests").symlink_to(ROOT / "tests")
    return folder


def told(call: str, when: Path | None = None) -> dict[str, str]:
    """Return the environment in which a call panics, counted from when a file is there."""
    return {
        "EDGEGUARD_PANIC_AT": call,
        **({"EDGEGUARD_PANIC_WHEN": str(when)} if when is not None else {}),
    }


def run_script(script: str, root: Path, call: str, *args: str) -> str:
    """Run a script with the `edgeguard` below `root`, one call told to panic; return its words."""
    done = subprocess.run(  # noqa: S603  # our own interpreter
        [sys.executable, "-c", script, *args],
        env={**os.environ, "PYTHONPATH": str(root), **told(call)},
        cwd=root,
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout
