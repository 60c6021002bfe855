"""What counts as the same image and as the same question."""

from __future__ import annotations

import io

import numpy as np
import PIL.Image
import PIL.ImageDraw
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.records import Image
from stages.load.contamination import Index, Overlap, image_hash, ngrams

ONE = "In the triangle ABC the angle at A is forty degrees and AB equals AC; how large is the angle at B?"
OTHER = "How many of the bars in the chart are taller than the one that stands for the year 2014 in Spain?"


def drawing(seed: int, side: int = 200) -> PIL.Image.Image:
    rng = np.random.default_rng(seed)
    image = PIL.Image.new("RGB", (200, 200), "white")
    draw = PIL.ImageDraw.Draw(image)
    for x0, y0, x1, y1 in rng.integers(10, 190, (6, 4)).tolist():
        draw.rectangle(
            (min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)), fill=tuple(rng.integers(0, 255, 3).tolist())
        )
    return image.resize((side, side))


def encoded(image: PIL.Image.Image, format: str = "PNG", **options: int) -> bytes:
    out = io.BytesIO()
    image.save(out, format, **options)
    return out.getvalue()


def index(max_common: int = 10, max_distance: int = 4, n: int = 8) -> Index:
    made = Index(n, max_common, max_distance)
    made.add("mathvista", "q1", ONE, [encoded(drawing(1))])
    made.add("mathvista", "q2", "Find x.", [])
    made.add("mmmu", "q3", OTHER, [encoded(drawing(2)), encoded(drawing(3))])
    made.close()
    return made


def image(seed: int, **options: int) -> Image:
    return Image.of(encoded(drawing(seed), "JPEG", **options) if options else encoded(drawing(seed)))


def test_ngrams() -> None:
    assert ngrams("<image>\nOne, two; THREE four!", 3) == {"one two three", "two three four"}
    assert ngrams("Find x.", 8) == {"find x"}
    assert ngrams("图中有几个圆？", 5) == {"图 中 有 几 个", "中 有 几 个 圆"}
    assert ngrams("<image> ?", 8) == set()


@given(words=st.lists(st.sampled_from("a b c d e".split()), min_size=1, max_size=20), n=st.integers(2, 8))
def test_every_ngram_is_in_the_question(words: list[str], n: int) -> None:
    found = ngrams(" ".join(words), n)
    assert all(f" {ngram} " in f" {' '.join(words)} " for ngram in found)
    assert {len(ngram.split()) for ngram in found} == {min(n, len(words))}


def test_a_clean_problem_has_no_overlap() -> None:
    assert index().find("Is there a dog in the picture, or is it a cat?", [image(9)]) == []


def test_the_same_row_is_both() -> None:
    (found,) = index().find(f"<image>\n{ONE} Explain.", [image(1)])
    assert (found.benchmark, found.row_id, found.kind, found.distance) == ("mathvista", "q1", "both", 0)
    assert found.ngram is not None
    assert found.ngram in "in the triangle abc the angle at a is forty degrees and ab equals ac how large is"


@pytest.mark.parametrize("changed", [drawing(1, 640), drawing(1, 64), drawing(1).convert("L")])
def test_another_size_or_grey_is_the_same_image(changed: PIL.Image.Image) -> None:
    (found,) = index().find("Another question", [Image.of(encoded(changed))])
    assert (found.row_id, found.kind, found.ngram) == ("q1", "image", None)
    (found,) = index().find("Another question", [Image.of(encoded(changed.convert("RGB"), "JPEG", quality=30))])
    assert found.row_id == "q1"


def test_an_overlap_of_each_kind_with_each_benchmark() -> None:
    found = index().find(f"{ONE} {OTHER}", [image(9), image(3)])
    assert [(overlap.benchmark, overlap.row_id, overlap.kind) for overlap in found] == [
        ("mathvista", "q1", "question"),
        ("mmmu", "q3", "both"),
    ]


def test_a_short_question_must_be_equal() -> None:
    assert index().find("find X", []) == [Overlap("mathvista", "q2", "question", None, "find x")]
    assert index().find("Find x and y.", []) == []


def test_what_many_rows_of_a_benchmark_share_is_its_form() -> None:
    made = Index(ngram=5, max_common=2, max_distance=0)
    for row in range(3):
        made.add("b", f"q{row}", f"Hint: please answer with a letter. What about thing {row} {row} {row}?", [])
    made.close()
    assert made.find("Hint: please answer with a letter. Who is it?", []) == []
    (found,) = made.find("Say: what about thing 1 1 1?", [])
    assert found.row_id == "q1"


def test_the_distance_is_a_limit() -> None:
    near, far = index(max_distance=16), index(max_distance=0)
    changed = Image.of(encoded(drawing(1, 64), "JPEG", quality=10))
    distance = (image_hash(changed.data) ^ image_hash(encoded(drawing(1)))).bit_count()
    assert 0 < distance <= 16
    assert [overlap.distance for overlap in near.find("?", [changed])] == [distance]
    assert far.find("?", [changed]) == []
