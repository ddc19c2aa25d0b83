"""tru pull, against a stand-in for the Hugging Face hub."""
import contextlib
import hashlib
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import threading
import time

import pytest

import hub as stand_in

MODEL = "Org/Tiny-VL"
SHARDS = [f"model-0000{i}-of-00003.safetensors" for i in (1, 2, 3)]


@pytest.fixture
def files(data):
    """A sharded checkpoint, and things in its repository that nobody needs."""
    folder = data / "models" / "dense-sharded"
    return {**{path.name: path.read_bytes() for path in folder.iterdir()},
            "README.md": b"# Tiny\n", "pytorch_model.bin": b"p" * 99_999,
            "onnx/model.onnx": b"x", ".gitattributes": b""}


@pytest.fixture
def hub(files):
    with stand_in.Hub({MODEL: files}).running() as running:
        yield running


@pytest.fixture
def settings(hub, tmp_path):
    return {"HF_ENDPOINT": hub.front.url, "HF_HOME": str(tmp_path / "hf"), "NO_PROXY": "127.0.0.1"}


@pytest.fixture
def repo(tmp_path):
    """The model's folder in the cache."""
    return tmp_path / "hf" / "hub" / "models--Org--Tiny-VL"


@pytest.fixture
def pull(tru, settings):
    """pull(*arguments) is `tru pull` of the model; more settings by keyword."""

    def run(*arguments, model=MODEL, **more):
        return tru("pull", model, *arguments, settings={**settings, **more})

    return run


@pytest.fixture
def pulled(pull):
    """pulled() pulls the model and returns the JSON."""

    def run(*arguments, **more):
        result = pull("--json", *arguments, **more)
        assert result.returncode == 0, result.stderr
        return json.loads(result.stdout)

    return run


@pytest.fixture
def python_hub(settings):
    """python_hub(code) runs code with huggingface_hub against the same hub and cache."""

    def run(code):
        environment = {**os.environ, **settings, "HF_HUB_DISABLE_XET": "1",
                       "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
        return subprocess.run([sys.executable, "-c", code], env=environment, timeout=60, text=True,
                              check=True, stdout=subprocess.PIPE).stdout.strip()

    return run


def refusal(result):
    lines = result.stderr.splitlines()
    assert result.returncode == 3, result.stderr
    assert lines[-1].startswith("tru: ") and result.stdout == ""
    return lines[-1]


def test_what_is_needed_lies_in_the_hubs_own_layout(pulled, files, repo):
    answer = pulled()
    snapshot = repo / "snapshots" / stand_in.COMMIT
    assert (answer["path"], answer["commit"]) == (str(snapshot), stand_in.COMMIT)
    wanted = {name for name in files
              if name not in ("README.md", "pytorch_model.bin", "onnx/model.onnx",
                              ".gitattributes")}
    assert {path.name for path in snapshot.iterdir()} == wanted
    assert answer["bytes_fetched"] == sum(len(files[name]) for name in wanted)
    for name in wanted:
        target = os.readlink(snapshot / name)
        assert target == f"../../blobs/{stand_in.etag_of(files[name])}"
        assert (snapshot / name).read_bytes() == files[name]
    assert (repo / "refs" / "main").read_text() == stand_in.COMMIT
    assert not list(repo.glob("blobs/*.incomplete"))


def test_its_name_is_enough_from_then_on(pull, tru, refused, clip, settings):
    question = ["ask", clip("two_frames.mp4"), "What?", "--model", MODEL, "--max-tokens", "2"]
    line = refused(3, *question, settings=settings)
    assert f"tru pull {MODEL}" in line
    assert pull().returncode == 0
    answer = tru(*question, "--json", settings=settings)
    assert answer.returncode == 0, answer.stderr
    assert json.loads(answer.stdout)["model"] == MODEL


def test_one_file_of_weights_without_an_index(pulled, hub, data):
    folder = data / "models" / "dense-tied"
    hub.models[MODEL] = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert pathlib.Path(pulled()["path"], "model.safetensors").exists()


def test_a_second_pull_brings_nothing(pulled, hub):
    pulled()
    hub.log.clear()
    assert pulled()["bytes_fetched"] == 0
    assert len(hub.log) == 1  # the listing


def test_huggingface_hub_finds_what_we_pulled(pulled, python_hub, hub):
    path = pulled()["path"]
    hub.log.clear()
    found = python_hub("import huggingface_hub as h; "
                       f"print(h.snapshot_download({MODEL!r}, local_files_only=True))")
    assert found == path and hub.log == []
    file = python_hub("import huggingface_hub as h; "
                      f"print(h.hf_hub_download({MODEL!r}, 'config.json'))")
    assert file == f"{path}/config.json"
    assert not hub.sent("config.json")


def test_we_find_what_huggingface_hub_pulled(pulled, python_hub, tru, clip, settings):
    wanted = ["*.json", "*.jinja", "*.safetensors"]
    path = python_hub("import huggingface_hub as h; "
                      f"print(h.snapshot_download({MODEL!r}, allow_patterns={wanted}))")
    assert tru("ask", clip("two_frames.mp4"), "What?", "--model", MODEL, "--max-tokens", "1",
               settings=settings).returncode == 0
    answer = pulled()
    assert (answer["path"], answer["bytes_fetched"]) == (path, 0)


def test_a_connection_that_breaks_is_taken_up_again(pulled, hub, files):
    hub.cut_after = {name: 300_000 for name in SHARDS}
    pulled()
    for name in SHARDS:
        ranges = [entry[3].get("Range") for entry in hub.sent(name) if entry[1]]
        parts = (len(files[name]) + 299_999) // 300_000
        assert ranges == [None, *(f"bytes={300_000 * i}-" for i in range(1, parts))]


def test_a_pull_that_was_stopped_goes_on_where_it_was(start, pulled, hub, settings, repo, files):
    hub.bytes_per_s = 400_000
    process = start("pull", MODEL, settings=settings)
    wait_until(lambda: incomplete_bytes(repo) > 200_000)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=5)
    assert process.returncode == 130
    assert stderr.splitlines()[-1] == "tru: stopped; run the same command again to go on"
    assert not (repo / "refs" / "main").exists()
    kept = incomplete_bytes(repo)
    whole = sum(p.stat().st_size for p in repo.glob("blobs/*")) - kept
    hub.bytes_per_s = None
    total = sum(len(files[n]) for n in files if n.endswith((".json", ".jinja", ".safetensors")))
    assert kept > 200_000
    assert pulled()["bytes_fetched"] == total - kept - whole


def incomplete_bytes(repo):
    total = 0
    for part in repo.glob("blobs/*.incomplete"):
        with contextlib.suppress(FileNotFoundError):  # complete since it was listed
            total += part.stat().st_size
    return total


def wait_until(condition, timeout_s=20):
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_server_without_ranges_sends_all_again(pulled, hub, repo, files):
    (repo / "blobs").mkdir(parents=True)
    etag = stand_in.etag_of(files[SHARDS[0]])
    (repo / "blobs" / f"{etag}.incomplete").write_bytes(files[SHARDS[0]][:100_000])
    hub.ranges = False
    path = pulled()["path"]
    assert pathlib.Path(path, SHARDS[0]).read_bytes() == files[SHARDS[0]]


@pytest.mark.parametrize("junk", [b"?" * 100_000, b"?" * 5_000_000])
def test_a_partial_file_of_something_else_is_thrown_away(pulled, repo, files, junk):
    (repo / "blobs").mkdir(parents=True)
    etag = stand_in.etag_of(files[SHARDS[0]])
    (repo / "blobs" / f"{etag}.incomplete").write_bytes(junk)
    path = pulled()["path"]
    assert pathlib.Path(path, SHARDS[0]).read_bytes() == files[SHARDS[0]]


def test_what_is_not_as_announced_is_not_kept(pull, hub, repo):
    hub.corrupt = {SHARDS[1]}
    line = refusal(pull())
    assert SHARDS[1] in line and "digest" in line
    assert not (repo / "refs" / "main").exists()
    for blob in (repo / "blobs").iterdir():
        if len(blob.name) == 64:
            assert hashlib.sha256(blob.read_bytes()).hexdigest() == blob.name
    hub.corrupt = set()
    assert pull().returncode == 0


def test_a_gated_model_says_what_to_do(pull, pulled, hub):
    hub.tokens[MODEL], hub.gated = "hf_right", {MODEL}
    line = refusal(pull())
    assert f"{hub.front.url}/{MODEL}" in line and "HF_TOKEN" in line and "terms" in line
    line = refusal(pull(HF_TOKEN="hf_wrong"))
    assert "terms" in line and "account" in line
    assert "hf_wrong" not in line
    hub.log.clear()
    pulled(HF_TOKEN="hf_right")
    to_store = [headers for _, is_store, _, headers in hub.log if is_store]
    to_hub = [headers for _, is_store, _, headers in hub.log if not is_store]
    assert to_store and not any("Authorization" in headers for headers in to_store)
    assert all(headers["Authorization"] == "Bearer hf_right" for headers in to_hub)


def test_the_token_of_the_hubs_own_login_is_used(pulled, hub, tmp_path):
    hub.tokens[MODEL] = "hf_stored"
    (tmp_path / "hf").mkdir()
    (tmp_path / "hf" / "token").write_text("hf_stored\n")
    assert pulled()["bytes_fetched"] > 0


def test_names_that_do_not_exist(pull, refused, settings):
    assert "Org/Other" in refusal(pull(model="Org/Other"))
    assert "revision" in refusal(pull("--revision", "nightly"))
    for name in ("Tiny-VL", "../x", "a/b/c", "Org/", "Org/x y", "https://h/Org/Tiny-VL"):
        assert "not a model's name" in refused(2, "pull", name, settings=settings)
    assert "'../x'" in refused(2, "pull", MODEL, "--revision", "../x", settings=settings)


def test_a_tag_has_a_ref_of_its_own(pulled, pull, repo, tru, settings):
    answer = pulled("--revision", "v1")
    assert (repo / "refs" / "v1").read_text() == stand_in.COMMIT
    assert not (repo / "refs" / "main").exists()
    assert f"--model {answer['path']}" in pull("--revision", "v1").stderr


def test_what_cannot_be_used_is_refused_before_its_weights_come(pull, hub, files):
    config = {**json.loads(files["config.json"]), "model_type": "llama"}
    hub.models[MODEL] = {**files, "config.json": json.dumps(config).encode()}
    assert "llama" in refusal(pull())
    assert not hub.sent(SHARDS[0])
    hub.models["Org/Bare"] = {name: content for name, content in files.items()
                              if not name.startswith("model")}
    assert "safetensors" in refusal(pull(model="Org/Bare"))


def test_an_index_cannot_name_files_elsewhere(pull, hub, files, tmp_path):
    index = {"weight_map": {"a": "../../../escaped.safetensors"}}
    hub.models[MODEL] = {**files, "model.safetensors.index.json": json.dumps(index).encode(),
                         "../../../escaped.safetensors": b"x"}
    refusal(pull())
    assert not list(tmp_path.rglob("*escaped*"))


def test_a_busy_hub_is_asked_again(pulled, hub):
    hub.statuses = [503, 429]
    assert pulled()["bytes_fetched"] > 0


def test_no_hub_there(tru, tmp_path):
    result = tru("pull", MODEL, settings={"HF_ENDPOINT": "http://127.0.0.1:1",
                                          "HF_HOME": str(tmp_path)})
    assert "http://127.0.0.1:1" in refusal(result)


def test_offline_nothing_is_asked(pull, pulled, hub):
    assert "HF_HUB_OFFLINE" in refusal(pull(HF_HUB_OFFLINE="1"))
    assert hub.log == []
    path = pulled()["path"]
    hub.log.clear()
    assert pulled(HF_HUB_OFFLINE="1")["path"] == path
    assert hub.log == []


def test_a_model_that_does_not_fit_the_disk_is_refused_first(pull, hub, monkeypatch):
    # The stand-in claims a size that no disk has.
    monkeypatch.setattr(stand_in, "LARGE_BYTES", 60_000)
    answer = stand_in.Handler.answer

    def huge(self, status, headers, *rest):
        if "X-Linked-Size" in headers:
            headers = {**headers, "X-Linked-Size": str(10 ** 14)}
        return answer(self, status, headers, *rest)

    monkeypatch.setattr(stand_in.Handler, "answer", huge)
    result = pull()
    assert result.returncode == 1
    assert "GB more" in result.stderr and "HF_HOME" in result.stderr.splitlines()[-1]
    assert not hub.sent(SHARDS[0])


def test_two_pulls_at_once_share_the_work(start, settings, hub, files):
    hub.bytes_per_s = 3_000_000
    processes = [start("pull", MODEL, "--json", settings=settings) for _ in range(2)]
    fetched = []
    for process in processes:
        stdout, stderr = process.communicate(timeout=60)
        assert process.returncode == 0, stderr
        fetched.append(json.loads(stdout)["bytes_fetched"])
    total = sum(len(files[n]) for n in files if n.endswith((".json", ".jinja", ".safetensors")))
    assert sum(fetched) == total


def test_shards_come_side_by_side(start, settings, hub):
    hub.bytes_per_s = 500_000
    process = start("pull", MODEL, settings=settings)
    wait_until(lambda: {entry[2].rsplit("/", 1)[1] for entry in hub.log if entry[1]} == set(SHARDS))
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=5)


def test_progress_is_a_line_per_file_without_a_terminal(pull, files):
    lines = pull().stderr.splitlines()
    assert any(line.startswith(f"{SHARDS[0]}: 667.6 kB, ") for line in lines)
    assert lines[-1] == f"ready: tru ask VIDEO QUESTION --model {MODEL}"
    assert not any("\x1b" in line for line in lines)
    assert pull("--quiet").stderr == ""


def test_progress_on_a_terminal_has_speed_and_time_left(settings, environment, hub):
    hub.bytes_per_s = 400_000
    leader, follower = os.openpty()
    shown = []
    with subprocess.Popen([os.environ.get("TRU_PROGRAM", PROGRAM), "pull", MODEL],
                          env={**environment, **settings}, stderr=follower,
                          stdout=subprocess.DEVNULL) as process:
        os.close(follower)
        reader = threading.Thread(target=read_all, args=(leader, shown))
        reader.start()
        assert process.wait(timeout=60) == 0
        reader.join()
    text = b"".join(shown).decode()
    assert re.search(r"\[#+\.+\] [\d.]+ [kM]B of 2\.\d MB  [\d.]+ [kM]B/s  \d+ s left", text)


PROGRAM = pathlib.Path(__file__).resolve().parents[2] / "build" / "bin" / "tru"


def read_all(descriptor, pieces):
    try:
        while piece := os.read(descriptor, 4096):
            pieces.append(piece)
    except OSError:
        pass
    os.close(descriptor)
