"""The engine's status of one account is that account's row of the whole."""

from __future__ import annotations

import json

from tests.unit.engine.test_bounds import ROWS, engine_of


def test_one_account_is_told_as_among_all() -> None:
    accounts = "".join(f'{ROWS["account"]}id = "A{at}"\n' for at in range(3))
    engine = engine_of(accounts + ROWS["symbol"])
    whole = json.loads(engine.status())
    for row in whole["accounts"]:
        assert json.loads(engine.status(row["id"])) == {**whole, "accounts": [row]}
    assert [row["id"] for row in whole["accounts"]] == ["A0", "A1", "A2"]
    for nobody in ("", "A", "A00"):
        assert json.loads(engine.status(nobody)) == {**whole, "accounts": []}
