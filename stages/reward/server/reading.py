"""From a request to what a scorer is given. All of it takes time, so it runs outside the event loop."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.errors import RowError
from pipeline.records import asked
from stages.load.sources.images import image_sizes, read_images
from stages.reward.config import PrmConfig
from stages.reward.cutting import cut
from stages.reward.model import Candidate, check_steps
from stages.reward.server.limits import Limits
from stages.reward.server.wire import ScoreRequest, Solution


def read_candidates(
    request: ScoreRequest, images: Sequence[str | bytes], limits: Limits, config: PrmConfig
) -> list[Candidate | RowError]:
    """The solutions that a request holds, cut as the model's dataset was, with its images decoded and checked.

    Args:
        images: those of the request, with the bytes of those that were in the store.

    Raises:
        RowError: an image can't be used.
    """
    pictures = read_pictures(images, limits)
    question = asked(request.question, request.options)
    solutions = request.solutions or [Solution(steps=request.steps, response=request.response)]
    return [_candidate(question, pictures, each, config, request.max_steps) for each in solutions]


def _candidate(
    question: str, pictures: tuple[bytes, ...], solution: Solution, config: PrmConfig, most: int | None
) -> Candidate | RowError:
    try:
        steps, context = (
            (solution.steps, frozenset[int]())
            if solution.steps is not None
            else cut(solution.response or "", config, most)
        )
        check_steps(steps)
    except RowError as error:
        return error
    return Candidate(question, pictures, tuple(steps), solution.response, context)


def read_pictures(images: Sequence[str | bytes], limits: Limits) -> tuple[bytes, ...]:
    """The images' bytes as a model is given them.

    Raises:
        RowError: one of them can't be used.
    """
    if not images:
        return ()
    for image in images:
        if isinstance(image, str) and len(image) * 3 // 4 > limits.image_bytes:
            raise RowError("image_too_large", f"an image has more than {limits.image_bytes} bytes")
    # As a data URI nothing can be taken for the name of a file.
    found = [
        f"data:;base64,{image}" if isinstance(image, str) and not image.startswith("data:") else image
        for image in images
    ]
    pixels = sum(width * height for width, height, _ in image_sizes(found, None))
    if pixels > limits.pixels:
        raise RowError("image_too_large", f"the images have {pixels:,} pixels; a request has at most {limits.pixels:,}")
    # What came out of the store was checked on its way in.
    return tuple(image if isinstance(image, bytes) else read_images(image, None)[0] for image in found)
