"""Every command in the docs is run, with a tiny model under the name of the real one.

Those that need more than the program are other suites'; doc_lines.py says which.
"""
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import threading

import pytest

import hub as stand_in
from gguf_files import make_pair

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))
import doc_lines  # noqa: E402
from doc_lines import PAGES  # noqa: E402

MODEL = "Qwen/Qwen3-VL-2B-Instruct"


class Reader:
    """A person who does what a page says, in a folder with some videos."""

    def __init__(self, folder, environment, program):
        self.folder, self.environment, self.program = folder, environment, program
        self.services = []
        self.url = None

    def do(self, line):
        words = [os.path.expandvars(word.replace("$MODEL_PATH", MODEL))
                 for word in shlex.split(line)]
        if setting := re.fullmatch(r"([A-Z_]+)=\S+", line):
            compose = (ROOT / "compose.yaml").read_text() + (ROOT / ".env.example").read_text()
            assert re.search(rf"\b{setting[1]}\b", compose), f"nothing reads {line}"
            return None
        if words[0] == "deploy/test-deployment.sh":  # of the stack, here of the service alone
            self.serve([])
            return self.run(["env", "SKIP_WEB=1", ROOT / words[0], f"http://{self.url}"])
        if words[0] == "cp":
            return shutil.copy(ROOT / words[1], self.folder / words[2]) and None
        for word in words:
            if word.endswith(".gguf") and not (self.folder / word).exists():
                pair = make_pair(self.folder / "DIR", self.folder)
                pair.rename(self.folder / word)
        if words[0] in ("./run", "tru", "build/bin/tru"):
            if words[1:2] in ([], ["serve"]):
                return self.serve(words[2:])
            if words[1] == "--build":
                return None
            return self.run([self.program, *words[1:]])
        if words[0] == "./test":
            suites = re.findall(r"^suite_([\w-]+)\(\)", (ROOT / "test").read_text(), re.MULTILINE)
            assert set(words[1:]) <= {*suites, "SUITE...", "--help"}, line
            return None
        if words[0] == "curl":
            return self.run([word.replace("localhost:8000", self.url) for word in words] + ["-f"])
        pytest.fail(f"no rule for: {line}")

    def run(self, words):
        result = subprocess.run(words, cwd=self.folder, env=self.environment, timeout=120,
                                text=True, check=False, capture_output=True)
        assert result.returncode == 0, f"{words}: {result.stdout}{result.stderr}"
        return None

    def serve(self, flags):
        self.stop()
        process = subprocess.Popen([self.program, "serve", *flags, "--port", "0"], text=True,
                                   cwd=self.folder, env=self.environment, stderr=subprocess.PIPE)
        self.services.append(process)
        for line in process.stderr:
            if found := re.search(r"http://(\S+?)/", line):
                self.url = found[1]
                break
        else:
            pytest.fail("the service did not start")
        threading.Thread(target=process.stderr.read, daemon=True).start()
        self.run(["curl", "-fsS", "--retry", "50", "--retry-delay", "1",
                  f"http://{self.url}/v1/ready"])

    def stop(self):
        for process in self.services:
            process.terminate()
            assert process.wait(timeout=40) == 0
        self.services.clear()


@pytest.fixture
def reader(tmp_path, data, environment):
    folder = tmp_path / "here"
    folder.mkdir()
    for name in ("holiday", "clip", "a", "b"):
        shutil.copy(data / "media" / "two_frames.mp4", folder / f"{name}.mp4")
    for name in ("tests", "models"):
        (folder / name).symlink_to(ROOT / name)
    weights = {path.name: path.read_bytes() for path in (data / "models" / "dense-tied").iterdir()}
    for name in ("DIR", "CHECKPOINT"):
        (folder / name).symlink_to(data / "models" / "dense-tied")
    pair = make_pair(data / "models" / "dense-tied", tmp_path / "repository", "Q8_0")
    files = {path.name: path.read_bytes() for path in pair.parent.iterdir()}
    with stand_in.Hub({MODEL: weights, f"{MODEL}-GGUF": files}).running() as hub:
        settings = {"HF_ENDPOINT": hub.front.url, "HF_HOME": str(tmp_path / "hf"),
                    "DATA_DIR": str(tmp_path / "data"), "MAX_NEW_TOKENS": "4", "PORT": "0"}
        program = os.environ.get("TRU_PROGRAM", ROOT / "build" / "bin" / "tru")
        person = Reader(folder, {**environment, **settings}, program)
        person.run([program, "pull", MODEL])
        yield person
        person.stop()


@pytest.mark.parametrize("page", [page for page in PAGES if any(doc_lines.lines_of("cli", page))])
def test_commands(page, reader):
    for line in doc_lines.lines_of("cli", page):
        reader.do(line)


def test_every_other_command_is_a_suites_that_runs_it():
    lines = [line for page in PAGES for line in doc_lines.written_on(page)]
    assert {doc_lines.place_of(line) for line in lines} - {None} == set(doc_lines.ELSEWHERE)
    for suite in set(doc_lines.ELSEWHERE.values()):
        sources = [ROOT / "test", *(ROOT / "tests" / suite).glob("test_*.py")]
        asks = re.compile(rf'lines_of\("{suite}"\)|run_doc_lines {suite}\n')
        assert any(asks.search(path.read_text()) for path in sources), suite


@pytest.mark.parametrize("page", PAGES)
def test_commands_in_sentences_have_names_that_exist(page, tru):
    """`tru plan --fps 2` in a sentence: a subcommand and flags that there are."""
    text = (ROOT / page).read_text("utf-8")
    for span in re.findall(r"(?<!`)`((?:tru|\./run) [a-z][^`]*)`(?!`)", text):
        words = span.split()
        help_text = tru(words[1], "--help")
        assert help_text.returncode == 0, span
        for flag in re.findall(r"(?<!\S)--[a-z][a-z-]*", span):
            assert flag in help_text.stdout, span


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
    text = (ROOT / page).read_text("utf-8")
    for target in re.findall(r"\]\((?!https?://|#)([^)#]+)", text):
        assert (ROOT / page).parent.joinpath(target).exists(), target


def test_promises_name_tests_that_exist():
    text = (ROOT / "docs" / "RELIABILITY.md").read_text("utf-8")
    sources = [*(ROOT / "tests").rglob("*.py"), *(ROOT / "src").rglob("*_test.cpp")]
    tests = "".join(path.read_text("utf-8") for path in sources)
    for name in re.findall(r"`((?:src|tests|deploy)/[\w./]+)`", text):
        assert (ROOT / name).exists(), name
    for name in re.findall(r"`(test_\w+|[A-Z][a-z]+[A-Z]\w+)`", text):
        assert re.search(rf"\b{name}\b", tests), name


def test_the_version_is_semantic_and_in_the_changelog(tru):
    version = tru("--version").stdout.strip()
    assert re.fullmatch(r"\d+\.\d+\.\d+", version)
    assert f"## {version}" in (ROOT / "CHANGELOG.md").read_text("utf-8")
