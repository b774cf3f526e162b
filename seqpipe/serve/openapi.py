"""What the server answers, as an OpenAPI 3.1 document."""

from __future__ import annotations

from typing import Any

from seqpipe.serve.transcriptions import FORMATS, GRANULARITIES


def document(model: str, version: str, *, transcribes: bool) -> dict[str, Any]:
    """The document.

    Args:
        model: name of the model.
        version: of seqpipe.
        transcribes: whether it answers recordings with texts.
    """
    refusals = {
        "400": "The request is wrong.",
        "404": "Another model is loaded.",
        "413": "The request or an input is too large.",
        "415": "Of a kind that the model doesn't read.",
        "422": "The input can't be used.",
        "503": "The queue is full; Retry-After says when to try again.",
    }
    failed = {status: _response(said, "Error") for status, said in refusals.items()}
    file = {"type": "string", "format": "binary"}
    paths: dict[str, Any] = {
        "/v1/predict": {
            "post": {
                "summary": "Answers to inputs of the model's task",
                "requestBody": _body(
                    {"multipart/form-data": {"type": "object", "required": ["file"], "properties": {
                        "file": file, "model": {"type": "string"}}},
                     "application/json": {"type": "object", "required": ["inputs"], "properties": {
                         "inputs": {"type": "array", "minItems": 1}, "model": {"type": "string"}}}}
                ),
                "responses": {"200": _response("An answer to each input.", "Predictions"), **failed},
            }
        },
        "/v1/models": {"get": {"summary": "The loaded model", "responses": {"200": {"description": "A list of one."}}}},
        "/healthz": {"get": {"summary": "Whether the server works", "responses": {"200": {"description": "It does."}}}},
        "/metrics": {"get": {"summary": "Counts, for Prometheus", "responses": {"200": {"description": "Text."}}}},
    }  # fmt: skip
    if transcribes:
        fields = {
            "file": file,
            "model": {"type": "string"},
            "response_format": {"type": "string", "enum": list(FORMATS), "default": "json"},
            "timestamp_granularities[]": {"type": "array", "items": {"type": "string", "enum": list(GRANULARITIES)}},
        }
        form = {"type": "object", "properties": fields, "required": ["file"]}
        paths["/v1/audio/transcriptions"] = {
            "post": {
                "summary": "The text of a recording",
                "requestBody": _body({"multipart/form-data": form}),
                "responses": {"200": {"description": "The text, in the wanted format."}, **failed},
            }
        }
    return {
        "openapi": "3.1.0",
        "info": {"title": f"seqpipe: {model}", "version": version},
        "paths": paths,
        "components": {
            "schemas": {
                "Predictions": {
                    "type": "object",
                    "properties": {
                        "model": {"type": "string"},
                        "predictions": {"type": "array", "items": {"type": "object"}},
                    },
                },
                "Error": {
                    "type": "object",
                    "properties": {
                        "error": {
                            "type": "object",
                            "properties": {
                                name: {"type": ["string", "null"]} for name in ("message", "type", "param", "code")
                            },
                        }
                    },
                },
            }
        },
    }  # fmt: skip


def _body(contents: dict[str, Any]) -> dict[str, Any]:
    return {"required": True, "content": {kind: {"schema": schema} for kind, schema in contents.items()}}


def _response(said: str, schema: str) -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}
    return {"description": said, "content": content}
