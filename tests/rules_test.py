"""Rules of the repository, each with its reason."""

import pathlib
import re
import subprocess

import pytest

REPOSITORY = pathlib.Path(__file__).resolve().parents[1]
MAX_LINES = 400

# Written in two parts, so that this file keeps its own rules.
FORBIDDEN = {
    "/wo" "rk/": "a path of one machine; the project stands anywhere",
    r"(?<![\w./-])sha" "red/": "a folder that is not part of the project",
    "work" "tree/": "how somebody works on the project is not part of it",
    r"\b(deb\.deb" r"ian\.org|security\.deb" r"ian\.org|registry\.np" r"mjs\.org|proxy\.go" r"lang\.org|pypi\.or" "g)":
        "registries are reached through the machine's own configuration",
    r"(?i)\b(cla" "ude|anthr" "opic|chat" "gpt|copi" r"lot)\b": "tools that people write with are not part of the project",
}
# Files beyond MAX_LINES, and why they are not split.
LONG = {
    "src/http/http2_session.cc": "one state machine over nghttp2's callbacks; its parts share every field",
    "src/modules/kubernetes_api/server/proxy.cc": "one request's life from credential to audit line, read top down",
    "src/control/api/api_test.cc": "one conversation with the API, section by section",
    "src/http/http1_client_test.cc": "one table of a client's behaviours over one fixture",
    "src/http/http2_test.cc": "one table of a connection's behaviours over one fixture",
}


def files():
    """Tracked and new files, not the ignored ones."""
    names = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=REPOSITORY, check=True,
                           capture_output=True, text=True).stdout.splitlines()
    return [REPOSITORY / name for name in names if (REPOSITORY / name).is_file()]


def text_of(path):
    try:
        return path.read_text()
    except UnicodeDecodeError:
        return ""


def violations(paths):
    for path in paths:
        for number, line in enumerate(text_of(path).splitlines(), 1):
            for pattern, reason in FORBIDDEN.items():
                if re.search(pattern, line):
                    yield f"{path}:{number}: {line.strip()[:80]!r}: {reason}"


def too_long(paths, root=REPOSITORY):
    for path in paths:
        name = path.relative_to(root).as_posix()
        if not name.startswith("src/") or name in LONG:
            continue
        lines = text_of(path).count("\n")
        if lines > MAX_LINES:
            yield f"{name} has {lines} lines: split it, or give the reason in tests/rules_test.py"


def test_no_text_names_what_is_not_part_of_the_project():
    found = list(violations(files()))
    assert not found, "\n".join(found)


def test_files_are_of_a_readable_length_or_say_why_not():
    found = list(too_long(files()))
    assert not found, "\n".join(found)
    missing = [name for name in LONG if not (REPOSITORY / name).exists()]
    assert not missing, f"gone, and so is the reason to list them: {missing}"


def test_headers_are_included_once():
    found = [str(path) for path in files() if path.suffix == ".h" and "#pragma once" not in text_of(path)]
    assert not found, "#pragma once is missing: " + ", ".join(found)


def test_sources_are_formatted():
    sources = [path for path in files() if path.suffix in (".cc", ".h")]
    result = subprocess.run(["clang-format-14", "--dry-run", "-Werror", *sources], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr[-2000:]


def test_the_calls_that_programs_name_are_those_of_the_contract():
    contract = set()
    for path in (REPOSITORY / "proto").glob("*.proto"):
        service = None
        for line in path.read_text().splitlines():
            if found := re.match(r"// ([\w.]+\.rpc\.\w+)[:,]", line):
                service = found[1]
            elif found := re.match(r"//   rpc (\w+) ", line):
                contract.add(f"/{service}/{found[1]}")
    named = set(re.findall(r'"(/[\w.]+/\w+)"', text_of(REPOSITORY / "proto/methods.h")))
    assert named and named <= contract, f"of no service in proto/: {sorted(named - contract)}"
    elsewhere = [str(path) for path in (REPOSITORY / "src").rglob("*.cc") if re.search(r'"/[\w.]+\.rpc\.\w+/', text_of(path))]
    assert not elsewhere, f"the paths of calls stand in proto/methods.h, and not in {elsewhere}"


@pytest.mark.parametrize("line", ["see /wo" "rk/main", "as sha" "red/design.md says", "curl https://deb.deb" "ian.org/x"])
def test_the_check_of_texts_finds_each(tmp_path, line):
    (tmp_path / "a.md").write_text("fine\n" + line + "\n")
    assert len(list(violations([tmp_path / "a.md"]))) == 1


def test_the_check_of_texts_passes_ordinary_words(tmp_path):
    (tmp_path / "a.md").write_text("add_library(x SHARED)\nstd::shared_ptr<char> shared_;\nnetwork/work\n-shared\n")
    assert list(violations([tmp_path / "a.md"])) == []


def test_the_check_of_lengths_finds_a_long_file(tmp_path):
    (tmp_path / "src").mkdir()
    (tmp_path / "src/a.cc").write_text("//\n" * 401)
    assert len(list(too_long([tmp_path / "src/a.cc"], tmp_path))) == 1


def test_the_table_of_limits_is_the_codes():
    result = limits_program("--check")
    assert result.returncode == 0, result.stderr


def limits_program(*arguments):
    return subprocess.run([REPOSITORY / "scripts/limits", *map(str, arguments)], capture_output=True, text=True)


@pytest.fixture
def limited(tmp_path):
    """A source with limits and a document that has them all; returns its check."""
    source, document = tmp_path / "src", tmp_path / "limits.md"
    (source / "io").mkdir(parents=True)
    (source / "io/a.cc").write_text(
        "// Words.\n/// Limit: bytes of a head; 431. Nobody sends\n/// more.\nconstexpr std::size_t kMaxHead = 64 * 1024;\n"
        "struct Limits {\n  /// Limit: time without a byte, over which\n  /// nothing is said; closed.\n"
        "  std::chrono::milliseconds idle_timeout{120'000};\n};\n")
    document.write_text("a\n<!-- limits: made by scripts/limits, which reads the comments of the code -->\n"
                        "<!-- end of limits -->\nz\n")
    check = lambda *more: limits_program("--source", source, "--document", document, *more)
    assert check().returncode == 0
    check.source, check.document = source / "io/a.cc", document
    return check


def test_a_limits_row_says_name_value_and_answer(limited):
    assert "| `kMaxHead` | 64 KiB | bytes of a head | 431 | io/a.cc |" in limited.document.read_text()
    assert ("| `Limits::idle_timeout` | 2 min | time without a byte, over which nothing is said | closed | io/a.cc |"
            in limited.document.read_text())
    assert limited("--check").returncode == 0


def test_a_changed_limit_is_found(limited):
    limited.source.write_text(limited.source.read_text().replace("64 * 1024", "32 * 1024"))
    assert "the code says, and the table does not: | `kMaxHead` | 32 KiB" in limited("--check").stderr


def test_a_limit_without_row_is_found(limited):
    more = "/// Limit: tries; refused.\ninline constexpr int kTries = 3;\n"
    limited.source.write_text(limited.source.read_text() + more)
    assert "| `kTries` | 3 | tries | refused |" in limited("--check").stderr


def test_a_row_without_limit_is_found(limited):
    limited.source.write_text("")
    assert "the table says, and the code does not: | `kMaxHead`" in limited("--check").stderr


@pytest.mark.parametrize("text", ["/// Limit: no answer.\nconstexpr int kA = 1;\n", "/// Limit: a; b.\nvoid f();\n"])
def test_a_limits_comment_that_is_none_is_found(limited, text):
    limited.source.write_text(text)
    assert "io/a.cc:1: write '/// Limit:" in limited("--check").stderr
