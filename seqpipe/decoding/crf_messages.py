"""The sums over all paths of a linear chain: messages from the end to the start, and expectations that flow back.

Everything here is time-major, in float64, and has one tag more than the K of the task, S = K + 1: the last one stands
in the padding. From any tag the end of a row leads to it, and it only follows itself, so rows of different lengths are
one chain of T steps without a mask in any loop.

``beta_t(i)``, the sum over all continuations after tag i at step t, is computed once with products of matrices, scaled
at each step (Rabiner 1989, section V.A). What flows back through the same recursion are expectations: with a flow of
one, the posteriors of the tags.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

# Where a message and the total that it was divided by are above this, their product is far above the 2e-308 at which
# float64 begins to lose digits; the other rows are done with logarithms.
LEAST = 1e-140


@dataclass(frozen=True, slots=True)
class Chain:
    """Log-potentials of B chains.

    Attributes:
        scores: ``[T, B, S]``; in the padding 0 for the tag of the padding, else -inf.
        pairs: ``[S, S]``, from a tag to the next; the last column is the score of the end.
        first: ``[S]``.
        lengths: ``[B]``.
    """

    scores: Tensor
    pairs: Tensor
    first: Tensor
    lengths: Tensor

    def rows(self, index: Tensor) -> Chain:
        """The chains of these rows."""
        return Chain(self.scores[:, index], self.pairs, self.first, self.lengths[index])


def chain(emissions: Tensor, lengths: Tensor, transitions: Tensor, start: Tensor, end: Tensor) -> Chain:
    """``[B, T, K]`` emissions and the scores of a task as a ``Chain``; what stands in the padding is not read."""
    rows, steps, tags = emissions.shape
    lengths = lengths.to(emissions.device)
    device = emissions.device
    real = torch.arange(steps, device=device)[:, None] < lengths  # [T, B]
    scores = torch.full((steps, rows, tags + 1), -torch.inf, dtype=torch.float64, device=device)
    scores[..., :tags] = emissions.detach().transpose(0, 1)
    scores[..., :tags].masked_fill_(~real[..., None], -torch.inf)
    scores[..., tags].masked_fill_(~real, 0.0)
    pairs = torch.full((tags + 1, tags + 1), -torch.inf, dtype=torch.float64, device=device)
    pairs[:tags, :tags] = transitions.detach()
    pairs[:tags, tags] = end.detach()
    pairs[tags, tags] = 0.0
    first = torch.zeros(tags + 1, dtype=torch.float64, device=device)
    first[:tags] = start.detach()
    return Chain(scores, pairs, first, lengths)


class BackwardMessages:
    """The messages of a batch: scaled for all its rows, with logarithms for those where that isn't accurate.

    Attributes:
        log_totals: ``[B]``, ln of the sum over all paths.
    """

    def __init__(self, chain: Chain) -> None:
        self.scaled = ScaledMessages(chain)
        self.log_totals = self.scaled.log_totals
        self.lost = self.scaled.lost(chain).nonzero().flatten()  # [B'] rows
        self.precise: LogMessages | None = None
        if len(self.lost):
            self.precise = LogMessages(chain.rows(self.lost))
            self.log_totals = self.log_totals.index_copy(0, self.lost, self.precise.log_totals)

    def log_betas(self, tags: Tensor) -> Tensor:
        """ln beta of the given tags ``[T, B]`` at their steps, ``[T, B]``."""
        betas = self.scaled.log_betas(tags)
        if self.precise is not None:
            betas = betas.index_copy(1, self.lost, self.precise.log_betas(tags[:, self.lost]))
        return betas

    def flow(self, amounts: Tensor, tags: Tensor | None = None, added: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Let an amount flow from the start of each row along the conditional probabilities of its tags.

        Args:
            amounts: ``[B]``.
            tags: ``[T, B]`` where something is added on the way.
            added: ``[T, B]``, how much, of either sign.

        Returns:
            What comes into each tag, ``[T, B, S]``, without what is added there (with 1 and nothing added: the
            posteriors), and what passes from tag to tag, ``[S, S]``, summed over steps and rows.
        """
        if self.precise is None:
            return self.scaled.flow(amounts, tags, added, dropped=None)
        incoming, passed = self.scaled.flow(amounts, tags, added, dropped=self.lost)
        lost_tags, lost_added = (None if part is None else part[:, self.lost] for part in (tags, added))
        lost_incoming, lost_passed = self.precise.flow(amounts[self.lost], lost_tags, lost_added)
        return incoming.index_copy(1, self.lost, lost_incoming), passed + lost_passed


class ScaledMessages:
    """Products of ``alpha`` and ``beta`` with matrices of exponentials, each step scaled to a sum of 1.

    ``messages[t]`` is the potential of step t times ``sums[t]``, divided by ``totals[t]``, and
    ``sums[t] = factors @ messages[t + 1]``; both are beta but for a factor that doesn't depend on the tag.
    """

    def __init__(self, chain: Chain) -> None:
        steps, rows, size = chain.scores.shape
        shifts = chain.scores.amax(dim=-1, keepdim=True)  # [T, B, 1]
        self.potentials = (chain.scores - shifts).exp_()
        # The tag of the padding keeps the factor 1, so that a long padding neither under- nor overflows.
        pair_shift, end_shift = highest(chain.pairs[:-1, :-1]), highest(chain.pairs[:-1, -1])
        self.factors = chain.pairs.clone()
        self.factors[:-1, :-1] -= pair_shift
        self.factors[:-1, -1] -= end_shift
        self.factors.exp_()
        first_shift = highest(chain.first)
        self.first = (chain.first - first_shift).exp()

        self.sums = torch.empty_like(self.potentials)
        self.messages = torch.empty(steps + 1, rows, size, dtype=torch.float64, device=chain.scores.device)
        self.messages[steps] = 0.0
        self.messages[steps, :, -1] = 1.0
        totals = torch.empty(steps, rows, 1, dtype=torch.float64, device=chain.scores.device)
        views = zip(*(part.unbind(0) for part in (self.potentials, self.sums, self.messages[:-1], totals)), strict=True)
        following, transposed = self.messages[steps], self.factors.t()
        with one_thread(totals.device):
            for potential, product, message, total in reversed(list(views)):
                torch.mm(following, transposed, out=product)
                torch.mul(product, potential, out=message)
                torch.sum(message, dim=-1, keepdim=True, out=total)
                following = message.div_(total)

        self.faint = ~(totals >= LEAST).all(dim=0).squeeze(-1)  # [B], also where it is not a number
        self.potentials /= totals
        self.start_total = self.messages[0] @ self.first  # [B]
        # ln of what the messages and sums have to be multiplied by
        step = torch.arange(steps, device=totals.device)[:, None]
        shift_of_pair = torch.where(step < chain.lengths - 1, pair_shift, 0.0)
        shift_of_pair += torch.where(step == chain.lengths - 1, end_shift, 0.0)
        own = (totals.log_() + shifts).squeeze(-1) + shift_of_pair  # [T, B]
        self.log_factors = own.flip(0).cumsum(0).flip(0)  # of messages
        self.log_shifts = self.log_factors - own + shift_of_pair  # of sums
        self.log_totals = self.start_total.log() + self.log_factors[0] + first_shift

    def lost(self, chain: Chain) -> Tensor:
        """Rows ``[B]`` where a number that isn't 0 by the constraints is too small to be accurate, or is none."""
        small = ~(self.messages[:-1] >= LEAST)  # also where it is not a number
        small[..., :-1] &= chain.scores[..., -1:].isinf()  # steps of the row only
        small[..., -1] = False
        faint = self.faint | ~(self.start_total >= LEAST)
        if not bool(small.any()):
            return faint
        steps = len(small)
        left = chain.lengths - 1 - torch.arange(steps, device=small.device)[:, None]  # steps still to come
        possible = endings(chain.pairs, steps)
        small[..., :-1] &= possible[left.clamp(0, len(possible) - 1)]
        return faint | small.any(dim=-1).any(dim=0)

    def log_betas(self, tags: Tensor) -> Tensor:
        """As of ``BackwardMessages``."""
        return self.sums.gather(-1, tags[..., None]).squeeze(-1).log() + self.log_shifts

    def flow(
        self, amounts: Tensor, tags: Tensor | None, added: Tensor | None, *, dropped: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """As of ``BackwardMessages``; ``dropped`` are rows ``[B']`` that don't count in what passes."""
        # Divided by `sums` the flow is the scaled alpha: one product of matrices and one of elements a step.
        steps, rows, size = self.potentials.shape
        flows = torch.empty_like(self.potentials)
        current = (amounts / self.start_total)[:, None] * self.first  # [B, S]
        if tags is None or added is None:
            with one_thread(flows.device):
                for potential, flow in zip(self.potentials.unbind(0), flows.unbind(0), strict=True):
                    torch.mul(current, potential, out=flow)
                    current = flow @ self.factors
            incoming = flows * self.sums
        else:
            relative = torch.zeros_like(flows)
            there = self.sums.gather(-1, tags[..., None])
            relative.scatter_(-1, tags[..., None], added[..., None] / there)
            views = zip(*(part.unbind(0) for part in (self.potentials, relative, flows)), strict=True)
            with one_thread(flows.device):
                for potential, extra, flow in views:
                    torch.addcmul(extra, current, potential, out=flow)
                    current = flow @ self.factors
            incoming = (flows - relative).mul_(self.sums)
        arriving = self.messages[1:]
        if dropped is not None:
            flows, arriving = (part.index_fill(1, dropped, 0.0) for part in (flows, arriving))
        passed = flows.view(steps * rows, size).t() @ arriving.reshape(steps * rows, size)
        return incoming, passed.mul_(self.factors)


class LogMessages:
    """The same with logarithms: right for scores of any size, and slower."""

    def __init__(self, chain: Chain) -> None:
        self.chain = chain
        self.sums = torch.empty_like(chain.scores)  # [T, B, S]
        following = torch.full_like(chain.scores[0], -torch.inf)
        following[:, -1] = 0.0
        messages = []
        for step in reversed(range(len(self.sums))):
            messages.append(following)
            self.sums[step] = (chain.pairs + following[:, None, :]).logsumexp(dim=-1)
            following = chain.scores[step] + self.sums[step]
        self.following = messages[::-1]  # T of [B, S]: potential and sum of the next step
        self.first = chain.first + following
        self.log_totals = self.first.logsumexp(dim=-1)

    def log_betas(self, tags: Tensor) -> Tensor:
        """As of ``BackwardMessages``."""
        return self.sums.gather(-1, tags[..., None]).squeeze(-1)

    def flow(self, amounts: Tensor, tags: Tensor | None, added: Tensor | None) -> tuple[Tensor, Tensor]:
        """As of ``BackwardMessages``."""
        incoming = torch.empty_like(self.sums)
        passed = torch.zeros_like(self.chain.pairs)
        current = amounts[:, None] * (self.first - finite(self.log_totals)[:, None]).exp()
        for step, following in enumerate(self.following):
            incoming[step] = current
            if tags is not None and added is not None:
                current = current.scatter_add(-1, tags[step, :, None], added[step, :, None])
            logs = self.chain.pairs + following[:, None, :] - finite(self.sums[step])[:, :, None]
            moved = current[:, :, None] * logs.exp()  # [B, S, S]
            passed += moved.sum(dim=0)
            current = moved.sum(dim=1)
        return incoming, passed


def endings(pairs: Tensor, longest: int) -> Tensor:
    """Which of the K tags can reach the end with 0, 1, ... steps still to come: ``[R, K]``, the last row for all more.

    The rows stop where they no longer change (at ``longest`` otherwise: constraints may alternate for ever).
    """
    allowed = (pairs[:-1, :-1] > -torch.inf).double()
    rows = [pairs[:-1, -1] > -torch.inf]
    while len(rows) < longest:
        rows.append(allowed @ rows[-1].double() > 0)
        if bool((rows[-1] == rows[-2]).all()):
            break
    return torch.stack(rows)


@contextmanager
def one_thread(device: torch.device) -> Iterator[None]:
    """Small operations one after the other: on a CPU, waiting for a second thread costs more than it computes.

    A product of [32, 10] and [10, 10] took 4 microseconds on one thread, and on two of a busy machine 185. Only in the
    main thread, where training is: what another sets for itself, later ones would start with.
    """
    threads = torch.get_num_threads()
    if device.type != "cpu" or threads == 1 or threading.current_thread() is not threading.main_thread():
        yield
        return
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def highest(values: Tensor) -> Tensor:
    """The greatest, 0 where it isn't finite (everything forbidden)."""
    return finite(values.amax())


def finite(values: Tensor) -> Tensor:
    """0 for -inf, so that it can be subtracted."""
    return values.masked_fill(values == -torch.inf, 0.0)
