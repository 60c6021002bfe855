"""A source as a plan sees it: what its problems and solutions are like, from the rows that were measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pipeline.config import RunConfig, SourceConfig
from stages.plan.amount import mean
from stages.plan.assumptions import Assumptions
from stages.plan.cost import PerProblem
from stages.plan.model import Model
from stages.plan.pilot import Pilot
from stages.plan.rows import Rows
from stages.plan.solutions import Solutions, solutions_of
from stages.plan.tiles import Tiling, count_tiles


@dataclass(frozen=True)
class PlannedSource:
    """A source's rows, and what its solutions are like."""

    config: SourceConfig
    rows: Rows
    problem: PerProblem
    longest_prompt: int
    solutions: Solutions


def planned(
    source: SourceConfig,
    rows: Rows,
    config: RunConfig,
    model: Model,
    assumed: Assumptions,
    pilot: Pilot | None,
    templates: Mapping[str, str],
    tokens_per_word: float,
    thinking: float = 0.0,
) -> PlannedSource:
    """Of a source of which some rows could be used."""
    tiling = model.tiling or Tiling(assumed.image.tile, assumed.image.tokens_per_tile)
    template = templates.get(source.prompt or config.prompt, "")

    def text_tokens(text: str) -> float:
        return model.count_tokens(text) if model.count_tokens else len(text) / assumed.characters_per_token.value

    texts = [text_tokens(template.replace("{question}", question)) for question in rows.questions]
    at_most = source.max_tiles if model.tiles else 1

    def image_tokens(width: int, height: int) -> int:
        if model.pixels is not None:
            return model.pixels.tokens(width, height, source.max_pixels)
        return tiling.tokens * count_tiles(width, height, at_most, tiling.tile)

    seen = [sum(image_tokens(width, height) for width, height, _ in images) for images in rows.images]
    largest = tiling.tokens * (at_most + (at_most > 1))
    if model.pixels is not None:
        largest = model.pixels.at_most(source.max_pixels)
    problem = PerProblem(
        mean([float(len(images)) for images in rows.images]),
        mean([float(sum(size for _, _, size in images)) for images in rows.images]),
        mean([text + tokens for text, tokens in zip(texts, seen, strict=True)]),
    )
    longest = round(max(texts)) + largest * max(map(len, rows.images))
    return PlannedSource(
        source, rows, problem, longest, solutions_of(source, config, assumed, pilot, tokens_per_word, thinking)
    )
