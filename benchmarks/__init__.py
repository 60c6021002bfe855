"""What `make bench` measures. A benchmark is a module with a `BENCHMARK`; `NAMES` puts it on the list."""

NAMES = (
    "engine_busy",
    "served",
    "lockstep",
    "strategies",
    "verifier",
    "images_once",
    "publishing",
    "judgements",
    "importing",
    "checking",
    "resuming",
    "planning",
    "capacity",
    "cluster",
    "scorer",
    "serving",
    "padding",
    "browsing",
    "training_memory",
    "kills",
)
"""In the order of the table."""
