"""Give last_error()'s codes the texts the vendor's extension has for them."""

from typing import Final

from edgeguard.broker.paper import constants as c

_TEXTS: Final[dict[int, str]] = {
    c.RES_S_OK: "Success",
    c.RES_E_FAIL: "Terminal: Call failed",
    c.RES_E_INVALID_PARAMS: "Terminal: Invalid params",
    c.RES_E_NO_MEMORY: "Terminal: Out of memory",
    c.RES_E_NOT_FOUND: "Terminal: Not found",
    c.RES_E_INVALID_VERSION: ("Terminal: Incompatible versions, please install the latest version"),
    c.RES_E_AUTH_FAILED: "Terminal: Authorization failed",
    c.RES_E_UNSUPPORTED: "Terminal: Unsupported function",
    c.RES_E_AUTO_TRADING_DISABLED: "Auto-Trading using Python API disabled in Terminal",
    c.RES_E_INTERNAL_FAIL: "IPC call failed",
    c.RES_E_INTERNAL_FAIL_SEND: "IPC send failed",
    c.RES_E_INTERNAL_FAIL_RECEIVE: "IPC recv failed",
    c.RES_E_INTERNAL_FAIL_INIT: "IPC initialize failed",
    c.RES_E_INTERNAL_FAIL_CONNECT: "No IPC connection",
    c.RES_E_INTERNAL_FAIL_TIMEOUT: "IPC timeout",
}


def text_of(code: int) -> str:
    """Return the vendor's text for a code of last_error()."""
    return _TEXTS.get(code, f"Terminal: Error {code}")


class IpcError(Exception):
    """The way to the terminal failed; ``code`` is what last_error() will say.

    ``lost`` tells that the connection is gone: every later call answers -10004 until initialize().
    """

    def __init__(self, code: int, *, detail: str = "", lost: bool = False) -> None:
        """Take the code, a detail for initialize's text, and whether the connection is lost."""
        self.code = code
        self.text = f"{text_of(code)}, {detail}" if detail else text_of(code)
        self.lost = lost
        super().__init__(self.text)


class HungError(Exception):
    """A call would block for ever; raised only in process, where nothing can block under test.

    Over a socket the same fault truly blocks, as the vendor's pipe does.
    """
