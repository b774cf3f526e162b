"""How much a request may hold."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from seqpipe.serve.errors import Refused, response_of

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class BodyLimit:
    """An application that reads no more of a request's body than is allowed (ASGI middleware).

    Args:
        app: the application.
        most: bytes.
    """

    def __init__(self, app: Any, most: int) -> None:
        self.app, self.most = app, most

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Answer a request, with status 413 where it is too large."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        stated = dict(scope["headers"]).get(b"content-length", b"0")
        refusal = Refused(413, "too_large", f"the request is larger than {self.most / 1e6:g} MB, which are allowed")
        if stated.isdigit() and int(stated) > self.most:
            await response_of(refusal)(scope, receive, send)
            return
        read = 0

        async def counted() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > self.most:
                raise refusal
            return message

        await self.app(scope, counted, send)
