"""Makes GGUF files of the small checkpoints, with llama.cpp's own package `gguf`.

Names of tensors are its tables', keys are its writer's, so they are not ours to get wrong. As
llama.cpp's converter, it splits the patch embedding into two frames and turns experts round.
"""
import json
import pathlib

import gguf
import numpy

TYPES = gguf.GGMLQuantizationType


def read_tensors(folder):
    """All tensors of a folder's safetensors, as float32."""
    for path in sorted(folder.glob("*.safetensors")):
        contents = path.read_bytes()
        end = 8 + int.from_bytes(contents[:8], "little")
        for name, entry in json.loads(contents[8:end]).items():
            if name == "__metadata__":
                continue
            begin, stop = (end + offset for offset in entry["data_offsets"])
            if entry["dtype"] == "BF16":
                bits = numpy.frombuffer(contents[begin:stop], "<u2").astype("<u4") << 16
                data = bits.view("<f4")
            else:
                kind = {"F32": "<f4", "F16": "<f2"}[entry["dtype"]]
                data = numpy.frombuffer(contents[begin:stop], kind)
            yield name, data.astype(numpy.float32).reshape(entry["shape"])


def add_tensor(writer, name, data, kind):
    """In this format where it has rows of whole blocks; vectors stay as they are."""
    block = gguf.GGML_QUANT_SIZES[kind][0]
    if kind is TYPES.F32 or data.ndim < 2 or data.shape[-1] % block or name.startswith("v.patch"):
        writer.add_tensor(name, numpy.ascontiguousarray(data))
    else:
        writer.add_tensor(name, gguf.quants.quantize(data, kind), raw_dtype=kind)


def add_tokenizer(writer, folder, config):
    file = json.loads((folder / "tokenizer.json").read_text("utf-8"))
    size = config["text_config"]["vocab_size"]
    tokens = [f"[PAD{number}]" for number in range(size)]
    kinds = [gguf.TokenType.UNUSED] * size
    for token, number in file["model"]["vocab"].items():
        tokens[number], kinds[number] = token, gguf.TokenType.NORMAL
    for token in file["added_tokens"]:
        special = token["special"] or token["content"].startswith("<|")
        tokens[token["id"]] = token["content"]
        kinds[token["id"]] = gguf.TokenType.CONTROL if special else gguf.TokenType.USER_DEFINED
    merges = [merge if isinstance(merge, str) else " ".join(merge)
              for merge in file["model"]["merges"]]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    writer.add_token_merges(merges)
    writer.add_eos_token_id(config["text_config"]["eos_token_id"])
    writer.add_chat_template((folder / "chat_template.jinja").read_text("utf-8"))


def text_tensors(folder, config, names):
    hidden = config["text_config"]["hidden_size"]
    for name, data in read_tensors(folder):
        if ".visual." in name:
            continue
        name = name.replace("model.language_model.", "model.")
        if name.endswith("experts.gate_up_proj"):
            assert data.shape[1] == hidden
            base = name.removesuffix("gate_up_proj")
            half = data.shape[2] // 2
            parts = {base + "gate_proj": data[..., :half], base + "up_proj": data[..., half:]}
        else:
            parts = {name: data}
        for part, values in parts.items():
            if ".experts." in part:
                part, values = part + ".weight", values.transpose(0, 2, 1)
            yield names.get_name(part, try_suffixes=(".weight", ".bias")), values


def write_text(folder, path, kind, tensors_each=0):
    config = json.loads((folder / "config.json").read_text("utf-8"))
    text = config["text_config"]
    is_moe = "num_experts" in text
    arch = gguf.MODEL_ARCH.QWEN3VLMOE if is_moe else gguf.MODEL_ARCH.QWEN3VL
    writer = gguf.GGUFWriter(path, gguf.MODEL_ARCH_NAMES[arch], split_max_tensors=tensors_each)
    writer.add_name("A model of someone's")
    writer.add_block_count(text["num_hidden_layers"])
    writer.add_context_length(text["max_position_embeddings"])
    writer.add_embedding_length(text["hidden_size"])
    writer.add_feed_forward_length(text["intermediate_size"])
    writer.add_head_count(text["num_attention_heads"])
    writer.add_head_count_kv(text["num_key_value_heads"])
    writer.add_key_length(text["head_dim"])
    writer.add_value_length(text["head_dim"])
    writer.add_layer_norm_rms_eps(text["rms_norm_eps"])
    rope = text.get("rope_scaling") or text["rope_parameters"]
    writer.add_rope_freq_base(text.get("rope_theta") or rope["rope_theta"])
    writer.add_rope_dimension_sections([*rope["mrope_section"], 0])
    writer.add_num_deepstack_layers(len(config["vision_config"]["deepstack_visual_indexes"]))
    if is_moe:
        writer.add_expert_count(text["num_experts"])
        writer.add_expert_used_count(text["num_experts_per_tok"])
        writer.add_expert_feed_forward_length(text["moe_intermediate_size"])
    add_tokenizer(writer, folder, config)
    names = gguf.get_tensor_name_map(arch, text["num_hidden_layers"])
    for name, data in text_tensors(folder, config, names):
        add_tensor(writer, name, data, kind)
    finish(writer)


def vision_name(name, names, taps):
    """llama.cpp's name for one under model.visual."""
    stem, suffix = name.rsplit(".", 1)
    if stem.startswith("deepstack_merger_list."):
        _, number, part = stem.split(".")
        kind = {"norm": gguf.MODEL_TENSOR.V_DS_NORM, "linear_fc1": gguf.MODEL_TENSOR.V_DS_FC1,
                "linear_fc2": gguf.MODEL_TENSOR.V_DS_FC2}[part]
        stem = gguf.TENSOR_NAMES[kind].format(bid=taps[int(number)])
    elif stem.startswith("merger."):
        stem = {"norm": gguf.TENSOR_NAMES[gguf.MODEL_TENSOR.V_POST_NORM],
                "linear_fc1": "mm.0", "linear_fc2": "mm.2"}[stem.removeprefix("merger.")]
    else:
        stem = names.get_name("visual." + stem)
    return f"{stem}.{suffix}"


def write_vision(folder, path, kind):
    config = json.loads((folder / "config.json").read_text("utf-8"))
    vision = config["vision_config"]
    taps = vision["deepstack_visual_indexes"]
    writer = gguf.GGUFWriter(path, "clip")
    writer.add_clip_has_vision_encoder(True)
    writer.add_clip_projector_type(gguf.VisionProjectorType.QWEN3VL)
    writer.add_vision_projection_dim(vision["out_hidden_size"])
    writer.add_vision_patch_size(vision["patch_size"])
    writer.add_vision_embedding_length(vision["hidden_size"])
    writer.add_vision_feed_forward_length(vision["intermediate_size"])
    writer.add_vision_block_count(vision["depth"])
    writer.add_vision_head_count(vision["num_heads"])
    writer.add_vision_image_mean([0.5] * 3)
    writer.add_vision_image_std([0.5] * 3)
    writer.add_vision_use_gelu(True)
    writer.add_vision_spatial_merge_size(vision["spatial_merge_size"])
    writer.add_vision_is_deepstack_layers([n in taps for n in range(vision["depth"])])
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.MMPROJ, vision["depth"])
    for name, data in read_tensors(folder):
        if not name.startswith("model.visual."):
            continue
        name = vision_name(name.removeprefix("model.visual."), names, taps)
        if data.ndim == 5:
            add_tensor(writer, name, data[:, :, 0], kind)
            add_tensor(writer, name + ".1", data[:, :, 1], kind)
        else:
            add_tensor(writer, name, data, kind)
    finish(writer)


def finish(writer):
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def make_pair(folder, out, text="F32", vision="F32", tensors_each=0):
    """The checkpoint in `folder` as two files in `out`; the path of the text file.

    With tensors_each the text is in parts of so many; the path is the first one's.
    """
    out = pathlib.Path(out)
    out.mkdir(parents=True, exist_ok=True)
    path = out / f"{folder.name}-{text}.gguf"
    write_text(folder, path, TYPES[text], tensors_each)
    write_vision(folder, out / f"mmproj-{folder.name}-{vision}.gguf", TYPES[vision])
    return sorted(out.glob(f"{path.stem}-00001-of-*"))[0] if tensors_each else path
