"""The shell commands of the docs, and which suite of ./test runs each.

    python3 tests/doc_lines.py SUITE      prints that suite's
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
PAGES = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md",
         *sorted(str(page.relative_to(ROOT)) for page in ROOT.glob("docs/*.md"))]
# By a command's first words. All others are the suite cli's.
ELSEWHERE = {
    "cmake --preset release -D": "bench",
    "cmake --preset": "unit",
    "ctest": "unit",
    "build/bin/test_text": "unit",
    "docker compose": "containers",
    "docker run": "containers",
    "deploy/build_images.sh": "containers",
    "echo": "containers",
    "sudo": "containers",
    "vllm serve": "remote",
    "MODEL_BACKEND=vllm": "remote",
    "bench/compare_llama.py": "remote",
    "LLAMA_BIN/": "remote",
    "apt install lib": "bench",
    "OMP_NUM_THREADS=1 taskset": "bench",
    "DNNL_MAX_CPU_ISA": "bench",
    "bench/load/load.py": "bench",
}


def written_on(page):
    """The lines of the page's blocks of shell commands, comments included."""
    text = (ROOT / page).read_text("utf-8")
    for block in re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        yield from filter(None, block.splitlines())


def place_of(line):
    """The entry of ELSEWHERE that the line falls under, if any."""
    return next((words for words in ELSEWHERE if line.startswith(words)), None)


def lines_of(suite, page=None):
    """The commands that this suite must run, of one page or of all."""
    for name in [page] if page else PAGES:
        for line in written_on(name):
            if ELSEWHERE.get(place_of(line), "cli") == suite:
                yield re.split(r"\s{2,}#", line)[0].strip()


if __name__ == "__main__":
    print(*lines_of(sys.argv[1]), sep="\n")
