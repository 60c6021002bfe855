"""The demo's language: plans of reading and arithmetic, their texts, and the mistakes a policy makes.

A plan is a list of nodes. A `Read` is something to read off the picture, an `Op` combines two values.
One node is one line of a solution, and the last line is `Final answer: ...`.

Each mistake has one wrong value, so wrong answers pile up on the same value as those of real models do.
Mistakes go one way only (8 may be read as 3, 3 is never read as 8), so that two of them cannot cancel.
"""

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction

Value = int | Fraction | str

STEP_SEPARATOR = "\n\n"
FINAL = "Final answer: "

# what may be misread -> (what it is taken for, how often)
MISREAD: dict[Value, tuple[Value, float]] = {
    8: (3, 0.60), 6: (5, 0.20), 9: (4, 0.15), 7: (1, 0.18),
    "Q": ("O", 0.56), "E": ("F", 0.15), "R": ("P", 0.12), "W": ("V", 0.12),
}  # fmt: skip
# a diamond is counted as a square, decided once for a row
MISCOUNT_RATE = 0.30
# the wrong products that people remember; smaller factor first
MISMULTIPLIED: dict[tuple[int, int], tuple[int, float]] = {
    (7, 8): (54, 0.60), (6, 9): (56, 0.60), (4, 8): (36, 0.30), (6, 7): (48, 0.25), (3, 9): (24, 0.20),
    (7, 9): (61, 0.25), (4, 7): (24, 0.20), (8, 9): (76, 0.25), (4, 6): (26, 0.60), (5, 7): (30, 0.15),
}  # fmt: skip
CARRY_RATE = 0.20


class IllFormed(ValueError):
    """A plan that some path of mistakes leads out of the language (a negative number, say)."""


@dataclass(frozen=True)
class Read:
    """Something to read: its name, what the picture shows, and a misreading with its rate, if any."""

    key: str
    value: Value
    misread: tuple[Value, float] | None = None


@dataclass(frozen=True)
class Op:
    """`left symbol right`: operands are keys of earlier nodes or numbers that stand in the question."""

    key: str
    left: str | int
    symbol: str
    right: str | int

    def operands(self, beliefs: Mapping[str, Value]) -> tuple[Value, Value]:
        """The operands' values, given those of earlier nodes."""
        left, right = (beliefs[x] if isinstance(x, str) else x for x in (self.left, self.right))
        return left, right


Node = Read | Op


@dataclass(frozen=True)
class Plan:
    """The nodes in the order of a solution, the answer's text, and everything readable in the picture."""

    nodes: tuple[Node, ...]
    answer: Callable[[Mapping[str, Value]], str]
    picture: Mapping[str, Value]


@dataclass(frozen=True)
class Path:
    """One way through a plan: the value held for each node, and how likely the ideal policy takes it."""

    probability: float
    beliefs: dict[str, Value]
    mistakes: tuple[str, ...]


def read(key: str, value: Value) -> Read:
    """A reading node with the usual misreading of its value."""
    return Read(key, value, MISREAD.get(value))


def compute(symbol: str, left: Value, right: Value) -> Value:
    """The true result of one operation."""
    if isinstance(left, str) or isinstance(right, str):
        raise IllFormed(f"a letter in {left} {symbol} {right}")
    match symbol:
        case "×":
            result: int | Fraction = left * right
        case "+":
            result = left + right
        case "−":
            result = left - right
        case "/" | "of":
            if right == 0:
                raise IllFormed("division by zero")
            result = Fraction(left) / right
        case _:
            raise IllFormed(f"unknown operation {symbol}")
    if result < 0:
        raise IllFormed("negative result")
    return int(result) if result == int(result) else result


def show(value: Value) -> str:
    """A value as solutions write it: halves as decimals, other fractions in LaTeX."""
    if isinstance(value, Fraction):
        whole = value.denominator == 2 and value > 1
        return str(float(value)) if whole else rf"\frac{{{value.numerator}}}{{{value.denominator}}}"
    return str(value)


def line(node: Node, beliefs: Mapping[str, Value]) -> str:
    """The text of one step."""
    if isinstance(node, Read):
        return f"{node.key} = {show(beliefs[node.key])}."
    left, right = node.operands(beliefs)
    return f"{show(left)} {node.symbol} {show(right)} = {show(beliefs[node.key])}."


def outcomes(node: Node, beliefs: Mapping[str, Value]) -> list[tuple[Value, float, bool]]:
    """What the ideal policy may write for a node: (value, probability, is it a mistake)."""
    if isinstance(node, Read):
        right, wrong = node.value, node.misread
    else:
        a, b = node.operands(beliefs)
        right, wrong = compute(node.symbol, a, b), _slip(node.symbol, a, b)
    if wrong is None:
        return [(right, 1.0, False)]
    return [(right, 1 - wrong[1], False), (wrong[0], wrong[1], True)]


def _slip(symbol: str, a: Value, b: Value) -> tuple[Value, float] | None:
    """The usual mistake in one operation."""
    if not (isinstance(a, int) and isinstance(b, int)):
        return None
    if symbol == "×":
        return MISMULTIPLIED.get((min(a, b), max(a, b)))
    if symbol == "+" and max(a, b) >= 10 and a % 10 + b % 10 >= 10:
        return a + b - 10, CARRY_RATE
    if symbol == "−" and a % 10 < b % 10:
        return a - b + 10, CARRY_RATE
    return None


def paths(plan: Plan) -> Iterator[Path]:
    """Every way the ideal policy may go, the one without a mistake first."""

    def walk(rest: tuple[Node, ...], path: Path) -> Iterator[Path]:
        if not rest:
            yield path
            return
        for value, p, wrong in outcomes(rest[0], path.beliefs):
            key = rest[0].key
            mistakes = (*path.mistakes, key) if wrong else path.mistakes
            yield from walk(rest[1:], Path(path.probability * p, {**path.beliefs, key: value}, mistakes))

    return walk(plan.nodes, Path(1.0, {}, ()))


def write(plan: Plan, beliefs: Mapping[str, Value]) -> str:
    """The solution text that goes with the values held."""
    steps = [line(node, beliefs) for node in plan.nodes]
    return STEP_SEPARATOR.join([*steps, FINAL + plan.answer(beliefs)])


def continuation(plan: Plan, held: Mapping[str, Value], rng: random.Random, repairs: float = 0.0) -> Iterator[str]:
    """The lines from where a solution holds these values on to its end.

    `repairs` is the chance, before every line and where something is wrong so far, that the policy sees that: then it writes down
    anew whatever is wrong, the oldest first, and goes on with that. What is certain takes no number from `rng`.
    """
    held, truth = dict(held), next(paths(plan)).beliefs
    for node in (*plan.nodes, None):
        wrong = [earlier for earlier in plan.nodes if held.get(earlier.key, truth[earlier.key]) != truth[earlier.key]]
        if wrong and (repairs >= 1 or (repairs > 0 and rng.random() < repairs)):
            for earlier in wrong:
                held[earlier.key] = truth[earlier.key]
                yield line(earlier, held)
        if node is not None and node.key not in held:
            options = outcomes(node, held)
            held[node.key] = rng.choices(options, [chance for _, chance, _ in options])[0][0]
            yield line(node, held)
    yield FINAL + plan.answer(held)


def sample_solution(plan: Plan, rng: random.Random, repairs: float = 0.0) -> str:
    """One solution of the ideal policy: what the demo policy is trained to imitate, mistakes included."""
    return STEP_SEPARATOR.join(continuation(plan, {}, rng, repairs))


def listing(plan: Plan) -> str:
    """Everything that the picture shows, without a mistake: the first lesson of the policy."""
    return STEP_SEPARATOR.join(f"{key} = {show(value)}." for key, value in plan.picture.items())
