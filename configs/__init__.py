"""The configs that ship with the code. A package, so that `configs/demo.yaml` is found wherever the code is."""
