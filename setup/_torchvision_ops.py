"""Lets `import torchvision` work where its compiled operators cannot load; setup/install.sh puts it into site-packages.

Why: PyPI's Linux wheel of torchvision is a CUDA build. Beside a CPU-only torch its `_C.so` finds no CUDA and fails to
load; torchvision tolerates that, but then registers a fake kernel for `torchvision::nms`, an operator that only `_C.so`
would have declared, and dies with "operator torchvision::nms does not exist". Two declarations are all that is missing:
the image transforms, which are all that we use, need none of the compiled operators.

How: the `.pth` file beside this module imports it when any Python of this environment starts, the processes that vLLM
and Ray start included. It imports nothing itself: it puts a finder on `sys.meta_path` that waits for
`torchvision.extension`, the module that loads `_C.so` (torch is there by then), lets it run, and declares the operators
only if the load failed. With a torchvision that fits (the `+cpu` wheel, or CUDA torch) nothing is changed.
"""

import sys

TARGET = "torchvision.extension"
SCHEMA = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"


def _declare_missing_operators(extension):
    if extension._has_ops():
        return
    import torch

    for name in ("nms", "qnms"):
        if not hasattr(torch.ops.torchvision, name):
            torch.library.define(f"torchvision::{name}", SCHEMA)


class _TorchvisionFinder:
    """Finds `torchvision.extension` as usual, and has the operators declared once it has run."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        if name != TARGET:
            return None
        from importlib.machinery import PathFinder

        spec = PathFinder.find_spec(name, path, target)
        if spec is None or spec.loader is None:
            return None
        run = spec.loader.exec_module

        def exec_module(module):
            run(module)
            _declare_missing_operators(module)

        spec.loader.exec_module = exec_module  # this loader object serves this one module
        return spec


if not any(finder is _TorchvisionFinder for finder in sys.meta_path):
    sys.meta_path.insert(0, _TorchvisionFinder)
