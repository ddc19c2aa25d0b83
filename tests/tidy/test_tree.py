"""The source tree keeps every rule of rules.py and the layout of .clang-format."""
import pathlib
import subprocess
import sys

import pytest

import rules

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def tree():
    return rules.Tree(ROOT)


@pytest.mark.parametrize("rule", rules.ALL, ids=lambda rule: rule.__name__)
def test_rule(tree, rule):
    if offences := list(rule(tree)):
        pytest.fail("\n".join(offences))


def test_tree_is_not_empty(tree):
    assert len(list(tree.cpp())) > 10
    assert len(list(tree.code())) > 20


def test_clang_format(tree):
    program = pathlib.Path(sys.executable).parent / "clang-format"
    files = [path for path, _, _ in tree.cpp()]
    command = [program, "--dry-run", "-Werror", *files]
    run = subprocess.run(command, cwd=ROOT, stderr=subprocess.PIPE, text=True, check=False)
    differ = {line.split(":")[0] for line in run.stderr.splitlines() if ": error:" in line}
    if run.returncode:
        pytest.fail(f"run {program.relative_to(ROOT)} -i on: {' '.join(sorted(differ))}")
