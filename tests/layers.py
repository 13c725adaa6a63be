"""The layer rules of docs/architecture.md, checked over #include lines and the link lines of CMake."""

import dataclasses
import pathlib
import re

# A layer may use those of a lower number. Equal numbers do not know each other.
RANK = {"base": 0, "io": 1, "http": 2, "grpc": 3, "kube": 4, "tunnel": 4, "control": 5, "web": 5, "modules": 6,
        "kas": 7, "agentk": 7, "cli": 7}
# Generated messages, which the layers that know what travels in them may use.
PROTO_FROM = 3
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.M)
# Programs that are not called like their layer.
PROGRAMS = {"towline": "cli"}
TEST_FILE = re.compile(r"(_test|_fuzz)\.cc$|(^|/)test_[^/]*$|_test_support\.(h|cc)$")


@dataclasses.dataclass
class Place:
    """Where a file or library stands: layer, feature of src/modules, and end (agent, server or none)."""
    layer: str
    feature: str = ""
    end: str = ""

    @classmethod
    def of(cls, path):
        parts = pathlib.PurePosixPath(path).parts
        layer = parts[0]
        feature = parts[1] if layer == "modules" and len(parts) > 2 else ""
        rest = parts[2:] if feature else parts[1:]
        end = rest[0] if layer in ("tunnel", "modules") and rest and rest[0] in ("agent", "server") else ""
        return cls(layer, feature, end)

    def __str__(self):
        return "/".join(part for part in (self.layer, self.feature, self.end) if part)


def why_not(user, used, in_test=False):
    """The reason why `user` must not use `used`, or an empty string."""
    if used.layer not in RANK:
        return f"there is no layer {used.layer}"
    if RANK[used.layer] > RANK[user.layer]:
        return f"arrows point down only: {user.layer} stands below {used.layer}"
    if user.layer != used.layer and RANK[used.layer] == RANK[user.layer]:
        return f"{user.layer} and {used.layer} stand side by side and do not know each other"
    if user.feature and used.feature and user.feature != used.feature:
        return f"a feature does not know another: {user.feature} and {used.feature} meet in the programs only"
    if user.end and used.end and user.end != used.end and not in_test:
        return "the agent's and the server's end never meet: what they share is the wire contract"
    if used.layer == "modules" and used.end == "server" and user.layer == "agentk":
        return "the agent is small: nothing of a server in it"
    if user.layer == "cli" and used.layer not in ("cli", "base"):
        return "the command line is a client like any other: the REST API and src/base, nothing else of the server"
    if used.layer in ("control",) and user.layer == "agentk":
        return f"{user.layer} speaks to the control plane over the network only"
    if used.layer == "tunnel" and used.end == "server" and user.layer == "agentk":
        return "the agent is small: nothing of a server in it"
    if used.end == "agent" and user.layer == "kas":
        return "the server never links an agent's end"
    return ""


def include_problems(src):
    for file in sorted([*src.rglob("*.h"), *src.rglob("*.cc")]):
        name = file.relative_to(src).as_posix()
        user = Place.of(name)
        for included in INCLUDE.findall(file.read_text()):
            first = included.split("/")[0]
            if first == "proto":
                if RANK.get(user.layer, 0) < PROTO_FROM:
                    yield f"{name} includes {included}: {user.layer} does not know what travels through it"
                continue
            if first == "tests" or included.startswith(".."):
                yield f"{name} includes {included}: what stands in src/ never includes tests, nor goes up by .."
                continue
            if "/" not in included:
                yield f'{name} includes "{included}": write the path from src/'
                continue
            reason = why_not(user, Place.of(included), bool(TEST_FILE.search(name)))
            if reason:
                yield f"{name} includes {included}: {reason}"


def link_graph(src):
    """Library or program to the project's libraries that it links for production: {name: set of names}."""
    graph = {}
    for file in src.rglob("CMakeLists.txt"):
        text = re.sub(r"#.*", "", file.read_text())
        for body in re.findall(r"\btowline_module\s*\(([^)]*)\)", text):
            words = body.split()
            links, section = set(), ""
            for word in words[1:]:
                if word in ("SOURCES", "TESTS", "FUZZ", "DEPS", "LIBS", "PRIVATE_LIBS", "TEST_LIBS"):
                    section = word
                elif section == "DEPS":
                    links.add(word.replace("/", "_"))
                elif section in ("LIBS", "PRIVATE_LIBS") and word.startswith("towline_"):
                    links.add(word.removeprefix("towline_"))
            graph[words[0].replace("/", "_")] = links
        for body in re.findall(r"\btarget_link_libraries\s*\(([^)]*)\)", text):
            words = body.split()
            graph.setdefault(words[0].removeprefix("towline_"), set()).update(
                word.removeprefix("towline_") for word in words[1:] if word.startswith("towline_"))
    return graph


def place_of_library(name, src):
    """tunnel_server is tunnel/server; configuration_agent is modules/configuration/agent."""
    name = PROGRAMS.get(name, name)
    if name in RANK:
        return Place(name)
    for layer in ("tunnel", *RANK):
        if name.startswith(layer + "_"):
            return Place.of(f"{layer}/{name.removeprefix(layer + '_')}/x")
    for feature in sorted((p.name for p in (src / "modules").glob("*") if p.is_dir()), key=len, reverse=True):
        if name == feature or name.startswith(feature + "_"):
            return Place.of(f"modules/{feature}/{name.removeprefix(feature).strip('_') or '.'}/x")
    return None


def closure(graph, name):
    seen, todo = set(), [name]
    while todo:
        for each in graph.get(todo.pop(), ()):
            if each not in seen:
                seen.add(each)
                todo.append(each)
    return seen


def link_problems(src):
    graph = link_graph(src)
    for name in sorted(graph):
        user = place_of_library(name, src)
        if user is None:
            yield f"library {name}: it belongs to no layer"
            continue
        # A program answers for all that comes in through its libraries, a library for what it names.
        used_names = closure(graph, name) if RANK.get(user.layer) == 7 else graph[name]
        for used_name in sorted(used_names - {"proto", "options"}):
            used = place_of_library(used_name, src)
            reason = "it belongs to no layer" if used is None else why_not(user, used)
            if reason:
                yield f"{name} links {used_name}: {reason}"


def problems(root):
    src = pathlib.Path(root) / "src"
    return [*include_problems(src), *link_problems(src)]
