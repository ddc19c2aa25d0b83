"""What the tests of the program share."""
import json
import os
import pathlib
import re
import subprocess
import threading
import time
import urllib.error
import urllib.request

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = pathlib.Path(os.environ.get("TRU_PROGRAM", ROOT / "build" / "bin" / "tru"))
SETTINGS = re.compile(
    r"^(MODEL_|ALLOW|UPLOAD_DIR|DEFAULT_|MAX_|TEMPERATURE|TOP_|WEIGHTS|DEVICE|THREADS|HF_)")
PROGRESS = re.compile(r"^(load|download|decode|vision|prefill|generate): \d+ ")


@pytest.fixture(scope="session")
def root():
    """The repository."""
    return ROOT


@pytest.fixture(scope="session")
def data():
    """The folder of clips, checkpoints and goldens."""
    return ROOT / "tests" / "data"


@pytest.fixture(scope="session")
def clip(data):
    """clip(name) is a test clip."""
    return lambda name: data / "media" / name


@pytest.fixture(scope="session")
def model(data):
    """model(name) are the flags for a checkpoint."""
    return lambda name="dense-tied": ["--model", data / "models" / name]


@pytest.fixture(scope="session")
def environment():
    """The environment without settings that the machine may have."""
    return {name: value for name, value in os.environ.items() if not SETTINGS.match(name)}


@pytest.fixture
def start(tmp_path, environment):
    """start(*arguments) starts the program in an empty folder, streams piped."""
    running = []

    def start_program(*arguments, settings=None, **options):
        process = subprocess.Popen(
            [PROGRAM, *map(str, arguments)], cwd=tmp_path, env={**environment, **(settings or {})},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)
        running.append(process)
        return process

    yield start_program
    for process in running:
        process.kill()
        process.communicate()


@pytest.fixture
def tru(start):
    """tru(*arguments) runs the program in an empty folder: .stdout, .stderr, .returncode."""

    def run(*arguments, timeout_s=60, settings=None, **options):
        process = start(*arguments, settings=settings, **options)
        stdout, stderr = process.communicate(timeout=timeout_s)
        return subprocess.CompletedProcess(arguments, process.returncode, stdout, stderr)

    return run


@pytest.fixture
def ask(tru, model):
    """ask(*arguments) runs `tru ask` greedily with a small model and returns its JSON."""

    def run(*arguments, name="dense-tied", **options):
        result = tru("ask", *arguments, *model(name), "--json", "--temperature", "0", **options)
        assert result.returncode == 0, result.stderr
        lines = result.stdout.splitlines()
        assert len(lines) == 1
        return json.loads(lines[0])

    return run


@pytest.fixture
def refused(tru):
    """refused(code, *arguments): the program fails so, says why in one line, and that is it."""

    def run(code, *arguments, **options):
        result = tru(*arguments, **options)
        lines = [line for line in result.stderr.splitlines() if not PROGRESS.match(line)]
        assert (result.returncode, len(lines)) == (code, 1), result.stderr
        assert lines[0].startswith("tru: ") and result.stderr.endswith(lines[0] + "\n")
        assert result.stdout == ""
        return lines[0]

    return run


@pytest.fixture(scope="session")
def ffmpeg(tmp_path_factory):
    """ffmpeg(name, *arguments) makes a file with the ffmpeg program, once."""
    folder = tmp_path_factory.mktemp("clips")

    def make(name, *arguments):
        path = folder / name
        if not path.exists():
            subprocess.run(["ffmpeg", "-nostdin", "-loglevel", "error", *map(str, arguments), path],
                           check=True, timeout=120)
        return path

    return make


@pytest.fixture
def serve(start, model, tmp_path):
    """serve(*flags, **settings) starts the service and returns a function that asks it."""

    def run(*flags, **settings):
        process = start("serve", "--port", "0", *model(), "--data-dir", tmp_path / "data", *flags,
                        settings=settings)
        for line in process.stderr:
            if found := re.search(r"http://\S+?:(\d+)/", line):
                break
        else:
            pytest.fail("the service did not start")
        threading.Thread(target=process.stderr.read, daemon=True).start()
        url = f"http://127.0.0.1:{found[1]}"
        while get(url + "/v1/ready", {})[0] != 200:
            time.sleep(0.02)
        return lambda path, **headers: get(url + path, headers)

    return run


def get(url, headers):
    """(status, headers, body)"""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=30) as r:
            return r.status, r.headers, r.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read()
