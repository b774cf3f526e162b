"""``POST /v1/predict``: inputs of any task, answers as ``seqpipe infer`` writes them."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from starlette.datastructures import UploadFile
from starlette.requests import Request

from seqpipe.core.input import FileSpan
from seqpipe.runtime.model import Model
from seqpipe.serve.errors import Refused

MOST_INPUTS = 1000
"""Of a request."""


class Inputs(NamedTuple):
    """What a request asks for.

    Attributes:
        values: with the name that the answer of each gets.
        model: that is asked for, as the client has it; None for whichever is loaded.
    """

    values: list[tuple[str, Any]]
    model: Any = None


async def read_inputs(request: Request, model: Model) -> Inputs:
    """The inputs of a request.

    Files come as ``file`` of multipart/form-data, several if there are several; what is no file (texts, lists of
    words, pen strokes) in ``inputs`` of a JSON object. ``model`` may stand beside either.

    Raises:
        Refused: there are none, too many, or they come in a form that the model doesn't read.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        return await _files(request, model)
    if kind == "application/json":
        return _values(await request.body(), model)
    raise Refused(
        415,
        "unsupported_media_type",
        f"send files as multipart/form-data, other inputs as application/json; received {kind or 'no content-type'}",
    )


async def _files(request: Request, model: Model) -> Inputs:
    if not model.reader.suffixes:
        raise Refused(415, "unsupported_media_type", "this model reads no files: send its inputs as application/json")
    async with request.form(max_files=MOST_INPUTS) as form:
        files = [each for each in form.getlist("file") if isinstance(each, UploadFile)]
        if not files:
            raise Refused(400, "missing", "file: is missing; send one or several files of this name", "file")
        values = [(name_of(file, number), FileSpan(await file.read())) for number, file in enumerate(files, 1)]
        return Inputs(values, form.get("model"))


def name_of(file: UploadFile, number: int) -> str:
    """What the client calls a file, without its folder."""
    return (file.filename or "").replace("\\", "/").rpartition("/")[2] or str(number)


def _values(body: bytes, model: Model) -> Inputs:
    try:
        content = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Refused(400, "bad_json", f"the request is no JSON: {error}") from None
    inputs = content.get("inputs") if isinstance(content, dict) else None
    if not isinstance(inputs, list) or not inputs:
        raise Refused(400, "missing", 'send {"inputs": [...]}, a list of at least one input', "inputs")
    if len(inputs) > MOST_INPUTS:
        raise Refused(413, "too_large", f"{len(inputs):,} inputs; {MOST_INPUTS:,} are allowed in a request", "inputs")
    for number, each in enumerate(inputs):
        if isinstance(each, str) and model.reader.suffixes:
            # A string would be a path of this machine.
            raise Refused(400, "bad_value", f"inputs[{number}]: is a string, and this model reads files: send them as "
                          "multipart/form-data", "inputs")  # fmt: skip
        if not isinstance(each, (str, list, dict)):
            raise Refused(400, "bad_value", f"inputs[{number}]: should be a text, a list or an object", "inputs")
    return Inputs([(str(number), each) for number, each in enumerate(inputs, 1)], content.get("model"))
