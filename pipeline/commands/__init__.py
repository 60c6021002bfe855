"""The commands of `visualprm`, grouped by what they work on: each module's `add` registers its own.

A command that a stop doesn't set back says `goes_on`.
"""
