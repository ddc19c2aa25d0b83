"""The reference implementation's answers, asked for as a person would."""
import json

import pytest

from conftest import ROOT

DATA = ROOT / "tests" / "data"
EXACT = ["--json", "--quiet", "--logprobs", "20", "--weights", "f32", "--profile", "checkpoint",
         "--timing", "index", "--temperature", "0"]


def read_groups():
    """Goldens by question: those with the same `either_of` are one question with two answers."""
    groups = {}
    for golden in json.loads((DATA / "goldens.json").read_text("utf-8"))["cases"]:
        groups.setdefault(golden.get("either_of") or golden["id"], []).append(golden)
    return groups


GROUPS = read_groups()


def flags(golden):
    params = golden.get("video_params") or {}
    words = [word for name, value in params.items()
             for word in ("--" + name.replace("_", "-"), str(value))]
    return [*EXACT, "--model", DATA / "models" / golden["model"],
            "--max-tokens", str(golden["max_tokens"]), *words]


def place(url):
    return url.replace("media:", str(DATA / "media") + "/")


def as_arguments(messages):
    """MEDIA... QUESTION for one user's message that ends with its only text, or None."""
    system, *rest = messages if messages[0]["role"] == "system" else [None, *messages]
    if len(rest) != 1:
        return None
    content = rest[0]["content"]
    parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
    if [part["type"] for part in parts].count("text") != 1 or parts[-1]["type"] != "text":
        return None
    words = ["--together"] + (["--system", system["content"]] if system else [])
    for part in parts[:-1]:
        kind = part["type"]
        words += (["--image"] if kind == "image_url" else []) + [place(part[kind]["url"])]
    return [*words, parts[-1]["text"]]


AS_ARGUMENTS = {name: as_arguments(goldens[0]["messages"]) for name, goldens in GROUPS.items()}


def offences(golden, answer):
    if answer["prompt_token_ids"] != golden["prompt_token_ids"]:
        yield "prompt"
    if [token["id"] for token in answer["tokens"]] != golden["greedy"]["ids"]:
        yield "tokens"
    if answer["finish_reason"] != golden["greedy"]["finish_reason"]:
        yield "finish_reason"
    if answer["usage"]["prompt_tokens"] != golden["num_prompt_tokens"]:
        yield "usage"
    listed = {token["id"]: token for token in answer["tokens"][0]["top_logprobs"]}
    top = golden["first_token_top20"]
    for number, logprob, data in zip(top["ids"], top["logprobs"], top["bytes"]):
        ours = listed.get(number)
        if ours is None or abs(ours["logprob"] - logprob) > 0.002 or ours["bytes"] != data:
            yield f"logprob of {number}: {ours}, golden {logprob}"


def check(goldens, result):
    assert result.returncode == 0, result.stderr
    answer = json.loads(result.stdout)
    found = {golden["id"]: list(offences(golden, answer)) for golden in goldens}
    assert [] in found.values(), found


@pytest.mark.parametrize("name", GROUPS)
def test_messages(name, tru, tmp_path):
    goldens = GROUPS[name]
    file = tmp_path / "messages.json"
    file.write_text(place(json.dumps(goldens[0]["messages"])), "utf-8")
    check(goldens, tru("ask", "--messages", file, *flags(goldens[0])))


@pytest.mark.parametrize("name", [name for name, words in AS_ARGUMENTS.items() if words])
def test_arguments(name, tru):
    goldens = GROUPS[name]
    check(goldens, tru("ask", *AS_ARGUMENTS[name], *flags(goldens[0])))


def test_both_forms_cover_most_goldens():
    assert len(GROUPS) == 39
    assert sum(words is not None for words in AS_ARGUMENTS.values()) >= 33
