"""clang-tidy, with the checks of .clang-tidy, finds nothing in any file of src. Slow: the suite
clang-tidy of ./test, which is not among those it runs by default."""
import pathlib
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
SOURCES = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "src").rglob("*.cpp"))


@pytest.mark.parametrize("path", SOURCES)
def test_clang_tidy(path):
    command = ["clang-tidy", "-p", "build", "--quiet", "--warnings-as-errors=*", path]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if run.returncode:
        pytest.fail(run.stdout)
