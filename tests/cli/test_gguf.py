"""llama.cpp's files of a model: the same answers as its checkpoint gives, and clear errors."""
import json
import shutil

import pytest

from gguf_files import make_pair
from test_goldens import GROUPS, check, flags, place

MODELS = ["dense-tied", "dense-sharded", "moe", "deepstack4"]


@pytest.fixture(scope="session")
def pair(data, tmp_path_factory):
    """pair(name, text, vision) is the path of the text file; made once."""
    made = {}

    def make(name="dense-tied", text="F32", vision="F32"):
        key = (name, text, vision)
        if key not in made:
            out = tmp_path_factory.mktemp("gguf")
            made[key] = make_pair(data / "models" / name, out, text, vision)
        return made[key]

    return make


@pytest.fixture
def damaged(pair, tmp_path):
    """damaged(change) is a copy of the two files after change(text, mmproj)."""
    text = shutil.copy(pair(), tmp_path / "m.gguf")
    mmproj = shutil.copy(next(pair().parent.glob("mmproj*")), tmp_path / "mmproj.gguf")
    return lambda change: (change(text, mmproj), text)[1]


@pytest.fixture
def reject(refused, clip):
    return lambda model: refused(3, "ask", clip("odd_24fps.mp4"), "What?", "--model", model)


@pytest.mark.parametrize("name", MODELS)
def test_f32_gives_the_goldens(name, tru, pair, tmp_path):
    groups = [goldens for goldens in GROUPS.values() if goldens[0]["model"] == name]
    for goldens in groups[:2]:
        file = tmp_path / "messages.json"
        file.write_text(place(json.dumps(goldens[0]["messages"])), "utf-8")
        words = flags(goldens[0])
        words[words.index("--model") + 1] = pair(name)
        check(goldens, tru("ask", "--messages", file, *words))


@pytest.mark.parametrize("kind", ["F16", "BF16", "Q8_0", "Q5_1", "Q5_0", "Q4_1", "Q4_0"])
@pytest.mark.parametrize("name", ["dense-tied", "moe"])
def test_every_format_answers_as_its_numbers_in_f32_do(name, kind, tru, pair, clip):
    """By ggml's products on the file's blocks, which round activations to 8 bits."""
    def first_token(weights):
        result = tru("ask", clip("odd_24fps.mp4"), "What moves?", "--json", "--logprobs", "5",
                     "--temperature", "0", "--max-tokens", "1", "--weights", weights,
                     "--model", pair(name, kind, "F16"))
        assert result.returncode == 0, result.stderr
        token = json.loads(result.stdout)["tokens"][0]
        return {other["id"]: other["logprob"] for other in token["top_logprobs"]}

    own, exact = first_token("auto"), first_token("f32")
    assert len(own.keys() & exact.keys()) >= 3
    best = max(exact, key=exact.get)
    assert abs(own[best] - exact[best]) < 0.3


def test_small_blocks_give_other_numbers_than_the_checkpoint(tru, pair, clip, model):
    """That is, they are what is computed with."""
    answers = [tru("ask", clip("odd_24fps.mp4"), "What moves?", "--json", "--logprobs", "1",
                   "--max-tokens", "1", "--temperature", "0", "--weights", "f32", "--model", path)
               for path in (model()[1], pair(text="Q4_0"))]
    first, second = (json.loads(answer.stdout)["tokens"][0]["logprob"] for answer in answers)
    assert first != second


def test_folder_and_file_are_the_same_model(tru, pair, clip):
    for path in (pair(), pair().parent):
        result = tru("ask", clip("odd_24fps.mp4"), "What?", "--json", "--max-tokens", "1",
                     "--model", path)
        assert json.loads(result.stdout)["model"] == "dense-tied-F32"


def test_parts_answer_as_the_whole(tru, data, pair, clip, tmp_path):
    """Through llama.cpp's own writer; the vocabulary is in the first part only."""
    first = make_pair(data / "models" / "moe", tmp_path, "Q8_0", tensors_each=9)
    assert len(list(tmp_path.glob("moe-*-of-*.gguf"))) > 2
    answers = [tru("ask", clip("odd_24fps.mp4"), "What moves?", "--json", "--logprobs", "3",
                   "--temperature", "0", "--max-tokens", "4", "--model", path)
               for path in (first, tmp_path, pair("moe", "Q8_0"))]
    tokens = [json.loads(answer.stdout)["tokens"] for answer in answers]
    assert tokens[0] == tokens[1] == tokens[2]


def test_a_part_that_is_missing_or_not_the_first(reject, data, tmp_path):
    first = make_pair(data / "models" / "dense-tied", tmp_path, tensors_each=9)
    second, third = sorted(tmp_path.glob("dense-tied-*-of-*.gguf"))[1:3]
    assert f"give the first, {first.name}" in reject(second)
    third.unlink()
    assert third.name in reject(first)


def test_doctor_and_plan(tru, pair, clip):
    result = tru("doctor", "--model", pair())
    line = next(line for line in result.stdout.splitlines() if line.split()[1] == "model")
    assert line.startswith("ok") and "dense-tied-F32.gguf" in line
    result = tru("plan", clip("odd_24fps.mp4"), "--model", pair())
    assert result.returncode == 0, result.stderr
    assert "visual" in result.stdout


@pytest.mark.parametrize("kept", [0, 3, 12, 30, 1000, 50_000, 900_000])
def test_cut_file(kept, reject, damaged):
    for number in (0, 1):
        path = damaged(lambda *files: files[number].write_bytes(files[number].read_bytes()[:kept]))
        assert reject(path)


def test_missing_vision_file(reject, damaged):
    assert "there is no vision file" in reject(damaged(lambda text, mmproj: mmproj.unlink()))


def test_several_files(reject, damaged):
    def copy_both(text, mmproj):
        shutil.copy(text, text.with_name("n.gguf"))
        shutil.copy(mmproj, mmproj.with_name("mmproj-2.gguf"))

    path = damaged(copy_both)
    assert "m.gguf, n.gguf" in reject(path.parent)
    assert "mmproj-2.gguf, mmproj.gguf" in reject(path)


def test_the_vision_file_of_another_model(reject, damaged, pair):
    other = next(pair("moe").parent.glob("mmproj*"))
    assert "of different models" in reject(damaged(lambda text, mmproj: shutil.copy(other, mmproj)))


def test_no_such_file(reject, tmp_path):
    assert "no such file" in reject(tmp_path / "nothing.gguf")
