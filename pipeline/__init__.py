"""How a run runs: configuration, records, storage, engines, orchestration and the command line."""
