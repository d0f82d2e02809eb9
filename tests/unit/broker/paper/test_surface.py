"""The package's constants, struct types and strict arguments, as the vendor's wheel has them."""

import copy
import enum
import pickle  # noqa: TID251 - clients of the vendor pickle its structs
import sys
from decimal import Decimal
from importlib import import_module
from types import ModuleType
from typing import Any

import pytest

from edgeguard.broker.paper import (
    FUNCTIONS,
    FaultRule,
    PaperTerminal,
    install_as_metatrader5,
    structs,
)
from edgeguard.broker.paper import constants as c
from edgeguard.broker.paper.arguments import matches_group, utf16_units
from edgeguard.broker.paper.structs import STRUCT_TYPES, StructSequence, SymbolInfo, Tick
from edgeguard.broker.paper.wrappers import Wrappers
from tests.unit.broker.paper.bench import Bench

FIELD_COUNTS = {
    "TradePosition": 19,
    "TradeOrder": 24,
    "TradeDeal": 18,
    "TradeRequest": 17,
    "OrderSendResult": 11,
    "OrderCheckResult": 9,
    "Tick": 8,
    "TerminalInfo": 22,
    "AccountInfo": 28,
    "BookInfo": 4,
    "SymbolInfo": 96,
}
GOOD: dict[str, Any] = {
    "action": c.TRADE_ACTION_DEAL,
    "symbol": "EURUSD",
    "volume": 1.0,
    "type": c.ORDER_TYPE_BUY,
    "type_filling": c.ORDER_FILLING_IOC,
}


class Side(enum.IntEnum):
    BUY = 0


class FakeInt64:
    """What numpy.int64 is to the extension: it has __index__ and is no int."""

    def __index__(self) -> int:
        return 1


class Float64(float):
    """What numpy.float64 is to the extension: a float's subclass."""


class Sub(dict[str, Any]):
    pass


def test_there_are_223_constants() -> None:
    """Every name of the vendor's package is there, and none that it lacks."""
    assert len(c.ALL) == 223
    assert c.ALL["TIMEFRAME_MN1"] == 49153
    assert "TRADE_RETCODE_HEDGE_PROHIBITED" not in c.ALL
    assert not any(name.startswith(("SYMBOL_FILLING", "SYMBOL_EXPIRATION")) for name in c.ALL)


def test_struct_types_have_the_vendors_field_counts() -> None:
    """11 types; contract/test_paper_vendor_wheel.py checks the field order against the wheel."""
    assert {kind.__name__: kind.n_fields for kind in STRUCT_TYPES} == FIELD_COUNTS


def test_struct_manners_are_those_of_a_struct_sequence(monkeypatch: pytest.MonkeyPatch) -> None:
    """Positions, attributes, _asdict and __match_args__; no namedtuple helpers; read-only."""
    # Whoever installed the module before in this process gave the types its name for good.
    monkeypatch.setattr(Tick, "__module__", structs.__name__)
    tick = Tick((1_600_000_000, 1.1, 1.2, 0.0, 0, 1_600_000_000_123, 2, 0.0))
    assert (tick[1], tick.bid, tick.ask) == (1.1, 1.1, 1.2)
    as_dict: Any = tick._asdict  # pyright: ignore[reportPrivateUsage]
    assert as_dict()["time_msc"] == 1_600_000_000_123
    assert Tick.__match_args__[:3] == ("time", "bid", "ask")
    assert not any(hasattr(tick, name) for name in ("_fields", "_replace", "_make"))
    assert repr(tick).startswith("Tick(time=1600000000, bid=1.1, ask=1.2, last=0.0")
    assert tick == tuple(tick)
    with pytest.raises(AttributeError):
        tick.bid = 2.0
    with pytest.raises(AttributeError):
        tick.other = 2.0  # type: ignore[attr-defined]
    with pytest.raises(TypeError):
        Tick((1, 2))
    assert pickle.loads(pickle.dumps(tick)) == tick  # noqa: S301 - our own bytes
    assert copy.copy(tick) == tick


def test_surface_has_the_vendors_32_functions(hedging: Bench) -> None:
    """Each is a bound method of one object, so class attributes holding them do not bind again."""
    assert len(FUNCTIONS) == 32

    class Client:
        send = hedging.mt5.positions_total

    assert Client().send() == 0
    assert all(callable(getattr(hedging.mt5, name)) for name in FUNCTIONS)


@pytest.mark.parametrize("field", ["action", "magic", "order", "deviation", "type", "type_filling"])
@pytest.mark.parametrize("value", [1.0, "1", None, -1, FakeInt64(), Decimal(1), 2**64])
def test_integer_fields_take_ints_alone(hedging: Bench, field: str, value: object) -> None:
    """Anything but a non-negative int (or subclass) gets None and -2 with the field's name."""
    assert hedging.mt5.order_send({**GOOD, field: value}) is None
    assert hedging.mt5.last_error() == (-2, f'Invalid "{field}" argument')
    assert hedging.positions() == ()


@pytest.mark.parametrize("field", ["type_time", "expiration", "position", "position_by"])
@pytest.mark.parametrize("value", [1.0, "1", None, -1])
def test_the_other_integer_fields_do_too(hedging: Bench, field: str, value: object) -> None:
    """The rest of the integer fields follow the same rule."""
    assert hedging.mt5.order_send({**GOOD, field: value}) is None
    assert hedging.mt5.last_error() == (-2, f'Invalid "{field}" argument')


@pytest.mark.parametrize("field", ["volume", "price", "stoplimit", "sl", "tp"])
@pytest.mark.parametrize("value", [1, "1.0", None, Decimal(1), True])
def test_float_fields_take_floats_alone(hedging: Bench, field: str, value: object) -> None:
    """A Python int volume is the field's most common silent failure: refused here as well."""
    assert hedging.mt5.order_send({**GOOD, field: value}) is None
    assert hedging.mt5.last_error() == (-2, f'Invalid "{field}" argument')


@pytest.mark.parametrize("field", ["symbol", "comment"])
@pytest.mark.parametrize("value", [None, 1, b"EURUSD", "x" * 30, "😀" * 15])
def test_text_fields_take_29_utf16_units(hedging: Bench, field: str, value: object) -> None:
    """30 units are one too many; a surrogate pair counts two."""
    assert hedging.mt5.order_send({**GOOD, field: value}) is None
    assert hedging.mt5.last_error() == (-2, f'Invalid "{field}" argument')


def test_accepted_forms_of_a_request(hedging: Bench) -> None:
    """Dict subclasses, IntEnum, bool, float subclasses, 29 units, unknown keys: all pass."""
    request = Sub(
        {
            **GOOD,
            "type": Side.BUY,
            "volume": Float64(0.1),
            "magic": True,
            "comment": "😀" * 14 + "x",
            "surprise": object(),
        }
    )
    result = hedging.mt5.order_send(request)
    assert result is not None
    assert result.retcode == c.TRADE_RETCODE_DONE
    assert (result.request.magic, result.request.price) == (1, 0.0)
    assert utf16_units(result.request.comment) == 29
    assert type(result.request.type) is int


@pytest.mark.parametrize("args", [(), (GOOD, GOOD), ([("action", 1)],), (None,), ("x",)])
def test_order_send_takes_one_dict(hedging: Bench, args: tuple[Any, ...]) -> None:
    """Exactly one positional dict; anything else gets None and -2."""
    for call in (hedging.mt5.order_send, hedging.mt5.order_check):
        assert call(*args) is None
        assert hedging.mt5.last_error() == (-2, "Invalid arguments")
        assert call(request=GOOD) is None
        assert hedging.mt5.last_error()[0] == -2


def test_missing_keys_are_zero_which_means_fill_or_kill(hedging: Bench) -> None:
    """An empty request is sent and refused by the server, not by the client."""
    result = hedging.mt5.order_send({})
    assert result is not None
    assert (result.retcode, result.request.type_filling) == (c.TRADE_RETCODE_INVALID, 0)
    assert hedging.mt5.last_error() == (1, "Success")


@pytest.mark.parametrize("name", ["symbol_info", "symbol_info_tick"])
def test_symbol_calls_are_positional_only(hedging: Bench, name: str) -> None:
    """Keywords are a TypeError, as for any C function without them; wrong values are -2."""
    call = getattr(hedging.mt5, name)
    with pytest.raises(TypeError):
        call(symbol="EURUSD")
    for bad in ((), ("EURUSD", 1), (1,), (None,), ("x" * 30,)):
        assert call(*bad) is None
        assert hedging.mt5.last_error() == (-2, "Invalid arguments")
    assert call("NOPE") is None
    assert hedging.mt5.last_error() == (-4, "Terminal: Not found")


@pytest.mark.parametrize("name", ["positions_get", "orders_get"])
def test_state_calls_are_keyword_only(hedging: Bench, name: str) -> None:
    """A positional argument is refused; nothing found is an empty tuple, never None."""
    call = getattr(hedging.mt5, name)
    assert call("EURUSD") is None
    assert hedging.mt5.last_error() == (-2, "Unnamed arguments not allowed")
    for field in ("ticket", "symbol", "group"):
        assert call(**{field: 1.5}) is None
        assert hedging.mt5.last_error() == (-2, f'Invalid "{field}" argument')
    for found in (call(), call(ticket=1), call(symbol="EURUSD"), call(group="*")):
        assert found == ()
        assert hedging.mt5.last_error() == (1, "Success")


def test_ticket_beats_symbol_beats_group(hedging: Bench) -> None:
    """The extension looks at ticket first, then symbol, then group."""
    hedging.buy(1.0)
    hedging.buy(1.0, "GBPUSD")
    euro, pound = hedging.positions()
    get = hedging.mt5.positions_get
    assert get(ticket=pound.ticket, symbol="EURUSD") == (pound,)
    assert get(symbol="EURUSD", group="GBP*") == (euro,)
    assert get(group="*USD,!EUR*") == (pound,)


def test_no_connection_means_none_and_10004(hedging: Bench) -> None:
    """After shutdown every call answers None with -10004, the yes-or-no calls False."""
    assert hedging.mt5.shutdown() is True
    assert hedging.mt5.last_error() == (1, "Success")
    assert hedging.mt5.positions_get() is None
    assert hedging.mt5.last_error() == (-10004, "No IPC connection")
    assert hedging.mt5.positions_get(ticket=1) is None
    assert hedging.mt5.order_send(GOOD) is None
    assert hedging.mt5.symbol_select("EURUSD", True) is False  # noqa: FBT003 - the vendor's form
    assert hedging.mt5.account_info() is None
    assert hedging.mt5.last_error()[0] == -10004
    assert hedging.mt5.initialize() is True
    assert hedging.mt5.positions_get() == ()


def test_initialize_checks_its_arguments(hedging: Bench) -> None:
    """Wrong types give False and -2 with the argument's name; a wrong login gives -6."""
    start = hedging.mt5.initialize
    assert start("a", "b") is False
    assert hedging.mt5.last_error() == (-2, "Invalid number of arguments")
    assert start(5) is False
    assert hedging.mt5.last_error() == (-2, "Invalid 1st unnamed argument")
    for name, bad in {"login": "5", "server": 5, "password": 5, "timeout": 1.5, "path": 5}.items():
        assert start(**{name: bad}) is False
        assert hedging.mt5.last_error() == (-2, f'Invalid "{name}" argument')
    assert start(login=0, password="", server="") is True
    assert start(server="Elsewhere") is False
    assert start(login=1) is False
    assert hedging.mt5.last_error() == (-6, "Terminal: Authorization failed")
    whole = {"login": 5_000_001, "password": "p", "server": "EdgeGuard-Paper"}
    assert start("C:\\terminal64.exe", **whole)
    assert hedging.mt5.login(5_000_001, server="EdgeGuard-Paper") is True
    assert hedging.mt5.login(5_000_001, server="Elsewhere") is False


def test_version_terminal_and_account_have_the_vendors_types(hedging: Bench) -> None:
    """Flags are real booleans; version is (500, build, date)."""
    version = hedging.mt5.version()
    assert version == (500, 6231, "27 Sep 2026")
    terminal = hedging.mt5.terminal_info()
    account = hedging.mt5.account_info()
    assert terminal is not None
    assert account is not None
    flags = (terminal.connected, terminal.trade_allowed, account.trade_allowed, account.fifo_close)
    assert flags == (True, True, True, False)
    assert all(type(flag) is bool for flag in flags)
    assert terminal.tradeapi_disabled is False


def test_symbols(hedging: Bench) -> None:
    """Totals, groups, spreads in points, and Market Watch rules."""
    mt5 = hedging.mt5
    assert mt5.symbols_total() == 7
    infos = mt5.symbols_get(group="EUR*,!*CHF")
    assert infos is not None
    assert [info.name for info in infos] == ["EURUSD"]
    named = mt5.symbols_get("*JPY")
    assert named is not None
    assert len(named) == 1
    info = mt5.symbol_info("EURUSD")
    assert isinstance(info, SymbolInfo)
    assert info.spread == round((info.ask - info.bid) / info.point) == 6
    assert (info.filling_mode, info.trade_exemode, info.order_mode) == (3, 2, 127)
    hedging.buy(0.1)
    off = False
    assert mt5.symbol_select("EURUSD", off) is False
    assert mt5.symbol_select("GBPUSD", off) is True
    assert mt5.symbol_info_tick("GBPUSD") is None
    assert mt5.symbol_select("GBPUSD") is True
    assert mt5.symbol_info_tick("GBPUSD") is not None


def test_a_quote_tick_looks_like_the_vendors(hedging: Bench) -> None:
    """FX: last 0.0, volume 0, flags 2, time = time_msc // 1000 on the broker's clock."""
    hedging.tick("EURUSD", 1.1, 1.10010)
    tick = hedging.mt5.symbol_info_tick("EURUSD")
    assert tick is not None
    assert (tick.bid, tick.ask, tick.last, tick.volume, tick.flags) == (1.1, 1.1001, 0.0, 0, 2)
    assert tick.time == tick.time_msc // 1000 == hedging.now_ns // 10**9 + 7200


@pytest.mark.parametrize(
    ("name", "group", "matches"),
    [
        ("EURUSD", "EURUSD", True),
        ("EURUSD", "eurusd", False),
        ("EURUSD", "*", True),
        ("EURUSD", "*USD", True),
        ("EURUSD.m", "*USD", False),
        ("EURUSD", "E*U*D", True),
        ("EURUSD", "*EUR*,!*USD", False),
        ("EURUSD", "!GBP*", True),
        ("ABA", "AB*BA", False),
        ("EURUSD", "", True),
    ],
)
def test_group_filters(name: str, group: str, *, matches: bool) -> None:
    """Masks with any text for a star; exclusions win; only exclusions let the rest through."""
    assert matches_group(name, group) is matches


def test_installed_module_has_everything(hedging: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """import MetaTrader5 finds functions, constants and struct types, and results pickle."""
    for name in ("MetaTrader5", "MetaTrader5._core"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    module = install_as_metatrader5(hedging.mt5)
    mt5: Any = import_module("MetaTrader5")
    _core: Any = import_module("MetaTrader5._core")
    assert mt5 is module
    names = {*FUNCTIONS, *c.ALL, *FIELD_COUNTS, "Buy", "Sell", "Close"}
    assert not names - set(dir(mt5))
    assert _core.order_send == mt5.order_send
    assert not hasattr(_core, "Buy")
    assert mt5.TradePosition.__module__ == "MetaTrader5"
    result = mt5.Buy("EURUSD", 0.1)
    assert pickle.loads(pickle.dumps(result)) == result  # noqa: S301 - our own bytes
    assert isinstance(result, StructSequence)


def test_wrappers_keep_the_vendors_contract(hedging: Bench) -> None:
    """Close: True for all, "Partially" for some, False for none, None without a price."""
    helper = Wrappers(hedging.mt5)
    assert helper.Close("EURUSD") is False
    for _ in range(3):
        bought = helper.Buy("EURUSD", 0.1)
        assert bought is not None
        assert (bought.request.deviation, bought.request.type_filling) == (10, 0)
    assert helper.Close("EURUSD") is True
    assert hedging.positions() == ()
    hedging.buy(0.1)
    hedging.faults(FaultRule(name="symbol_hidden", symbol="EURUSD", on=("positions_get",)))
    assert helper.Close("EURUSD") is None
    hedging.mt5.shutdown()
    with pytest.raises(TypeError):
        helper.Close("EURUSD")
    assert isinstance(hedging.mt5, PaperTerminal)


def test_a_symbol_without_a_price_breaks_the_helpers_as_the_vendors_code_does(
    hedging: Bench,
) -> None:
    """Buy and Sell look at a tick that is None; public clients catch just that."""
    helper = Wrappers(hedging.mt5)
    for call, name in ((helper.Buy, "ask"), (helper.Sell, "bid")):
        with pytest.raises(AttributeError, match=f"'NoneType' object has no attribute '{name}'"):
            call("NOPE", 0.1)
    refused = helper.Buy("NOPE", 0.1, 1.0)
    assert refused is not None
    assert refused.retcode == c.TRADE_RETCODE_INVALID


def test_the_raw_order_is_there_for_those_who_import_it(
    hedging: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """pymt5adapter does; its arguments are positional and the price is sent as given."""
    for name in ("MetaTrader5", "MetaTrader5._core"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    raw: Any = vars(install_as_metatrader5(hedging.mt5))["_RawOrder"]
    result = raw(c.ORDER_TYPE_SELL, "EURUSD", 0.2, 1.5, "by hand", None)
    assert result.retcode == c.TRADE_RETCODE_DONE
    assert (result.request.price, result.request.comment) == (1.5, "by hand")
    (held,) = hedging.positions()
    assert raw(c.ORDER_TYPE_BUY, "EURUSD", 0.2, 1.5, ticket=held.ticket).retcode == 10009
    assert hedging.positions() == ()


@pytest.mark.parametrize("field", ["volume", "price", "sl", "tp", "stoplimit"])
@pytest.mark.parametrize("value", [1.7e308, -1.7e308, float("inf"), float("nan"), 1e15])
def test_numbers_beyond_all_measure_are_refused_by_the_server(
    hedging: Bench, field: str, value: float
) -> None:
    """They are floats, so they are sent; no arithmetic of the server breaks on them."""
    for action in (c.TRADE_ACTION_DEAL, c.TRADE_ACTION_PENDING, c.TRADE_ACTION_SLTP):
        result = hedging.send(**{**GOOD, "action": action, field: value})
        assert result.retcode == c.TRADE_RETCODE_INVALID
    assert hedging.mt5.order_calc_margin(0, "EURUSD", value, 1.1) is None
    assert hedging.mt5.order_calc_profit(0, "EURUSD", 1.0, value, 1.1) is None
    assert hedging.mt5.last_error()[0] == -2
