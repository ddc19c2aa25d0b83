"""A build with a back end for GPUs where it can't be loaded: said, and the processor answers."""
import shutil
import subprocess

import pytest


@pytest.fixture
def gpu_build(root, model, environment, tmp_path):
    """gpu_build(*arguments) runs a copy of the program with a CUDA module beside it."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for library in (root / "build/bin").glob("libggml*.so*"):
        (folder / library.name).symlink_to(library)
    shutil.copy(root / "build/bin/tru", folder)
    (folder / "libggml-cuda.so").write_text("loads nowhere")

    def run(*arguments):
        command = [folder / "tru", *map(str, arguments), *model()]
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True,
                              text=True, timeout=60)

    return run


def test_ask_answers_and_says_so(gpu_build, clip):
    question = ["ask", clip("square_2997.mp4"), "What moves?", "--max-tokens", "4"]
    asked = gpu_build(*question)
    assert asked.returncode == 0 and asked.stdout
    assert "note: no GPU: " in asked.stderr
    asked = gpu_build(*question, "--device", "cpu")
    assert asked.returncode == 0 and "GPU" not in asked.stderr


def test_a_gpu_by_name_is_refused(gpu_build, clip):
    asked = gpu_build("ask", clip("square_2997.mp4"), "What moves?", "--device", "cuda")
    assert asked.returncode == 3 and asked.stdout == ""
    assert "no device is named 'cuda'; this machine has: auto, CPU (no GPU: " in asked.stderr


def test_doctor_says_what_to_do(gpu_build, tmp_path):
    told = gpu_build("doctor", "--data-dir", tmp_path / "data").stdout.splitlines()
    at = next(i for i, line in enumerate(told) if line.startswith("warn  gpu"))
    assert "no GPU" in told[at] and "->" in told[at + 1]
    assert told[at - 1].startswith("ok    processor")
