"""Where the tests find what they read, however deep they lie themselves."""

from pathlib import Path

ROOT = Path(__file__).parents[1]
"""The repository."""
GOLDEN = ROOT / "tests" / "golden"
POLICY = ROOT / "demo" / "policy"
SHARED = ROOT.parent / "shared" / "data"
"""Real benchmark questions and answers, beside the repository; tests that need them skip where they are absent."""
