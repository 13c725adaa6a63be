"""The local cluster's node, its images, and Helm."""

import os
import pathlib
import subprocess

import towline

HOST = "198.18.0.1"  # where pods reach this machine
ADDRESS = "198.18.0.2"  # where this machine and pods reach NodePorts


def build_images(folder, *names, tag=None):
    """Builds images of these programs into `folder`."""
    options = ["--tag", tag] if tag else []
    subprocess.run([towline.REPOSITORY / "image/build", "--output", folder, *options, *names], check=True, timeout=300)


def runtime(*arguments, **options):
    """A command of the node's container runtime."""
    subprocess.run([towline.REPOSITORY / "scripts/devcluster", "node", "ctr", "-n", "k8s.io", *arguments],
                   check=True, timeout=120, **options)


def import_image(name, folder, tag=None):
    """Builds the image of `name` and brings it into the node."""
    build_images(folder, name, tag=tag)
    with open(pathlib.Path(folder) / f"{name}.tar", "rb") as archive:
        runtime("image", "import", "-", stdin=archive)


class Helm:
    """Real helm with folders of its own, on the local cluster."""

    def __init__(self, binary, folder, kubeconfig):
        folder.mkdir(parents=True, exist_ok=True)
        self.binary, self.folder = binary, folder
        self.environment = {**os.environ, "KUBECONFIG": str(kubeconfig), "HELM_CACHE_HOME": str(folder / "cache"),
                            "HELM_CONFIG_HOME": str(folder / "config"), "HELM_DATA_HOME": str(folder / "data"),
                            "NO_PROXY": f"{HOST},{ADDRESS}", "no_proxy": f"{HOST},{ADDRESS}"}

    def shell(self, text, check=True):
        """Runs commands as somebody would paste them."""
        path = f"{pathlib.Path(self.binary).parent}:{os.environ['PATH']}"
        result = subprocess.run(["bash", "-ec", text], cwd=self.folder, env={**self.environment, "PATH": path},
                                capture_output=True, text=True, timeout=180)
        if check:
            assert result.returncode == 0, result.stdout + result.stderr
        return result

    def run(self, *arguments, check=True):
        result = subprocess.run([str(each) for each in (self.binary, *arguments)], cwd=self.folder,
                                env=self.environment, capture_output=True, text=True, timeout=180)
        if check:
            assert result.returncode == 0, result.stdout + result.stderr
        return result
