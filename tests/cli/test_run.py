"""./run, with the program already built."""
import os
import subprocess
import time


def run(root, *arguments, **options):
    options = {"capture_output": True, "text": True, **options}
    return subprocess.run([root / "run", *arguments], timeout=60, check=False, **options)


def test_second_start_is_quick_and_silent(root, tmp_path):
    start = time.monotonic()
    result = run(root, "--build", cwd=tmp_path)
    assert time.monotonic() - start < 3
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    assert os.access(root / "build" / "bin" / "tru", os.X_OK)


def test_without_arguments_says_how_to_ask(root):
    result = run(root)
    assert result.returncode == 0
    assert "./run ask VIDEO" in result.stdout


def test_build_takes_no_other_arguments(root):
    result = run(root, "--build", "extra")
    assert result.returncode == 2
    assert result.stderr.splitlines()[-1].startswith("error: --build")


def test_arguments_and_exit_status_are_the_programs(root, tru):
    for arguments in (["--help"], ["no-such-command"], ["ask", "--no-such-flag"]):
        ours, theirs = run(root, *arguments), tru(*arguments)
        assert (ours.returncode, ours.stdout) == (theirs.returncode, theirs.stdout)


def test_works_through_a_link(root, tmp_path):
    (tmp_path / "run").symlink_to(root / "run")
    assert subprocess.run([tmp_path / "run", "--build"], timeout=60, check=False).returncode == 0
