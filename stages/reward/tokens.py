"""Step scores laid on the tokens of a response."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate
from typing import Any


def token_ends(tokenizer: Any, token_ids: Sequence[int]) -> list[int]:
    """For every token, the length of the response's text up to and including it.

    Special tokens have no text: the response is `tokenizer.decode(token_ids, skip_special_tokens=True)`.
    """
    from tokenizers.decoders import DecodeStream

    stream = DecodeStream(skip_special_tokens=True)
    backend = tokenizer._tokenizer
    return list(accumulate(len(stream.step(backend, token_id) or "") for token_id in token_ids))


def last_tokens(spans: Sequence[tuple[int, int]], ends: Sequence[int]) -> list[int]:
    """The token in which each step ends, as an index into the response.

    Args:
        spans: each step's characters, as the service answers them.
        ends: for every token, the length of the text up to and including it.

    Raises:
        ValueError: the tokens end before the last step does, so they are of another text.
    """
    if spans and (not ends or ends[-1] < spans[-1][1]):
        raise ValueError(
            f"the tokens are of {ends[-1] if ends else 0} characters, the last step ends at {spans[-1][1]}"
        )
    return [bisect_left(ends, max(end, 1)) for _, end in spans]


def on_tokens(values: Sequence[float], spans: Sequence[tuple[int, int]], ends: Sequence[int]) -> list[float]:
    """A row of as many numbers as there are tokens: each step's value at its last token, else 0.

    Steps that end in one token add up there.
    """
    row = [0.0] * len(ends)
    for value, token in zip(values, last_tokens(spans, ends), strict=True):
        row[token] += value
    return row
