"""What the tiny models have in common: the size of their text models, and turns as in ChatML."""

from __future__ import annotations

from typing import Any

TEXT: dict[str, Any] = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
# Weights larger than usual, so that scores of random models differ from step to step.
TEXT |= {"num_key_value_heads": 2, "max_position_embeddings": 4096, "initializer_range": 0.2}

_TURNS = (
    "{% for message in messages %}{{ '<|im_start|>' + message.role + '\n' }}{% for part in message.content %}"
    "{% if part.type == 'image' %}{{ 'IMAGE' }}{% else %}{{ part.text }}{% endif %}"
    "{% endfor %}{{ '<|im_end|>\n' }}{% endfor %}"
)
_OPENING = "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"


def turns(image: str, opening: str = _OPENING) -> str:
    """A chat template that writes `image` for a picture, and the opening of a turn to come."""
    return _TURNS.replace("IMAGE", image) + opening
