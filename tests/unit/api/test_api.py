"""The HTTP interface over a real socket: rights, bad input, and what each halt answers."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

from edgeguard.api.front import BODY_BYTES_MAX
from edgeguard.api.health import CHANNEL_AGE_NS_MAX
from edgeguard.api.tokens import read_tokens
from edgeguard.clock import ManualClock, SystemClock
from edgeguard.errors import RefusedError, UsageError
from tests.unit.api.rig import ENVIRONMENT, HALT, READ, RESUME, Site, make_config, site

SHUTDOWN = "/emergency/shutdown"
ORDER = {"reason": "flash crash", "scope": "all"}


@pytest.fixture(name="here")
def _here() -> Iterator[Site]:
    with site() as running:
        yield running


def test_the_runbooks_curl_is_taken_as_it_is(here: Site) -> None:
    """No JSON content type: curl -d sends a form's."""
    answer = here.ask(
        "POST",
        SHUTDOWN,
        b'{"reason": "description", "scope": "all"}',
        HALT,
        Content_Type="application/x-www-form-urlencoded",
        Host="api.edgefactory.local",
    )
    assert answer.status == 200
    assert answer.body["halt"]["id"] == "H1"
    assert answer.body["halt"]["durable"] is True
    assert [stage["stage"] for stage in answer.body["stages"]] == ["stopped"]
    order = here.control.orders[0]
    assert (order.reason, order.scope, order.operator) == ("description", "all", "http:127.0.0.1")


@pytest.mark.parametrize(
    ("code", "status"), [(0, 200), (11, 202), (10, 503), (12, 503), (13, 503), (14, 503)]
)
def test_each_outcome_of_a_halt_has_its_status(here: Site, code: int, status: int) -> None:
    here.control.code = code
    answer = here.post(SHUTDOWN, ORDER, HALT)
    assert answer.status == status
    assert answer.body["code"] == code
    assert answer.body["halt"]["flat"] is (code in {0, 10})


@pytest.mark.parametrize("token", ["", "x" * 40, "ä" * 30, HALT + "x"])
def test_a_wrong_token_gets_no_hint(here: Site, token: str) -> None:
    answer = here.ask(
        "POST", SHUTDOWN, b"{", **({"Authorization": "Bearer " + token} if token else {})
    )
    assert answer.status == 401
    assert answer.data == b'{"error":"unauthorized"}'
    assert here.control.orders == []
    assert here.audits[-1][1:] == (f"POST {SHUTDOWN}", "401 no halt token")


@pytest.mark.parametrize(
    ("method", "path", "token"),
    [
        ("POST", SHUTDOWN, READ),
        ("POST", SHUTDOWN, RESUME),
        ("POST", "/emergency/pause", READ),
        ("POST", "/emergency/resume", HALT),
        ("GET", "/status", HALT),
        ("GET", "/halts", RESUME),
    ],
)
def test_the_token_of_another_right_is_forbidden(
    here: Site, method: str, path: str, token: str
) -> None:
    body = b'{"reason": "r", "operator": "o", "halt_id": "H"}' if method == "POST" else None
    assert here.ask(method, path, body, token).status == 403
    assert (here.control.orders, here.control.asked) == ([], [])


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("a\nforged", "a forged"),
        ("a\x1b[2J\u202eb", "a [2J b"),
        ("x" * 5000, "x" * 1000),
    ],
)
def test_no_reason_stops_a_shutdown(here: Site, given: str, kept: str) -> None:
    """P6, P22: a script that passes a log on as its reason halts; its words are made harmless."""
    assert here.post(SHUTDOWN, {"reason": given, "operator": "a\nb"}, HALT).status == 200
    (order,) = here.control.orders
    assert (order.reason, order.operator) == (kept, "a b")
    refused = here.post("/emergency/pause", {"reason": given}, HALT)
    assert refused.status == 422


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "JSON"),
        (b"[]", "object"),
        (b"reason=x&scope=all", "JSON"),
        (b'{"scope": "all"}', "reason"),
        (b'{"reason": ""}', "empty"),
        (b'{"reason": " \\t "}', "empty"),
        (b'{"reason": "a\\ud800"}', "JSON"),
        (b'{"reason": "\xff"}', "JSON"),
        (b'{"reason": 7}', "str"),
        (b'{"reason": "r", "force": true}', "force"),
        (b'{"reason": "r", "scope": "everything"}', "scope"),
        (b'{"reason": "r", "scope": "strategy:none"}', "known strategy (trend)"),
        (b'{"reason": "r", "scope": "account:"}', "scope"),
        (b"[" * 20_000, "JSON"),
    ],
)
def test_what_cannot_be_meant_is_said_and_halts_nothing(
    here: Site, body: bytes, words: str
) -> None:
    answer = here.ask("POST", SHUTDOWN, body, HALT)
    assert answer.status == 422
    assert words in answer.body["error"]
    assert here.control.orders == []
    assert here.audits[-1][2].startswith("422 ")


def test_a_megabyte_is_refused_announced_or_not(here: Site) -> None:
    big = b'{"reason": "' + b"x" * 1_000_000 + b'"}'
    assert here.ask("POST", SHUTDOWN, big, HALT).status == 413
    with socket.create_connection(("127.0.0.1", here.port), 20) as raw:
        head = f"POST {SHUTDOWN} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {HALT}\r\n"
        raw.sendall(head.encode() + b"Transfer-Encoding: chunked\r\n\r\n")
        raw.sendall(b"%x\r\n" % (BODY_BYTES_MAX + 1) + b"x" * (BODY_BYTES_MAX + 1) + b"\r\n")
        assert b" 413 " in raw.recv(100)
    assert here.control.orders == []


def test_a_foreign_host_or_any_origin_is_refused(here: Site) -> None:
    assert here.post(SHUTDOWN, ORDER, HALT, Host="evil.example").status == 403
    assert here.post(SHUTDOWN, ORDER, HALT, Origin="http://localhost:8000").status == 403
    assert here.post(SHUTDOWN, ORDER, HALT, Host="localhost:8000").status == 200
    assert here.post(SHUTDOWN, ORDER, HALT, Host="[::1]:8000").status == 200
    assert len(here.control.orders) == 2


def test_only_post_acts(here: Site) -> None:
    for path in (SHUTDOWN, "/emergency/pause", "/emergency/resume"):
        for method in ("GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH"):
            assert here.ask(method, path, None, HALT).status == 405
    assert here.ask("HEAD", "/health").data == b""
    assert here.control.orders == []
    assert all(verb == "status" for verb, *_ in here.control.asked)


def test_a_flood_is_limited_and_a_halt_never() -> None:
    """The clock stands still: whatever the bucket held is spent."""
    with site(make_config(requests_per_s=1), clock=ManualClock()) as here:
        answers = [here.post(SHUTDOWN, ORDER, "w" * 40).status for _ in range(6)]
        assert answers == [401] * 4 + [429] * 2
        assert here.ask("GET", "/health").status == 429
        assert [here.post(SHUTDOWN, ORDER, HALT).status for _ in range(6)] == [200] * 6


def test_a_halt_is_not_kept_waiting_by_hung_questions(here: Site) -> None:
    """Every thread for questions hangs; the halt has threads of its own."""
    here.control.hold = threading.Event()
    threads = [threading.Thread(target=here.post, args=(SHUTDOWN, ORDER, HALT)) for _ in range(12)]
    for thread in threads:
        thread.start()
    for _ in threads:
        assert here.control.in_halt.acquire(timeout=20)
    assert here.ask("GET", "/health").status == 200
    here.control.hold.set()
    for thread in threads:
        thread.join(20)


def test_pause_and_resume_ask_the_guard(here: Site) -> None:
    assert here.post("/emergency/pause", {"reason": "news"}, HALT).status == 200
    body = {"halt_id": "H1", "operator": "o", "reason": "checked"}
    assert here.post("/emergency/resume", body, RESUME).status == 200
    assert here.control.asked == [
        ("pause", "http:127.0.0.1", "news", {"scope": "all"}),
        ("resume", "o", "checked", {"halt_id": "H1"}),
    ]
    for bad in (
        {"operator": "o", "reason": "r"},
        {"operator": "", "reason": "r", "halt_id": "H"},
        {"operator": "o", "reason": "r", "halt_id": "H", "pause": True},
    ):
        assert here.post("/emergency/resume", bad, RESUME).status == 422


def test_the_guards_refusal_is_told(here: Site) -> None:
    here.control.fault = RefusedError("refused: no halt H0 stands")
    answer = here.post(
        "/emergency/resume", {"halt_id": "H0", "operator": "o", "reason": "r"}, RESUME
    )
    assert (answer.status, answer.body) == (409, {"error": "refused: no halt H0 stands"})
    here.control.fault = UsageError("strategy must be known")
    assert here.post(SHUTDOWN, ORDER, HALT).status == 422


def test_without_a_guard_questions_say_so(here: Site) -> None:
    here.control.status = None
    assert here.ask("GET", "/status", None, READ).status == 503
    health = here.ask("GET", "/health")
    assert (health.status, health.body["failing"]) == (503, "guard: no guard answers")


def test_health_takes_the_guards_own_proof_of_the_channel(here: Site) -> None:
    """Where the guard tells when the whole channel was proven last, an old proof is none."""
    assert here.control.status is not None
    now_ns = SystemClock().wall_ns()
    here.control.status["channel_proven_ns"] = now_ns
    assert here.ask("GET", "/health").status == 200
    here.control.status["channel_proven_ns"] = now_ns - CHANNEL_AGE_NS_MAX - 1
    health = here.ask("GET", "/health")
    assert (health.status, health.body["failing"]) == (503, "channel: was proven too long ago")
    here.control.status["channel_proven_ns"] = None
    health = here.ask("GET", "/health")
    assert (health.status, health.body["failing"][:22]) == (503, "channel: is not proven")


def test_health_names_the_part_that_is_not_proven(here: Site) -> None:
    assert here.ask("GET", "/health").status == 200
    status = here.control.status
    assert status is not None
    here.page_code[0] = "STALE"
    assert here.ask("GET", "/health").body["failing"] == "page A: a gate reads STALE"
    here.page_code[0] = "HALTED"
    status["worker"]["A"]["trade_allowed"] = False
    failing = here.ask("GET", "/health").body["failing"]
    assert failing.startswith("terminal A: the terminal does not allow trading")
    status["worker"]["A"] = {"alive": False}
    assert here.ask("GET", "/health").body["failing"].startswith("broker A")
    status["guard"]["storage"]["trusted"] = False
    assert here.ask("GET", "/health").body["failing"].startswith("storage")


def test_status_and_halts_need_the_read_token() -> None:
    with site(halts=lambda: [{"id": "H1"}]) as here:
        assert here.ask("GET", "/status").status == 401
        assert here.ask("GET", "/status", None, READ).body["state"] == "ACTIVE"
        assert here.ask("GET", "/halts", None, READ).body == {"halts": [{"id": "H1"}]}


def test_an_incident_is_acknowledged_by_http(here: Site) -> None:
    path = "/incidents/INC-2026-001/ack"
    assert here.ask("POST", path, None, READ).status == 403
    assert here.ask("POST", path, None, HALT).body["result"] == "INC-2026-001 by http:127.0.0.1"
    assert here.post(path, {"operator": "ann"}, HALT).body["result"] == "INC-2026-001 by ann"
    assert here.post(path, {"operator": "a\nb"}, HALT).status == 422
    assert here.post("/incidents/INC-2026-002/ack", {}, HALT).status == 404


def test_without_tokens_nobody_has_a_right() -> None:
    with site(tokens=read_tokens(make_config().api, {})) as here:
        for token in ("", HALT):
            assert here.post(SHUTDOWN, ORDER, token).status == 401
        assert here.ask("GET", "/health").status == 200


def test_broken_http_does_not_hurt(here: Site) -> None:
    for junk in (b"\x00" * 100, b"GET / HTTP/9.9\r\n\r\n", b"A" * 100_000, b"POST / HTTP/1.1\r\n"):
        with socket.create_connection(("127.0.0.1", here.port), 20) as raw:
            raw.sendall(junk)
    assert here.post(SHUTDOWN, ORDER, HALT).status == 200


def test_environment_of_the_runbook_is_the_halt_token() -> None:
    tokens = read_tokens(make_config().api, ENVIRONMENT)
    assert tokens.rights() == ("halt", "resume", "read")
    assert tokens.allows("halt", f"Bearer {HALT}".encode())
    assert not tokens.allows("halt", f"Basic {HALT}".encode())
    assert not tokens.allows("halt", None)
