"""vLLM started as compose.yaml and docs/BACKENDS.md say, with the service in front of it.

A tiny checkpoint stands in the hub's cache under the name of the real one. Changed are ports, and
what ON_A_CPU adds.
"""
import json
import os
import re
import shutil
import subprocess
import sys
import urllib.request

import pytest
import yaml

from conftest import DATA, PROGRAM, ROOT, free_port, run_server

sys.path.insert(0, str(ROOT / "tests"))
import doc_lines  # noqa: E402

SAMPLE = ROOT / "models" / "demo" / "samples" / "passing.mp4"


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    """hub(name) is a folder for HF_HOME in which the fixture has that name."""

    def make(name):
        folder = tmp_path_factory.mktemp("hf")
        model = folder / "hub" / ("models--" + name.replace("/", "--"))
        shutil.copytree(DATA / "models" / "dense-sharded", model / "snapshots" / "0")
        (model / "refs").mkdir()
        (model / "refs" / "main").write_text("0")
        return folder

    return make


def ask(url):
    done = subprocess.run(
        ["curl", "-sS", "--fail-with-body", "-F", f"video=@{SAMPLE}", "-F", "prompt=What happens?",
         "-F", "max_tokens=4", f"{url}/v1/inference/upload"], capture_output=True, text=True,
        check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def defaults(text):
    """What compose makes of ${NAME:-default} where nothing is set."""
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text)


def test_the_profile_of_compose(run_vllm, hub, tmp_path):
    services = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    command = [defaults(word) for word in services["vllm"]["command"]]
    name, = [word for word in command if not word.startswith("--")]
    guide = (ROOT / "docs" / "DEPLOYMENT.md").read_text("utf-8")
    row, = [line for line in guide.splitlines() if "`docker compose --profile vllm up`" in line]
    settings = dict(re.findall(r"`([A-Z_]+)=(\S+)`", row))
    assert set(settings) == {"MODEL_BACKEND", "VLLM_BASE_URL"}

    port, own_port = free_port(), free_port()
    assert settings["VLLM_BASE_URL"].startswith("http://vllm:8000") and "--port=8000" in command
    command[command.index("--port=8000")] = f"--port={port}"
    settings["VLLM_BASE_URL"] = settings["VLLM_BASE_URL"].replace("vllm:8000", f"localhost:{port}")
    given = dict(entry.split("=", 1) for entry in services["api"]["environment"] if "=" in entry)
    environment = {**{setting: defaults(value) for setting, value in given.items()}, **settings,
                   "PORT": str(own_port), "DATA_DIR": str(tmp_path), "HF_HOME": str(tmp_path)}
    with (run_vllm(port, command, HF_HOME=str(hub(name))),
          run_server([PROGRAM, "serve"], own_port, tmp_path / "log", 120, environment,
                     path="/v1/ready") as url):
        answer = ask(url)
        with urllib.request.urlopen(f"{url}/v1/health/detailed", timeout=10) as reply:
            model = json.load(reply)["model"]
    assert answer["backend"] == "vllm" and answer["model"] == name
    assert answer["usage"]["completion_tokens"] == 4
    assert "frame_list" in json.dumps(model["servers"])


def test_the_commands_of_the_docs(run_vllm, hub, tmp_path):
    lines = [line for line in doc_lines.lines_of("remote") if "vllm" in line]
    serve, question = lines
    port, documented = free_port(), re.search(r"--port (\d+)", serve)[1]
    assert f"localhost:{documented}" in question
    words = serve.replace(documented, str(port)).split()
    assert words[:2] == ["vllm", "serve"]
    shutil.copy(SAMPLE, tmp_path / "clip.mp4")
    environment = {**os.environ, "PATH": f"{PROGRAM.parent}:{os.environ['PATH']}",
                   "MAX_NEW_TOKENS": "4"}
    with run_vllm(port, words[2:], HF_HOME=str(hub(words[2]))):
        done = subprocess.run(["bash", "-c", question.replace(documented, str(port))],
                              cwd=tmp_path, env=environment, capture_output=True, text=True,
                              check=False, timeout=300)
    assert done.returncode == 0 and done.stdout.strip(), done.stderr
    assert "frame_list" in done.stderr
