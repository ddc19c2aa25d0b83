"""A stand-in for the web page's export, laid out beside the program as a package does it."""
import gzip
import os
import shutil

HOME = b"<!DOCTYPE html><title>TRU</title><h1>stand-in page</h1>"
SCRIPT = b"console.log('stand-in');" * 100
POLICY = "default-src 'none'; script-src 'self'; frame-ancestors 'none'"
GUIDE = b"<h1>guide</h1>"
STOLEN = b"a file of the page"

# What an export holds, and what none should hold: files that look like parts of the interface.
FILES = {
    "index.html": HOME,
    "404.html": b"<h1>lost</h1>",
    "about.html": b"<h1>about</h1>",
    "icon.svg": b"<svg/>",
    "csp.txt": POLICY.encode(),
    "_next/static/chunks/app.js": SCRIPT,
    "_next/static/chunks/app.js.gz": gzip.compress(SCRIPT),
    "v1/nothing.html": STOLEN,
    "v1/models/index.html": STOLEN,
    "v1/health/x.txt": STOLEN,
    "metrics.html": STOLEN,
    "metrics/index.html": STOLEN,
    "docs/guide.html": GUIDE,
    "docs/guide/faq.html": GUIDE,
    "docs/docs.js": STOLEN,
    "docs.html": STOLEN,
    "openapi.json": STOLEN,
}


def install(program, folder, with_page):
    """Puts the program and its libraries into folder/bin; the program's path there."""
    binaries = folder / "bin"
    binaries.mkdir(parents=True)
    for path in program.parent.iterdir():
        if path.name == program.name or ".so" in path.name:
            link_or_copy(path, binaries / path.name)
    if with_page:
        for name, content in FILES.items():
            path = folder / "share" / "tru" / "web" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    return binaries / program.name


def link_or_copy(source, target):
    """A symbolic link would not do: the program looks beside the file that it really is."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
