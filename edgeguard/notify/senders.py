"""The channels: Discord and Telegram by their own HTTP, whatever else by Apprise.

Discord and Telegram are called directly, because their answers say when to come back (Retry-After)
and Telegram carries the button that acknowledges; Apprise hides both. A URL is a secret: it never
gets into an error's text.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final, Protocol, cast

import httpx
import msgspec

from edgeguard.config.model import ChannelConfig
from edgeguard.config.secrets import Secret
from edgeguard.errors import ConfigError

DEADLINE_S: Final = 10.0
"""How long one call of a service may take."""
DISCORD_UNITS_MAX: Final = 2000
TELEGRAM_UNITS_MAX: Final = 4096
APPRISE_UNITS_MAX: Final = 30_000
"""Apprise splits by each service's own limit; this one only bounds memory."""
APPRISE_THREADS: Final = 8
TOO_MANY: Final = 429
GONE: Final = frozenset({400, 401, 403, 404, 405, 410})
"""Answers that no later attempt changes: the channel or the message is wrong."""
ACK: Final = "ack:"
"""What a pressed button sends back, before the incident's id."""

logging.getLogger("httpx").setLevel(logging.WARNING)


class Outcome(msgspec.Struct, frozen=True):
    """How one call went: an empty `error` means that it arrived."""

    error: str = ""
    after_s: float | None = None
    final: bool = False


class Sender(Protocol):
    """Sends one part of a message."""

    @property
    def units_max(self) -> int:
        """Longest part in UTF-16 units."""
        ...

    async def send(self, text: str, ack: str) -> Outcome:
        """Send; `ack` is the incident that a button is to acknowledge, empty for no button."""
        ...


@dataclass(frozen=True)
class Discord:
    """A Discord webhook."""

    client: httpx.AsyncClient
    url: str
    units_max: int = DISCORD_UNITS_MAX

    async def send(self, text: str, ack: str) -> Outcome:
        """Send; a webhook has no buttons, and nobody is mentioned by a reason's text."""
        del ack
        nobody: list[str] = []
        document = {"content": text, "allowed_mentions": {"parse": nobody}}
        return await _post(self.client, self.url, document)


@dataclass(frozen=True)
class Telegram:
    """A Telegram bot that writes to one chat; `url` is the API with the bot's token."""

    client: httpx.AsyncClient
    url: str
    chat: str
    units_max: int = TELEGRAM_UNITS_MAX

    async def send(self, text: str, ack: str) -> Outcome:
        """Send, with a button that acknowledges where `ack` names an incident."""
        document: dict[str, object] = {"chat_id": self.chat, "text": text}
        if ack:
            button = {"text": "Acknowledge", "callback_data": f"{ACK}{ack}"}
            document["reply_markup"] = {"inline_keyboard": [[button]]}
        return await _post(self.client, f"{self.url}/sendMessage", document)


@dataclass(frozen=True)
class ByApprise:
    """Any service that Apprise speaks."""

    url: str
    threads: ThreadPoolExecutor
    units_max: int = APPRISE_UNITS_MAX

    async def send(self, text: str, ack: str) -> Outcome:
        """Send on a thread; one that hangs is left behind at the deadline."""
        del ack
        loop = asyncio.get_running_loop()
        sending = loop.run_in_executor(self.threads, self._notify, text)
        try:
            is_sent = await asyncio.wait_for(sending, DEADLINE_S)
        except TimeoutError:
            return Outcome(f"no answer within {DEADLINE_S:g} s")
        except Exception as e:  # noqa: BLE001 - a plug-in may raise anything
            return Outcome(type(e).__name__)
        return Outcome() if is_sent else Outcome("the service did not take it")

    def _notify(self, text: str) -> bool:
        import apprise  # noqa: PLC0415 - heavy, and wanted only by those who use it

        service: Any = apprise.Apprise()
        title, _, body = text.partition("\n")
        return bool(service.add(self.url)) and bool(service.notify(body=body or title, title=title))


def make_senders(
    channels: tuple[ChannelConfig, ...],
    client: httpx.AsyncClient,
    environment: Mapping[str, str] | None = None,
) -> dict[str, Sender]:
    """Return a sender for each channel.

    Raises:
        ConfigError: a channel has no URL, or its file is not private.
    """
    threads = ThreadPoolExecutor(APPRISE_THREADS, "edgeguard-apprise")
    senders: dict[str, Sender] = {}
    for channel in channels:
        secret = Secret(f"edgeguard-channel-{channel.name}", channel.url_file, "", channel.url)
        url = secret.read(environment).rstrip("/")
        if not url:
            raise ConfigError(
                f"notify.channel {channel.name} must have a url or url_file, had none"
            )
        match channel.kind:
            case "discord":
                senders[channel.name] = Discord(client, url)
            case "telegram":
                senders[channel.name] = Telegram(client, url, channel.chat)
            case "apprise":
                senders[channel.name] = ByApprise(url, threads)
    return senders


async def _post(client: httpx.AsyncClient, url: str, document: object) -> Outcome:
    data = msgspec.json.encode(document)
    headers = {"Content-Type": "application/json"}
    try:
        async with asyncio.timeout(DEADLINE_S):
            answer = await client.post(url, content=data, headers=headers)
    except TimeoutError:
        return Outcome(f"no answer within {DEADLINE_S:g} s")
    except (httpx.HTTPError, httpx.InvalidURL) as e:
        # Its text may hold the URL, which is a secret.
        return Outcome(type(e).__name__)
    status = answer.status_code
    if answer.is_success:
        return Outcome()
    if status == TOO_MANY:
        return Outcome("too many messages, the service says", after_s=_retry_after(answer))
    return Outcome(f"the service answered {status}", final=status in GONE)


def _retry_after(answer: httpx.Response) -> float | None:
    """Return how long the service wants to be left alone: from its body, else its header."""
    try:
        body: object = msgspec.json.decode(answer.content)
    except msgspec.MsgspecError:
        body = None
    if isinstance(body, dict):
        table = cast("dict[str, Any]", body)
        parameters = table.get("parameters")
        inner = cast("dict[str, Any]", parameters) if isinstance(parameters, dict) else {}
        for value in (table.get("retry_after"), inner.get("retry_after")):
            if isinstance(value, int | float):
                return float(value)
    try:
        return float(answer.headers.get("retry-after", ""))
    except ValueError:
        return None
