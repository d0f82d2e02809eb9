"""The storm that one can watch ends flat, with every request accounted for."""

import pytest

from edgeguard.broker.storm import main

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


@pytest.mark.parametrize("arguments", [["--seed", "1"], ["--seed", "5", "--netting"]])
def test_a_storm_ends_flat(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Two storms: exit code 0, and the server itself agrees."""
    assert main(arguments) == 0
    said = capsys.readouterr().out
    assert "the server agrees that it is flat: yes; requests without an end: 0" in said
