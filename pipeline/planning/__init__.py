"""`visualprm plan`: what a run needs, before an engine starts, and what stands in its way."""
