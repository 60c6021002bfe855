"""Best-of-N: what a way of choosing among N candidates is worth, in expectation over the candidates drawn.

Pure: arrays in, numbers out. A pool holds M candidates a problem, and every number for N is the mean over all
subsets of size N, so that no lucky order of drawing counts. In a pool whose candidate 0 is greedy (`pinned`),
every subset holds that one, as in VLMEvalKit.
"""
