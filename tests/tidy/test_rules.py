"""Every rule lets good examples pass and catches a bad one."""
import textwrap

import pytest

import cpp_text
import rules

GOOD = {
    "src/base/error.h": "#pragma once\n",
    "src/text/bpe.h": '#pragma once\n#include "base/error.h"\n#include "text/bpe.h"\n',
    "src/app/main.cpp": '#include "text/bpe.h"\nint main() {\n  return 0;\n}\n',
    "src/media/demux.cpp": "extern \"C\" {\n#include <libavformat/avformat.h>\n}\n",
    "src/tensor/device.cpp": "#include <ggml.h>\n// co_await is for others\n",
    "src/model/qwen3vl/vision.cpp": '#include <gguf.h>\n',
    "src/api/session.cpp": "void f() { co_await g(); }\n",
    "src/folders.cmake": "tru_folder(text USES tru_base PkgConfig::PCRE2)\n"
    "tru_program(tru app USES tru_text)\n",
    "tools/make": '#!/usr/bin/env python3\nprint("$HOME/x ~/root/y /usr/bin/env")\n',
    "README.md": "x" * 200,
    "build-x/huge.cpp": "x" * 2_000_000,
    "tests/data/models/m/model.safetensors": "x" * 1_500_000,
}

BAD = [
    ("ranks", "src/text/a.cpp", '#include "media/probe.h"\n', "text may not use media"),
    ("ranks", "src/text/a.cpp", '#include "app/main.h"\n', "text may not use app"),
    ("ranks", "src/base/a.cpp", '#include "metrics/counter.h"\n', "base may not use metrics"),
    ("ranks", "src/engine/a_test.cpp", '#include "weights/config.h"\n', "may not use weights"),
    ("ranks", "src/text/a.cpp", '#include "bpe.h"\n', "is not a file of src"),
    ("ranks", "src/text/a.cpp", '#include "../base/error.h"\n', "is not a file of src"),
    ("ranks", "src/text/a.cpp", '#include "text/gone.h"\n', "is not a file of src"),
    ("ranks", "src/util/a.cpp", "", "no line in the table"),
    ("links", "src/folders.cmake", "tru_folder(media USES tru_text)\n", "media may not use text"),
    ("links", "src/folders.cmake", "tru_program(tru util USES tru_base)\n", "no line"),
    ("walls", "src/engine/a.cpp", "#include <ggml-backend.h>\n", "ggml only in"),
    ("walls", "src/pipeline/a.h", '#include "gguf.h"\n', "ggml only in"),
    ("walls", "src/app/a.cpp", "# include <libavutil/frame.h>\n", "libav only in"),
    ("walls", "src/app/a.cpp", '#include "libswscale/swscale.h"\n', "libav only in"),
    ("walls", "src/pipeline/a.cpp", "void f() { co_return; }\n", "coroutines only in"),
    ("walls", "src/engine/a.cpp", "void f() { co_await g(); }\n", "coroutines only in"),
    ("headers", "src/base/a.h", "#ifndef A_H\n#define A_H\n#endif\n", "no #pragma once"),
    ("file_lines", "src/base/a.cpp", "int x;\n" * 501, "501 lines"),
    ("file_lines", "tools/long.sh", ":\n" * 501, "501 lines"),
    ("line_columns", "src/base/a.cpp", "// " + "x" * 98 + "\n", "101 columns"),
    ("line_columns", "cmake/A.cmake", "# " + "x" * 99 + "\n", "101 columns"),
    ("line_columns", "tests/run_me", "#!/bin/sh\n# " + "x" * 99 + "\n", "101 columns"),
    ("line_columns", "src/base/a.cpp", "int x; \n", "trailing space"),
    ("line_columns", "src/base/a.cpp", "\tint x;\n", "a tab"),
    ("function_lines", "src/base/a.cpp", "void f() {\n" + "  g();\n" * 69 + "}\n", "71 lines"),
    ("function_lines", "tools/a.py", "def f():\n" + "    g()\n" * 70, "71 lines"),
    ("machine_paths", "README.md", "see /ho" + "me/ann/model\n", "a path of one machine"),
    ("machine_paths", "src/base/a.cpp", 'auto p = "/ro' + 'ot/x";\n', "a path of one machine"),
    ("file_bytes", "docs/picture.png", "x" * 1_000_001, "1000001 bytes"),
    ("file_bytes", "tests/data/media/a.mp4", "x" * 1_000_001, "1000001 bytes"),
]


def make_tree(root, files):
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return rules.Tree(root)


def test_good_tree_passes(tmp_path):
    tree = make_tree(tmp_path, GOOD)
    assert [offence for rule in rules.ALL for offence in rule(tree)] == []


@pytest.mark.parametrize("name, path, text, what", BAD)
def test_bad_example_is_caught(tmp_path, name, path, text, what):
    others = {"src/media/probe.h": "#pragma once\n", "src/weights/config.h": "#pragma once\n",
              "src/metrics/counter.h": "#pragma once\n", "src/app/main.h": "#pragma once\n"}
    tree = make_tree(tmp_path, {**GOOD, **others, path: text})
    (offence,) = getattr(rules, name)(tree)
    assert offence.startswith(path + ":") and what in offence


def test_every_rule_has_a_bad_example():
    assert {rule.__name__ for rule in rules.ALL} == {name for name, *_ in BAD}


def test_ranks_fall():
    for rank, uses in rules.FOLDERS.values():
        assert all(rules.FOLDERS[used][0] < rank for used in uses or ())


def found(source):
    return [(f.head, f.line, f.lines) for f in cpp_text.functions(textwrap.dedent(source))]


def test_functions_are_found_with_their_signature():
    assert found("""\
        namespace tru {
        template <typename T = int>
        T twice(const T& x,
                T y = T{}) noexcept {
          auto add = [&](T z) { return x + z; };
          if (x) { return add(y); }
          return x;
        }
        class Box : public Base<int> {
         public:
          explicit Box(int x) : x_{x}, y_(x) {}
          bool operator==(const Box& other) const { return x_ == other.x_; }
          int x() const {
            return x_;
          }
         private:
          int x_{0};
          std::vector<int> y_ = make({1, 2});
        };
        }  // namespace tru
        """) == [
        ("template <typename T = int> T twice(const T& x, T y = T{}) noexcept", 2, 7),
        ("explicit Box(int x) : x_{x}, y_(x)", 11, 1),
        ("bool operator==(const Box& other) const", 12, 1),
        ("int x() const", 13, 3),
    ]


def test_braces_in_text_are_not_code():
    assert found("""\
        #define OPEN(x) if (x) {
        const char* brace = "{ \\" {";
        const char raw[] = R"json({"a": ")" {)json";
        const char open = '{';  // {
        /* void no() { */
        int big = 1'000'000;
        void f() {
          g('}', "}");
        }
        """) == [("void f()", 7, 3)]


def test_tables_and_types_are_not_functions():
    assert found("""\
        constexpr std::array<int, 2> table = {f(1), f(2)};
        enum class Kind { one, two };
        struct alignas(64) Wide { int x; };
        extern "C" {
        int declared(int);
        }
        """) == []
