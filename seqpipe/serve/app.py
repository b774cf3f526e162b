"""The application: requests in, answers of the model out."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

import seqpipe
from seqpipe.answers.failure import Failure
from seqpipe.answers.transcript import Transcript
from seqpipe.core.input import FileSpan
from seqpipe.runtime.model import Model
from seqpipe.serve.errors import Refused, response_of
from seqpipe.serve.limits import BodyLimit
from seqpipe.serve.metrics import Counts
from seqpipe.serve.openapi import document
from seqpipe.serve.predictions import name_of, read_inputs
from seqpipe.serve.queue import AnswerQueue, QueueFull, Waiting
from seqpipe.serve.transcriptions import read_options, transcription

Handler = Callable[[Request], Awaitable[Response]]
LOOKED_AFTER = 0.2
"""Seconds after which it is looked whether a client is still there."""
STATUSES = {"too long": 413, "too large": 413}
"""Of failures by kind; 422 of others."""


class Server:
    """One model behind HTTP.

    Args:
        model: that answers.
        name: what requests call it.
        queue: inputs that may wait.
        together: inputs that a thread answers at once.
        most_bytes: of a request.
        page: folder of static files that are served too (`seqpipe export --format web`).
    """

    def __init__(
        self,
        model: Model,
        name: str,
        *,
        queue: int = 64,
        together: int = 8,
        most_bytes: int = 25_000_000,
        page: Path | None = None,
    ) -> None:
        self.model, self.name = model, name
        self.queue = AnswerQueue(model, most=queue, together=together)
        self.counts = Counts()
        self.transcribes = issubclass(model.head.answer_type, Transcript) and model.reader.measure.is_time
        routes: list[BaseRoute] = [
            Route("/healthz", self._counted(self.health)),
            Route("/metrics", self.metrics),
            Route("/openapi.json", self._counted(self.openapi)),
            Route("/v1/models", self._counted(self.models)),
            Route("/v1/predict", self._counted(self.predict), methods=["POST"]),
        ]
        if self.transcribes:
            routes.append(Route("/v1/audio/transcriptions", self._counted(self.transcribe), methods=["POST"]))
        if page is not None:
            routes.append(Mount("/", StaticFiles(directory=page, html=True)))
        starlette = Starlette(
            routes=routes,
            lifespan=self._lifespan,
            exception_handlers={HTTPException: _http_error},
        )
        self.app = BodyLimit(starlette, most_bytes)

    @asynccontextmanager
    async def _lifespan(self, app: Starlette) -> AsyncIterator[None]:
        yield
        await asyncio.to_thread(self.queue.close)

    def _counted(self, handler: Handler) -> Handler:
        """A handler whose requests are counted, and whose refusals are responses."""

        async def counted(request: Request) -> Response:
            started = time.perf_counter()
            try:
                response = await handler(request)
            except Refused as refused:
                response = response_of(refused)
            except ClientDisconnect:
                self.counts.add("given_up")
                response = Response(status_code=499)  # nobody reads it
            except Exception:
                self.counts.request(request.url.path, 500, time.perf_counter() - started)
                raise
            self.counts.request(request.url.path, response.status_code, time.perf_counter() - started)
            return response

        return counted

    # Endpoints

    async def health(self, request: Request) -> Response:
        """Whether the threads that answer are there."""
        alive = self.queue.is_alive
        return JSONResponse({"status": "ok" if alive else "failed", "model": self.name}, 200 if alive else 500)

    async def metrics(self, request: Request) -> Response:
        """For Prometheus."""
        gauges = {"queue_inputs": ("Inputs that wait.", len(self.queue))}
        return PlainTextResponse(self.counts.text(gauges), media_type="text/plain; version=0.0.4")

    async def openapi(self, request: Request) -> Response:
        """What is answered here."""
        return JSONResponse(document(self.name, seqpipe.__version__, transcribes=self.transcribes))

    async def models(self, request: Request) -> Response:
        """The loaded model, as OpenAI's interface lists models."""
        return JSONResponse({"object": "list", "data": [{"id": self.name, "object": "model", "owned_by": "seqpipe"}]})

    async def predict(self, request: Request) -> Response:
        """Answers to inputs, in their order; one that can't be used has an ``error`` in its answer's place."""
        inputs = await read_inputs(request, self.model)
        self._check_model(inputs.model)
        answers = await self._answers(request, inputs.values)
        return JSONResponse({"model": self.name, "predictions": [answer.to_json() for answer, _ in answers]})

    async def transcribe(self, request: Request) -> Response:
        """The text of a recording."""
        async with request.form() as form:
            file, kind, granularities = read_options(form)
            self._check_model(form.get("model"))
            content = await file.read()
            name = name_of(file, 1)
        if not content:
            raise Refused(400, "empty", f"file: {name} is empty", "file")
        ((answer, seconds),) = await self._answers(request, [(name, FileSpan(content))])
        if isinstance(answer, Failure):
            raise Refused(STATUSES.get(answer.kind, 422), answer.kind.replace(" ", "_"), answer.message, "file")
        return transcription(answer, kind, granularities, seconds)

    def _check_model(self, wanted: Any) -> None:
        if wanted not in (None, "", self.name):
            message = f"model: {str(wanted)!r:.80} isn't loaded here; {self.name} is"
            raise Refused(404, "model_not_found", message, "model")

    async def _answers(self, request: Request, inputs: list[tuple[str, Any]]) -> list[tuple[Any, float]]:
        """The answer to each input, with its length; given up where the client is."""
        try:
            waiting = self.queue.put(inputs)
        except QueueFull as full:
            raise Refused(503, "busy", str(full), headers={"Retry-After": str(full.seconds)}) from None
        left = {asyncio.wrap_future(each.answer) for each in waiting}
        try:
            while left:
                _, left = await asyncio.wait(left, timeout=LOOKED_AFTER)
                if left and await request.is_disconnected():
                    raise ClientDisconnect
        except BaseException:
            _give_up(waiting)
            raise
        found = [(each.answer.result(), each.slot.seconds) for each in waiting]
        self.counts.add("inputs", len(found))
        self.counts.add("failures", sum(isinstance(answer, Failure) for answer, _ in found))
        return found


def _give_up(waiting: list[Waiting]) -> None:
    for each in waiting:
        each.given_up = True


async def _http_error(request: Request, error: Exception) -> Response:
    """What Starlette refuses by itself: paths and methods that there are not, forms that it can't read."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    detail = error.detail if isinstance(error, HTTPException) else "the server failed"
    said = {404: f"{request.url.path}: there is no such endpoint; /openapi.json lists them"}.get(status, detail)
    code = {404: "not_found", 405: "method_not_allowed"}.get(status, "bad_request" if status < 500 else "failed")
    return response_of(Refused(status, code, str(said)))
