"""A decoder network as what a search asks for what may come next."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from torch import Tensor

from seqpipe.core.sequence import PaddedSequence
from seqpipe.decoders.recurrent import RecurrentDecoder
from seqpipe.decoders.single_steps import SingleSteps
from seqpipe.decoding.normalizer import log_normalizer


class DecoderContinuation:
    """What a recurrent decoder would write next; see `seqpipe.decoding.generation.Continuation`.

    The encoder's steps are projected once, and rows that a search has done with are let go.

    Args:
        decoder: the network.
        encoded: ``[B, T, D]``.
        embed: labels ``[N]`` -> ``[N, E]``.
        project: outputs ``[N, O]`` -> logits ``[N, V]``, in float32 or float64.
    """

    def __init__(
        self,
        decoder: RecurrentDecoder,
        encoded: PaddedSequence,
        embed: Callable[[Tensor], Tensor],
        project: Callable[[Tensor], Tensor],
    ) -> None:
        self.rows = len(encoded.values)
        self._decoder, self._embed, self._project = decoder, embed, project
        self._memory = decoder.attention.remember(encoded)
        self._state = decoder.start(encoded)
        self._layers = SingleSteps(decoder.layers)
        # Many hypotheses have written the same last: what that adds to the gates is computed once. (On a GPU the
        # products are cheap, and finding out takes a wait.)
        self._alike = decoder.parallel and encoded.values.device.type == "cpu"

    def step(self, last: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Logits of the next labels, what makes log-probabilities of them, and weights of attention."""
        places: Tensor | None = None
        if self._alike:
            last, places = last.unique(return_inverse=True)
        recur = partial(self._layers, places=places)
        output, weights, self._state = self._decoder.step(self._embed(last), self._memory, self._state, recur)
        logits = self._project(output)
        return logits, log_normalizer(logits), weights

    def choose(self, rows: Tensor, places: Tensor) -> None:
        """Go on with these."""
        if len(rows) != len(self._memory.keys) or bool((rows != rows.new_tensor(range(len(rows)))).any()):
            self._memory = self._memory.chosen(rows)
        self._state = self._state.chosen(places)
