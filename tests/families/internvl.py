"""InternVL as transformers has it (`-hf`): tiles, one token for each context of the picture."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.families.bytes_as_tokens import byte_tokenizer
from tests.families.shape import TEXT, turns


def internvl(own: Mapping[str, Any]) -> tuple[Any, Any]:
    """Up to three tiles and a thumbnail an image, four tokens each."""
    from transformers import (
        GotOcr2ImageProcessor,
        InternVLConfig,
        InternVLForConditionalGeneration,
        InternVLProcessor,
        InternVLVideoProcessor,
    )

    tokens = ("<IMG_CONTEXT>", "<img>", "</img>", "<video>")
    names = ("context_image_token", "start_image_token", "end_image_token", "video_token")
    tokenizer = byte_tokenizer(*tokens, **dict(zip(names, tokens, strict=True)))
    side = {"height": 32, "width": 32}
    processor = InternVLProcessor(
        # As released: the processor crops nevertheless.
        image_processor=GotOcr2ImageProcessor(size=side, crop_to_patches=False, min_patches=1, max_patches=3),
        tokenizer=tokenizer,
        video_processor=InternVLVideoProcessor(size=side),
        image_seq_length=4,
        chat_template=turns("<IMG_CONTEXT>\n"),
    )
    vision = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
    config = InternVLConfig(
        vision_config={**vision, "initializer_range": 0.2, "image_size": 32, "patch_size": 8},
        text_config={"model_type": "qwen2", "vocab_size": 320, **TEXT, **own},
        image_token_id=tokenizer.convert_tokens_to_ids("<IMG_CONTEXT>"),
        image_seq_length=4,
        downsample_ratio=0.5,
        **{key: own[key] for key in own if key == "tie_word_embeddings"},
    )
    return InternVLForConditionalGeneration(config), processor


def thinking_processor() -> Any:
    """An InternVL processor whose template has the traits of Qwen3.5's.

    It opens the thinking in the generation prompt, closes it there for `enable_thinking: false`, and writes an empty thinking
    into the last assistant turn alone.
    """
    processor = internvl({})[1]
    turn = "{{ '<|im_start|>' + message.role + '\n' }}"
    gate = "{% if message.role == 'assistant' and loop.last %}{{ '<think>\n\n</think>\n\n' }}{% endif %}"
    opening = (
        "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n<think>\n' }}"
        "{% if enable_thinking is defined and enable_thinking is false %}{{ '\n</think>\n\n' }}{% endif %}{% endif %}"
    )
    processor.chat_template = turns("<IMG_CONTEXT>\n", opening).replace(turn, turn + gate)
    return processor
