"""`visualprm serve`: a reward model over HTTP.

Requests that arrive within a few milliseconds of each other are scored in one batch. Images come in the request or were
put there before: nothing is fetched and no file is read on a client's word.
"""
