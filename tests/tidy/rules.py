"""The rules of the source tree. Each takes a Tree and yields its offences, "path:line: what"."""
import ast
import pathlib
import re

import cpp_text

# What a folder of src/ may include besides itself and _ALWAYS: its rank, and the folders it uses.
# Those are of lower ranks; None is all of them.
FOLDERS = {
    "app": (10, None),
    "api": (9, {"http", "jobs", "pipeline", "store"}),
    "jobs": (8, {"pipeline", "store"}),
    "pipeline": (7, {"media", "fetch", "text", "backend"}),
    "backend": (6, {"engine", "fetch", "model", "tensor", "text", "weights"}),
    "engine": (5, {"model", "tensor"}),
    "model": (4, {"tensor", "weights"}),
    "weights": (3, {"tensor"}),
    "media": (2, set()),
    "fetch": (2, set()),
    "text": (2, set()),
    "store": (2, set()),
    "http": (2, set()),
    "tensor": (1, set()),
    "metrics": (1, set()),
    "base": (0, set()),
}
_ALWAYS = {"base", "metrics"}

# Third-party worlds, and the folders that may know them.
WALLS = {
    "ggml": (re.compile(r"#\s*include\s*[<\"](?:ggml|gguf)"), {"tensor", "weights", "model"}),
    "libav": (re.compile(r"#\s*include\s*[<\"]lib(?:av|sw|postproc)"), {"media"}),
    "coroutines": (re.compile(r"\bco_(?:await|return|yield)\b"), {"http", "api", "app"}),
}

MAX_FILE_LINES = 500
MAX_FUNCTION_LINES = 70
MAX_LINE_COLUMNS = 100
MAX_FILE_BYTES = 1_000_000
LARGE_FILES = ("tests/data/models/", "tests/data/tokenizer_full/", "models/demo/")

_SKIPPED = re.compile(
    r"^(build.*|third_party|__pycache__|node_modules|\.next|out|\.git|\.cache|\.venv)$"
)
_CODE_SUFFIXES = {".cpp", ".h", ".py", ".sh", ".cmake", ".ts", ".tsx"}
_CODE_NAMES = {"CMakeLists.txt", "run", "test"}
_MACHINE_PATH = re.compile(r"(?<![\w.~$}/-])/(?:home|root|work|mnt|Users|opt|usr/local)/\w")


class Tree:
    """The files under a root that belong to the project, by their path from there."""

    def __init__(self, root):
        self.root = pathlib.Path(root)
        self.paths = sorted(self._walk(self.root))

    def _walk(self, folder):
        for entry in folder.iterdir():
            if _SKIPPED.match(entry.name):
                continue
            if entry.is_dir() and not entry.is_symlink():
                yield from self._walk(entry)
            else:
                yield entry.relative_to(self.root).as_posix()

    def read(self, path):
        return (self.root / path).read_text(encoding="utf-8")

    def cpp(self):
        """(path, folder of src, text) of every C++ file."""
        for path in self.paths:
            if path.startswith("src/") and path.endswith((".cpp", ".h")):
                yield path, path.split("/")[1], self.read(path)

    def code(self):
        """(path, text) of every program text: all languages, tests and tools too."""
        for path in self.paths:
            name = pathlib.PurePosixPath(path)
            if path.startswith("tests/data/"):
                continue
            if name.suffix in _CODE_SUFFIXES or name.name in _CODE_NAMES or self._is_script(path):
                yield path, self.read(path)

    def _is_script(self, path):
        if pathlib.PurePosixPath(path).suffix or not path.startswith(("tools/", "tests/", ".ci/")):
            return False
        with open(self.root / path, "rb") as file:
            return file.read(2) == b"#!"


def _lines(pattern, text):
    """(line number, match) of every match."""
    for match in pattern.finditer(text):
        yield text.count("\n", 0, match.start()) + 1, match


def _may_use(folder, used):
    rank, uses = FOLDERS[folder]
    if used == folder or used in _ALWAYS:
        return used == folder or FOLDERS[used][0] < rank
    return FOLDERS[used][0] < rank and (uses is None or used in uses)


def ranks(tree):
    """A folder includes itself, base, metrics, and what its line in FOLDERS lists."""
    include = re.compile(r'^[ \t]*#\s*include\s*"([^"]+)"', re.MULTILINE)
    for path, folder, text in tree.cpp():
        if folder not in FOLDERS:
            yield f"{path}:1: src/{folder} has no line in the table of folders"
            continue
        for line, match in _lines(include, cpp_text.strip_comments(text)):
            used = match[1].split("/")[0]
            if used not in FOLDERS or f"src/{match[1]}" not in tree.paths:
                yield f"{path}:{line}: \"{match[1]}\" is not a file of src, written from there"
            elif not _may_use(folder, used):
                yield f"{path}:{line}: {folder} may not use {used}"


def links(tree):
    """src/folders.cmake links a folder only to those that it may include."""
    path = "src/folders.cmake"
    if path not in tree.paths:
        return
    call = re.compile(r"^tru_(?:folder\(|program\(\w+\s+)(\w+)\s+USES([^)]*)\)", re.MULTILINE)
    for line, match in _lines(call, tree.read(path)):
        folder = match[1]
        for used in re.findall(r"\btru_(\w+)", match[2]):
            if folder not in FOLDERS or used not in FOLDERS:
                yield f"{path}:{line}: {folder} or {used} has no line in the table of folders"
            elif not _may_use(folder, used):
                yield f"{path}:{line}: {folder} may not use {used}"


def walls(tree):
    """ggml, libav and coroutines are known to the folders in WALLS alone."""
    for path, folder, text in tree.cpp():
        includes, code = cpp_text.strip_comments(text), cpp_text.strip_literals(text)
        for name, (pattern, allowed) in WALLS.items():
            if folder in allowed:
                continue
            for line, _ in _lines(pattern, code if name == "coroutines" else includes):
                yield f"{path}:{line}: {name} only in {', '.join(sorted(allowed))}"


def headers(tree):
    """Every header guards itself with #pragma once."""
    for path, _, text in tree.cpp():
        if path.endswith(".h") and not re.search(r"^#pragma once$", text, re.MULTILINE):
            yield f"{path}:1: no #pragma once"


def file_lines(tree):
    """A file of code has at most MAX_FILE_LINES lines."""
    for path, text in tree.code():
        if (count := len(text.splitlines())) > MAX_FILE_LINES:
            yield f"{path}:{count}: {count} lines, at most {MAX_FILE_LINES}"


def line_columns(tree):
    """A line of code has at most MAX_LINE_COLUMNS characters, no tabs, nothing trailing."""
    for path, text in tree.code():
        for number, line in enumerate(text.splitlines(), 1):
            if len(line) > MAX_LINE_COLUMNS:
                yield f"{path}:{number}: {len(line)} columns, at most {MAX_LINE_COLUMNS}"
            if "\t" in line or line != line.rstrip():
                yield f"{path}:{number}: a tab or trailing space"


def function_lines(tree):
    """A C++ or Python function has at most MAX_FUNCTION_LINES lines, signature included."""
    for path, text in tree.code():
        for line, lines in _function_sizes(path, text):
            if lines > MAX_FUNCTION_LINES:
                yield f"{path}:{line}: a function of {lines} lines, at most {MAX_FUNCTION_LINES}"


def _function_sizes(path, text):
    if path.endswith((".cpp", ".h")):
        for function in cpp_text.functions(text):
            yield function.line, function.lines
    elif path.endswith(".py") or text.startswith("#!/usr/bin/env python3"):
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                yield node.lineno, node.end_lineno - node.lineno + 1


def machine_paths(tree):
    """No file names a place of one person's machine."""
    for path in tree.paths:
        if path.startswith("tests/data/"):
            continue
        try:
            text = tree.read(path)
        except UnicodeDecodeError:
            continue
        for line, match in _lines(_MACHINE_PATH, text):
            yield f"{path}:{line}: a path of one machine, {match[0]}..."


def file_bytes(tree):
    """No file is larger than MAX_FILE_BYTES, those under LARGE_FILES excepted."""
    for path in tree.paths:
        size = (tree.root / path).lstat().st_size
        if size > MAX_FILE_BYTES and not path.startswith(LARGE_FILES):
            yield f"{path}:1: {size} bytes, at most {MAX_FILE_BYTES}"


ALL = (ranks, links, walls, headers, file_lines, line_columns, function_lines, machine_paths,
       file_bytes)
