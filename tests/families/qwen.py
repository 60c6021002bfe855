"""The Qwen-VL families, which count pixels: Qwen2.5-VL, Qwen3-VL, and Qwen3.5, whose attention is hybrid."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.families.bytes_as_tokens import byte_tokenizer
from tests.families.shape import TEXT, turns

_HYBRID: dict[str, Any] = {
    "layer_types": ["linear_attention", "full_attention"],
    "linear_key_head_dim": 128,
    "linear_value_head_dim": 128,
    "linear_num_key_heads": 2,
    "linear_num_value_heads": 2,
}


def qwen(name: str, own: Mapping[str, Any]) -> tuple[Any, Any]:
    """One token for 2 × 2 patches; images keep their shape, so their numbers of tokens differ."""
    import transformers

    newer = name != "qwen2_5_vl"
    prefix = {"qwen2_5_vl": "Qwen2_5_VL", "qwen3_vl": "Qwen3VL", "qwen3_5": "Qwen3_5"}[name]
    tokens = ("<|image_pad|>", "<|video_pad|>", "<|vision_start|>", "<|vision_end|>")
    names = ("image_token", "video_token", "vision_start_token", "vision_end_token")
    tokenizer = byte_tokenizer(*tokens, **dict(zip(names, tokens, strict=True)))
    patch = 16 if newer else 14
    size = {"shortest_edge": 4 * patch * patch, "longest_edge": 64 * patch * patch}
    images = transformers.Qwen2VLImageProcessor(patch_size=patch, merge_size=2, size=size)
    video = "Qwen3VLVideoProcessor" if newer else "Qwen2VLVideoProcessor"
    processor = (transformers.Qwen3VLProcessor if newer else transformers.Qwen2_5_VLProcessor)(
        image_processor=images,
        tokenizer=tokenizer,
        video_processor=getattr(transformers, video)(patch_size=patch, merge_size=2),
        chat_template=turns("<|vision_start|><|image_pad|><|vision_end|>"),
    )
    vision: dict[str, Any] = {
        "depth": 2,
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_heads": 4,
        "patch_size": patch,
    }
    vision |= {"initializer_range": 0.2}
    vision |= {"out_hidden_size": own.get("hidden_size", 32), "spatial_merge_size": 2}
    vision |= {"num_position_embeddings": 64} if newer else {"fullatt_block_indexes": [1], "window_size": 4 * patch}
    vision |= {"deepstack_visual_indexes": [0]} if name == "qwen3_vl" else {}
    rope: dict[str, Any] = {"rope_type": "default", "rope_theta": 10000.0}
    text = {**TEXT, "vocab_size": 320, "bos_token_id": None, "eos_token_id": 2}
    text |= {"head_dim": 8} if newer else {}
    text |= _HYBRID if name == "qwen3_5" else {}
    text |= own
    # As in the released models: nearly a third of the rotary pairs each for time, height and width.
    pairs = text["hidden_size"] // text["num_attention_heads"] // 2
    if name == "qwen3_5":
        # Of its heads only a part turns with the place: half here, a quarter in the released models.
        rope["partial_rotary_factor"], pairs = 0.5, pairs // 2
    text["rope_parameters"] = {**rope, "mrope_section": [pairs - 2 * (pairs * 5 // 16), *[pairs * 5 // 16] * 2]}
    if newer:
        # transformers takes it for granted, vLLM reads it here: without it pictures have other places.
        text["rope_parameters"]["mrope_interleaved"] = True
    image, video_id, start, end = tokenizer.convert_tokens_to_ids(list(tokens))
    config = getattr(transformers, prefix + "Config")(
        vision_config=vision,
        text_config=text,
        tie_word_embeddings=text.get("tie_word_embeddings", False),
        image_token_id=image,
        video_token_id=video_id,
        vision_start_token_id=start,
        vision_end_token_id=end,
    )
    return getattr(transformers, prefix + "ForConditionalGeneration")(config), processor
