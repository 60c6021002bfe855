"""Names of images and files: below an image root, and in an export."""

from __future__ import annotations

from stages.exchange.names import Layout, detect_layout, file_name, file_stem, is_safe


def test_layouts_drop_as_little_as_they_can() -> None:
    there = {"images/b/c.png", "a.png"}
    assert detect_layout(["a.png"], there.__contains__) == Layout()
    assert detect_layout(["X/b/c.png", "X/b/d.png"], there.__contains__) == Layout(1, "images/")
    assert detect_layout(["X/b/c.png"], there.__contains__, drop=0) is None
    assert detect_layout(["X/Y/b/c.png"], there.__contains__, drop=2) == Layout(2, "images/")


def test_safe_names_stay_below_their_folder() -> None:
    assert is_safe("Geometry3K/train/1471/img_diagram.png")
    assert is_safe("中文/図 1.png")
    for name in ("../a", "a/../b", "/a", "a//b", "", "a\\b", "a\nb", "x" * 201, "./a"):
        assert not is_safe(name)


def test_two_sources_of_no_ascii_letter_have_two_names() -> None:
    names = ["数学", "物理", "Géo", "G_o", "demo/bars"]
    stems = list(map(file_stem, names))
    assert len(set(stems)) == len(names)
    assert stems[3:] == ["G_o", "demo_bars"], "names that say all stay as they are"
    assert all(stem.isascii() and is_safe(stem) for stem in stems)
    assert file_name("数学.jsonl") == f"{file_stem('数学')}.jsonl"
    assert [file_name(name) for name in ("v1.1", "a b.jsonl", ".jsonl")] == ["v1.1", "a_b.jsonl", "_jsonl"]
