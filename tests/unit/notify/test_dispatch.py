"""Deliveries against servers that speak Discord's and Telegram's formats and misbehave."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, Literal

import httpx
import pytest

from edgeguard.clock import NS_PER_S, ManualClock
from edgeguard.config.model import ChannelConfig
from edgeguard.errors import ConfigError
from edgeguard.notify import senders as senders_module
from edgeguard.notify.database import OpsDatabase
from edgeguard.notify.dispatch import Dispatcher
from edgeguard.notify.outbox import BACKOFF_S, Kind, Message, Outbox
from edgeguard.notify.senders import Telegram, make_senders
from edgeguard.notify.telegram import AckPoll
from tests.unit.notify.services import Reply, Service, service

NOW = 1_700_000_000 * NS_PER_S
TOKEN = "123456:SECRET-token"  # noqa: S105 - no secret, but it must not be seen

Spoken = Literal["discord", "telegram"]


@pytest.fixture(name="database")
def _database(tmp_path: Path) -> Iterator[OpsDatabase]:
    with OpsDatabase(tmp_path / "ops.sqlite") as database:
        yield database


def message(number: int = 1, text: str = "hello", kind: Kind = "alert") -> Message:
    return Message(f"key-{number}", "INC-2026-001", kind, "P1", text, NOW)


class Desk:
    """An outbox with its dispatcher on a clock that stands still."""

    def __init__(
        self, database: OpsDatabase, url: str, kind: Spoken, client: httpx.AsyncClient
    ) -> None:
        self.outbox = Outbox(database)
        self.clock = ManualClock(NOW)
        address = f"{url}/bot{TOKEN}" if kind == "telegram" else f"{url}/api/webhooks/1/{TOKEN}"
        channel = ChannelConfig(name="c", kind=kind, url=address, chat="42")
        self.senders = make_senders((channel,), client, {})
        self.dispatcher = Dispatcher(self.outbox, self.senders, self.clock)

    def waiting(self) -> tuple[int, str]:
        return self.outbox.waiting().get("c", (0, ""))


Scene = Callable[[Service, Desk], Coroutine[Any, Any, None]]


def play(database: OpsDatabase, kind: Spoken, scene: Scene) -> None:
    async def run() -> None:
        async with service() as here, httpx.AsyncClient() as client:
            await scene(here, Desk(database, here.url, kind, client))

    asyncio.run(run())


def test_discord_gets_its_json_and_nobody_is_mentioned(database: OpsDatabase) -> None:
    async def scene(here: Service, desk: Desk) -> None:
        desk.outbox.put(message(text="@everyone 🚨"), ["c"])
        assert await desk.dispatcher.send_due("c")
        assert not await desk.dispatcher.send_due("c")
        path, body = here.seen[0]
        assert path == f"/api/webhooks/1/{TOKEN}"
        assert body == {"content": "@everyone 🚨", "allowed_mentions": {"parse": []}}
        assert desk.outbox.proven() == {"c": NOW}
        assert desk.outbox.was_told("INC-2026-001")

    play(database, "discord", scene)


def test_telegram_gets_a_button_that_acknowledges(database: OpsDatabase) -> None:
    async def scene(here: Service, desk: Desk) -> None:
        here.usual = lambda _path, _body: Reply(200, {"ok": True, "result": {}})
        desk.outbox.put(message(), ["c"])
        desk.outbox.put(message(2, kind="update"), ["c"])
        assert await desk.dispatcher.send_due("c")
        assert await desk.dispatcher.send_due("c")
        path, body = here.seen[0]
        assert path == f"/bot{TOKEN}/sendMessage"
        assert (body["chat_id"], body["text"]) == ("42", "hello")
        button = body["reply_markup"]["inline_keyboard"][0][0]
        assert button["callback_data"] == "ack:INC-2026-001"
        assert "reply_markup" not in here.seen[1][1]

    play(database, "telegram", scene)


@pytest.mark.parametrize(
    ("kind", "reply", "after_s"),
    [
        ("discord", Reply(429, {"message": "slow", "retry_after": 3.5, "global": False}), 3.5),
        ("telegram", Reply(429, {"ok": False, "parameters": {"retry_after": 7}}), 7.0),
        ("discord", Reply(429, None, {"Retry-After": "2"}), 2.0),
        ("discord", Reply(429, "nonsense"), float(BACKOFF_S[0])),
        ("discord", Reply(429, {"retry_after": 1e9}), 600.0),
        ("discord", Reply(500, "oops"), float(BACKOFF_S[0])),
        ("telegram", Reply(502), float(BACKOFF_S[0])),
    ],
)
def test_it_comes_back_when_it_may(
    database: OpsDatabase, kind: Spoken, reply: Reply, after_s: float
) -> None:
    async def scene(here: Service, desk: Desk) -> None:
        here.replies.append(reply)
        desk.outbox.put(message(), ["c"])
        assert await desk.dispatcher.send_due("c")
        assert desk.waiting()[0] == 1
        assert TOKEN not in desk.waiting()[1]
        desk.clock.advance(int(after_s * NS_PER_S) - 1)
        assert not await desk.dispatcher.send_due("c")
        desk.clock.advance(1)
        assert await desk.dispatcher.send_due("c")
        assert desk.waiting()[0] == 0
        assert len(here.seen) == 2

    play(database, kind, scene)


def test_back_off_grows_and_stays(database: OpsDatabase) -> None:
    async def scene(here: Service, desk: Desk) -> None:
        here.usual = lambda _path, _body: Reply(500)
        desk.outbox.put(message(), ["c"])
        for wait_s in (*BACKOFF_S, BACKOFF_S[-1]):
            assert await desk.dispatcher.send_due("c")
            desk.clock.advance(wait_s * NS_PER_S - 1)
            assert not await desk.dispatcher.send_due("c")
            desk.clock.advance(1)

    play(database, "discord", scene)


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_dead_webhook_is_given_up(database: OpsDatabase, status: int) -> None:
    async def scene(here: Service, desk: Desk) -> None:
        here.usual = lambda _path, _body: Reply(status)
        desk.outbox.put(message(), ["c"])
        assert await desk.dispatcher.send_due("c")
        desk.clock.advance(3600 * NS_PER_S)
        assert not await desk.dispatcher.send_due("c")

    play(database, "discord", scene)


def test_a_clock_set_back_delays_nothing(database: OpsDatabase) -> None:
    async def scene(here: Service, desk: Desk) -> None:
        desk.outbox.put(message(), ["c"])
        desk.clock.step_wall(-3600 * NS_PER_S)
        assert await desk.dispatcher.send_due("c")
        assert len(here.seen) == 1

    play(database, "discord", scene)


def test_a_hung_channel_delays_no_other(database: OpsDatabase) -> None:
    """One server hangs for ever; the other has its message meanwhile."""

    async def run() -> None:
        async with service() as hung, service() as good, httpx.AsyncClient() as client:
            hung.usual = lambda _path, _body: Reply(hang=True)
            channels = (
                ChannelConfig(name="hung", kind="discord", url=hung.url + "/x"),
                ChannelConfig(name="good", kind="discord", url=good.url + "/x"),
            )
            outbox = Outbox(database)
            senders = make_senders(channels, client, {})
            dispatcher = Dispatcher(outbox, senders, ManualClock(NOW))
            async with asyncio.TaskGroup() as group:
                task = group.create_task(dispatcher.run())
                outbox.put(message(), ["hung", "good"])
                dispatcher.wake()
                await hung.wait_for(lambda: bool(hung.seen))
                await good.wait_for(lambda: bool(good.seen))
                task.cancel()
            assert outbox.waiting()["hung"][0] == 1

    asyncio.run(run())


def test_a_dispatcher_with_nothing_to_do_lets_others_run(database: OpsDatabase) -> None:
    """Woken without need it must rest again; it once spun and held the whole loop."""

    async def scene(here: Service, desk: Desk) -> None:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(desk.dispatcher.run())
            for _ in range(3):
                await asyncio.sleep(0)
                desk.dispatcher.wake()
            desk.outbox.put(message(), ["c"])
            desk.dispatcher.wake()
            await here.wait_for(lambda: bool(here.seen))
            task.cancel()

    play(database, "discord", scene)


def test_a_hung_service_is_left_at_the_deadline_and_tried_again(
    database: OpsDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(senders_module, "DEADLINE_S", 0.05)

    async def scene(here: Service, desk: Desk) -> None:
        here.replies.append(Reply(hang=True))
        desk.outbox.put(message(), ["c"])
        assert await desk.dispatcher.send_due("c")
        assert "no answer within" in desk.waiting()[1]
        monkeypatch.setattr(senders_module, "DEADLINE_S", 20.0)
        desk.clock.advance(NS_PER_S)
        assert await desk.dispatcher.send_due("c")
        assert desk.waiting()[0] == 0

    play(database, "discord", scene)


def test_a_long_text_arrives_in_parts_and_a_failure_repeats_no_part(database: OpsDatabase) -> None:
    async def scene(here: Service, desk: Desk) -> None:
        text = "\n".join(f"line {number} {'x' * 90}" for number in range(60))
        desk.outbox.put(message(text=text), ["c"])
        here.replies += [Reply(204), Reply(500)]
        assert await desk.dispatcher.send_due("c")
        desk.clock.advance(NS_PER_S)
        assert await desk.dispatcher.send_due("c")
        texts = here.texts()
        assert all(len(text) <= 2000 for text in texts)
        heads = [text.split("\n")[0] for text in texts]
        assert heads == ["(1/3)", "(2/3)", "(2/3)", "(3/3)"]
        whole = "\n".join(t.split("\n", 1)[1] for t in [texts[0], *texts[2:]])
        assert whole == text

    play(database, "discord", scene)


def test_the_same_message_is_sent_once_and_a_newer_alert_replaces_it(database: OpsDatabase) -> None:
    async def scene(here: Service, desk: Desk) -> None:
        assert desk.outbox.put(message(1, "first"), ["c"])
        assert not desk.outbox.put(message(1, "first again"), ["c"])
        assert desk.outbox.put(message(2, "second"), ["c"])
        while await desk.dispatcher.send_due("c"):
            pass
        assert here.texts() == ["second"]

    play(database, "discord", scene)


def test_the_outbox_survives_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "ops.sqlite"
    with OpsDatabase(path) as database:
        Outbox(database).put(message(), ["c"])
    assert path.stat().st_mode & 0o777 == 0o600

    async def scene(here: Service, desk: Desk) -> None:
        assert await desk.dispatcher.send_due("c")
        assert here.texts() == ["hello"]

    with OpsDatabase(path) as database:
        play(database, "discord", scene)


def test_a_telegram_button_and_command_acknowledge_in_our_chat_alone(database: OpsDatabase) -> None:
    outbox = Outbox(database)
    person = {"id": 7, "first_name": "Ann\u202e", "username": "ann"}
    ours, foreign = {"id": 42}, {"id": 666}
    updates = [
        {"update_id": 1, "callback_query": _press("INC-2026-002", person, foreign)},
        {"update_id": 2, "message": {"chat": foreign, "text": "/ack INC-2026-003", "from": person}},
        {"update_id": 3, "message": {"chat": ours, "text": "/ack ../../etc", "from": person}},
        {"update_id": 4, "message": {"chat": ours, "text": "good morning", "from": person}},
        {"update_id": 5, "callback_query": _press("INC-2026-001", person, ours)},
        {"update_id": 6, "message": {"chat": ours, "text": "/ack INC-2026-004", "from": person}},
    ]

    async def run() -> None:
        async with service() as here, httpx.AsyncClient() as client:
            here.replies.append(Reply(200, {"ok": True, "result": updates}))
            here.usual = lambda _path, _body: Reply(200, {"ok": True, "result": []})
            bot = Telegram(client, f"{here.url}/bot{TOKEN}", "42")

            def acknowledge(incident: str, by: str) -> str:
                outbox.acknowledge(incident, by, "telegram", NOW)
                return f"{incident} acknowledged"

            poll = AckPoll(bot, client, acknowledge)
            await poll.poll()
            await poll.poll()
            calls = [path.rpartition("/")[2] for path, _ in here.seen]
            assert calls.count("answerCallbackQuery") == 1
            assert here.seen[-1][1]["offset"] == 7
            told = [body["text"] for path, body in here.seen if path.endswith("sendMessage")]
            assert told == ["name an incident: /ack INC-2026-001", "INC-2026-004 acknowledged"]

    asyncio.run(run())
    assert outbox.acknowledged("INC-2026-001") == ("telegram:7 (ann)", "telegram", NOW)
    assert outbox.acknowledged("INC-2026-004") is not None
    assert outbox.acknowledged("INC-2026-002") is None
    assert outbox.acknowledged("INC-2026-003") is None


def test_telegram_confirms_a_resume_of_its_own_chat_alone(database: OpsDatabase) -> None:
    """The second of two persons; without the rule nothing is resumed by Telegram at all."""
    del database
    person = {"id": 7, "username": "ann"}
    texts = ("/resume H1", "/resume", "/resume H1; rm", "/resume@bot H2")
    updates = [
        {"update_id": i, "message": {"chat": {"id": 42}, "text": text, "from": person}}
        for i, text in enumerate(texts)
    ]
    foreign = {"chat": {"id": 43}, "text": "/resume H3", "from": person}
    updates.append({"update_id": 9, "message": foreign})
    asked: list[tuple[str, str]] = []

    def nobody(_incident: str, _by: str) -> str:
        return ""

    async def confirm(halt_id: str, by: str) -> str:
        asked.append((halt_id, by))
        return f"{halt_id}: resumed"

    async def run() -> None:
        async with service() as here, httpx.AsyncClient() as client:
            here.usual = lambda path, _body: Reply(
                200, {"ok": True, "result": updates if path.endswith("getUpdates") else True}
            )
            bot = Telegram(client, f"{here.url}/bot{TOKEN}", "42")
            await AckPoll(bot, client, nobody, confirm).poll()
            await AckPoll(bot, client, nobody).poll()
            told = [body["text"] for path, body in here.seen if path.endswith("sendMessage")]
            assert told[:4] == ["H1: resumed", *["name the halt: /resume H..."] * 2, "H2: resumed"]
            assert set(told[4:]) == {"nothing is resumed by Telegram: [resume] two_person is off"}

    asyncio.run(run())
    assert asked == [("H1", "telegram:7 (ann)"), ("H2", "telegram:7 (ann)")]


def _press(incident: str, person: object, chat: object) -> dict[str, object]:
    message_ = {"chat": chat, "text": "alert"}
    return {"id": "q", "from": person, "data": f"ack:{incident}", "message": message_}


@pytest.mark.filterwarnings("ignore")
def test_apprise_carries_what_it_speaks(database: OpsDatabase) -> None:
    pytest.importorskip("apprise")

    async def run() -> None:
        async with service() as here, httpx.AsyncClient() as client:
            here.usual = lambda _path, _body: Reply(200, {})
            url = here.url.replace("http://", "json://") + "/hook"
            channel = ChannelConfig(name="c", kind="apprise", url=url)
            senders = make_senders((channel,), client, {})
            outbox, clock = Outbox(database), ManualClock(NOW)
            outbox.put(message(text="title\nbody"), ["c"])
            assert await Dispatcher(outbox, senders, clock).send_due("c")
            _, body = here.seen[0]
            assert (body["title"], body["message"]) == ("title", "body")
            assert outbox.proven() == {"c": NOW}

    asyncio.run(run())


def test_a_channel_without_url_is_refused() -> None:
    channel = ChannelConfig(name="c", kind="discord")
    with pytest.raises(ConfigError, match="must have a url"):
        make_senders((channel,), httpx.AsyncClient(), {})
