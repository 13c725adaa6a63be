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
    "src/tunnel/tunnel_test.cc": "both ends in one scene",
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
