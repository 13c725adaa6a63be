"""The local cluster's node and its images."""

import pathlib
import subprocess

import towline
from release import in_node

ADDRESS = "198.18.0.2"  # where this machine and pods reach NodePorts


def build_images(folder, *names, tag=None):
    """Builds images of these programs into `folder`."""
    options = ["--tag", tag] if tag else []
    subprocess.run([towline.REPOSITORY / "image/build", "--output", folder, *options, *names], check=True, timeout=300)


def import_image(name, folder, tag=None):
    """Builds the image of a program and brings it into the node."""
    build_images(folder, name, tag=tag)
    with open(pathlib.Path(folder) / f"{name}.tar", "rb") as archive:
        in_node("ctr", "-n", "k8s.io", "image", "import", "-", input=archive)


def remove_image(name):
    in_node("ctr", "-n", "k8s.io", "image", "rm", name)
