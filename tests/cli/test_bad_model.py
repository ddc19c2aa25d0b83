"""Checkpoints that cannot be used: one line that says why, exit code 3."""
import json
import shutil
import struct

import pytest


@pytest.fixture
def copy(data, tmp_path):
    """copy(name) is a checkpoint of one's own to damage."""
    return lambda name: shutil.copytree(data / "models" / name, tmp_path / name)


@pytest.fixture
def reject(refused):
    return lambda folder: refused(3, "ask", "Hello", "--model", folder, timeout_s=30)


def edit_json(path, change):
    document = json.loads(path.read_text("utf-8"))
    change(document)
    path.write_text(json.dumps(document), "utf-8")


def edit_header(path, change):
    """Rewrites a safetensors header; the tensors' bytes stay where they are counted from."""
    data = path.read_bytes()
    (size,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8:8 + size])
    change(header)
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data[8 + size:])


def first_tensor(header):
    return min(name for name in header if name != "__metadata__")


def test_no_such_folder(reject):
    assert "nowhere" in reject("./nowhere")


def test_a_folder_that_is_no_checkpoint(reject, tmp_path):
    (tmp_path / "photos").mkdir()
    assert "config.json" in reject(tmp_path / "photos")


def test_another_architecture(reject, copy):
    folder = copy("dense-tied")
    edit_json(folder / "config.json", lambda config: config.update(
        model_type="llama", architectures=["LlamaForCausalLM"]))
    assert "llama" in reject(folder).lower()


def test_broken_config(reject, copy):
    folder = copy("dense-tied")
    (folder / "config.json").write_text("{")
    assert "config.json" in reject(folder)


def test_missing_shard(reject, copy):
    folder = copy("dense-sharded")
    shard = sorted(folder.glob("*.safetensors"))[-1]
    shard.unlink()
    assert shard.name in reject(folder)


def test_missing_tokenizer(reject, copy):
    folder = copy("dense-tied")
    (folder / "tokenizer.json").unlink()
    assert "tokenizer.json" in reject(folder)


def test_wrong_shape(reject, copy):
    folder = copy("dense-tied")
    name = None

    def change(header):
        nonlocal name
        name = next(n for n in sorted(header) if n.endswith("q_proj.weight"))
        header[name]["shape"].reverse()
        header[name]["shape"] = [n * 2 if i == 0 else n // 2
                                 for i, n in enumerate(header[name]["shape"])]

    edit_header(folder / "model.safetensors", change)
    assert name in reject(folder)


def test_missing_tensor(reject, copy):
    folder = copy("dense-tied")

    def rename(header):
        header["unknown.weight"] = header.pop("model.language_model.norm.weight")

    edit_header(folder / "model.safetensors", rename)
    assert "model.language_model.norm.weight" in reject(folder)


@pytest.mark.parametrize("lie", [
    lambda entry: entry.update(data_offsets=[0, 1 << 60]),
    lambda entry: entry.update(data_offsets=[8, 4]),
    lambda entry: entry.update(data_offsets=[-4, 0]),
    lambda entry: entry.update(shape=[1 << 40, 1 << 40]),
    lambda entry: entry.update(shape=[-1, -1]),
    lambda entry: entry.update(dtype="F99"),
    lambda entry: entry.pop("dtype")])
def test_lying_header(lie, reject, copy):
    folder = copy("dense-tied")
    edit_header(folder / "model.safetensors", lambda header: lie(header[first_tensor(header)]))
    assert "model.safetensors" in reject(folder)


@pytest.mark.parametrize("size", [0, 1, (1 << 63) - 1, (1 << 64) - 1])
def test_lying_header_size(size, reject, copy):
    file = copy("dense-tied") / "model.safetensors"
    file.write_bytes(struct.pack("<Q", size) + file.read_bytes()[8:])
    assert "model.safetensors" in reject(file.parent)


@pytest.mark.parametrize("kept", [0, 4, 100, 50_000])
def test_cut_file(kept, reject, copy):
    file = copy("dense-tied") / "model.safetensors"
    file.write_bytes(file.read_bytes()[:kept])
    assert "model.safetensors" in reject(file.parent)


def test_plan_refuses_too(refused, clip, tmp_path):
    refused(3, "plan", clip("odd_24fps.mp4"), "--model", tmp_path)
