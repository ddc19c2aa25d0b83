"""Real servers: vLLM and llama-server, installed into build/peers when they are first needed."""
import contextlib
import json
import os
import pathlib
import socket
import subprocess
import time
import urllib.error
import urllib.request

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
DATA = ROOT / "tests" / "data"
PEERS = ROOT / "build" / "peers"
PROGRAM = pathlib.Path(os.environ.get("TRU_PROGRAM", ROOT / "build" / "bin" / "tru"))


@pytest.fixture(scope="session")
def vllm_folder():
    """The virtual environment of vLLM; PEER_VLLM names one that is there already."""
    folder = pathlib.Path(os.environ.get("PEER_VLLM", PEERS / "vllm"))
    if not (folder / "bin" / "vllm").exists():
        subprocess.run([ROOT / "tests" / "remote" / "install_vllm", folder], check=True)
    return folder


@pytest.fixture(scope="session")
def llama_folder():
    """llama.cpp's programs and sources; PEER_LLAMA names what is there already."""
    folder = pathlib.Path(os.environ.get("PEER_LLAMA", PEERS / "llama"))
    if not (folder / "build" / "bin" / "llama-bench").exists():
        subprocess.run([ROOT / "tests" / "remote" / "install_llama_server", folder], check=True)
    return folder


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def run_server(arguments, port, log, timeout_s, environment=None, path="/health"):
    """The URL of a server that was started and answers at this path."""
    url = f"http://127.0.0.1:{port}"
    with open(log, "wb") as output:
        process = subprocess.Popen(list(map(str, arguments)), stdout=output, stderr=output,
                                   env={**os.environ, **(environment or {})},
                                   start_new_session=True)
    try:
        end = time.monotonic() + timeout_s
        while True:
            assert process.poll() is None and time.monotonic() < end, log.read_text()[-4000:]
            with contextlib.suppress(urllib.error.URLError, ConnectionError):
                with urllib.request.urlopen(url + path, timeout=5) as reply:
                    if reply.status == 200:
                        break
            time.sleep(0.5)
        yield url
    finally:
        with contextlib.suppress(ProcessLookupError):  # it ended by itself
            os.killpg(process.pid, 15)
        process.wait(timeout=60)


# What a small CPU needs beside any command line: the fixture's own number format, a context and a
# batch that fit, no compilation.
ON_A_CPU = ["--dtype", "float32", "--max-model-len", 8192, "--max-num-seqs", 8, "--enforce-eager"]


@pytest.fixture(scope="session")
def run_vllm(vllm_folder, tmp_path_factory):
    """run_vllm(port, arguments, **settings) is a context: the URL of `vllm serve ARGUMENTS`."""

    def serve(port, arguments, **settings):
        settings = {"VLLM_CPU_KVCACHE_SPACE": "1", "HF_HUB_OFFLINE": "1",
                    "VLLM_NO_USAGE_STATS": "1", **settings}
        log = tmp_path_factory.mktemp("vllm") / "log"
        command = [vllm_folder / "bin" / "vllm", "serve", *arguments, *ON_A_CPU]
        return run_server(command, port, log, 600, settings)

    return serve


@pytest.fixture(scope="session")
def vllm(run_vllm):
    """vllm(model, *flags) is a context: the URL of `vllm serve` with a test checkpoint."""

    def serve(model, *flags):
        port = free_port()
        return run_vllm(port, [DATA / "models" / model, "--served-model-name", model, "--host",
                               "127.0.0.1", "--port", port, *flags])

    return serve


@pytest.fixture
def ask(tmp_path):
    """ask(url, messages, *flags) runs `tru ask` with that server: (JSON, stderr)."""

    def run(url, messages, *flags, settings=None):
        file = tmp_path / "messages.json"
        file.write_text(json.dumps(messages).replace("media:", f"{DATA}/media/"), "utf-8")
        environment = {"MODEL_BACKEND": "vllm", "VLLM_BASE_URL": url, **(settings or {})}
        result = subprocess.run(
            [PROGRAM, "ask", "--messages", file, "--json", *map(str, flags)], check=False,
            capture_output=True, text=True, timeout=300, env={**os.environ, **environment})
        assert result.returncode == 0, result.stderr
        return json.loads(result.stdout), result.stderr

    return run
