"""llama.cpp's programs with a checkpoint of ours in their own format."""
import subprocess
import sys

import pytest

from conftest import DATA, ROOT, free_port, run_server

sys.path.insert(0, str(ROOT / "tests"))
import doc_lines  # noqa: E402

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
def convert(vllm_folder, llama_folder):
    """convert(file, format): the checkpoint or, by that word in the file's name, its vision encoder
    as GGUF. The converter needs vLLM's torch."""
    script = next(llama_folder.glob("**/convert_hf_to_gguf.py"))

    def run(file, outtype):
        subprocess.run([vllm_folder / "bin" / "python", "-c", CONVERT, script.parent,
                        DATA / "models" / MODEL, "--outtype", outtype, "--outfile", file,
                        *(["--mmproj"] if "mmproj" in file.name else [])],
                       check=True, timeout=600)

    return run


@pytest.fixture(scope="module")
def converted(convert, tmp_path_factory):
    folder = tmp_path_factory.mktemp("gguf")
    for name in ("model", "mmproj"):
        convert(folder / f"{name}.gguf", "f32")
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


def test_the_comparisons_of_the_docs(convert, llama_folder, tmp_path):
    """They run, with small files under the names that docs/BENCHMARKS.md has; no figure is kept."""
    lines = [line for line in doc_lines.lines_of("remote") if "LLAMA_BIN" in line]
    assert len(lines) == 3
    for name in ("m-Q8_0.gguf", "m-bf16.gguf", "mmproj-f16.gguf", "mmproj-bf16.gguf"):
        convert(tmp_path / name, name.split("-")[1].split(".")[0].lower())
    for name, target in (("LLAMA_BIN", llama_folder / "build" / "bin"), ("bench", ROOT / "bench"),
                         ("CHECKPOINT", DATA / "models" / MODEL)):
        (tmp_path / name).symlink_to(target)
    subprocess.run(["ffmpeg", "-nostdin", "-loglevel", "error", "-f", "lavfi", "-i",
                    "testsrc2=size=128x96:rate=25:duration=10", "-pix_fmt", "yuv420p",
                    tmp_path / "clip.mp4"], check=True)
    for line in lines:
        done = subprocess.run(["bash", "-c", line], cwd=tmp_path, capture_output=True, text=True,
                              check=False, timeout=600)
        assert done.returncode == 0 and "|" in done.stdout, f"{line}\n{done.stdout}{done.stderr}"
