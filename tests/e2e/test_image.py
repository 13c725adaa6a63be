"""The OCI images: what is in them, who they run as, how large they are, and that the same inputs give the same ones."""

import gzip
import io
import json
import posixpath
import re
import subprocess
import tarfile

import pytest

import node

MIB = 1024 * 1024
SHELLS = {"sh", "bash", "dash", "ash", "zsh", "busybox"}


class Image:
    """An OCI archive, read: its index, manifest, configuration, and the entries of its layers by path."""

    def __init__(self, path, unpacked):
        self.path = path
        with tarfile.open(path) as archive:
            self.files = {member.name: archive.extractfile(member).read()
                          for member in archive.getmembers() if member.isfile()}
        self.digest = json.loads(self.files["index.json"])["manifests"][0]["digest"]
        self.manifest = json.loads(self.blob(self.digest))
        config = json.loads(self.blob(self.manifest["config"]["digest"]))
        self.created, self.config = config["created"], config["config"]
        self.entries, self.root = {}, unpacked
        for layer in self.manifest["layers"]:
            with tarfile.open(fileobj=io.BytesIO(gzip.decompress(self.blob(layer["digest"])))) as entries:
                self.entries |= {"/" + member.name.strip("/"): member for member in entries.getmembers()}
                entries.extractall(unpacked)

    def blob(self, digest):
        return self.files["blobs/" + digest.replace(":", "/")]

    @property
    def size(self):
        return sum(layer["size"] for layer in self.manifest["layers"])

    def paths(self, within="/"):
        return {path for path, entry in self.entries.items() if path.startswith(within) and not entry.isdir()}

    def needed(self, path):
        """The libraries that a program or library names, and its loader."""
        text = subprocess.run(["readelf", "--dynamic", "--program-headers", "--wide", self.root / path.strip("/")],
                              check=True, capture_output=True, text=True).stdout
        return set(re.findall(r"\(NEEDED\).*\[(.+)\]", text)) | {
            posixpath.basename(name) for name in re.findall(r"program interpreter: (\S+?)\]", text)}

    def programs(self):
        return {path for path in self.paths()
                if self.entries[path].isfile() and (self.root / path.strip("/")).read_bytes()[:4] == b"\x7fELF"
                and ".so" not in posixpath.basename(path)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("images")


@pytest.fixture(scope="module")
def images(folder):
    node.build_images(folder, "agentk", "kas")
    return {name: Image(folder / f"{name}.tar", folder / name) for name in ("agentk", "kas")}


@pytest.fixture(params=["agentk", "kas"])
def image(request, images):
    return images[request.param]


@pytest.fixture
def agentk(images):
    return images["agentk"]


@pytest.fixture
def kas(images):
    return images["kas"]


def test_the_same_inputs_give_the_same_digest_whoever_builds(images, folder):
    again = folder / "again"
    subprocess.run(["bash", "-c", f"umask 077; exec '{node.towline.REPOSITORY}/image/build' --output '{again}'"],
                   check=True, timeout=300)
    for name, image in images.items():
        assert Image(again / f"{name}.tar", again / name).digest == image.digest, name


def test_entries_have_no_time_and_say_nothing_of_the_builder(image):
    assert image.created == "1970-01-01T00:00:00Z"
    assert {entry.mtime for entry in image.entries.values()} == {0}
    assert not {entry.uname or entry.gname for entry in image.entries.values()} - {"", "root"}


def test_it_runs_as_nobody_special_with_a_name_and_a_version(image, images):
    name = next(name for name, each in images.items() if each is image)
    assert image.config["User"] == "1000:1000"
    assert image.config["Entrypoint"] == [f"/usr/bin/{name}"]
    labels = image.config["Labels"]
    assert labels["org.opencontainers.image.title"] == name
    assert re.fullmatch(r"v\d+\.\d+\.\d+", labels["org.opencontainers.image.version"])
    assert labels["org.opencontainers.image.licenses"] == "MIT"


def test_nothing_but_the_data_folder_can_be_written_to(image):
    for path, entry in image.entries.items():
        if path == "/var/lib/towline":
            assert (entry.uid, entry.gid, entry.mode & 0o7777) == (1000, 1000, 0o755)
            continue
        assert (entry.uid, entry.gid) == (0, 0), path
        allowed = 0o755 if entry.isdir() else 0o777 if entry.issym() else 0o555
        assert entry.mode & 0o7777 & ~allowed == 0, f"{path}: {entry.mode:o}"


def test_agentk_has_no_data_folder_and_no_temporary_one(agentk):
    assert not {"/tmp", "/var"} & agentk.entries.keys()


def test_agentk_holds_no_other_program_and_no_shell(agentk):
    assert agentk.programs() == {"/usr/bin/agentk"}
    assert not {path for path in agentk.paths() if posixpath.basename(path) in SHELLS}


def test_kas_holds_git_and_a_shell_for_its_hooks_and_no_other_program(kas):
    assert kas.programs() == {"/usr/bin/kas", "/usr/bin/git", "/usr/lib/git-core/git-http-backend", "/bin/dash", "/bin/cat"}
    assert kas.entries["/bin/sh"].linkname == "dash"


def test_every_library_is_needed_and_none_is_missing(image):
    there = {posixpath.basename(path): path for path in image.paths() if ".so" in posixpath.basename(path)}
    needed, waiting = set(), set(image.programs())
    while waiting:
        found = image.needed(waiting.pop()) - needed
        assert found <= there.keys(), found - there.keys()
        needed |= found
        waiting |= {there[name] for name in found}
    assert needed == there.keys(), f"nobody loads {there.keys() - needed}"


def test_programs_are_stripped(image):
    for path in image.programs():
        text = subprocess.run(["readelf", "--section-headers", "--wide", image.root / path.strip("/")], check=True,
                              capture_output=True, text=True).stdout
        assert ".symtab" not in text and ".debug" not in text, path


def test_there_are_certificates_and_no_documentation(image):
    assert b"BEGIN CERTIFICATE" in (image.root / "etc/ssl/certs/ca-certificates.crt").read_bytes()
    assert not image.paths("/usr/share")


@pytest.mark.parametrize("name, limit", [("agentk", 10), ("kas", 20)])
def test_it_is_small(images, name, limit):
    assert images[name].size <= limit * MIB, f"{images[name].size / MIB:.1f} MiB compressed"


def test_kas_keeps_its_data_below_the_data_folder_unless_told_otherwise(kas):
    assert kas.config["WorkingDir"] == "/var/lib/towline"
    assert kas.config["Cmd"] == ["--data-dir=/var/lib/towline/data"]
    assert "8150/tcp" in kas.config["ExposedPorts"]
