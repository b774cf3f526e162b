"""What stands in the place of an answer that could not be given."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Failure:
    """Stands in the place of a prediction that could not be made.

    Attributes:
        id: of the input.
        kind: ``missing``, ``undecodable``, ``empty``, ``non-finite``, ...; see `InputError`.
        message: what is wrong, with the file's name.
    """

    id: str
    kind: str
    message: str

    def to_json(self) -> dict[str, str]:
        """One JSON object; ``error`` is there in no prediction."""
        return {"id": self.id, "error": self.kind, "message": self.message}
