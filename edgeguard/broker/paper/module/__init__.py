"""Install a paper terminal as a module named MetaTrader5, for clients that import the vendor's.

``install_as_metatrader5(terminal)`` puts it into this interpreter. For a client in a process of
its own, put this folder on its import path: the package ``MetaTrader5`` in it connects to the
socket that EDGEGUARD_PAPER_SOCKET names.
"""

import sys
from types import ModuleType
from typing import Any, Final

from edgeguard.broker.paper import constants
from edgeguard.broker.paper.api import FUNCTIONS, PaperTerminal
from edgeguard.broker.paper.structs import STRUCT_TYPES
from edgeguard.broker.paper.wrappers import Wrappers

NAME: Final = "MetaTrader5"
# The version of the vendor's package whose surface this is.
VERSION: Final = "5.0.6231"


def core_names(terminal: PaperTerminal) -> dict[str, Any]:
    """Return what the vendor's compiled ``_core`` exports: 32 functions and 11 struct types.

    The struct types then say that they live in a module named MetaTrader5, so that pickles of
    results find them where the client has them.
    """
    for kind in STRUCT_TYPES:
        kind.__module__ = NAME
    functions: dict[str, Any] = {name: getattr(terminal, name) for name in FUNCTIONS}
    return {**functions, **{kind.__name__: kind for kind in STRUCT_TYPES}}


def package_names(terminal: PaperTerminal) -> dict[str, Any]:
    """Return everything the vendor's package exports: core, constants and the helpers."""
    wrappers = Wrappers(terminal)
    return {
        "__version__": VERSION,
        "__author__": "EdgeGuard paper terminal",
        **constants.ALL,
        **core_names(terminal),
        "Buy": wrappers.Buy,
        "Sell": wrappers.Sell,
        "Close": wrappers.Close,
        "_RawOrder": wrappers.raw_order,
    }


def make_core(terminal: PaperTerminal, name: str = f"{NAME}._core") -> ModuleType:
    """Return a module that can stand in for the vendor's compiled ``MetaTrader5._core``."""
    module = ModuleType(name, "Paper stand-in for MetaTrader5._core.")
    module.__dict__.update(core_names(terminal))
    return module


def install_as_metatrader5(terminal: PaperTerminal) -> ModuleType:
    """Put a paper terminal into sys.modules as MetaTrader5 and MetaTrader5._core.

    Args:
        terminal: The terminal whose bound methods become the module's functions.

    Returns:
        The module, the same that ``import MetaTrader5`` gives from now on.
    """
    module = ModuleType(NAME, "Paper stand-in for the vendor's MetaTrader5 package.")
    module.__dict__.update(package_names(terminal))
    core = make_core(terminal)
    module.__dict__["_core"] = core
    # A package, so that `import MetaTrader5._core` works; it has no folder to search.
    module.__path__ = []
    sys.modules[NAME] = module
    sys.modules[core.__name__] = core
    return module
