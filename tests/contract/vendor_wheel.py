"""Read what the vendor's compiled extension declares: its functions and its struct fields."""

import ast
import struct
import zipfile
from pathlib import Path

# Python's METH_ flags, as the method table stores them.
VARARGS, VARARGS_KEYWORDS, NOARGS = 1, 3, 4


class Extension:
    """A Windows extension module's bytes, read by their own addresses."""

    def __init__(self, image: bytes) -> None:
        self._image = image
        header = struct.unpack_from("<I", image, 0x3C)[0]
        count, optional = (struct.unpack_from("<H", image, header + at)[0] for at in (6, 20))
        self._base = struct.unpack_from("<Q", image, header + 48)[0]
        first = header + 24 + optional
        self._sections = [
            struct.unpack_from("<IIII", image, first + 40 * index + 8) for index in range(count)
        ]

    def _offset(self, address: int) -> int | None:
        """Return where an address lies in the file."""
        for _, start, size, offset in self._sections:
            if start <= address - self._base < start + size:
                return offset + address - self._base - start
        return None

    def _address(self, text: str) -> int:
        """Return the address of a zero-terminated text."""
        at = self._image.index(b"\0" + text.encode() + b"\0") + 1
        for _, start, size, offset in self._sections:
            if offset <= at < offset + size:
                return self._base + start + at - offset
        raise AssertionError(f"{text} lies in no section")

    def _text(self, address: int) -> str:
        """Return the text at an address, empty if there is none."""
        at = self._offset(address)
        return "" if at is None else self._image[at : self._image.index(b"\0", at)].decode()

    def _references(self, text: str) -> list[int]:
        """Return where pointers to a text lie in the file."""
        pointer = struct.pack("<Q", self._address(text))
        found: list[int] = []
        at = self._image.find(pointer)
        while at >= 0:
            found.append(at)
            at = self._image.find(pointer, at + 8)
        return found

    def functions(self) -> dict[str, int]:
        """Return the method table: names and METH_ flags."""
        at = self._references("initialize")[0]
        table: dict[str, int] = {}
        while True:
            name, _, flags = struct.unpack_from("<QQi", self._image, at)
            if not name:
                return table
            table[self._text(name)] = flags
            at += 32

    def fields(self, kind: str) -> list[str]:
        """Return the field names of a struct sequence, from its PyStructSequence_Desc."""
        for at in self._references(kind):
            _, table, count = struct.unpack_from("<QQi", self._image, at + 8)
            start = self._offset(table)
            if start is None or not 0 < count < 200:
                continue
            pointers = (
                struct.unpack_from("<Q", self._image, start + 16 * index)[0]
                for index in range(count)
            )
            return [self._text(pointer) for pointer in pointers]
        raise AssertionError(f"{kind} has no field table")

    def texts(self) -> bytes:
        """Return all bytes, to look for texts in."""
        return self._image


class VendorWheel:
    """The vendor's wheel: its Python source and its extension."""

    def __init__(self, path: Path) -> None:
        with zipfile.ZipFile(path) as wheel:
            self.source = wheel.read("MetaTrader5/__init__.py").decode()
            (name,) = (entry for entry in wheel.namelist() if entry.endswith(".pyd"))
            self.extension = Extension(wheel.read(name))

    def constants(self) -> dict[str, int]:
        """Return the whole numbers the package's source assigns to names."""
        found: dict[str, int] = {}
        for node in ast.parse(self.source).body:
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                code = compile(ast.Expression(node.value), "wheel", "eval")
                value: object = eval(code, {"__builtins__": {}})  # noqa: S307 - literals alone
                if isinstance(value, int):
                    found[node.targets[0].id] = value
        return found
