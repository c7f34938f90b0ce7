#!/usr/bin/env python3
"""Collects the files of the container image in a folder: what the Dockerfile and `./dev image` share.

  collect.py --programs FOLDER --out FOLDER --version VERSION [--epoch SECONDS]

Stripped esc-agent and esc-keeper, the shared libraries that esc-agent is linked with, the loader,
Mozilla's CA certificates, the few files of /etc that libc asks for, the licences of all of it, and
an SBOM (sbom.py). No shell, no package manager, nothing of this machine but Debian's packages. The
same inputs give the same bytes; every time stamp is SECONDS (default: SOURCE_DATE_EPOCH, or 0).
"""

import argparse
import os
import shutil
import subprocess
import sys

import packages
import sbom

# Linked statically, or headers only, of which no file is in the image. Headers of the shared
# libraries come from the libraries' own sources.
COMPILED_IN = {
    "usr/local/bin/esc-agent": ["libcli11-dev", "nlohmann-json3-dev"],
    "usr/local/bin/esc-keeper": ["libc6-dev", "libgcc-12-dev"],
}
CERTIFICATES = "etc/ssl/certs/ca-certificates.crt"
AGENT_ID = 65532
ETC = {
    "passwd": "root:x:0:0:root:/:/sbin/nologin\n"
              f"esc-agent:x:{AGENT_ID}:{AGENT_ID}:esc-agent:/nonexistent:/sbin/nologin\n",
    "group": f"root:x:0:\nesc-agent:x:{AGENT_ID}:\n",
    "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
}
# Where a volume is expected, or a temporary file.
FOLDERS = {"dev": 0o755, "proc": 0o755, "run": 0o755, "sys": 0o755, "tmp": 0o1777}
REPOSITORY = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")


class Image:
    """The folder, and which Debian package brought which file of it."""

    def __init__(self, folder):
        self.folder = folder
        self.owners = {}  # path in the image -> Package
        for name, mode in FOLDERS.items():
            os.makedirs(os.path.join(folder, name))
            os.chmod(os.path.join(folder, name), mode)

    def write(self, path, content, owner=None):
        target = self._prepare(path)
        with open(target, "wb") as file:
            file.write(content if isinstance(content, bytes) else content.encode())
        os.chmod(target, 0o644)
        self._own(path, owner)

    def copy(self, source, path, owner=None):
        target = self._prepare(path)
        shutil.copyfile(source, target)
        os.chmod(target, 0o755 if os.access(source, os.X_OK) else 0o644)
        self._own(path, owner)

    def link(self, path, target):
        """A symbolic link. Both belong to the same package, so it is not recorded."""
        os.symlink(target, self._prepare(path))

    def has(self, path):
        return os.path.lexists(os.path.join(self.folder, path))

    def _prepare(self, path):
        target = os.path.join(self.folder, path)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        return target

    def _own(self, path, owner):
        if owner is not None:
            self.owners[path] = owner


def linked_with(program):
    """The shared libraries and the loader of a program, as the loader finds them."""
    found = subprocess.run(["ldd", program], text=True, stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, check=False)
    if "statically linked" in found.stdout or "not a dynamic executable" in found.stdout:
        return []
    if found.returncode != 0 or "not found" in found.stdout:
        raise RuntimeError(f"the libraries of {program} cannot be found:\n{found.stdout}")
    words = [word for line in found.stdout.splitlines() for word in line.split()]
    return sorted({word for word in words if word.startswith("/")})


def add_programs(image, folder):
    """The stripped programs. Returns the shared libraries they need."""
    libraries = set()
    for name in ("esc-agent", "esc-keeper"):
        program = os.path.join(folder, name)
        image.copy(program, f"usr/local/bin/{name}")
        subprocess.run(["strip", "--strip-all",
                        os.path.join(image.folder, "usr/local/bin", name)], check=True)
        libraries.update(linked_with(program))
        if name == "esc-keeper" and linked_with(program):
            raise RuntimeError(f"{program} is not static: it runs as root, with no library beside it")
    return sorted(libraries)


def add_libraries(image, libraries):
    """Each library below the name it has in Debian, with a link of the name that programs ask for."""
    image.link("lib", "usr/lib")
    image.link("lib64", "usr/lib64")
    files = sorted({os.path.realpath(library) for library in libraries})
    owners = packages.owners(files)
    for path in files:
        image.copy(path, path[1:], owners[path])
    for library in libraries:
        real = os.path.realpath(library)
        folder = os.path.realpath(os.path.dirname(library))
        name = os.path.join(folder, os.path.basename(library))
        if not image.has(name[1:]):
            image.link(name[1:], os.path.relpath(real, folder))


def add_configuration(image):
    for name, content in ETC.items():
        image.write(f"etc/{name}", content)
    found = packages.find(["base-files", "ca-certificates"])
    base, owner = found["base-files"], found["ca-certificates"]
    image.copy("/usr/lib/os-release", "usr/lib/os-release", base)
    image.link("etc/os-release", "../usr/lib/os-release")
    # Not /etc/ssl/certs of this machine, where its administrator may have added others.
    certificates = sorted(path for path in owner.files()
                          if path.startswith("/usr/share/ca-certificates/") and path.endswith(".crt"))
    if not certificates:
        raise RuntimeError("the package ca-certificates has brought no certificates")
    bundle = b""
    for path in certificates:
        with open(path, "rb") as file:
            bundle += file.read().rstrip(b"\n") + b"\n"
    image.write(CERTIFICATES, bundle, owner)


def add_licences(image, every_package):
    """The copyright file of each package, and the full texts that they refer to."""
    image.copy(os.path.join(REPOSITORY, "LICENSE"), "usr/share/doc/esc-agent/copyright")
    for package in every_package:
        image.write(f"usr/share/doc/{package.name}/copyright", package.copyright(), package)
    base = packages.find(["base-files"])["base-files"]
    common = "/usr/share/common-licenses"
    for name in sorted(os.listdir(common)):
        path = os.path.join(common, name)
        if os.path.islink(path):
            image.link(path[1:], os.readlink(path))
        else:
            image.copy(path, path[1:], base)


def add_package_database(image):
    """dpkg's paragraphs of the packages, one a file, where scanners look in images without dpkg."""
    some = sorted(set(image.owners.values()), key=lambda package: package.name)
    for package, status in packages.statuses(some).items():
        image.write(f"var/lib/dpkg/status.d/{package.name}", status)


def set_times(folder, epoch):
    for parent, folders, files in os.walk(folder, topdown=False):
        for name in folders + files:
            os.utime(os.path.join(parent, name), (epoch, epoch), follow_symlinks=False)
    os.utime(folder, (epoch, epoch))


def collect(programs, out, version, epoch):
    os.umask(0o022)
    image = Image(out)
    add_libraries(image, add_programs(image, programs))
    add_configuration(image)
    compiled_in = {path: list(packages.find(names).values())
                   for path, names in COMPILED_IN.items()}
    every_package = set(image.owners.values()).union(*compiled_in.values())
    add_licences(image, sorted(every_package, key=lambda package: package.name))
    add_package_database(image)
    document = sbom.document(image.folder, image.owners, compiled_in, version, epoch)
    image.write(sbom.PATH, document)
    set_times(out, epoch)


def main():
    parser = argparse.ArgumentParser(description="Collect the files of the container image.")
    parser.add_argument("--programs", required=True, help="folder with esc-agent and esc-keeper")
    parser.add_argument("--out", required=True, help="folder to create")
    parser.add_argument("--version", required=True)
    parser.add_argument("--epoch", type=int, default=int(os.environ.get("SOURCE_DATE_EPOCH") or 0),
                        help="every time stamp, in seconds since 1970")
    arguments = parser.parse_args()
    try:
        os.makedirs(arguments.out)
        collect(arguments.programs, arguments.out, arguments.version, arguments.epoch)
    except (OSError, LookupError, RuntimeError, subprocess.CalledProcessError) as error:
        sys.exit(f"image/collect.py: the files of the image cannot be collected: {error}")


if __name__ == "__main__":
    main()
