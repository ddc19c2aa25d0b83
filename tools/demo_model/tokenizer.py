"""The demo model's tokenizer: byte-level BPE like Qwen's, trained on the questions and answers."""

import numpy as np
from tokenizers import (
    AddedToken,
    Regex,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    trainers,
)

import questions
import scenes

# The same added tokens, in the same order, as the published tokenizers. The first 14 are special.
ADDED = (
    "<|endoftext|> <|im_start|> <|im_end|> <|object_ref_start|> <|object_ref_end|> "
    "<|box_start|> <|box_end|> <|quad_start|> <|quad_end|> <|vision_start|> <|vision_end|> "
    "<|vision_pad|> <|image_pad|> <|video_pad|> <tool_call> </tool_call> <|fim_prefix|> "
    "<|fim_middle|> <|fim_suffix|> <|fim_pad|> <|repo_name|> <|file_sep|> <tool_response> "
    "</tool_response> <think> </think>"
).split()
SPECIAL_COUNT = 14
# How the published tokenizers cut text before BPE:
# contractions, words, single digits, signs, blanks.
SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def corpus(scene_count=4000, seed=7):
    rng = np.random.default_rng(seed)
    for i in range(scene_count):
        scene = scenes.random_scene(rng, 128, 96, rng.uniform(2, 12))
        indices = scenes.sample_indices(scene.frames_total, scene.fps)
        for turns in questions.Asker(rng, scene, indices, image=i % 8 == 0).dialogues(6):
            for q in turns:
                yield f"user\n{q.text}"
                yield f"assistant\n{q.answer}"
        for t in scenes.timestamps(indices, scene.fps):
            yield f"<{t:.1f} seconds>"
    for text in ("system\nYou are a helpful assistant.", "```json\n", " color colour shape motion"):
        yield from [text] * 50


def train(merges=480):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(SPLIT), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ])  # fmt: skip
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=256 + merges,
        min_frequency=3,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(corpus(), trainer)
    for i, text in enumerate(ADDED):
        token = AddedToken(text, normalized=False, special=i < SPECIAL_COUNT)
        (tokenizer.add_special_tokens if i < SPECIAL_COUNT else tokenizer.add_tokens)([token])
    return tokenizer


if __name__ == "__main__":
    import sys

    train().save(sys.argv[1])
