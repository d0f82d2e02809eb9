"""The native floors: compiled here, run on the libzmq that EdgeGuard itself runs on."""

from __future__ import annotations

import functools
import hashlib
import shutil
import tempfile
from pathlib import Path
from typing import Final

import zmq

from benches.harness import process

SOURCES: Final = Path(__file__).resolve().parents[1] / "native"
FLAGS: Final = ("-O2", "-std=c11", "-Wall", "-Wextra", "-Werror")


class MissingError(Exception):
    """Something optional is not installed; the text names it."""


@functools.cache
def build(name: str) -> Path:
    """Return the compiled program of ``native/<name>.c``; compiled once per content.

    Raises:
        MissingError: there is no C compiler.
        ChildError: it does not compile.
    """
    compiler = shutil.which("cc")
    if compiler is None:
        raise MissingError("cc is not installed (Debian: gcc)")
    content = b"".join(path.read_bytes() for path in sorted(SOURCES.iterdir()))
    key = hashlib.sha256(content).hexdigest()[:12]
    place = Path(tempfile.gettempdir()) / f"edgeguard-bench-{key}"
    place.mkdir(mode=0o700, exist_ok=True)
    program = place / name
    if not program.exists():
        made = place / f"{name}.new"
        source = SOURCES / f"{name}.c"
        process.run([compiler, *FLAGS, "-o", made, source, "-ldl", "-lpthread"])
        made.rename(program)
    return program


@functools.cache
def libzmq() -> Path:
    """Return the libzmq that pyzmq uses in this installation.

    Raises:
        MissingError: it is linked in such a way that nobody else can load it.
    """
    inside = Path(zmq.__file__).parents[1] / "pyzmq.libs"
    for path in sorted(inside.glob("libzmq*.so*")):
        return path
    for line in Path("/proc/self/maps").read_text().splitlines():
        path = Path(line.rpartition(" ")[2])
        if path.name.startswith("libzmq"):
            return path
    raise MissingError("this pyzmq has no libzmq that another program can load")
