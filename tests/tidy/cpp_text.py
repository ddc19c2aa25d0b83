"""C++ text without what could mislead a line-based check, and where its functions stand."""
import dataclasses
import re

_TOKEN = re.compile(
    r"""(?P<comment>//(?:\\\n|[^\n])*|/\*.*?\*/)
      | (?P<raw>\b(?:u8|[uUL])?R"(?P<mark>[^\s()\\]{0,16})\(.*?\)(?P=mark)")
      | (?P<string>"(?:\\.|[^"\\\n])*")
      | (?P<char>(?<![0-9A-Za-z_])'(?:\\.|[^'\\\n])+')
    """,
    re.VERBOSE | re.DOTALL,
)


def _blank(text):
    return re.sub(r"[^\n]", " ", text)


def strip_comments(source):
    """The source with its comments blanked; line numbers stay."""
    return _TOKEN.sub(lambda m: _blank(m[0]) if m["comment"] else m[0], source)


def strip_literals(source):
    """The source with comments, strings and character literals blanked; line numbers stay."""
    return _TOKEN.sub(lambda m: _blank(m[0]), source)


def code_only(source):
    """strip_literals() without preprocessor lines: what is left of a macro is its use."""
    directive = re.compile(r"^[ \t]*#(?:\\\n|[^\n])*", re.MULTILINE)
    return directive.sub(lambda m: _blank(m[0]), strip_literals(source))


@dataclasses.dataclass
class Function:
    head: str  # what stands before the body, on one line
    line: int  # where the head begins, counted from 1
    lines: int  # from there to the closing brace, both included


def functions(source):
    """Every function with a body, in the order of their ends.

    The rule: a brace opened in a file, namespace or class is a body when what stands before it,
    back to the last ; { } or access label, has a parameter list at its own level, is not a type or
    a namespace, assigns nothing, and ends with a space (the formatter leaves none before the
    brace of an initializer). Blocks, lambdas and local classes within belong to their function.
    """
    found = []
    scopes = []  # of open braces: "scope" (namespace, class), "initializer" or a Function
    head_start = depth = inside = 0
    code = code_only(source)
    for match in re.finditer(r"[(){};]|\b(?:public|private|protected)\s*:", code):
        token, at = match[0], match.start()
        if token == "(":
            depth += 1
        elif token == ")":
            depth -= 1
        elif token == "{":
            kind = "initializer"
            if not inside and depth == 0:
                kind = _kind(code, head_start, at)
            scopes.append((kind, depth))
            depth = 0
            if isinstance(kind, Function):
                inside += 1
            if kind != "initializer":
                head_start = at + 1
        elif token == "}" and scopes:
            kind, depth = scopes.pop()
            if isinstance(kind, Function):
                inside -= 1
                kind.lines = code.count("\n", 0, at) + 2 - kind.line
                found.append(kind)
            if kind != "initializer":
                head_start = at + 1
        elif depth == 0:
            head_start = match.end()
    return found


def _collapse(inner, mark, text):
    while (shorter := re.sub(inner, mark, text)) != text:
        text = shorter
    return text


def _kind(code, head_start, at):
    head = code[head_start:at]
    flat = _collapse(r"\([^()]*\)", "@", head)
    flat = re.sub(r"\boperator\s*[^\s\w@]+", "operator", flat)
    flat = _collapse(r"<[^<>]*>", " ", flat)
    flat = re.sub(r"\b__attribute__@|\[\[[^\]]*\]\]|\balignas@", " ", flat)
    declares_type = re.search(r"(?:^|[\s>])(?:namespace|class|struct|union|enum)\b", flat)
    if "@" in flat and head[-1:].isspace() and "=" not in flat:
        first = head_start + len(head) - len(head.lstrip())
        return Function(" ".join(head.split()), code.count("\n", 0, first) + 1, 0)
    if declares_type or re.match(r"\s*extern\s*$", flat):
        return "scope"
    return "initializer"
