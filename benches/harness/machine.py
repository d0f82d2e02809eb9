"""The machine and the versions that a figure belongs to."""

from __future__ import annotations

import functools
import importlib.metadata
import os
import platform
import shutil
import subprocess
from pathlib import Path

import zmq

PACKAGES = ("pyzmq", "uvloop", "msgspec", "apsw", "nautilus_trader", "vnpy")


@functools.cache
def describe() -> dict[str, str]:
    """Return what a reader needs to judge a figure; no name of the host, no path."""
    return {
        "processor": _processor(),
        "cores": str(os.cpu_count()),
        "memory": _memory(),
        "kernel": f"{platform.system()} {platform.release()}",
        "virtual": "yes" if "hypervisor" in _read("/proc/cpuinfo") else "no",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "libzmq": zmq.zmq_version(),
        "rustc": _version("rustc"),
        "cc": _version("cc"),
        **{name: version for name in PACKAGES if (version := _package(name))},
    }


def _read(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:
        return ""


def _processor() -> str:
    for line in _read("/proc/cpuinfo").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _memory() -> str:
    for line in _read("/proc/meminfo").splitlines():
        if line.startswith("MemTotal"):
            return f"{int(line.split()[1]) / 2**20:.0f} GiB"
    return "unknown"


def _package(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _version(program: str) -> str:
    found = shutil.which(program)
    if found is None:
        return "absent"
    done = subprocess.run([found, "--version"], capture_output=True, text=True, check=False)  # noqa: S603
    return done.stdout.splitlines()[0] if done.stdout else "unknown"
