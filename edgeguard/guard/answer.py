"""The staged answer to one command."""

from __future__ import annotations

from collections.abc import Callable

from edgeguard.guard.accounts import Json
from edgeguard.messages import Reply

SendReply = Callable[[Reply], None]


class Answer:
    """Sends the stages of one command's answer; after `end` nothing more is sent."""

    def __init__(self, command_id: str, send: SendReply) -> None:
        """Answer the command of that id through `send`."""
        self._id = command_id
        self._send = send
        self._is_ended = False

    def stage(self, stage: str, text: str, body: object = None) -> None:
        """Send a stage that another one follows."""
        self._tell(stage, text, body, final=False)

    def end(self, stage: str, text: str, body: object = None) -> None:
        """Send the last stage."""
        self._tell(stage, text, body, final=True)
        self._is_ended = True

    def _tell(self, stage: str, text: str, body: object, *, final: bool) -> None:
        if self._is_ended:
            return
        document = body if isinstance(body, bytes) else Json.encode(body or {})
        self._send(Reply(self._id, stage, final, text, document))
