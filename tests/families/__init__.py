"""Tiny random models of the tested families, with processors made of nothing but code.

The chat templates follow the families' own.
"""

from __future__ import annotations

from typing import Any

from tests.families.bytes_as_tokens import byte_tokenizer
from tests.families.gemma import gemma
from tests.families.internvl import internvl, thinking_processor
from tests.families.qwen import qwen
from tests.places import POLICY

__all__ = ["FAMILIES", "FOR_VLLM", "POLICY", "byte_tokenizer", "family", "thinking_processor"]

FAMILIES = ("demo", "internvl", "qwen2_5_vl", "qwen3_vl")

FOR_VLLM: dict[str, Any] = {"hidden_size": 64, "num_attention_heads": 2, "head_dim": 32}
"""Its attention on a CPU takes no smaller heads."""


def family(name: str, **text: Any) -> tuple[Any, Any]:
    """A model in fp32 and evaluation mode, and its processor; `text` goes into the text model's config.

    With `FOR_VLLM` it is one that vLLM loads on a CPU.
    """
    import torch

    torch.manual_seed(0)
    torch.set_num_threads(1)  # more only wait for each other in models this small
    made = {"demo": lambda _: _demo(), "internvl": internvl, "gemma3": gemma}.get(name, lambda own: qwen(name, own))
    model, processor = made(text)
    return model.eval(), processor


def _demo() -> tuple[Any, Any]:
    from transformers import AutoModelForImageTextToText, AutoProcessor

    model = AutoModelForImageTextToText.from_pretrained(POLICY, dtype="float32")
    return model, AutoProcessor.from_pretrained(POLICY)
