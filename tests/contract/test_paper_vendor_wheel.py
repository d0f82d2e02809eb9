"""The paper terminal against the vendor's own wheel, downloaded by pip and never kept.

Skipped, visibly, where the package index cannot be reached. Constants, function table and struct
fields are read from the wheel's files; its Python wrappers run over our module as their _core.
"""

import importlib.util
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import pytest

from edgeguard.broker.paper import FUNCTIONS, FaultRule, presets
from edgeguard.broker.paper import constants as c
from edgeguard.broker.paper.arguments import REQUEST_FIELDS
from edgeguard.broker.paper.errors import text_of
from edgeguard.broker.paper.module import VERSION, make_core
from edgeguard.broker.paper.structs import STRUCT_TYPES, StructSequence
from edgeguard.broker.paper.wrappers import Wrappers
from tests.contract.vendor_wheel import NOARGS, VARARGS, VARARGS_KEYWORDS, VendorWheel
from tests.unit.broker.paper.bench import Bench

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> VendorWheel:
    """The official wheel, through the ordinary pip."""
    folder = tmp_path_factory.mktemp("wheel")
    where = ("--platform", "win_amd64", "--python-version", "3.11", "--dest", str(folder))
    what = ("--only-binary=:all:", "--no-deps", f"MetaTrader5=={VERSION}")
    command = [sys.executable, "-m", "pip", "download", "--quiet", *where, *what]
    try:
        done = subprocess.run(  # noqa: S603
            command, capture_output=True, check=False, timeout=120
        )
    except subprocess.TimeoutExpired:
        pytest.skip("pip download MetaTrader5 took over 120 s")
    if done.returncode:
        pytest.skip(f"pip download MetaTrader5 failed: {done.stderr.decode()[-200:]}")
    (path,) = folder.glob("*.whl")
    return VendorWheel(path)


def test_constants_are_the_wheels(wheel: VendorWheel) -> None:
    """Same 223 names, same values."""
    assert wheel.constants() == c.ALL


def test_functions_are_the_wheels(wheel: VendorWheel) -> None:
    """Same 32 names; whoever takes no arguments or no keywords there raises TypeError here too."""
    table = wheel.extension.functions()
    assert tuple(sorted(table)) == tuple(sorted(FUNCTIONS))
    mt5 = Bench(presets.hedging()).mt5
    for name, flags in table.items():
        call: Callable[..., Any] = getattr(mt5, name)
        if flags == NOARGS:
            with pytest.raises(TypeError):
                call(1)
        if flags in (NOARGS, VARARGS):
            with pytest.raises(TypeError):
                call(surprise=1)
        if flags == VARARGS_KEYWORDS:
            call(surprise=1)


@pytest.mark.parametrize("kind", STRUCT_TYPES, ids=lambda kind: kind.__name__)
def test_struct_fields_are_the_wheels(wheel: VendorWheel, kind: type[StructSequence]) -> None:
    """Same names in the same order, read from the extension's own tables."""
    assert wheel.extension.fields(kind.__name__) == list(kind.__match_args__)


def test_request_fields_are_the_wheels(wheel: VendorWheel) -> None:
    """The order in which a request's fields are looked at is that of TradeRequest but for none."""
    assert set(wheel.extension.fields("TradeRequest")) == set(REQUEST_FIELDS)


def test_error_texts_are_the_wheels(wheel: VendorWheel) -> None:
    """Every text of last_error stands in the extension."""
    image = wheel.extension.texts()
    codes = [value for name, value in c.ALL.items() if name.startswith("RES_")]
    missing = [text_of(code) for code in codes if text_of(code).encode() not in image]
    assert missing == []


def vendor_package(
    wheel: VendorWheel, bench: Bench, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> ModuleType:
    """Run the wheel's own __init__.py as the package MetaTrader5 over our module as its _core."""
    source = folder / "MetaTrader5" / "__init__.py"
    source.parent.mkdir()
    source.write_text(wheel.source)
    monkeypatch.setitem(sys.modules, "MetaTrader5._core", make_core(bench.mt5))
    spec = importlib.util.spec_from_file_location("MetaTrader5", source)
    assert spec is not None
    assert spec.loader is not None
    package = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "MetaTrader5", package)
    spec.loader.exec_module(package)
    return package


REFUSE_SECOND = FaultRule(name="retcode", skip=1, count=1, retcode=c.TRADE_RETCODE_REJECT)
REQUOTES = FaultRule(name="requote", count=3)
REQUOTES_FOR_EVER = FaultRule(name="requote")
LOST = FaultRule(name="ipc_recv", count=1)
PLACED = FaultRule(name="placed_late_fill", ms=10, count=1)
HIDDEN = FaultRule(name="symbol_hidden", symbol="EURUSD", on=("positions_get",))
NO_LIST = FaultRule(name="none_list")


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ((), True),
        ((REFUSE_SECOND,), "Partially"),
        ((REQUOTES,), True),
        ((REQUOTES_FOR_EVER,), False),
        ((PLACED,), "Partially"),
        ((LOST,), None),
        ((HIDDEN,), None),
        ((NO_LIST,), TypeError),
    ],
    ids=(
        *("all", "second_refused", "requotes", "requotes_for_ever"),
        *("placed", "lost", "hidden", "no_list"),
    ),
)
def test_wrappers_run_and_ours_do_the_same(
    wheel: VendorWheel,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    rules: tuple[FaultRule, ...],
    expected: object,
) -> None:
    """Buy, Sell and Close of the wheel, and ours: same results, same requests, same books."""
    benches = [Bench(presets.hedging()) for _ in range(2)]
    package = vendor_package(wheel, benches[0], tmp_path, monkeypatch)
    helpers: list[Any] = [package, Wrappers(benches[1].mt5)]
    outcomes: list[object] = []
    for bench, helper in zip(benches, helpers, strict=True):
        assert helper.Close("EURUSD") is False
        bought = helper.Buy("EURUSD", 0.3)
        sold = helper.Sell("EURUSD", 0.2, comment="hand")
        assert (bought.retcode, sold.retcode) == (c.TRADE_RETCODE_DONE, c.TRADE_RETCODE_DONE)
        assert helper.Sell("EURUSD", 0.1, 1.0, ticket=bought.order).retcode == 10009
        bench.faults(*rules)
        try:
            outcomes.append(helper.Close("EURUSD"))
        except TypeError:
            outcomes.append(TypeError)
        if expected is True:
            assert helper.Close("EURUSD", ticket=bought.order) is False
    assert outcomes == [expected, expected]
    books = [msgspec.msgpack.encode(bench.server.book) for bench in benches]
    audits = [msgspec.msgpack.encode(list(bench.server.audit)) for bench in benches]
    assert books[0] == books[1]
    assert audits[0] == audits[1]


def test_package_over_our_core_has_everything(
    wheel: VendorWheel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The star import of the wheel brings functions and struct types from our core."""
    package = vendor_package(wheel, Bench(presets.hedging()), tmp_path, monkeypatch)
    names = {*FUNCTIONS, *c.ALL, *(kind.__name__ for kind in STRUCT_TYPES)}
    assert not names - set(dir(package))
    assert package.__version__ == VERSION
    assert package.account_info().login == 5_000_001
