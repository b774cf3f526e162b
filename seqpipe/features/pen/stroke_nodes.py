"""What `StrokeFeatures` computes of each point, as nodes of an ONNX graph; each function mirrors its namesake there."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from seqpipe.core.onnx_graph import OnnxGraph, Symbol
from seqpipe.features.pen.stroke_context import MAX_COLUMNS, ROWS, margins

DOUBLINGS = 20
"""Of the reach of a running maximum."""
MAX_POINTS = 2**DOUBLINGS
"""Of an input whose running maxima are exact."""


class StrokeNodes(NamedTuple):
    """Points in a graph.

    Attributes:
        graph: that they are in.
        points: ``[B, N, 2]``, 0 in the padding.
        down: ``[B, N]`` bool, false at the beginnings of strokes and in the padding.
        mask: ``[B, N]`` bool, true at real points.
        lengths: ``[B]``.
        still: added to lengths of vectors that something is divided by.
    """

    graph: OnnxGraph
    points: str
    down: str
    mask: str
    lengths: str
    still: float

    @classmethod
    def of(cls, graph: OnnxGraph, sequence: Symbol, still: float) -> StrokeNodes:
        """Of points ``[B, N, 4]``."""
        values, lengths = graph.masked(sequence)
        down = graph.op("Greater", graph.reshape(graph.slice(values, 3, 4, 2), [0, 0]), graph.constant(0.0))
        return cls(graph, graph.slice(values, 1, 3, 2), down, graph.mask(sequence), lengths, still)

    # What several kinds need

    def where(self, condition: str, values: str) -> str:
        """Values ``[B, N, D]`` where a condition ``[B, N]`` is true, else 0."""
        return self.graph.where(self.column(condition), values, 0.0)

    def column(self, values: str) -> str:
        """``[B, N]`` -> ``[B, N, 1]``."""
        return self.graph.op("Unsqueeze", values, self.graph.constant([2], np.int64))

    def coordinate(self, axis: int) -> str:
        """x or y, ``[B, N]``."""
        return self.graph.reshape(self.graph.slice(self.points, axis, axis + 1, 2), [0, 0])

    def moves(self) -> str:
        """The way from the point before, ``[B, N, 2]``; 0 at a row's first."""
        graph = self.graph
        ways = graph.op("Sub", graph.slice(self.points, 1, _END, 1), graph.slice(self.points, 0, -1, 1))
        return graph.concatenate([self._nothing(), ways], 1)

    def following(self, values: str) -> str:
        """Those of the next point; 0 at a row's last."""
        return self.graph.concatenate([self.graph.slice(values, 1, _END, 1), self._nothing()], 1)

    def _nothing(self) -> str:
        first = self.graph.slice(self.points, 0, 1, 1)
        return self.graph.op("Sub", first, first)

    def unit(self, vectors: str) -> str:
        """Vectors ``[..., 2]`` of nearly length 1."""
        graph = self.graph
        length = graph.op("Add", graph.reduce("ReduceL2", vectors, [-1]), graph.constant(self.still))
        return graph.op("Div", vectors, length)

    def parted(self, values: str) -> list[str]:
        """The x and the y of vectors ``[..., 2]``, ``[..., 1]`` each."""
        return [self.graph.slice(values, axis, axis + 1, -1) for axis in (0, 1)]

    def running(self, kind: str, values: str, *, backwards: bool = False) -> str:
        """The greatest (``Max``) or least (``Min``) of ``[B, N]`` up to each point, or from it on; exact.

        What each point knows reaches twice as far with every step (Hillis & Steele 1986), so that `MAX_POINTS` take
        `DOUBLINGS` steps.
        """
        graph = self.graph
        for level in range(DOUBLINGS):
            far = 2**level
            # Where a row is shorter than that, one of the parts is empty, and the other one the row itself.
            parts = [(far, _END), (-far, _END)] if backwards else [(0, far), (0, -far)]
            moved = graph.concatenate([graph.slice(values, start, stop, 1) for start, stop in parts], 1)
            values = graph.op(kind, values, moved)
        return values

    # Kinds

    def turn(self, before: str, behind: str) -> str:
        """Cosine and sine of the angle from one unit vector to another."""
        graph = self.graph
        cosine = graph.reduce("ReduceSum", graph.op("Mul", before, behind), [-1])
        (bx, by), (ax, ay) = self.parted(before), self.parted(behind)
        sine = graph.op("Sub", graph.op("Mul", bx, ay), graph.op("Mul", by, ax))
        return graph.concatenate([cosine, sine])

    def delayed(self) -> str:
        """How far the rightmost point so far is to the right, and the leftmost one from here on to the left."""
        graph, x = self.graph, self.coordinate(0)
        farthest = self.running("Max", graph.where(self.mask, x, -math.inf))
        nearest = self.running("Min", graph.where(self.mask, x, math.inf), backwards=True)
        ways = [graph.op("Sub", farthest, x), graph.op("Sub", x, nearest)]
        return graph.op("Asinh", graph.concatenate([self.column(way) for way in ways]))

    def boxed(self, least: float) -> str:
        """x and y in the row's own box, and how wide that is; a side is at least so long."""
        graph, real = self.graph, self.column(self.mask)
        low = graph.reduce("ReduceMin", graph.where(real, self.points, math.inf), [1])
        high = graph.reduce("ReduceMax", graph.where(real, self.points, -math.inf), [1])
        side = graph.op("Sub", high, low)  # [B, 1, 2]
        middle = graph.op("Div", graph.op("Add", low, high), graph.constant(2.0))
        place = graph.op("Div", graph.op("Sub", self.points, middle), graph.op("Max", side, graph.constant(least)))
        place = graph.op("Mul", place, graph.constant(2.0))
        width, height = self.parted(side)
        shape = graph.op("Div", width, graph.op("Max", height, graph.constant(0.05)))
        shape = graph.op("Log", graph.op("Clip", shape, graph.constant(0.1), graph.constant(10.0)))
        return graph.concatenate([place, graph.op("Expand", shape, graph.op("Shape", self.column(self.mask)))])

    def vicinity(self, reach: int, step: float) -> str:
        """Aspect, curliness, linearity and slope of the points around each, none of another stroke."""
        graph = self.graph
        one, none = graph.constant(1, np.int64), graph.constant(0, np.int64)
        count = graph.op("Squeeze", graph.size(self.points, 1), graph.constant([0], np.int64))
        number = graph.op("Range", none, count, one)  # [N]
        first = self.running("Max", graph.op("Where", self.down, none, number))
        begun = graph.op("Not", graph.slice(self.down, 1, _END, 1))
        some = graph.slice(self.down, 0, 1, 1)
        ends = graph.concatenate([begun, graph.op("Equal", some, some)], 1)  # the last one does
        own = graph.op("Unsqueeze", graph.op("Sub", self.lengths, one), graph.constant([1], np.int64))
        ends = graph.op("Or", ends, graph.op("Equal", number, own))
        last = graph.op("Where", ends, number, graph.op("Sub", count, one))
        last = self.running("Min", last, backwards=True)
        offsets = graph.constant(np.arange(-reach, reach + 1))
        around = graph.op("Add", graph.op("Unsqueeze", number, graph.constant([1], np.int64)), offsets)
        around = graph.op("Min", graph.op("Max", around, self.column(first)), self.column(last))  # [B, N, K]
        at = graph.op("Unsqueeze", around, graph.constant([3], np.int64))
        window = graph.op("GatherND", self.points, at, batch_dims=1)  # [B, N, K, 2]
        high, low = (graph.reduce(kind, window, [2], keep=False) for kind in ("ReduceMax", "ReduceMin"))
        side = graph.op("Sub", high, low)  # [B, N, 2]
        width, height = self.parted(side)
        still = graph.constant(self.still)
        both = graph.op("Add", graph.op("Add", height, width), still)
        aspect = graph.op("Div", graph.op("Sub", height, width), both)
        ways = graph.op("Sub", graph.slice(window, 1, _END, 2), graph.slice(window, 0, -1, 2))
        way = graph.reduce("ReduceSum", graph.reduce("ReduceL2", ways, [3], keep=False), [2])
        longest = graph.op("Add", graph.reduce("ReduceMax", side, [2]), still)
        curliness = graph.op("Sub", graph.op("Div", way, longest), graph.constant(2.0))
        start = graph.slice(window, 0, 1, 2)
        whole = graph.op("Sub", graph.slice(window, -1, _END, 2), start)
        slope = self.unit(whole)  # [B, N, 1, 2]
        apart_x, apart_y = self.parted(graph.op("Sub", window, start))
        slope_x, slope_y = self.parted(slope)
        off_line = graph.op("Sub", graph.op("Mul", apart_y, slope_x), graph.op("Mul", apart_x, slope_y))
        squares = graph.op("Mul", off_line, off_line)
        mean = graph.reduce("ReduceMean", graph.reshape(squares, [0, 0, 2 * reach + 1]), [2])
        linearity = graph.op("Div", mean, graph.constant(step**2))
        return graph.concatenate([aspect, curliness, linearity, graph.reshape(slope, [0, 0, 2])])

    def ink_around(self, *, cell: float, step: float, across: Sequence[float], upward: Sequence[float]) -> str:
        """How much ink lies at offsets from each point; see `seqpipe.features.pen.stroke_context.ink_around`."""
        graph, x, y = self.graph, self.coordinate(0), self.coordinate(1)
        size = graph.constant(cell)
        left = graph.reduce("ReduceMin", graph.where(self.mask, x, math.inf), [1])
        left = graph.op("Where", graph.op("IsInf", left), graph.constant(0.0), left)
        column = graph.op("Div", graph.op("Sub", x, left), size)
        column = graph.op("Clip", column, graph.constant(0.0), graph.constant(float(MAX_COLUMNS)))
        column = graph.where(self.mask, column, 0.0)
        row = graph.op("Add", graph.op("Div", y, size), graph.constant(ROWS / 2))
        row = graph.op("Clip", row, graph.constant(0.0), graph.constant(ROWS - 1.001))
        beside, above = margins(cell, across), margins(cell, upward)
        most = graph.op("Cast", graph.reduce("ReduceMax", column, [0, 1], keep=False), to=7)  # int64
        width = graph.op("Add", most, graph.constant(2 + 2 * beside, np.int64))
        height = ROWS + 2 * above
        column = graph.op("Add", column, graph.constant(float(beside)))
        row = graph.op("Add", row, graph.constant(float(above)))

        cells = graph.op("Mul", graph.reshape(width, [1]), graph.constant([height], np.int64))
        shape = graph.op("Concat", graph.size(x, 0), cells, axis=0)
        grid = graph.op("ConstantOfShape", shape)  # [B, height · width], float32
        real = graph.op("Cast", self.mask, to=1)
        for at, share in self._corners(column, row, width):
            grid = graph.op("ScatterElements", grid, at, graph.op("Mul", share, real), axis=1, reduction="add")
        grid = graph.op("Tanh", graph.op("Mul", grid, graph.constant(step / cell)))

        def placed(values: str, offsets: Sequence[float], axis: int) -> str:  # [B, N, across, 1] or [B, N, 1, upward]
            moved = graph.op("Add", self.column(values), graph.constant(np.array(offsets) / cell))
            return graph.op("Unsqueeze", moved, graph.constant([axis], np.int64))

        read = ""
        for at, share in self._corners(placed(column, across, 3), placed(row, upward, 2), width):
            found = graph.op("GatherElements", grid, graph.reshape(at, [0, -1]), axis=1)
            found = graph.reshape(found, [0, -1, len(across) * len(upward)])
            part = graph.op("Mul", found, graph.reshape(share, [0, 0, -1]))
            read = graph.op("Add", read, part) if read else part
        return read

    def _corners(self, column: str, row: str, width: str) -> list[tuple[str, str]]:
        """The four cells around each place: their numbers in a grid, and the place's share in them."""
        graph, one = self.graph, self.graph.constant(1.0)
        found = []
        edges = {}
        for name, place in (("column", column), ("row", row)):
            floor = graph.op("Floor", place)
            over = graph.op("Sub", place, floor)
            number = graph.op("Cast", floor, to=7)
            behind = graph.op("Add", number, graph.constant(1, np.int64))
            edges[name] = [(number, graph.op("Sub", one, over)), (behind, over)]
        for right, by_column in edges["column"]:
            for up, by_row in edges["row"]:
                at = graph.op("Add", graph.op("Mul", up, width), right)
                found.append((at, graph.op("Mul", by_column, by_row)))
        return found


_END = 2**62
"""Of an axis, whatever its size."""
