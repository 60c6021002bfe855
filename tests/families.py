"""Tiny random models of the tested families, with processors made of nothing but code.

Every byte is a token, so every label is one; the chat templates follow the families' own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.places import POLICY

FAMILIES = ("demo", "internvl", "qwen2_5_vl", "qwen3_vl")

_TURNS = (
    "{% for message in messages %}{{ '<|im_start|>' + message.role + '\n' }}{% for part in message.content %}"
    "{% if part.type == 'image' %}{{ 'IMAGE' }}{% else %}{{ part.text }}{% endif %}"
    "{% endfor %}{{ '<|im_end|>\n' }}{% endfor %}"
)
_TEXT: dict[str, Any] = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
# Weights larger than usual, so that scores of random models differ from step to step.
_TEXT |= {"num_key_value_heads": 2, "max_position_embeddings": 4096, "initializer_range": 0.2}

FOR_VLLM: dict[str, Any] = {"hidden_size": 64, "num_attention_heads": 2, "head_dim": 32}
"""Its attention on a CPU takes no smaller heads."""


def family(name: str, **text: Any) -> tuple[Any, Any]:
    """A model in fp32 and evaluation mode, and its processor; `text` goes into the text model's config.

    With `FOR_VLLM` it is one that vLLM loads on a CPU.
    """
    import torch

    torch.manual_seed(0)
    torch.set_num_threads(1)  # more only wait for each other in models this small
    model, processor = {"demo": lambda _: _demo(), "internvl": _internvl}.get(name, lambda text: _qwen(name, text))(
        text
    )
    return model.eval(), processor


def thinking_processor() -> Any:
    """An InternVL processor whose template has the traits of Qwen3.5's.

    It opens the thinking in the generation prompt, closes it there for `enable_thinking: false`, and writes an empty thinking
    into the last assistant turn alone.
    """
    processor = _internvl({})[1]
    turn = "{{ '<|im_start|>' + message.role + '\n' }}"
    gate = "{% if message.role == 'assistant' and loop.last %}{{ '<think>\n\n</think>\n\n' }}{% endif %}"
    opening = (
        "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n<think>\n' }}"
        "{% if enable_thinking is defined and enable_thinking is false %}{{ '\n</think>\n\n' }}{% endif %}{% endif %}"
    )
    processor.chat_template = _TURNS.replace("IMAGE", "<IMG_CONTEXT>\n").replace(turn, turn + gate) + opening
    return processor


def byte_tokenizer(*special: str, **named: str) -> Any:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    control = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", *special]
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    backend = Tokenizer(models.BPE({token: index for index, token in enumerate(control + alphabet)}, []))
    backend.add_special_tokens(control)
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    backend.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, eos_token="<|im_end|>", pad_token="<|endoftext|>", extra_special_tokens=named
    )


def _demo() -> tuple[Any, Any]:
    from transformers import AutoModelForImageTextToText, AutoProcessor

    model = AutoModelForImageTextToText.from_pretrained(POLICY, dtype="float32")
    return model, AutoProcessor.from_pretrained(POLICY)


def _internvl(own: Mapping[str, Any]) -> tuple[Any, Any]:
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
        chat_template=_TURNS.replace("IMAGE", "<IMG_CONTEXT>\n"),
    )
    vision = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
    config = InternVLConfig(
        vision_config={**vision, "initializer_range": 0.2, "image_size": 32, "patch_size": 8},
        text_config={"model_type": "qwen2", "vocab_size": 320, **_TEXT, **own},
        image_token_id=tokenizer.convert_tokens_to_ids("<IMG_CONTEXT>"),
        image_seq_length=4,
        downsample_ratio=0.5,
        **{key: own[key] for key in own if key == "tie_word_embeddings"},
    )
    return InternVLForConditionalGeneration(config), processor


def _qwen(name: str, own: Mapping[str, Any]) -> tuple[Any, Any]:
    """One token for 2 × 2 patches; images keep their shape, so their numbers of tokens differ."""
    import transformers

    prefix = {"qwen2_5_vl": "Qwen2_5_VL", "qwen3_vl": "Qwen3VL"}[name]
    tokens = ("<|image_pad|>", "<|video_pad|>", "<|vision_start|>", "<|vision_end|>")
    names = ("image_token", "video_token", "vision_start_token", "vision_end_token")
    tokenizer = byte_tokenizer(*tokens, **dict(zip(names, tokens, strict=True)))
    patch = {"qwen2_5_vl": 14, "qwen3_vl": 16}[name]
    size = {"shortest_edge": 4 * patch * patch, "longest_edge": 64 * patch * patch}
    images = transformers.Qwen2VLImageProcessor(patch_size=patch, merge_size=2, size=size)
    video = "Qwen3VLVideoProcessor" if name == "qwen3_vl" else "Qwen2VLVideoProcessor"
    processor = getattr(transformers, prefix + "Processor")(
        image_processor=images,
        tokenizer=tokenizer,
        video_processor=getattr(transformers, video)(patch_size=patch, merge_size=2),
        chat_template=_TURNS.replace("IMAGE", "<|vision_start|><|image_pad|><|vision_end|>"),
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
    vision |= {"fullatt_block_indexes": [1], "window_size": 4 * patch} if name == "qwen2_5_vl" else {}
    vision |= {"deepstack_visual_indexes": [0], "num_position_embeddings": 64} if name == "qwen3_vl" else {}
    rope = {"rope_type": "default", "rope_theta": 10000.0}
    text = {**_TEXT, "vocab_size": 320, "bos_token_id": None, "eos_token_id": 2}
    text |= {"head_dim": 8} if name == "qwen3_vl" else {}
    text |= own
    # As in the released models: nearly a third of the rotary pairs each for time, height and width.
    pairs = text["hidden_size"] // text["num_attention_heads"] // 2
    text["rope_parameters"] = {**rope, "mrope_section": [pairs - 2 * (pairs * 5 // 16), *[pairs * 5 // 16] * 2]}
    if name == "qwen3_vl":
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
