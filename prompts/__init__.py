"""The prompt files. A package, so that they are found wherever the code is: a clone, an installed wheel, a Ray worker."""
