"""The served OpenAPI document is true: schemathesis throws what it can at the real interface."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.unit.api.rig import HALT, READ, RESUME, make_config, site

schemathesis: Any = pytest.importorskip("schemathesis")
hypothesis: Any = pytest.importorskip("hypothesis")

positive_data_acceptance: Any = pytest.importorskip(
    "schemathesis.specs.openapi.checks"
).positive_data_acceptance
TOKENS = {"halt": HALT, "resume": RESUME, "read": READ}
EXAMPLES = 15


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_no_request_breaks_it_and_every_answer_is_documented() -> None:
    with site(make_config(requests_per_s=1000)) as here:
        document = json.loads(here.ask("GET", "/openapi.json").data)
        schema = schemathesis.openapi.from_dict(document)
        schema.config.base_url = f"http://127.0.0.1:{here.port}"
        checked = 0
        for result in schema.get_all_operations():
            checked += _fuzz(result.ok())
        assert checked >= 7
        assert len(here.control.orders) > 0


def _fuzz(operation: Any) -> int:  # noqa: ANN401 - an optional package's type
    needs: list[dict[str, Any]] = operation.definition.raw.get("security", [])
    token = TOKENS[next(iter(needs[0]))] if needs else ""

    @hypothesis.settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(case=operation.as_strategy())
    def run(case: Any) -> None:  # noqa: ANN401
        headers = {"Host": "localhost"} | ({"Authorization": f"Bearer {token}"} if token else {})
        response = case.call(headers=headers)
        case.validate_response(response, excluded_checks=_unfit())
        assert response.status_code != 500

    run()
    return 1


def _unfit() -> list[object]:
    """Return checks that do not fit: a 503 is promised, no schema says "printable" or "known"."""
    return [schemathesis.checks.not_a_server_error, positive_data_acceptance]
