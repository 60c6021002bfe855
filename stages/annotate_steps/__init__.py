"""Steps labelled by people: what to label, a page to label on, how far people agree, and a bench or an audit made of it.

`tasks.py` says what lies in a folder of solutions to label, `labels.py` how labels are kept, `shares.py` who labels what.
`sample.py` draws the solutions, `app.py` shows them, `agreement.py` and `report.py` count, `export.py` writes
VisualProcessBench's rows or an audit of a dataset's labels.
"""
