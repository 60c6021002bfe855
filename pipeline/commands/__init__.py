"""The commands of `visualprm`, grouped by what they work on: each module's `add` registers its own."""
