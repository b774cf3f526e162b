"""``POST /v1/audio/transcriptions`` as OpenAI's interface has it.

Source: OpenAI API reference, "Create transcription" (openai-openapi, CreateTranscriptionRequest and
CreateTranscriptionResponseVerboseJson).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from starlette.datastructures import FormData, UploadFile
from starlette.responses import JSONResponse, PlainTextResponse, Response

from seqpipe.answers.transcript import Transcript
from seqpipe.inference.formats.srt import make_cues, srt_text
from seqpipe.inference.formats.vtt import vtt_text
from seqpipe.serve.errors import Refused

FORMATS = ("json", "text", "srt", "verbose_json", "vtt")
GRANULARITIES = ("word", "segment")


def read_options(form: FormData) -> tuple[UploadFile, str, Sequence[str]]:
    """The recording, the format of the response, and which parts have times.

    What says how other models decode (``prompt``, ``temperature``) or what is known already (``language``) is taken,
    and changes nothing.

    Raises:
        Refused: there is no file, or an option has a value that isn't known.
    """
    file = form.get("file")
    if not isinstance(file, UploadFile):
        raise Refused(400, "missing", "file: is missing; send the recording as a file of multipart/form-data", "file")
    kind = form.get("response_format", "json")
    if kind not in FORMATS:
        message = f"response_format: should be one of {', '.join(FORMATS)}; received {str(kind)!r:.80}"
        raise Refused(400, "bad_value", message, "response_format")
    name = "timestamp_granularities[]"
    wanted = [str(value) for value in form.getlist(name)]
    for value in wanted:
        if value not in GRANULARITIES:
            message = f"{name}: should be word or segment; received {value!r:.80}"
            raise Refused(400, "bad_value", message, name)
    if wanted and kind != "verbose_json":
        raise Refused(400, "bad_value", f"{name}: goes with response_format verbose_json", name)
    if str(form.get("stream", "false")).lower() == "true":
        raise Refused(400, "not_supported", "stream: answers come whole; leave it out", "stream")
    return file, str(kind), wanted or ["segment"]


def transcription(answer: Transcript, kind: str, granularities: Sequence[str], seconds: float) -> Response:
    """An answer in the wanted format.

    Args:
        answer: of the model.
        kind: of `FORMATS`.
        granularities: what has times in ``verbose_json``.
        seconds: of the recording.
    """
    record = answer.to_json()
    if kind == "text":
        return PlainTextResponse(answer.text + "\n")
    if kind == "srt":
        return PlainTextResponse(srt_text(record), media_type="application/x-subrip")
    if kind == "vtt":
        return PlainTextResponse(vtt_text(record), media_type="text/vtt")
    if kind == "json":
        return JSONResponse({"text": answer.text})
    found: dict[str, Any] = {"task": "transcribe", "duration": round(seconds, 3), "text": answer.text}
    found["confidence"] = round(answer.confidence, 6)
    if "word" in granularities:
        found["words"] = [
            {"word": word["text"], "start": word["start"], "end": word["end"], "confidence": word["confidence"]}
            for word in record["words"]
        ]
    if "segment" in granularities:
        found["segments"] = _segments(answer, seconds)
    return JSONResponse(found)


def _segments(answer: Transcript, seconds: float) -> list[dict[str, Any]]:
    """What is said between two longer pauses: the cues that subtitles have."""
    cues = make_cues(answer.to_json())
    return [
        {
            "id": number,
            "start": start / 1000,
            "end": min(end / 1000, max(seconds, start / 1000)),
            "text": " ".join(lines),
        }
        for number, (start, end, lines) in enumerate(cues)
    ]
