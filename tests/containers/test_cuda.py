"""tru-api:cuda without a GPU: it answers on the processor, and says why.

`TRU_CUDA_IMAGE=90 ./test containers` builds it first; elsewhere these tests are left out.
"""
import json
import re
import shutil
import subprocess
import sys

import pytest

from engine import QUESTION, ROOT, ask, docker, get, run, wait_for

sys.path.insert(0, str(ROOT / "tests"))
import doc_lines  # noqa: E402

IMAGE = "tru-api:cuda"
BACK_END = "/usr/lib/tru/bin/libggml-cuda.so"
SIZE_LIMIT_MB = 1000
LINES = [line for line in doc_lines.lines_of("containers") if "cuda" in line]

pytestmark = pytest.mark.skipif(
    shutil.which("docker") is None
    or run("docker", "image", "inspect", IMAGE, check=False).returncode != 0,
    reason=f"no {IMAGE} here: TRU_CUDA_IMAGE=90 ./test containers makes it")


def tru(*arguments, options=()):
    """The program in the image, as a person runs it, without a network."""
    samples = f"{ROOT}/models/demo/samples:/samples:ro"
    return run("docker", "run", "--rm", "--network", "none", "-v", samples, *options, IMAGE,
               *arguments, check=False)


def test_size(record_property):
    size_mb = int(docker("image", "inspect", "-f", "{{.Size}}", IMAGE)) / 1e6
    record_property("size_mb", round(size_mb, 1))
    print(f"\n{IMAGE}: {size_mb:.0f} MB")
    assert size_mb <= SIZE_LIMIT_MB


def test_all_but_the_driver_is_inside():
    listed = docker("run", "--rm", "--entrypoint", "ldd", IMAGE, BACK_END)
    missing = [line.split()[0] for line in listed.splitlines() if "not found" in line]
    assert missing == ["libcuda.so.1"]
    for library in ("libcudart.so.13", "libcublas.so.13", "libcublasLt.so.13"):
        assert f"{library} => /usr/lib/tru/lib/" in listed


@pytest.fixture(scope="module")
def driver(tmp_path_factory):
    """A driver with the functions that ggml asks for, none of which does anything."""
    folder = tmp_path_factory.mktemp("driver")
    with (folder / "libggml-cuda.so").open("wb") as file:
        subprocess.run(["docker", "run", "--rm", "--entrypoint", "cat", IMAGE, BACK_END],
                       stdout=file, check=True)
    symbols = run("nm", "-D", "--undefined-only", file.name).stdout.split()
    names = [name for name in symbols if re.fullmatch(r"cu[A-Z]\w+", name)]
    assert "cuMemCreate" in names
    source = "".join(f"int {name}(void) {{ return 100; }}\n" for name in names)  # no device
    run("gcc", "-shared", "-fPIC", "-Wl,-soname,libcuda.so.1", "-o", folder / "libcuda.so.1",
        "-x", "c", "-", input=source)
    return ["-v", f"{folder}/libcuda.so.1:/usr/lib/x86_64-linux-gnu/libcuda.so.1:ro"]


def test_with_a_driver_the_back_end_loads(driver):
    listed = run("docker", "run", "--rm", *driver, "--entrypoint", "ldd", IMAGE, "-r", BACK_END)
    assert "libcuda.so.1 => /" in listed.stdout
    assert "undefined symbol" not in listed.stdout + listed.stderr
    assert "not found" not in listed.stdout
    assert "driver offers none" in tru("doctor", options=driver).stdout


def test_list_of_contents():
    text = (ROOT / "build/images/tru-api-cuda.spdx").read_text()
    for name in ("tru", "ggml", "nvidia-cublas", "nvidia-cuda-runtime"):
        assert f"PackageName: {name}\n" in text


def test_the_processor_answers():
    asked = tru("ask", "/samples/passing.mp4", QUESTION, "--temperature", "0")
    assert asked.returncode == 0 and "right" in asked.stdout, asked.stderr
    assert "note: no GPU: " in asked.stderr and "--gpus all" in asked.stderr


def test_a_gpu_by_name_is_refused():
    asked = tru("ask", "/samples/passing.mp4", QUESTION, "--device", "cuda")
    assert asked.returncode == 3 and asked.stdout == ""
    assert "no device is named 'cuda'" in asked.stderr and "no GPU: " in asked.stderr


def test_doctor_says_what_to_do():
    told = tru("doctor").stdout
    assert "warn  gpu" in told and "--gpus all" in told


def test_the_service_as_documented():
    """Without --gpus all, which needs a GPU."""
    build, start = LINES
    assert build == "deploy/build_images.sh cuda"
    name = docker(*start.replace("docker run --gpus all", "run -d").split())
    try:
        wait_for(lambda: get("http://localhost:8000/v1/ready"), 60, "the start")
        assert "right" in ask("http://localhost:8000")
        assert json.loads(get("http://localhost:8000/v1/health/detailed"))["gpu"]["count"] == 0
        logged = run("docker", "logs", name)
        assert "no GPU: " in logged.stdout + logged.stderr
    finally:
        docker("rm", "-f", name)


@pytest.mark.skipif(shutil.which("nvidia-smi") is None, reason="no NVIDIA driver here")
def test_a_gpu_answers():
    asked = tru("ask", "/samples/passing.mp4", QUESTION, "--temperature", "0", "--device", "cuda",
                options=["--gpus", "all"])
    assert asked.returncode == 0 and "right" in asked.stdout, asked.stderr
