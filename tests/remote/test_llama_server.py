"""llama-server with a checkpoint of ours in its own format."""
import subprocess

import pytest

from conftest import DATA, free_port, run_server

MODEL = "dense-sharded"
# llama.cpp's converter knows pre-tokenizers by what published vocabularies make of a text; a small
# vocabulary's is Qwen's all the same.
CONVERT = """
import sys
sys.path.insert(0, sys.argv[1])
import convert_hf_to_gguf
from conversion import base
base.TextModel.get_vocab_base_pre = lambda self, tokenizer: "qwen2"
del sys.argv[1]
convert_hf_to_gguf.main()
"""
WHAT = [{"role": "user", "content": [{"type": "video_url", "video_url": {"url": "media:vfr.mp4"}},
                                     {"type": "text", "text": "What happens?"}]}]


@pytest.fixture(scope="module")
def converted(vllm_folder, llama_folder, tmp_path_factory):
    """The checkpoint and its vision encoder as GGUF; the converter needs vLLM's torch."""
    folder = tmp_path_factory.mktemp("gguf")
    script = next(llama_folder.glob("**/convert_hf_to_gguf.py"))
    for name, more in (("model", []), ("mmproj", ["--mmproj"])):
        subprocess.run([vllm_folder / "bin" / "python", "-c", CONVERT, script.parent,
                        DATA / "models" / MODEL, "--outtype", "f32",
                        "--outfile", folder / f"{name}.gguf", *more], check=True, timeout=600)
    return folder


@pytest.fixture(scope="module")
def llama(llama_folder, converted):
    port = free_port()
    with run_server([llama_folder / "llama-server", "-m", converted / "model.gguf", "--mmproj",
                     converted / "mmproj.gguf", "--host", "127.0.0.1", "--port", port, "-c", 8192,
                     "-np", 1, "--no-warmup"], port, converted / "log", 120) as url:
        yield url


def test_frames_travel_as_timed_images(llama, ask):
    answer, notes = ask(llama, WHAT, "--max-tokens", 4, "--temperature", 0, "--logprobs", 2)
    assert "llama-server" in notes and "frames as timed_images" in notes
    assert answer["usage"]["completion_tokens"] == 4
    # llama-server makes one entry of tokens that are a character only together.
    assert 1 <= len(answer["tokens"]) <= 4 and answer["tokens"][0]["id"] >= 0
    # Every frame of the plan was seen, as an image.
    assert answer["usage"]["prompt_tokens"] > len(answer["video_report"][0]["frames"]) * 4


def test_text_only(llama, ask):
    answer, _ = ask(llama, [{"role": "user", "content": "Hello"}], "--max-tokens", 3)
    assert answer["usage"]["completion_tokens"] <= 3 and answer["backend"] == "vllm"
