"""What a server says where it can't answer: OpenAI's form of an error, whatever the endpoint."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.responses import JSONResponse


class Refused(Exception):
    """A request that isn't answered as it was meant.

    Attributes:
        status: of HTTP.
        code: a short fixed word.
        parameter: of the request that is wrong, if one is.
        headers: further ones.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        parameter: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.parameter, self.headers = status, code, parameter, headers or {}


def response_of(refused: Refused) -> JSONResponse:
    """A refusal as a response."""
    kind = "invalid_request_error" if refused.status < 500 else "server_error"
    error = {"message": str(refused), "type": kind, "param": refused.parameter, "code": refused.code}
    return JSONResponse({"error": error}, refused.status, dict(refused.headers))
