"""The verification modes: one file each, each a pure function that compares a gold answer with a given one."""
