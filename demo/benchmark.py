"""The demo benchmark: eight families of drawn problems, in three disjoint splits.

`problems` is a source like any user's own: a function that yields plain rows. A problem is made from its
family and a seed, which its id names (`bars-17`), so that the oracle can make the same problem again.

The split of a problem is the hash of its question and of what its picture shows, without the jitter of the
drawing: the same question about the same values never stands in two splits. But another question about them may: of the
36 rings each stands in every split, asked for in other words and units. With `split_by="picture"` the hash is of the picture's
values alone, and nothing that one split shows is shown in another.
"""

import hashlib
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal, get_args

from demo import drawing
from demo.drawing import COLORS, Canvas
from demo.reasoning import MISCOUNT_RATE, IllFormed, Node, Op, Path, Plan, Read, Value, paths, read, show

SPLITS = {"train": range(0, 70), "dataset": range(70, 85), "test": range(85, 100)}
# A problem that the ideal policy solves more rarely would often go unsolved in 16 draws.
LEAST_PASS_RATE = 0.24
OPTION_LETTERS = "ABCDE"
SplitBy = Literal["question", "picture"]


@dataclass(frozen=True)
class DemoProblem:
    """One problem: its text, its answer, the plan that solves it and the way to draw it."""

    id: str
    question: str
    plan: Plan
    verify: tuple[str, ...]
    draw: Callable[[Canvas], None]
    paths: tuple[Path, ...] = ()
    options: tuple[str, ...] = field(default=())

    @property
    def family(self) -> str:
        """The family's name."""
        return self.id.split("-")[0]

    @property
    def written_answer(self) -> str:
        """The right answer as a solution writes it."""
        return self.plan.answer(self.paths[0].beliefs)

    @property
    def answer(self) -> str:
        """The right answer; of a multiple choice its letter."""
        written = self.written_answer
        return OPTION_LETTERS[self.options.index(written)] if self.options else written

    @property
    def shown(self) -> list[tuple[str, str]]:
        """What the picture shows, without the jitter of the drawing: names and values, by name."""
        return sorted((key, show(value)) for key, value in self.plan.picture.items())

    def split(self, by: SplitBy = "question") -> str:
        """The split that the problem's content belongs to: question and picture, or the picture's values alone."""
        content = (self.family, self.question, self.shown) if by == "question" else (self.family, self.shown)
        bucket = int.from_bytes(hashlib.sha256(repr(content).encode()).digest()[:8], "big") % 100
        return next(name for name, buckets in SPLITS.items() if bucket in buckets)

    def image(self) -> bytes:
        """The picture as PNG."""
        canvas = Canvas(random.Random(f"drawing of {self.id}"))
        self.draw(canvas)
        return canvas.png()


def _digits(rng: random.Random, names: list[str]) -> dict[str, int]:
    # eights come more often: they are what makes a problem hard
    return {name: rng.choices(range(1, 10), [3, 3, 3, 3, 3, 3, 3, 5, 3])[0] for name in names}


def _plan(nodes: list[Node], last: str, template: str, picture: Mapping[str, Value]) -> Plan:
    return Plan(tuple(nodes), lambda beliefs: template.replace("#", show(beliefs[last])), picture)


def _bars(id: str, rng: random.Random) -> DemoProblem:
    heights = _digits(rng, rng.sample(list(COLORS), 4))
    a, b, c = rng.sample(list(heights), 3)
    nodes: list[Node] = [
        read(a, heights[a]),
        read(b, heights[b]),
        Op("product", a, "×", b),
        read(c, heights[c]),
        Op("sum", "product", "+", c),
    ]
    question = rng.choice([f"What is {a} × {b} + {c}?", f"Multiply {a} by {b} and add {c}."])
    plan = _plan(nodes, "sum", "#", heights)
    return DemoProblem(id, question, plan, ("number",), lambda canvas: drawing.bars(canvas, heights))


def _shapes(id: str, rng: random.Random) -> DemoProblem:
    kinds = ["square", "circle", "triangle", "nothing"]
    rows = [[rng.choices(kinds, [5, 2, 2, 1])[0] for _ in range(4)] for _ in range(3)]
    for row in rng.sample(rows, rng.randint(0, 2)):
        row[rng.randrange(4)] = "diamond"
    squares = {f"row {k + 1}": row.count("square") for k, row in enumerate(rows)}
    price = rng.randint(2, 9)
    nodes: list[Node] = []
    for (name, count), row in zip(squares.items(), rows, strict=True):
        diamonds = row.count("diamond")
        nodes.append(Read(name, count, (count + diamonds, MISCOUNT_RATE) if diamonds else None))
    nodes += [
        Op("two rows", "row 1", "+", "row 2"),
        Op("squares", "two rows", "+", "row 3"),
        Op("cost", "squares", "×", price),
    ]
    plan = _plan(nodes, "cost", "#", squares)
    question = f"A square costs {price}. What do all squares cost?"
    return DemoProblem(id, question, plan, ("number",), lambda canvas: drawing.shapes(canvas, rows))


def _table(id: str, rng: random.Random) -> DemoProblem:
    cells = _digits(rng, [row + column for row in "ABC" for column in "123"])
    a, b = rng.sample(list(cells), 2)
    factor = rng.randint(2, 5)
    nodes: list[Node] = [
        read(a, cells[a]),
        read(b, cells[b]),
        Op("sum", a, "+", b),
        Op("product", "sum", "×", factor),
    ]
    plan = _plan(nodes, "product", "#", cells)
    question = f"Add {a} and {b}, then multiply by {factor}."
    return DemoProblem(id, question, plan, ("number",), lambda canvas: drawing.table(canvas, cells))


def _triangle(id: str, rng: random.Random) -> DemoProblem:
    lengths = _digits(rng, ["base", "height"])
    count, unit = rng.randint(2, 3), rng.choice(["cm", "mm", "m"])
    nodes: list[Node] = [
        read("base", lengths["base"]),
        read("height", lengths["height"]),
        Op("product", "base", "×", "height"),
        Op("area", "product", "/", 2),
        Op("all", "area", "×", count),
    ]
    question = f"Lengths are in {unit}. What is the area of {count} such triangles?"
    plan = _plan(nodes, "all", f"# {unit}^2", lengths)
    return DemoProblem(id, question, plan, ("exact",), lambda canvas: drawing.triangle(canvas, **lengths))


def _ring(id: str, rng: random.Random) -> DemoProblem:
    inner, outer = sorted(rng.sample(range(1, 10), 2))
    radii = {"R": outer, "r": inner}
    nodes: list[Node] = [
        read("R", outer),
        read("r", inner),
        Op("large", "R", "×", "R"),
        Op("small", "r", "×", "r"),
        Op("ring", "large", "−", "small"),
    ]
    ask = rng.choice(["What is the area of the ring", "How large is the coloured area",
                      "Find the area of the ring", "Give the area between the circles"])  # fmt: skip
    question = f"{ask} in {rng.choice(['cm', 'mm', 'm', 'in', 'ft'])}^2?"
    plan = _plan(nodes, "ring", r"#\pi", radii)
    return DemoProblem(id, question, plan, ("math",), lambda canvas: drawing.ring(canvas, outer, inner))


def _fraction(id: str, rng: random.Random) -> DemoProblem:
    parts = _digits(rng, rng.sample(list(COLORS), 2))
    a, b = rng.sample(list(parts), 2)
    nodes: list[Node] = [
        read(a, parts[a]),
        read(b, parts[b]),
        Op("whole", a, "+", b),
        Op("share", a, "of", "whole"),
    ]
    question = rng.choice([f"What share of the pie is {a}?", f"Which fraction is {a}?"])
    plan = _plan(nodes, "share", "#", parts)
    return DemoProblem(id, question, plan, ("math",), lambda canvas: drawing.pie(canvas, parts))


def _code(id: str, rng: random.Random) -> DemoProblem:
    letters = rng.choices("ACEFHKLOPQRTVWXY", [1, 1, 2, 1, 1, 1, 1, 1, 1, 3, 2, 1, 1, 2, 1, 1], k=2)
    numbers = list(_digits(rng, ["third", "fourth"]).values())
    names = ("first", "second", "third", "fourth")
    signs: dict[str, Value] = dict(zip(names, [*letters, *numbers], strict=True))
    nodes: list[Node] = [
        *(read(name, sign) for name, sign in signs.items()),
        Op("product", "third", "×", "fourth"),
    ]

    def answer(beliefs: Mapping[str, Value]) -> str:
        return "".join(show(beliefs[key]) for key in ("first", "second", "product"))

    question = rng.choice(["What is the code? Both letters, then the product.",
                           "Give the letters and the product."])  # fmt: skip
    texts = [show(sign) for sign in signs.values()]
    plan = Plan(tuple(nodes), answer, signs)
    return DemoProblem(id, question, plan, ("exact",), lambda canvas: drawing.plate(canvas, texts))


def _compare(id: str, rng: random.Random) -> DemoProblem:
    numbers = _digits(rng, rng.sample(list(COLORS), 4))
    a, b = rng.sample(list(numbers), 2)
    factor = rng.randint(3, 9)
    nodes: list[Node] = [
        read(a, numbers[a]),
        Op("product", a, "×", factor),
        read(b, numbers[b]),
        Op("rest", "product", "−", b),
    ]
    bare = _plan(nodes, "rest", "#", numbers)
    # The wrong options are what the mistakes lead to, the likeliest first; the rest of them are near misses.
    ways = sorted(paths(bare), key=lambda path: (bool(path.mistakes), -path.probability))
    values = list(dict.fromkeys([bare.answer(path.beliefs) for path in ways]))[:4]
    right = int(values[0])
    near = [str(right + d) for d in (10, -10, 1, 20, -1, 2) if right + d > 0]
    values = list(dict.fromkeys([*values, *near]))[:4]
    rng.shuffle(values)

    options = (*values, "none of these")
    listed = "\n".join(f"{letter}. {value}" for letter, value in zip(OPTION_LETTERS, options, strict=True))
    # Solutions end with the option's text, which the verifier takes for its letter: finding the letter of a number
    # in a list is more than so small a policy learns.
    return DemoProblem(id, f"What is {a} × {factor} − {b}?\n{listed}", bare, ("choice",),
                   lambda canvas: drawing.balls(canvas, numbers), options=options)  # fmt: skip


FAMILIES: dict[str, Callable[[str, random.Random], DemoProblem]] = {
    "bars": _bars, "shapes": _shapes, "table": _table, "triangle": _triangle, "ring": _ring,
    "compare": _compare, "fraction": _fraction, "code": _code,
}  # fmt: skip


def is_sound(problem: DemoProblem, ways: tuple[Path, ...]) -> bool:
    """No mistake may lead to the right answer: a label that says "wrong" would be refuted by luck."""
    answer = problem.plan.answer(ways[0].beliefs)
    if ways[0].probability < LEAST_PASS_RATE:
        return False
    return all(problem.plan.answer(path.beliefs) != answer for path in ways[1:])


@lru_cache(maxsize=4096)
def problem(id: str) -> DemoProblem:
    """The problem with this id, always the same one."""
    family, _, seed = id.partition("-")
    if family not in FAMILIES or not seed.isdecimal():
        raise ValueError(f"not a problem of the demo benchmark: {id!r}")
    rng = random.Random(f"problem {id}")
    while True:
        try:
            candidate = FAMILIES[family](id, rng)
            ways = tuple(paths(candidate.plan))
            if is_sound(candidate, ways):
                return DemoProblem(candidate.id, candidate.question, candidate.plan, candidate.verify,
                               candidate.draw, ways, candidate.options)  # fmt: skip
        except IllFormed:
            continue


def stream(split: str, seed: int = 0, split_by: SplitBy = "question") -> Iterator[DemoProblem]:
    """Problems of one split without an end, the families in turn; small families repeat themselves."""
    if split not in SPLITS:
        raise ValueError(f"split must be one of {', '.join(SPLITS)}, not {split!r}")
    if split_by not in get_args(SplitBy):
        raise ValueError(f"split_by must be one of {', '.join(get_args(SplitBy))}, not {split_by!r}")
    number = seed * 10_000_000
    while True:
        for family in FAMILIES:
            while (found := problem(f"{family}-{number}")).split(split_by) != split:
                number += 1
            yield found
            number += 1


def problems(
    split: str = "dataset", count: int = 96, seed: int = 0, split_by: SplitBy = "question"
) -> Iterator[dict[str, Any]]:
    """Rows of one split: id, image (PNG bytes), question, answer, verify modes, source, maybe options."""
    seen: set[bytes] = set()
    for found in stream(split, seed, split_by):
        if len(seen) == count:
            return
        image = found.image()
        if image in seen:
            continue
        seen.add(image)
        row = {"id": found.id, "image": image, "question": found.question, "answer": found.answer,
               "verify": list(found.verify), "source": f"demo/{found.family}"}  # fmt: skip
        yield {**row, "options": list(found.options)} if found.options else row
