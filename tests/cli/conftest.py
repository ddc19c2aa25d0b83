"""What the tests of the program share."""
import pathlib
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture
def root():
    """The repository."""
    return ROOT


@pytest.fixture
def data():
    """The folder of clips, checkpoints and goldens."""
    return ROOT / "tests" / "data"


@pytest.fixture
def tru(tmp_path):
    """tru(*arguments) runs the program in an empty folder: .stdout, .stderr, .returncode."""

    def run(*arguments, timeout_s=60, **options):
        command = [ROOT / "build" / "bin" / "tru", *map(str, arguments)]
        options = {"cwd": tmp_path, "capture_output": True, "text": True, **options}
        return subprocess.run(command, timeout=timeout_s, check=False, **options)

    return run
