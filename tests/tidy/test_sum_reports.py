"""tools/sum_reports cannot say that all is well when it is not."""
import pathlib
import subprocess

import pytest

PROGRAM = pathlib.Path(__file__).resolve().parents[2] / "tools" / "sum_reports"

GOOGLETEST = """<testsuites tests="3"><testsuite name="A" tests="3">
<testcase name="runs" status="run" result="completed"/>
<testcase name="is off" status="notrun" result="suppressed"/>
<testcase name="skips" status="run" result="skipped"><skipped message="no GPU"/></testcase>
</testsuite></testsuites>"""
PYTEST = """<testsuites><testsuite tests="3"><testcase name="a"/>
<testcase name="b"><failure message="no">x</failure></testcase>
<testcase name="c"><error message="no">x</error></testcase>
</testsuite></testsuites>"""


@pytest.mark.parametrize(
    "status, reports, closing, exit_status",
    [
        (0, [GOOGLETEST], "1 passed, 0 failed, 2 skipped", 0),
        (0, [GOOGLETEST, GOOGLETEST], "2 passed, 0 failed, 4 skipped", 0),
        (1, [GOOGLETEST, PYTEST], "2 passed, 2 failed, 2 skipped", 1),
        (0, [PYTEST], "1 passed, 2 failed", 1),
        (139, [GOOGLETEST], "1 passed, 1 failed, 2 skipped", 1),  # another program crashed
        (0, [], "0 passed, 1 failed", 1),  # no test ran
    ],
)
def test_closing_line(tmp_path, status, reports, closing, exit_status):
    (tmp_path / "suite").mkdir()
    (tmp_path / "suite" / "exit").write_text(f"{status} 7\n")
    for number, text in enumerate(reports):
        (tmp_path / "suite" / f"{number}.xml").write_text(text)
    command = [PROGRAM, tmp_path, "suite"]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.stdout.splitlines()[-1] == closing
    assert run.returncode == exit_status
