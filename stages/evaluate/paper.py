"""The paper's published numbers, to stand beside ours: arXiv 2503.10291, tables 2, 3, 6 and 7. All in percent.

Their "overall" of Best-of-N is the plain mean of the seven benchmarks; table 3's is called a micro average over sources.
"""

from __future__ import annotations

from typing import NamedTuple

PROCESS_BENCH_COLUMNS = ("MMMU", "MathVision", "MathVerse", "DynaMath", "WeMath", "overall")
_TABLE_3 = {
    "Random": (50.0, 50.0, 50.0, 50.0, 50.0, 50.0),
    "GPT-4o-Mini": (53.6, 58.9, 57.1, 56.7, 58.5, 57.9),
    "GPT-4o": (56.3, 60.2, 59.7, 59.0, 63.3, 60.3),
    "Gemini-2.0-Flash": (58.5, 60.1, 62.8, 66.7, 58.7, 62.3),
    "MiniCPM-V2.6-8B": (44.9, 50.9, 58.9, 46.7, 57.4, 50.4),
    "LLaVA-OV-7B": (45.7, 43.0, 42.2, 44.7, 52.5, 44.4),
    "LLaVA-OV-72B": (46.1, 48.4, 53.0, 57.0, 57.3, 52.3),
    "Qwen2.5-VL-7B": (53.1, 51.8, 47.8, 51.3, 54.2, 51.0),
    "Qwen2.5-VL-72B": (59.2, 59.0, 59.7, 62.9, 62.3, 60.5),
    "InternVL2.5-8B": (47.1, 45.5, 47.8, 50.3, 50.8, 48.0),
    "InternVL2.5-26B": (48.8, 47.4, 49.2, 50.4, 51.4, 49.2),
    "InternVL2.5-38B": (51.5, 48.4, 50.9, 51.8, 52.5, 50.8),
    "InternVL2.5-78B": (52.0, 51.7, 53.7, 50.8, 52.5, 52.6),
    "VisualPRM-8B": (58.5, 62.1, 61.0, 62.7, 61.8, 62.0),
}
VISUAL_PROCESS_BENCH: dict[str, dict[str, float]] = {
    model: dict(zip(PROCESS_BENCH_COLUMNS, numbers, strict=True)) for model, numbers in _TABLE_3.items()
}
"""Table 3: model → source or "overall" → macro-F1."""

BEST_OF_N_COLUMNS = ("MMMU", "MathVista", "MathVision", "MathVerse-VO", "DynaMath", "WeMath", "LogicVista")


class BestOfN(NamedTuple):
    """Accuracy of a policy with a critic over n candidates: the seven benchmarks in order, and the printed overall.

    n = 1 without a critic is pass@1.
    """

    table: int
    policy: str
    critic: str
    n: int
    accuracies: tuple[float, ...]
    overall: float


BEST_OF_N = (
    BestOfN(2, "GPT-4o", "none", 1, (70.7, 60.0, 31.2, 40.6, 34.5, 45.8, 52.8), 47.9),
    BestOfN(2, "Gemini-2.0-Flash", "none", 1, (69.9, 70.4, 43.6, 47.8, 42.1, 47.4, 52.3), 53.4),
    BestOfN(2, "Claude-3.5-Sonnet", "none", 1, (66.4, 65.3, 35.6, 46.3, 35.7, 44.0, 60.4), 50.5),
    BestOfN(2, "MiniCPM-V2.6", "none", 1, (49.8, 60.8, 23.4, 18.9, 9.8, 16.4, 27.5), 29.5),
    BestOfN(2, "MiniCPM-V2.6", "PRM", 8, (56.8, 65.7, 24.7, 35.8, 11.2, 31.0, 37.4), 37.5),
    BestOfN(2, "Qwen2.5-VL-7B", "none", 1, (55.0, 67.8, 25.4, 41.1, 21.0, 35.2, 44.1), 41.4),
    BestOfN(2, "Qwen2.5-VL-7B", "PRM", 8, (58.6, 70.3, 31.3, 44.3, 23.0, 39.8, 48.3), 45.1),
    BestOfN(2, "InternVL2.5-8B", "none", 1, (56.2, 64.5, 17.0, 22.8, 9.4, 23.5, 36.0), 32.8),
    BestOfN(2, "InternVL2.5-8B", "PRM", 8, (60.2, 68.5, 25.7, 35.8, 18.0, 36.5, 43.8), 41.2),
    BestOfN(2, "InternVL2.5-26B", "none", 1, (60.7, 68.2, 23.4, 24.0, 11.4, 30.9, 39.6), 36.9),
    BestOfN(2, "InternVL2.5-26B", "PRM", 8, (63.9, 73.1, 29.6, 39.1, 23.2, 40.8, 51.0), 45.8),
    BestOfN(2, "InternVL2.5-38B", "none", 1, (63.9, 71.9, 32.2, 36.9, 20.0, 38.3, 47.9), 44.4),
    BestOfN(2, "InternVL2.5-38B", "PRM", 8, (69.0, 73.9, 35.2, 46.7, 30.5, 46.2, 53.7), 50.7),
    BestOfN(2, "InternVL2.5-78B", "none", 1, (70.0, 72.3, 32.2, 39.2, 19.2, 39.8, 49.0), 46.0),
    BestOfN(2, "InternVL2.5-78B", "PRM", 8, (70.7, 75.1, 35.9, 47.1, 31.3, 49.1, 53.9), 51.9),
    BestOfN(6, "InternVL2.5-8B", "self-consistency", 8, (58.0, 65.9, 23.4, 30.5, 18.4, 32.7, 43.0), 38.8),
    BestOfN(6, "InternVL2.5-8B", "self-consistency", 16, (58.6, 65.8, 26.3, 32.1, 19.4, 33.0, 43.4), 39.8),
    BestOfN(6, "InternVL2.5-8B", "self-consistency", 32, (60.4, 66.7, 28.0, 32.6, 20.8, 34.1, 44.7), 41.0),
    BestOfN(6, "InternVL2.5-8B", "self-consistency", 64, (59.7, 66.7, 26.6, 33.2, 20.6, 35.8, 43.4), 40.9),
    BestOfN(6, "InternVL2.5-8B", "self-consistency", 128, (60.6, 67.4, 25.7, 32.0, 22.6, 34.7, 43.2), 40.9),
    BestOfN(6, "InternVL2.5-8B", "ORM", 8, (60.2, 67.0, 25.3, 32.5, 16.4, 35.0, 41.8), 39.7),
    BestOfN(6, "InternVL2.5-8B", "ORM", 16, (58.3, 67.7, 27.0, 33.6, 16.6, 33.1, 39.1), 39.3),
    BestOfN(6, "InternVL2.5-8B", "ORM", 32, (58.6, 67.9, 26.3, 33.6, 17.4, 34.4, 42.1), 40.0),
    BestOfN(6, "InternVL2.5-8B", "ORM", 64, (59.4, 66.8, 28.6, 33.9, 17.8, 34.1, 42.3), 40.4),
    BestOfN(6, "InternVL2.5-8B", "ORM", 128, (59.4, 66.6, 28.3, 33.5, 16.8, 32.3, 40.9), 39.7),
    BestOfN(6, "InternVL2.5-8B", "PRM", 8, (60.2, 68.5, 25.7, 35.8, 18.0, 36.5, 43.8), 41.2),
    BestOfN(6, "InternVL2.5-8B", "PRM", 16, (60.2, 69.9, 27.3, 36.4, 19.0, 38.8, 42.5), 42.0),
    BestOfN(6, "InternVL2.5-8B", "PRM", 32, (60.3, 70.4, 29.6, 37.8, 17.2, 40.3, 43.4), 42.7),
    BestOfN(6, "InternVL2.5-8B", "PRM", 64, (61.4, 69.6, 30.6, 38.2, 18.8, 40.2, 45.4), 43.5),
    BestOfN(6, "InternVL2.5-8B", "PRM", 128, (61.7, 70.8, 30.3, 39.3, 19.4, 40.9, 45.4), 44.0),
    BestOfN(7, "MiniCPM-V2.6", "self-consistency", 8, (51.8, 58.9, 21.7, 31.5, 10.0, 22.6, 35.6), 33.2),
    BestOfN(7, "MiniCPM-V2.6", "self-consistency", 16, (51.7, 60.2, 21.7, 31.5, 11.6, 25.7, 35.3), 34.0),
    BestOfN(7, "MiniCPM-V2.6", "self-consistency", 32, (52.2, 60.1, 24.3, 33.1, 11.4, 24.3, 36.0), 34.5),
    BestOfN(7, "MiniCPM-V2.6", "self-consistency", 64, (51.7, 61.0, 23.4, 34.8, 12.8, 25.8, 35.3), 35.0),
    BestOfN(7, "MiniCPM-V2.6", "self-consistency", 128, (53.2, 61.7, 25.7, 33.5, 13.0, 25.6, 35.6), 35.5),
    BestOfN(7, "MiniCPM-V2.6", "ORM", 8, (55.7, 66.0, 22.0, 33.5, 10.2, 24.1, 38.9), 35.8),
    BestOfN(7, "MiniCPM-V2.6", "ORM", 16, (56.4, 65.3, 24.0, 32.1, 10.4, 27.3, 36.5), 36.0),
    BestOfN(7, "MiniCPM-V2.6", "ORM", 32, (58.8, 64.8, 19.7, 35.7, 12.0, 29.4, 38.5), 37.0),
    BestOfN(7, "MiniCPM-V2.6", "ORM", 64, (58.2, 67.3, 22.7, 35.5, 11.0, 30.1, 37.6), 37.5),
    BestOfN(7, "MiniCPM-V2.6", "ORM", 128, (58.2, 66.5, 25.3, 35.4, 11.6, 30.0, 40.7), 38.2),
    BestOfN(7, "MiniCPM-V2.6", "PRM", 8, (56.8, 65.7, 24.7, 35.8, 11.2, 31.0, 37.4), 37.5),
    BestOfN(7, "MiniCPM-V2.6", "PRM", 16, (58.8, 68.6, 24.0, 37.3, 12.4, 32.7, 39.8), 39.1),
    BestOfN(7, "MiniCPM-V2.6", "PRM", 32, (57.8, 68.4, 26.6, 38.5, 13.4, 35.3, 39.1), 39.9),
    BestOfN(7, "MiniCPM-V2.6", "PRM", 64, (58.6, 69.4, 25.3, 39.7, 12.2, 38.2, 36.9), 40.0),
    BestOfN(7, "MiniCPM-V2.6", "PRM", 128, (59.3, 69.4, 25.3, 39.1, 14.4, 37.0, 38.3), 40.4),
)
