"""Places boxes in layers from top to bottom, so that nothing overlaps and no edge crosses a box.

Even rows have boxes, odd rows the labels of edges: a label is placed like a box, so that it
is never covered. The same input always gives the same picture: ties keep the given order.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Mapping, Sequence

import msgspec

GAP = 30.0
"""Between two boxes side by side."""
LANE = 18.0
"""Between a passing edge and its neighbours."""
BEND = 20.0
"""Between two rows: the space in which edges bend."""
SWEEPS = 12
"""Passes over all rows to reduce crossings."""
ROUNDS = 60
"""Passes over all rows to straighten the edges."""

Point = tuple[float, float]
Size = tuple[float, float]


class Link(msgspec.Struct, frozen=True, gc=False):
    """An edge to place; ``label`` is the size of its label."""

    source: str
    target: str
    label: Size | None = None


class Route(msgspec.Struct, frozen=True, gc=False):
    """The points of an edge in its direction; it is straight within a row, bent between rows.

    ``label`` is the centre of its label. ``back`` marks edges that lead up.
    """

    points: tuple[Point, ...]
    label: Point | None
    back: bool


class Layout(msgspec.Struct, frozen=True, gc=False):
    """The centres of the boxes, the routes in the order of the links, and the total size."""

    centres: Mapping[str, Point]
    routes: tuple[Route, ...]
    width: float
    height: float


def place(sizes: Mapping[str, Size], links: Sequence[Link]) -> Layout:
    """Place boxes of the given sizes and route the links between them.

    A link from a box to itself gets a route without points.
    """
    return _Placing(sizes, links).result()


class _Placing:
    """One run: ranks, rows with lanes, order within rows, then coordinates."""

    def __init__(self, sizes: Mapping[str, Size], links: Sequence[Link]) -> None:
        self.links = links
        self.size: dict[str, Size] = dict(sizes)
        self.back = _back_edges(list(sizes), links)
        self.rank = _ranks(list(sizes), links, self.back)
        self.row = {name: 2 * rank for name, rank in self.rank.items()}
        self.lanes = [self._lane(number) for number in range(len(links))]
        self.up: dict[str, list[str]] = defaultdict(list)
        self.down: dict[str, list[str]] = defaultdict(list)
        self._connect()
        self.rows = _order(self._first_rows(), self.up, self.down)
        self.x = self._columns()
        for lane in self.lanes:
            self._straighten(lane)

    def _ends(self, number: int) -> tuple[str, str]:
        link = self.links[number]
        if number in self.back:
            return link.target, link.source
        return link.source, link.target

    def _lane(self, number: int) -> list[str]:
        """Create the places that an edge passes between its upper and its lower end."""
        upper, lower = self._ends(number)
        label = self.links[number].label
        names = []
        for row in range(self.row[upper] + 1, self.row[lower]):
            name = f"\0{number}.{row}"
            self.row[name] = row
            self.size[name] = (2.0, 0.0)
            names.append(name)
        if label and names:
            self.size[names[-1 if number in self.back else 0]] = label
        return names

    def _connect(self) -> None:
        for number, lane in enumerate(self.lanes):
            upper, lower = self._ends(number)
            if upper == lower:
                continue
            path = [upper, *lane, lower]
            for above, below in itertools.pairwise(path):
                self.down[above].append(below)
                self.up[below].append(above)

    def _first_rows(self) -> list[list[str]]:
        """Order the rows by a depth-first walk: branches from left to right."""
        rows: list[list[str]] = [[] for _ in range(max(self.row.values(), default=0) + 1)]
        seen: set[str] = set()
        stack = [name for name in reversed(self.row) if not self.up[name]]
        while stack:
            name = stack.pop()
            if name not in seen:
                seen.add(name)
                rows[self.row[name]].append(name)
                stack.extend(reversed(self.down[name]))
        return rows

    def _columns(self) -> dict[str, float]:
        x: dict[str, float] = {}
        for row in self.rows:
            x.update(
                zip(row, _settle(row, [0.0] * len(row), [1.0] * len(row), self.size), strict=True)
            )
        for sweep in range(ROUNDS):
            last = sweep >= ROUNDS // 3
            rows = self.rows if sweep % 2 == 0 else self.rows[::-1]
            for row in rows:
                sides = (self.up, self.down) if last else ((self.up, self.down)[sweep % 2],)
                wanted, weights = self._wanted(row, sides, x)
                x.update(zip(row, _settle(row, wanted, weights, self.size), strict=True))
        return x

    def _straighten(self, lane: Sequence[str]) -> None:
        """Keep a lane straight as far as its neighbours allow, then bend once."""
        run: list[str] = []
        low, high = float("-inf"), float("inf")
        for name in lane:
            left, right = self._room(name)
            if run and max(low, left) > min(high, right):
                self._align(run, low, high)
                run, low, high = [], float("-inf"), float("inf")
            run.append(name)
            low, high = max(low, left), min(high, right)
        self._align(run, low, high)

    def _align(self, run: Sequence[str], low: float, high: float) -> None:
        if run:
            middle = sorted(self.x[name] for name in run)[len(run) // 2]
            self.x.update(dict.fromkeys(run, min(max(middle, low), high)))

    def _room(self, name: str) -> tuple[float, float]:
        """Return how far a place may move between its neighbours."""
        row = self.rows[self.row[name]]
        at = row.index(name)
        left, right = float("-inf"), float("inf")
        if at > 0:
            left = self.x[row[at - 1]] + _apart(row[at - 1], name, self.size)
        if at + 1 < len(row):
            right = self.x[row[at + 1]] - _apart(name, row[at + 1], self.size)
        return min(left, self.x[name]), max(right, self.x[name])

    def _wanted(
        self, row: list[str], sides: Sequence[Mapping[str, list[str]]], x: Mapping[str, float]
    ) -> tuple[list[float], list[float]]:
        """Return the wanted position of each place, with a weight: straight lanes weigh most."""
        wanted, weights = [], []
        for name in row:
            near = [(other, _pull(name, other)) for side in sides for other in side[name]]
            total = sum(weight for _, weight in near)
            wanted.append(sum(x[o] * w for o, w in near) / total if total else x[name])
            weights.append(total or 0.01)
        return wanted, weights

    def _heights(self) -> tuple[list[float], list[float]]:
        """Return the top and the height of each row."""
        tops, heights, y = [], [], 0.0
        for row in self.rows:
            height = max((self.size[name][1] for name in row), default=0.0)
            tops.append(y)
            heights.append(height)
            y += height + BEND
        return tops, heights

    def result(self) -> Layout:
        tops, heights = self._heights()
        left = min((self.x[n] - self.size[n][0] / 2 for n in self.x), default=0.0)
        right = max((self.x[n] + self.size[n][0] / 2 for n in self.x), default=0.0)
        self.x = {name: x - left for name, x in self.x.items()}
        middle = {n: tops[r] + heights[r] / 2 for n, r in self.row.items()}
        ports = self._ports()
        routes = tuple(
            self._route(number, tops, heights, middle, ports) for number in range(len(self.links))
        )
        centres = {name: (self.x[name], middle[name]) for name in self.rank}
        bottom = tops[-1] + heights[-1] if tops else 0.0
        return Layout(centres, routes, right - left, bottom)

    def _ports(self) -> dict[tuple[int, bool], float]:
        """Spread the ends of edges over the side of a box; keys are (link, is upper end)."""
        ends: dict[tuple[str, bool], list[tuple[float, int]]] = defaultdict(list)
        for number, lane in enumerate(self.lanes):
            upper, lower = self._ends(number)
            if upper != lower:
                ends[upper, True].append((self.x[lane[0]], number))
                ends[lower, False].append((self.x[lane[-1]], number))
        ports = {}
        for (name, above), places in ends.items():
            room = self.size[name][0] - 40
            step = min(26.0 if above else 16.0, room / max(1, len(places) - 1))
            for place_, (_, number) in enumerate(sorted(places)):
                ports[number, above] = self.x[name] + (place_ - (len(places) - 1) / 2) * step
        return ports

    def _route(
        self,
        number: int,
        tops: list[float],
        heights: list[float],
        middle: Mapping[str, float],
        ports: Mapping[tuple[int, bool], float],
    ) -> Route:
        upper, lower = self._ends(number)
        lane = self.lanes[number]
        back = number in self.back
        if upper == lower:
            return Route((), None, back=True)
        points = [(ports[number, True], middle[upper] + self.size[upper][1] / 2)]
        points.append((ports[number, True], tops[self.row[upper]] + heights[self.row[upper]]))
        for name in lane:
            top = tops[self.row[name]]
            if not heights[self.row[name]]:
                continue  # an empty row: the bend cannot cross anything
            points += [(self.x[name], top), (self.x[name], top + heights[self.row[name]])]
        points.append((ports[number, False], tops[self.row[lower]]))
        points.append((ports[number, False], middle[lower] - self.size[lower][1] / 2))
        label = None
        if self.links[number].label:
            name = lane[-1 if back else 0]
            label = (self.x[name], middle[name])
        return Route(tuple(points[::-1] if back else points), label, back)


def _back_edges(names: Sequence[str], links: Sequence[Link]) -> set[int]:
    """Find the links that lead back to a box on the path from the top."""
    out: dict[str, list[int]] = defaultdict(list)
    targets = set()
    for number, link in enumerate(links):
        out[link.source].append(number)
        targets.add(link.target)
    back: set[int] = set()
    done: set[str] = set()
    roots = [name for name in names if name not in targets]
    for root in [*roots, *names]:
        _walk(root, out, links, done, back)
    return back


def _walk(
    root: str,
    out: Mapping[str, list[int]],
    links: Sequence[Link],
    done: set[str],
    back: set[int],
) -> None:
    if root in done:
        return
    path = {root}
    stack = [(root, iter(out.get(root, ())))]
    while stack:
        name, numbers = stack[-1]
        number = next(numbers, None)
        if number is None:
            stack.pop()
            path.discard(name)
            done.add(name)
        elif (target := links[number].target) in path:
            back.add(number)
        elif target not in done:
            path.add(target)
            stack.append((target, iter(out.get(target, ()))))


def _ranks(names: Sequence[str], links: Sequence[Link], back: set[int]) -> dict[str, int]:
    """Rank each box one below the lowest box that leads to it."""
    parents: dict[str, list[str]] = {name: [] for name in names}
    for number, link in enumerate(links):
        if link.source != link.target:
            source, target = (
                (link.target, link.source) if number in back else (link.source, link.target)
            )
            parents[target].append(source)
    rank: dict[str, int] = {}
    left = list(names)
    while left:
        ready = [n for n in left if all(p in rank for p in parents[n])]
        for name in ready:
            rank[name] = max((rank[p] + 1 for p in parents[name]), default=0)
        left = [n for n in left if n not in rank]
    return {name: rank[name] for name in names}


def _order(
    rows: list[list[str]], up: Mapping[str, list[str]], down: Mapping[str, list[str]]
) -> list[list[str]]:
    """Reorder within rows to reduce crossings; keep the best order."""
    best, fewest = [list(row) for row in rows], _crossings(rows, down)
    for sweep in range(SWEEPS):
        if fewest == 0:
            break
        downward = sweep % 2 == 0
        near = up if downward else down
        numbers = range(1, len(rows)) if downward else range(len(rows) - 2, -1, -1)
        for number in numbers:
            fixed = {n: i for i, n in enumerate(rows[number - 1 if downward else number + 1])}
            rows[number] = _by_middle(rows[number], near, fixed)
        crossings = _crossings(rows, down)
        if crossings < fewest:
            best, fewest = [list(row) for row in rows], crossings
    return best


def _by_middle(
    row: list[str], near: Mapping[str, list[str]], fixed: Mapping[str, int]
) -> list[str]:
    def middle(item: tuple[int, str]) -> float:
        places = [fixed[other] for other in near[item[1]]]
        return sum(places) / len(places) if places else float(item[0])

    return [name for _, name in sorted(enumerate(row), key=middle)]


def _crossings(rows: Sequence[Sequence[str]], down: Mapping[str, list[str]]) -> int:
    total = 0
    for row, below in itertools.pairwise(rows):
        places = {name: i for i, name in enumerate(below)}
        ends = [sorted(places[t] for t in down[name]) for name in row]
        flat = [end for group in ends for end in group]
        total += sum(a > b for i, a in enumerate(flat) for b in flat[i + 1 :])
    return total


def _pull(name: str, other: str) -> float:
    lanes = name.startswith("\0") + other.startswith("\0")
    return (1.0, 2.0, 8.0)[lanes]


def _apart(left: str, right: str, size: Mapping[str, Size]) -> float:
    """Return the minimum distance between the centres of two neighbours."""
    lane = left.startswith("\0") or right.startswith("\0")
    return (size[left][0] + size[right][0]) / 2 + (LANE if lane else GAP)


def _settle(
    row: Sequence[str], wanted: Sequence[float], weights: Sequence[float], size: Mapping[str, Size]
) -> list[float]:
    """Move each place as near to its wanted position as its neighbours allow (least squares)."""
    offsets, offset = [], 0.0
    for i, name in enumerate(row):
        if i:
            offset += _apart(row[i - 1], name, size)
        offsets.append(offset)
    blocks: list[list[float]] = []  # [mean position, weight, members]
    for position, offset, weight in zip(wanted, offsets, weights, strict=True):
        blocks.append([position - offset, weight, 1])
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            mean, weight_, members = blocks.pop()
            last = blocks[-1]
            last[0] = (last[0] * last[1] + mean * weight_) / (last[1] + weight_)
            last[1] += weight_
            last[2] += members
    places = [block[0] for block in blocks for _ in range(int(block[2]))]
    return [place_ + offset for place_, offset in zip(places, offsets, strict=True)]
