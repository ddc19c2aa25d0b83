"""./run, with the program already built.

A second start takes 3 s at most. On a machine with other work that is told by processor time, which
waiting for others does not lengthen; the clock only has to show that nothing sleeps for long.
"""
import os
import pathlib
import resource
import signal
import subprocess
import time

START_S = 3
BUSY_S = 30


def run(root, *arguments, **options):
    options = {"capture_output": True, "text": True, **options}
    return subprocess.run([root / "run", *arguments], timeout=60, check=False, **options)


def seconds_at_work(process_id):
    """Processor time of a running process and of those it has waited for."""
    fields = pathlib.Path(f"/proc/{process_id}/stat").read_text("ascii").rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def test_second_start_is_quick_and_silent(root, tmp_path):
    begin, used = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    result = run(root, "--build", cwd=tmp_path)
    now = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime < START_S
    assert time.monotonic() - begin < BUSY_S
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    assert os.access(root / "build" / "bin" / "tru", os.X_OK)


def test_without_arguments_serves_and_asks_the_sample_question(root, tmp_path, environment):
    settings = {"PORT": "0", "DATA_DIR": str(tmp_path / "data"), "UPLOAD_DIR": str(tmp_path / "up")}
    started = time.monotonic()
    process = subprocess.Popen([root / "run"], env={**environment, **settings}, text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        assert process.stderr.readline().startswith("TRU is at http://127.0.0.1:")
        assert seconds_at_work(process.pid) < START_S
        assert time.monotonic() - started < BUSY_S
        process.stdout.readline()
        assert process.stdout.readline().startswith("models/demo/samples/passing.mp4: Which way")
        assert len(process.stdout.readline()) > 5
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.communicate()


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
