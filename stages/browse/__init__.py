"""Pages to look at what was made: datasets, runs with their draws, pools of candidates, benches, critics' scores.

`collection.py` says what a place that can be shown must answer, and `published.py`, `runs.py`, `pools.py` and `benches.py`
answer it. `index.py` keeps a few numbers of every solution, on which `query.py` filters, counts and sorts; rows and pictures
are read where they lie, when they are looked at. `pages.py` writes HTML, `app.py` serves it, `export.py` puts chosen problems
into one file.
"""
