"""The commands of docs/BENCHMARKS.md, made short: that they run, not what they measure."""
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))
import doc_lines  # noqa: E402

LINES = list(doc_lines.lines_of("bench"))
# The others take minutes each, and `uploads` 35 GB of disk.
SCENARIOS = ["health", "overhead", "cancel", "wrong_keys"]


def run(line):
    done = subprocess.run(["bash", "-c", line], cwd=ROOT, capture_output=True, text=True,
                          check=False, timeout=900)
    assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
    return done.stdout


def test_kernels():
    """The suite has installed what the first line names."""
    install, configure, *benches = LINES[:-1]
    assert install.startswith("apt install ") and len(benches) == 2
    try:
        run(configure)
        for line in benches:
            assert "/" in run(f"{line} --benchmark_min_time=0.01"), line
    finally:
        run("cmake --preset release -DTRU_KERNEL_BENCH=OFF")


def test_load():
    line = LINES[-1]
    assert line == "bench/load/load.py all"
    table = run(line.replace("all", " ".join(SCENARIOS)))
    rows = [row for row in table.splitlines() if row.startswith("| ")]
    assert len(rows) > 2 * len(SCENARIOS) and "not measured" not in table
