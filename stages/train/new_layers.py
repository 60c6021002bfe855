"""New layers on top of a model's text model, which change nothing until they are trained (arXiv 2401.02415)."""

from __future__ import annotations

import copy
from typing import Any

from pipeline.errors import UserError

OUTPUTS = ("self_attn.o_proj", "mlp.down_proj")
"""What a layer adds to its input goes through these; where they are 0, so is the layer's effect."""


def deepen(model: Any, layers: int) -> None:
    """Puts copies of the last text layer above it, with their outputs at 0, and leaves them and the final norm to be trained.

    The model computes what it did before. To judge a token it takes what was expected in its place, which in the
    model itself is known only after the last layer: layers above can compare the two.

    Raises:
        UserError: the layers aren't built as in Qwen or Llama.
    """
    text = model.get_decoder()
    parts = {name for name, _ in text.layers[-1].named_modules()}
    if missing := [name for name in OUTPUTS if name not in parts]:
        raise UserError(f"model.new_layers: the layers of this model have no {missing[0]}: set model.new_layers=0")
    model.requires_grad_(False)
    for _ in range(layers):
        layer = copy.deepcopy(text.layers[-1]).requires_grad_(True)
        layer.self_attn.layer_idx = len(text.layers)
        for name in OUTPUTS:
            for parameter in layer.get_submodule(name).parameters():
                parameter.data.zero_()
        text.layers.append(layer)
    text.norm.requires_grad_(True)
    text.config.num_hidden_layers += layers
    if kinds := getattr(text.config, "layer_types", None):
        text.config.layer_types = [*kinds, *[kinds[-1]] * layers]
