"""Builds the untrained demo policy: tokenizer, processor and a tiny `InternVLForConditionalGeneration`.

One tile is 144 × 144 pixels, that is 8 × 8 patches and, after pixel shuffle, 16 image tokens: one for each
cell of the drawings' grid.
"""

import random
from itertools import islice
from typing import Any

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    GenerationConfig,
    GotOcr2ImageProcessor,
    InternVLConfig,
    InternVLForConditionalGeneration,
    InternVLProcessor,
    InternVLVideoProcessor,
    PreTrainedTokenizerFast,
)

from demo.benchmark import stream
from demo.drawing import SIZE
from demo.reasoning import listing, sample_solution

IMAGE_TOKENS = 16
PAD, START, END = "<|endoftext|>", "<|im_start|>", "<|im_end|>"
IMAGE, IMAGE_START, IMAGE_END, VIDEO = "<IMG_CONTEXT>", "<img>", "</img>", "<video>"
CHAT_TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' }}"
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}"
    "{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}{{ '<IMG_CONTEXT>\n' }}"
    "{% elif part['type'] == 'video' %}{{ '<video>\n' }}"
    "{% elif part['type'] == 'text' %}{{ part['text'] }}{% endif %}"
    "{% endfor %}{% endif %}{{ '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
# A digit is always a token of its own; a word, or a run of signs with its line breaks, may become one.
PIECES = r"\p{N}| ?\p{L}+|[^\p{N}\p{L}\n]*\n+|[^\p{N}\p{L}\n]+"


def build_tokenizer(prompt: str, seed: int = 0, samples: int = 4000) -> PreTrainedTokenizerFast:
    """A byte-level BPE trained on the demo's own texts; any Unicode text encodes, byte by byte if need be."""
    rng = random.Random(f"tokenizer {seed}")
    texts = []
    for found in islice(stream("train", seed=7), samples):
        asked = prompt.format(question=found.question)
        texts += [asked, sample_solution(found.plan, rng), listing(found.plan)]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(PIECES), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ])  # fmt: skip
    tokenizer.decoder = decoders.ByteLevel()
    special = [PAD, START, END, IMAGE, IMAGE_START, IMAGE_END, VIDEO]
    trainer = trainers.BpeTrainer(
        vocab_size=640, min_frequency=20, special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False,
    )  # fmt: skip
    tokenizer.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token=END, pad_token=PAD, model_max_length=8192,
        clean_up_tokenization_spaces=False,
        extra_special_tokens={
            "start_image_token": IMAGE_START, "end_image_token": IMAGE_END,
            "context_image_token": IMAGE, "video_token": VIDEO,
        },
    )  # fmt: skip


def build_processor(tokenizer: PreTrainedTokenizerFast) -> InternVLProcessor:
    """The processor that vLLM and transformers load; a picture of any size becomes one tile."""
    side = {"height": SIZE, "width": SIZE}
    images = GotOcr2ImageProcessor(size=side, crop_to_patches=False, min_patches=1, max_patches=1)
    return InternVLProcessor(
        image_processor=images, tokenizer=tokenizer, video_processor=InternVLVideoProcessor(size=side),
        image_seq_length=IMAGE_TOKENS, chat_template=CHAT_TEMPLATE,
    )  # fmt: skip


def build_model(tokenizer: PreTrainedTokenizerFast, **text: Any) -> InternVLForConditionalGeneration:
    """The untrained model; `text` overrides settings of the text model."""
    end, pad = tokenizer.convert_tokens_to_ids([END, PAD])
    vocabulary = -(-len(tokenizer) // 64) * 64
    config = InternVLConfig(
        vision_config={
            "hidden_size": 128, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 384,
            "image_size": SIZE, "patch_size": SIZE // 8, "attention_bias": True,
            "layer_scale_init_value": 1.0,
        },
        text_config={
            "model_type": "qwen2", "vocab_size": vocabulary, "hidden_size": 192, "intermediate_size": 512,
            "num_hidden_layers": 4, "num_attention_heads": 3, "num_key_value_heads": 3,
            "max_position_embeddings": 8192, "tie_word_embeddings": True,
            "eos_token_id": end, "bos_token_id": None, "pad_token_id": pad, **text,
        },
        image_token_id=tokenizer.convert_tokens_to_ids(IMAGE), image_seq_length=IMAGE_TOKENS,
        downsample_ratio=0.5, tie_word_embeddings=True,
    )  # fmt: skip
    model = InternVLForConditionalGeneration(config)
    model.generation_config = GenerationConfig(eos_token_id=end, pad_token_id=pad)
    return model
