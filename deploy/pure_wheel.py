"""Make the pure wheel from the built one: `python deploy/pure_wheel.py dist/*.whl`.

The same files and version without the extension, tagged py3-none-any, and without the requirements
of the guard alone. So there is one list of what a wheel holds, and the two cannot drift apart.
"""
# ruff: noqa: T201, INP001 - a script of its own

from __future__ import annotations

import base64
import csv
import hashlib
import io
import re
import sys
import zipfile
from pathlib import Path

GUARD_ONLY = ("apsw", "uvloop")
"""What only the guard imports: its journal and its loop."""
TAG = "py3-none-any"


def pure(built: Path) -> Path:
    """Write the pure wheel beside the built one and return its path."""
    name, version, *_ = built.name.split("-")
    target = built.with_name(f"{name}-{version}-{TAG}.whl")
    record = f"{name}-{version}.dist-info/RECORD"
    rows = io.StringIO()
    writer = csv.writer(rows, lineterminator="\n")
    with (
        zipfile.ZipFile(built) as old,
        zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for entry in old.infolist():
            if entry.filename == record or _is_native(entry.filename):
                continue
            data = _changed(entry.filename, old.read(entry))
            new.writestr(entry, data, zipfile.ZIP_DEFLATED)
            digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=")
            writer.writerow((entry.filename, f"sha256={digest.decode()}", len(data)))
        writer.writerow((record, "", ""))
        new.writestr(record, rows.getvalue())
    return target


def _is_native(name: str) -> bool:
    """Tell the extension, its stub, and what was bundled for it."""
    return (
        name.startswith("edgeguard/_core.") or name.endswith((".so", ".pyd")) or "/sboms/" in name
    )


def _changed(name: str, data: bytes) -> bytes:
    """Return a file as the pure wheel has it."""
    if name.endswith(".dist-info/WHEEL"):
        text = re.sub(r"(?m)^Tag: .*$", f"Tag: {TAG}", data.decode())
        return re.sub(r"(?m)^Root-Is-Purelib: .*$", "Root-Is-Purelib: true", text).encode()
    if name.endswith(".dist-info/METADATA"):
        wanted = "|".join(GUARD_ONLY)
        return re.sub(rf"(?mi)^Requires-Dist: ({wanted})\b.*\n", "", data.decode()).encode()
    return data


if __name__ == "__main__":
    for path in map(Path, sys.argv[1:]):
        if not path.name.endswith(f"{TAG}.whl"):
            print(pure(path))
