"""tru pull of GGUF files, which a repository has in several formats."""
import json
import os
import pathlib

import pytest

import hub as stand_in
from gguf_files import make_pair

MODEL = "Org/Tiny-VL-GGUF"


@pytest.fixture(scope="session")
def made(data, tmp_path_factory):
    """The files of a repository: three formats, one of them in parts, and two vision files."""
    out = tmp_path_factory.mktemp("repository")
    folder = data / "models" / "dense-tied"
    make_pair(folder, out, "Q8_0", "F16")
    make_pair(folder, out, "Q4_0", "Q8_0")
    make_pair(folder, out, "BF16", "F16", tensors_each=12)
    return {path.name: path.read_bytes() for path in out.iterdir()}


@pytest.fixture
def hub(made):
    junk = {"README.md": b"# Tiny", "Tiny-VL-IQ4_XS.gguf": b"i" * 99_999,
            "Tiny-VL.imatrix.gguf": b"m" * 99_999, "config.json": b"{}"}
    with stand_in.Hub({MODEL: {**made, **junk}}).running() as running:
        yield running


@pytest.fixture
def settings(hub, tmp_path):
    return {"HF_ENDPOINT": hub.front.url, "HF_HOME": str(tmp_path / "hf"), "NO_PROXY": "127.0.0.1"}


@pytest.fixture
def pull(tru, settings):
    """pull(tag, *arguments) is `tru pull` of the model."""

    def run(tag="", *arguments, **more):
        return tru("pull", MODEL + tag, *arguments, settings={**settings, **more})

    return run


@pytest.fixture
def pulled(pull):
    """pulled(tag) is (the path of the text file, the names of all files that came)."""

    def run(tag="", **more):
        result = pull(tag, "--json", **more)
        assert result.returncode == 0, result.stderr
        path = pathlib.Path(json.loads(result.stdout)["path"])
        return path, {file.name for file in path.parent.iterdir()}

    return run


@pytest.fixture
def answer(tru, clip, settings):
    """answer(model) is what `tru ask --model` prints."""

    def run(model):
        result = tru("ask", clip("two_frames.mp4"), "What?", "--model", model, "--max-tokens", "2",
                     "--json", settings=settings)
        assert result.returncode == 0, result.stderr
        return json.loads(result.stdout)

    return run


def test_a_tag_chooses_one_file_and_its_vision_file(pull, pulled, answer, made):
    path, names = pulled(":q4_0")
    assert names == {"dense-tied-Q4_0.gguf", "mmproj-dense-tied-F16.gguf"}
    assert path.name == "dense-tied-Q4_0.gguf" and path.read_bytes() == made[path.name]
    assert os.readlink(path) == f"../../blobs/{stand_in.etag_of(made[path.name])}"
    assert answer(MODEL + ":Q4_0")["model"] == MODEL
    lines = pull(":Q4_0").stderr.splitlines()
    assert lines[0] == "chosen: dense-tied-Q4_0.gguf, with mmproj-dense-tied-F16.gguf"
    assert lines[-1] == f"ready: tru ask VIDEO QUESTION --model {MODEL}:Q4_0"


def test_without_a_tag_a_usual_one_is_taken_and_told(pull, pulled, answer, hub):
    lines = pull().stderr.splitlines()
    assert lines[0].startswith("chosen: dense-tied-Q8_0.gguf, ")
    assert "by a tag" in lines[1] and "Tiny-VL-IQ4_XS" in lines[1] and "Q4_0.gguf" in lines[1]
    assert "-00002-of" not in lines[1] and "imatrix" not in lines[1]
    sent = {entry[2].rsplit("/", 1)[1] for entry in hub.log if entry[0] == "GET" and entry[1]}
    assert sent == {"dense-tied-Q8_0.gguf", "mmproj-dense-tied-F16.gguf"}
    assert answer(MODEL)["model"] == MODEL
    assert pull("", "--quiet").stderr == ""


def test_all_parts_come(pulled, answer, made):
    path, names = pulled(":BF16")
    parts = {name for name in made if "-BF16-" in name}
    assert len(parts) >= 3 and names == parts | {"mmproj-dense-tied-F16.gguf"}
    assert path.name.endswith(f"-BF16-00001-of-{len(parts):05}.gguf")
    assert answer(MODEL + ":BF16")["model"] == MODEL


def test_what_is_there_is_what_the_bare_name_means(pulled, answer, refused, settings, clip):
    pulled(":Q4_0")
    assert answer(MODEL)["model"] == MODEL
    line = refused(3, "ask", clip("two_frames.mp4"), "What?", "--model", MODEL + ":Q8_0",
                   settings=settings)
    assert f"tru pull {MODEL}:Q8_0" in line and "dense-tied-Q4_0.gguf" in line


def test_a_second_format_brings_only_its_own_file(pull, pulled, hub, made):
    pulled(":Q4_0")
    hub.log.clear()
    result = pull(":Q8_0", "--json")
    assert json.loads(result.stdout)["bytes_fetched"] == len(made["dense-tied-Q8_0.gguf"])
    hub.log.clear()
    assert json.loads(pull(":Q8_0", "--json").stdout)["bytes_fetched"] == 0
    assert len(hub.log) == 1  # the listing


def test_a_file_in_a_folder(pulled, answer, hub, made):
    hub.models[MODEL] = {
        "mmproj-F16.gguf": made["mmproj-dense-tied-F16.gguf"],
        **{f"BF16/{name}": content for name, content in made.items() if "-BF16-" in name}}
    path, names = pulled()
    assert path.parent.name == "BF16" and len(names) >= 3
    assert os.readlink(path).startswith("../../../blobs/")
    assert answer(MODEL)["model"] == answer(MODEL + ":bf16")["model"] == MODEL


def test_it_is_checked_and_taken_up_again(pull, pulled, hub, made):
    hub.corrupt = {"dense-tied-Q8_0.gguf"}
    result = pull()
    assert result.returncode == 3 and "digest" in result.stderr.splitlines()[-1]
    hub.corrupt, hub.cut_after = set(), {"dense-tied-Q8_0.gguf": 100_000}
    hub.log.clear()
    path, _ = pulled()
    assert path.read_bytes() == made[path.name]
    ranges = [entry[3].get("Range") for entry in hub.sent(path.name) if entry[1]]
    assert ranges[:2] == [None, "bytes=100000-"]


def test_what_cannot_be_used_is_refused_before_it_comes(pull, hub, made):
    def last_line(tag=""):
        result = pull(tag)
        assert result.returncode == 3 and result.stdout == "", result.stderr
        assert not [entry for entry in hub.log if entry[1] and "mmproj" not in entry[2]]
        return result.stderr.splitlines()[-1]

    assert "dense-tied-Q8_0.gguf" in last_line(":Q6_K")
    assert "number format is not read" in last_line(":IQ4_XS")
    vision = made["mmproj-dense-tied-F16.gguf"]
    other = vision.replace(b"qwen3vl_merger", b"gemma3_mergers")
    hub.models[MODEL] = {"m-Q8_0.gguf": made["dense-tied-Q8_0.gguf"], "mmproj-F16.gguf": other}
    assert "gemma3_mergers" in last_line()
    del hub.models[MODEL]["mmproj-F16.gguf"]
    assert "no vision file" in last_line()
    hub.models[MODEL] = {"m-Q8_0-00001-of-00002.gguf": b"x", "mmproj-F16.gguf": vision}
    assert "m-Q8_0-00002-of-00002.gguf is missing" in last_line()


def test_tags_that_are_none(refused, settings):
    for name in (MODEL + ":", MODEL + ":a b", MODEL + ":../x", ":Q8_0", MODEL + ":a:b"):
        assert "not a model's name" in refused(2, "pull", name, settings=settings)


def test_offline(pull, pulled):
    path, _ = pulled(":Q4_0")
    assert pulled(":Q4_0", HF_HUB_OFFLINE="1")[0] == path
    result = pull(":Q8_0", HF_HUB_OFFLINE="1")
    assert result.returncode == 3 and "HF_HUB_OFFLINE" in result.stderr
