"""Gemma 3: every picture has the same number of tokens, and turns of their own kind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.families.bytes_as_tokens import byte_tokenizer
from tests.families.shape import TEXT

_TEMPLATE = (
    "{% for message in messages %}{{ '<start_of_turn>' + ('model' if message.role == 'assistant' else message.role) + '\n' }}"
    "{% for part in message.content %}{% if part.type == 'image' %}{{ '<start_of_image>' }}{% else %}{{ part.text }}{% endif %}"
    "{% endfor %}{{ '<end_of_turn>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{% endif %}"
)


def gemma(own: Mapping[str, Any]) -> tuple[Any, Any]:
    """Four tokens a picture of 32 × 32 pixels, whatever its shape."""
    import torch
    from transformers import Gemma3Config, Gemma3ForConditionalGeneration, Gemma3ImageProcessor, Gemma3Processor

    tokens = ("<image_soft_token>", "<start_of_image>", "<end_of_image>")
    named = dict(zip(("image_token", "boi_token", "eoi_token"), tokens, strict=True))
    tokenizer = byte_tokenizer(*tokens, "<start_of_turn>", "<end_of_turn>", **named)
    tokenizer.eos_token = "<end_of_turn>"
    # vLLM looks these up, as it joins the lines around a picture.
    tokenizer.add_tokens(["\n" * count for count in range(1, 5)])
    processor = Gemma3Processor(
        image_processor=Gemma3ImageProcessor(size={"height": 32, "width": 32}),
        tokenizer=tokenizer,
        image_seq_length=4,
        chat_template=_TEMPLATE,
    )
    vision = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
    text = {**TEXT, "vocab_size": 320, "head_dim": 8, "query_pre_attn_scalar": 8, "sliding_window": 64, **own}
    ends = {"pad_token_id": 0, "bos_token_id": None, "eos_token_id": tokenizer.eos_token_id}
    image, begin, end = tokenizer.convert_tokens_to_ids(list(tokens))
    config = Gemma3Config(
        vision_config={**vision, "initializer_range": 0.2, "image_size": 32, "patch_size": 8},
        text_config={**text, **ends},
        mm_tokens_per_image=4,
        image_token_index=image,
        boi_token_index=begin,
        eoi_token_index=end,
        **ends,
    )
    model = Gemma3ForConditionalGeneration(config)
    # It begins as zeros, and pictures would say nothing.
    torch.nn.init.normal_(model.model.multi_modal_projector.mm_input_projection_weight, std=0.5)
    return model, processor
