"""Other people's file formats: one short file each, pure, between their records and rows of ours.

A released record keeps what our columns don't hold in the column `extra`, so that it can be written again as
it was. `docs/formats.md` has the table of formats and their conventions.
"""
