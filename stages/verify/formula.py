r"""Reads a formula in LaTeX or plain notation into a tree: `2\sqrt{3}/5`, `\frac{GMm}{R^2}`, `20\sin 40^\circ`.

Symbols keep their case, their Greek letter and their subscript: `m`, `M`, `μ` and `m_1` are four symbols. Length, depth
and the size of every number are bounded. What this grammar lacks (sums, integrals, limits) is left to sympy.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from stages.verify.symbols import FUNCTIONS, may_be_product
from stages.verify.tokens import Token, Unreadable, tokens_of

__all__ = ["Node", "Unreadable", "parse"]

MAX_LENGTH = 300
"""Characters of a formula."""
MAX_DIGITS = 60
"""Digits of one number literal."""
MAX_DEPTH = 16
"""Nested groups."""


@dataclass(frozen=True, slots=True)
class Node:
    """An operation on `parts`; `text` names a symbol or a function, `number` is the value of a literal.

    Kinds: `number`, `symbol`, `+`, `*`, `/`, `^`, `negate`, `root` (radicand, degree), `call` (of the function `text`;
    `log` also has a base), `abs`, `!`, `binomial`, `degree`.
    """

    kind: str
    parts: tuple[Node, ...] = ()
    text: str = ""
    number: Fraction = Fraction(0)

    def symbols(self) -> frozenset[str]:
        """The names of the variables, without the constants π, e and i."""
        if self.kind == "symbol":
            return frozenset() if self.text in ("π", "e", "i") else frozenset({self.text})
        return frozenset().union(*(part.symbols() for part in self.parts))


_CLOSING = {"(": ")", "{": "}", "[": "]"}
_APPLIED = ("f", "F")
"""Symbols that a bracket makes functions of: f(x + 1) is no product."""


def parse(text: str, symbols: bool = True) -> Node:
    """The tree of a whole formula; without `symbols`, only the constants π and e may stand in it.

    Raises:
        Unreadable: for anything else.
    """
    if len(text) > MAX_LENGTH:
        raise Unreadable("too long")
    if symbols and not may_be_product(text):
        raise Unreadable("words")
    parser = _Parser(tokens_of(text, symbols))
    node = parser.sum()
    if parser.index != len(parser.tokens):
        raise Unreadable("leftover")
    return node


_END = Token("end", "", False)
_TWO = Node("number", number=Fraction(2))


class _Parser:
    """Recursive descent over `sum > product > signed > power > atom`; products may leave out the sign."""

    def __init__(self, tokens: list[Token]) -> None:
        self.tokens = tokens
        self.index = 0
        self.depth = 0
        self.bars = 0

    def peek(self) -> Token:
        return self.tokens[self.index] if self.index < len(self.tokens) else _END

    def take(self) -> Token:
        token = self.peek()
        self.index += 1
        return token

    def accept(self, sign: str) -> bool:
        if self.peek().text == sign:
            self.index += 1
            return True
        return False

    def sum(self) -> Node:
        node = self.product()
        while (sign := self.peek().text) in ("+", "-") and sign:
            self.take()
            other = self.product()
            node = Node("+", (node, other if sign == "+" else Node("negate", (other,))))
        return node

    def product(self) -> Node:
        start = self.index
        node = self.signed()
        whole = self.index - start <= 2 and self.tokens[self.index - 1].kind == "number" and _is_whole(node)
        while True:
            token = self.peek()
            if token.text in ("*", "/") and token.text:
                self.take()
                node = Node(token.text, (node, self.divisor() if token.text == "/" else self.signed()))
            elif token.kind == "frac":
                node = self.mixed(node) if whole else Node("*", (node, self.power()))
            elif self.starts_factor(token):
                node = Node("*", (node, self.power()))
            elif whole and token.kind == "number":
                node = self.mixed(node)
            else:
                return node
            whole = False

    def starts_factor(self, token: Token) -> bool:
        bracket = token.text in ("(", "{", "[") or (token.text == "|" and not self.bars)
        return token.kind in ("pi", "sqrt", "symbol", "function", "binomial") or bracket

    def divisor(self) -> Node:
        """`t/RC` divides by RC: letters that stand together after a slash are one divisor."""
        node = self.signed()
        last = self.tokens[self.index - 1]
        while last.kind == "symbol" and self.peek().kind == "symbol" and not self.peek().spaced:
            node = Node("*", (node, self.power()))
            last = self.tokens[self.index - 1]
        return node

    def mixed(self, whole: Node) -> Node:
        r"""`1\frac{1}{2}` or `1 1/2`: a whole number and a proper fraction side by side are added."""
        if self.peek().kind == "frac":
            part = self.power()
            if part.symbols() or any(inner.kind != "number" for inner in part.parts):
                return Node("*", (whole, part))
        else:
            top = self.atom()
            if not self.accept("/"):
                raise Unreadable("two numbers side by side")
            part = Node("/", (top, self.atom()))
        top, bottom = part.parts
        if bottom.kind != "number" or not 0 < top.number < bottom.number <= 10**6:
            raise Unreadable("two numbers side by side")
        return Node("+", (whole, Node("negate", (part,)) if whole.kind == "negate" else part))

    def signed(self) -> Node:
        if self.accept("-"):
            return Node("negate", (self.signed_again(),))
        if self.accept("+"):
            return self.signed_again()
        return self.power()

    def signed_again(self) -> Node:
        if self.peek().text in ("+", "-"):
            raise Unreadable("two signs in a row")
        return self.power()

    def power(self) -> Node:
        node = self.atom()
        while True:
            if self.accept("!"):
                node = Node("!", (node,))
            elif self.take_degree():
                node = Node("degree", (node,))
            elif self.accept("^"):
                return Node("^", (node, self.signed()))
            else:
                return node

    def atom(self) -> Node:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise Unreadable("nested too deeply")
        try:
            return self.atom_inside()
        finally:
            self.depth -= 1

    def atom_inside(self) -> Node:
        token = self.take()
        if token.kind == "number":
            return self.number(token.text)
        if token.kind == "pi":
            return Node("symbol", text="π")
        if token.kind == "symbol":
            if token.text in _APPLIED and self.peek().text == "(":
                return Node("call", (self.group(),), token.text)
            return Node("symbol", text=token.text)
        if token.kind == "frac":
            return Node("/", (self.argument(), self.argument()))
        if token.kind == "binomial":
            return Node("binomial", (self.argument(), self.argument()))
        if token.kind == "sqrt":
            degree = self.group() if self.peek().text == "[" else _TWO
            return Node("root", (self.argument(), degree))
        if token.kind == "function":
            return self.function(token.text.removeprefix("\\"))
        if token.text == "|":
            self.bars += 1
            inner = self.sum()
            self.bars -= 1
            if not self.accept("|"):
                raise Unreadable("an unclosed bar")
            return Node("abs", (inner,))
        if token.text in _CLOSING and token.text:
            self.index -= 1
            return self.group()
        raise Unreadable("a value is missing")

    def function(self, name: str) -> Node:
        r"""`\sin^2 x`, `\log_2 8`, `\ln(x+1)`; without brackets, the factors up to the next sign are the argument."""
        name, _, index = name.partition("_")
        if index and name != "log":
            raise Unreadable("a function with an index")
        base = (parse(index.strip("{}")),) if index else ()
        exponent = self.signed() if self.accept("^") else None
        if exponent == Node("negate", (Node("number", number=Fraction(1)),)):
            name, exponent = "arc" + name, None
            if name not in FUNCTIONS:
                raise Unreadable("an inverse function")
        node = Node("call", (self.function_argument(), *base), name)
        return node if exponent is None else Node("^", (node, exponent))

    def function_argument(self) -> Node:
        if self.peek().text in ("(", "["):
            node = self.group()
            return Node("degree", (node,)) if self.take_degree() else node
        node = self.signed()
        while self.peek().kind in ("pi", "sqrt", "symbol", "frac"):
            node = Node("*", (node, self.power()))
        return node

    def take_degree(self) -> bool:
        found = self.peek().kind == "degree"
        self.index += found
        return found

    def number(self, token: str) -> Node:
        if len(token) > MAX_DIGITS:
            raise Unreadable("too many digits")
        value = Fraction(token.replace(",", "").rstrip("."))
        if self.peek().kind == "repeat" and "." in token:
            period = self.take().text[len("\\overline{") : -1]
            places = len(token.partition(".")[2])
            value += Fraction(int(period), (10 ** len(period) - 1) * 10**places)
        return Node("number", number=value)

    def group(self) -> Node:
        closing = _CLOSING[self.take().text]
        bars, self.bars = self.bars, 0
        node = self.sum()
        self.bars = bars
        if not self.accept(closing):
            raise Unreadable("an unclosed group")
        return node

    def argument(self) -> Node:
        r"""What `\frac` and `\sqrt` take: a group, or one sign, as in `\frac12` and `√3`."""
        token = self.peek()
        after_frac = self.tokens[self.index - 1].kind in ("frac", "binomial")
        if token.kind == "number" and len(token.text) == 2 and after_frac and token.text.isdigit():
            halves = [Token("number", digit, False) for digit in token.text]
            self.tokens[self.index : self.index + 1] = halves
        return self.atom()


def _is_whole(node: Node) -> bool:
    if node.kind == "negate":
        node = node.parts[0]
    return node.kind == "number" and node.number.denominator == 1
