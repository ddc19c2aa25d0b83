"""Write a training state as a checkpoint folder in the published Qwen3-VL layout (bfloat16).

python export.py --state STATE --out models/demo
"""

import argparse
import json
import shutil
from pathlib import Path

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer

from model import MERGE, TEXT, VISION
from tokenizer import ADDED, SPECIAL_COUNT

HERE = Path(__file__).parent
CONTEXT = 4096


def config(tokenizer, vocab):
    token = tokenizer.token_to_id
    text = {
        "attention_bias": False,
        "attention_dropout": 0.0,
        "bos_token_id": token("<|endoftext|>"),
        "dtype": "bfloat16",
        "eos_token_id": token("<|im_end|>"),
        "head_dim": TEXT["head_dim"],
        "hidden_act": "silu",
        "hidden_size": TEXT["hidden"],
        "initializer_range": 0.02,
        "intermediate_size": TEXT["mlp"],
        "max_position_embeddings": CONTEXT,
        "model_type": "qwen3_vl_text",
        "num_attention_heads": TEXT["heads"],
        "num_hidden_layers": TEXT["layers"],
        "num_key_value_heads": TEXT["kv_heads"],
        "rms_norm_eps": 1e-06,
        "rope_scaling": {
            "mrope_interleaved": True,
            "mrope_section": list(TEXT["sections"]),
            "rope_type": "default",
        },
        "rope_theta": int(TEXT["theta"]),
        "tie_word_embeddings": True,
        "use_cache": True,
        "vocab_size": vocab,
    }
    vision = {
        "deepstack_visual_indexes": list(VISION["deepstack"]),
        "depth": VISION["depth"],
        "hidden_act": "gelu_pytorch_tanh",
        "hidden_size": VISION["hidden"],
        "in_channels": 3,
        "initializer_range": 0.02,
        "intermediate_size": VISION["mlp"],
        "model_type": "qwen3_vl",
        "num_heads": VISION["heads"],
        "num_position_embeddings": VISION["positions"],
        "out_hidden_size": TEXT["hidden"],
        "patch_size": VISION["patch"],
        "spatial_merge_size": MERGE,
        "temporal_patch_size": 2,
    }
    return {
        "architectures": ["Qwen3VLForConditionalGeneration"],
        "image_token_id": token("<|image_pad|>"),
        "model_type": "qwen3_vl",
        "text_config": text,
        "tie_word_embeddings": True,
        "transformers_version": "4.57.0",
        "video_token_id": token("<|video_pad|>"),
        "vision_config": vision,
        "vision_end_token_id": token("<|vision_end|>"),
        "vision_start_token_id": token("<|vision_start|>"),
    }


def generation_config(tokenizer):
    """Greedy: a model this small knows one right answer."""
    end, pad = tokenizer.token_to_id("<|im_end|>"), tokenizer.token_to_id("<|endoftext|>")
    return {
        "bos_token_id": pad,
        "do_sample": False,
        "eos_token_id": [end, pad],
        "pad_token_id": pad,
        "transformers_version": "4.57.0",
    }


def processor_config(kind):
    """Pixel limits: a picture or frame of 64 x 64 upwards is taken as it is."""
    common = {
        "size": {"shortest_edge": 4096, "longest_edge": 25165824 if kind == "video" else 262144},
        "patch_size": VISION["patch"],
        "temporal_patch_size": 2,
        "merge_size": MERGE,
        "image_mean": [0.5, 0.5, 0.5],
        "image_std": [0.5, 0.5, 0.5],
        "processor_class": "Qwen3VLProcessor",
    }
    if kind == "video":
        return common | {"video_processor_type": "Qwen3VLVideoProcessor"}
    return common | {"image_processor_type": "Qwen2VLImageProcessorFast"}


def tokenizer_config(tokenizer):
    decoder = {}
    for i, text in enumerate(ADDED):
        decoder[str(tokenizer.token_to_id(text))] = {
            "content": text,
            "lstrip": False,
            "normalized": False,
            "rstrip": False,
            "single_word": False,
            "special": i < SPECIAL_COUNT,
        }
    return {
        "add_bos_token": False,
        "add_prefix_space": False,
        "added_tokens_decoder": decoder,
        "additional_special_tokens": list(ADDED[1:SPECIAL_COUNT]),
        "bos_token": None,
        "clean_up_tokenization_spaces": False,
        "eos_token": "<|im_end|>",
        "errors": "replace",
        "model_max_length": CONTEXT,
        "pad_token": "<|endoftext|>",
        "split_special_tokens": False,
        "tokenizer_class": "Qwen2Tokenizer",
        "unk_token": None,
    }


def export(state, out):
    out.mkdir(parents=True, exist_ok=True)
    tokenizer = Tokenizer.from_file(str(state / "tokenizer.json"))
    weights = torch.load(state / "all.pt", weights_only=False)["model"]
    weights = {k: v.to(torch.bfloat16).contiguous() for k, v in weights.items()}
    save_file(weights, out / "model.safetensors", metadata={"format": "pt"})
    (out / "model.safetensors").chmod(0o644)
    vocab = weights["model.language_model.embed_tokens.weight"].shape[0]
    # The published one: tru and others know a model's prompt by it.
    shutil.copyfile(HERE / "chat_template.jinja", out / "chat_template.jinja")
    tokenizer.save(str(out / "tokenizer.json"), pretty=False)
    for name, value in {
        "config": config(tokenizer, vocab),
        "generation_config": generation_config(tokenizer),
        "preprocessor_config": processor_config("image"),
        "video_preprocessor_config": processor_config("video"),
        "tokenizer_config": tokenizer_config(tokenizer),
    }.items():
        (out / f"{name}.json").write_text(json.dumps(value, indent=2) + "\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    export(args.state, args.out)
