"""Answers by Telegram: the button under an alert, ``/ack INC-2026-001`` or ``/resume HALT_ID``.

A raw long poll of getUpdates: it needs no public address, and python-telegram-bot would bring
240 ms of imports for two calls. Only the configured chat is obeyed.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Any, Final

import httpx
import msgspec

from edgeguard.notify.senders import ACK, Telegram

POLL_S: Final = 25
"""How long Telegram may hold a poll that has nothing to tell."""
IDLE_S: Final = 0.5
"""Wait after a poll that brought nothing."""
PAUSE_S: Final = 5.0
"""Wait after a poll that failed."""
INCIDENT: Final = re.compile(r"INC-[0-9]{4}-[0-9]{3,6}")

HALT_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")

Acknowledge = Callable[[str, str], str]
"""Takes an incident's id and a person's name; returns what to tell that person."""
Confirm = Callable[[str, str], Awaitable[str]]
"""Takes a halt's id and a person's name: the second of the two that a resume takes."""


class Chat(msgspec.Struct, frozen=True):
    """Where a message was written."""

    id: int
    username: str = ""


class Person(msgspec.Struct, frozen=True):
    """Who wrote or pressed."""

    id: int
    first_name: str = ""
    username: str = ""

    def label(self) -> str:
        """Return how the audit names this person."""
        name = self.username or self.first_name
        clean = "".join(char for char in name if char.isprintable())[:40]
        return f"telegram:{self.id}" + (f" ({clean})" if clean else "")


class Text(msgspec.Struct, frozen=True, rename={"sender": "from"}):
    """A message in a chat."""

    chat: Chat
    text: str = ""
    sender: Person | None = None


class Press(msgspec.Struct, frozen=True, rename={"sender": "from"}):
    """A pressed button."""

    id: str
    sender: Person
    data: str = ""
    message: Text | None = None


class Update(msgspec.Struct, frozen=True):
    """One event of the bot."""

    update_id: int
    message: Text | None = None
    callback_query: Press | None = None


class Updates(msgspec.Struct, frozen=True):
    """What a poll returns."""

    ok: bool
    result: tuple[Update, ...] = ()


class AckPoll:
    """Listens for acknowledgements of one bot."""

    def __init__(
        self,
        bot: Telegram,
        client: httpx.AsyncClient,
        acknowledge: Acknowledge,
        confirm: Confirm | None = None,
    ) -> None:
        """Poll `bot`; `client` is one that may wait long; without `confirm` nothing is resumed."""
        self._bot = bot
        self._confirm = confirm
        self._client = client
        self._acknowledge = acknowledge
        self._offset = 0

    async def run(self) -> None:
        """Listen until cancelled."""
        while True:
            try:
                is_busy = await self.poll()
            except (httpx.HTTPError, msgspec.MsgspecError, TimeoutError):
                await asyncio.sleep(PAUSE_S)
            else:
                # A server that does not hold an empty poll must not be asked without end.
                await asyncio.sleep(0 if is_busy else IDLE_S)

    async def poll(self) -> bool:
        """Take in what one poll brings; return whether that was anything.

        Raises:
            httpx.HTTPError: Telegram cannot be reached.
            msgspec.MsgspecError: it answers something else.
        """
        document = {"timeout": POLL_S, "offset": self._offset}
        document |= {"allowed_updates": ["message", "callback_query"]}
        answer = await self._call("getUpdates", document, POLL_S + 10)
        answer.raise_for_status()
        updates = msgspec.json.decode(answer.content, type=Updates).result
        for update in updates:
            self._offset = max(self._offset, update.update_id + 1)
            await self._take(update)
        return bool(updates)

    async def _take(self, update: Update) -> None:
        press, text = update.callback_query, update.message
        if press is not None and press.message is not None and self._is_ours(press.message.chat):
            said = self._said(press.data.removeprefix(ACK), press.sender)
            await self._answer("answerCallbackQuery", {"callback_query_id": press.id, "text": said})
        elif text is not None and text.sender is not None and self._is_ours(text.chat):
            command, _, name = text.text.strip().partition(" ")
            if command.partition("@")[0] == "/ack":
                await self._tell(self._said(name.strip(), text.sender))
            elif command.partition("@")[0] == "/resume":
                await self._tell(await self._confirmed(name.strip(), text.sender))

    def _said(self, incident: str, person: Person) -> str:
        if not INCIDENT.fullmatch(incident):
            return "name an incident: /ack INC-2026-001"
        return self._acknowledge(incident, person.label())

    async def _confirmed(self, halt_id: str, person: Person) -> str:
        if self._confirm is None:
            return "nothing is resumed by Telegram: [resume] two_person is off"
        if not HALT_ID.fullmatch(halt_id):
            return "name the halt: /resume H..."
        return await self._confirm(halt_id, person.label())

    async def _tell(self, said: str) -> None:
        await self._answer("sendMessage", {"chat_id": self._bot.chat, "text": said})

    def _is_ours(self, chat: Chat) -> bool:
        return self._bot.chat in {str(chat.id), f"@{chat.username}"}

    async def _answer(self, method: str, document: dict[str, Any]) -> None:
        try:
            await self._call(method, document, PAUSE_S)
        except (httpx.HTTPError, TimeoutError):
            # The acknowledgement stands; only the person's own screen does not say so.
            return

    async def _call(self, method: str, document: object, within_s: float) -> httpx.Response:
        async with asyncio.timeout(within_s):
            return await self._client.post(
                f"{self._bot.url}/{method}",
                content=msgspec.json.encode(document),
                headers={"Content-Type": "application/json"},
                timeout=within_s,
            )
