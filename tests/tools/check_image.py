#!/usr/bin/env python3
"""Checks an archive of image/archive.py: its parts, what the Dockerfile promises, its files, its SBOM.

  check_image.py ARCHIVE REPOSITORY

Prints one line a finding, else what was looked at. Exit code 1 when there are any.
"""

import gzip
import hashlib
import io
import json
import os
import re
import sys
import tarfile

LIMIT = 60 * 2**20
SBOM = "usr/share/sbom/esc-agent.spdx.json"
PROGRAMS = {"usr/local/bin/esc-agent", "usr/local/bin/esc-keeper"}


class Archive:
    """The parsed archive; findings of reading it are in `findings`."""

    def __init__(self, path):
        self.findings = []
        with tarfile.open(path) as archive:
            self.parts = {part.name: archive.extractfile(part).read() for part in archive}
        index = json.loads(self.parts["index.json"])
        self.names = [m["annotations"]["io.containerd.image.name"] for m in index["manifests"]]
        self.manifest = json.loads(self._blob(index["manifests"][0]))
        self.config = json.loads(self._blob(self.manifest["config"]))
        layers = [gzip.decompress(self._blob(layer)) for layer in self.manifest["layers"]]
        diff_ids = ["sha256:" + hashlib.sha256(layer).hexdigest() for layer in layers]
        if diff_ids != self.config["rootfs"]["diff_ids"]:
            self.findings.append("the config's diff_ids are not those of the layers")
        self.size = sum(len(layer) for layer in layers)
        self.entries = {}
        for layer in layers:
            with tarfile.open(fileobj=io.BytesIO(layer)) as files:
                for entry in files:
                    content = files.extractfile(entry).read() if entry.isreg() else b""
                    self.entries[entry.name] = (entry, content)

    def _blob(self, described):
        content = self.parts["blobs/" + described["digest"].replace(":", "/")]
        digest = "sha256:" + hashlib.sha256(content).hexdigest()
        if (digest, len(content)) != (described["digest"], described["size"]):
            self.findings.append(f"{described['digest']}: the blob has another digest or size")
        return content

    def files(self):
        return {name: content for name, (entry, content) in self.entries.items() if entry.isreg()}


def check_docker_manifest(archive):
    saved = json.loads(archive.parts["manifest.json"])[0]
    for name in [saved["Config"], *saved["Layers"]]:
        if name not in archive.parts:
            yield f"manifest.json names {name}, which is not in the archive"
    if saved["RepoTags"] != archive.names:
        yield f"manifest.json says {saved['RepoTags']}, index.json {archive.names}"


def last(pattern, text):
    return re.findall(pattern, text, re.MULTILINE)[-1]


def check_config(archive, repository):
    """The Dockerfile says the same, and CMakeLists.txt the same version."""
    with open(os.path.join(repository, "Dockerfile"), encoding="utf-8") as file:
        dockerfile = file.read()
    with open(os.path.join(repository, "CMakeLists.txt"), encoding="utf-8") as file:
        version = last(r"^project\(.* VERSION (\S+)", file.read())
    config = archive.config["config"]
    expected = {
        "User": last(r"^USER (\S+)", dockerfile),
        "Entrypoint": json.loads(last(r"^ENTRYPOINT (.*)", dockerfile)),
        "Env": [last(r"^ENV (\S+)", dockerfile)],
        "WorkingDir": last(r"^WORKDIR (\S+)", dockerfile),
    }
    for key, value in expected.items():
        if config.get(key) != value:
            yield f"{key} is {config.get(key)}, in the Dockerfile {value}"
    if last(r"^ARG VERSION=(\S+)", dockerfile) != version:
        yield f"the Dockerfile's VERSION is not {version}, that of CMakeLists.txt"
    labels = dict(re.findall(r'(org\.opencontainers\.image\.\w+)="([^"]*)"', dockerfile))
    if set(labels) != set(config["Labels"]):
        yield f"labels {sorted(config['Labels'])}, in the Dockerfile {sorted(labels)}"
    for name, value in labels.items():
        if "$" not in value and config["Labels"].get(name) != value:
            yield f"label {name} is {config['Labels'].get(name)!r}, in the Dockerfile {value!r}"
    if config["Labels"]["org.opencontainers.image.version"] != version:
        yield f"the version's label is not {version}"
    if config["Labels"]["org.opencontainers.image.created"] != archive.config["created"]:
        yield "the label created is not the image's time"


def check_files(archive):
    if archive.size >= LIMIT:
        yield f"{archive.size / 2**20:.1f} MiB, more than {LIMIT // 2**20}"
    names = list(archive.entries)
    if names != sorted(names):
        yield "the layer's entries are not sorted"
    times = {entry.mtime for entry, _ in archive.entries.values()}
    if len(times) != 1:
        yield f"{len(times)} different time stamps"
    # Debian makes libc and the loader executable: they are programs, too, but start nothing else.
    library = re.compile(r"usr/lib/.*\.so(\.[0-9.]+)?")
    for name, (entry, content) in archive.entries.items():
        if (entry.uid, entry.gid) != (0, 0) or entry.mode & 0o6000:
            yield f"{name}: not root's, or setuid"
        if not entry.issym() and entry.mode & 0o022 and name != "tmp":
            yield f"{name}: others may write to it"
        runs = entry.mode & 0o111 or content.startswith(b"#!")
        if entry.isreg() and runs and name not in PROGRAMS and not library.fullmatch(name):
            yield f"{name}: can be executed, and is none of our programs"
        if entry.islnk() or entry.isdev():
            yield f"{name}: neither file, folder nor symbolic link"
        if entry.issym() and not resolves(archive, name):
            yield f"{name}: points to {entry.linkname}, which is not there"
    for name in PROGRAMS:
        if name not in archive.entries:
            yield f"{name} is missing"
        elif b".debug_info" in archive.entries[name][1]:
            yield f"{name} is not stripped"


def resolves(archive, name, depth=0):
    """The path leads to an entry, through links of the folders above it, too."""
    parts = name.split("/")
    for count in range(1, len(parts) + 1):
        entry = archive.entries.get("/".join(parts[:count]), (None,))[0]
        if entry is None:
            return False
        if entry.issym():
            target = os.path.normpath(os.path.join("/", *parts[:count - 1], entry.linkname))
            return depth < 8 and resolves(
                archive, "/".join([target[1:], *parts[count:]]), depth + 1)
    return True


def check_sbom(archive):
    document = json.loads(archive.entries[SBOM][1])
    if (document["spdxVersion"], document["dataLicense"]) != ("SPDX-2.3", "CC0-1.0"):
        yield "the SBOM is not SPDX 2.3 under CC0-1.0"
    everything = document["packages"] + document["files"]
    ids = [element["SPDXID"] for element in everything] + [document["SPDXID"]]
    if len(ids) != len(set(ids)):
        yield "the SBOM has an SPDXID twice"
    for relation in document["relationships"]:
        for end in (relation["spdxElementId"], relation["relatedSpdxElement"]):
            if end not in ids:
                yield f"the SBOM relates {end}, which it does not have"
    yield from check_sbom_files(archive, document)
    yield from check_sbom_packages(archive, document)


def check_sbom_files(archive, document):
    listed = {}
    for file in document["files"]:
        sums = {entry["algorithm"]: entry["checksumValue"] for entry in file["checksums"]}
        listed[file["fileName"].removeprefix("./")] = (sums["SHA1"], sums["SHA256"])
    present = {name: (hashlib.sha1(content).hexdigest(), hashlib.sha256(content).hexdigest())
               for name, content in archive.files().items() if name != SBOM}
    for name in sorted(set(listed) ^ set(present)):
        yield f"{name} is only in the {'SBOM' if name in listed else 'image'}"
    for name in sorted(set(listed) & set(present)):
        if listed[name] != present[name]:
            yield f"{name} has other checksums in the SBOM"


def check_sbom_packages(archive, document):
    files = {file["SPDXID"]: file for file in document["files"]}
    inside = {}
    for relation in document["relationships"]:
        if relation["relationshipType"] == "CONTAINS" and relation["relatedSpdxElement"] in files:
            inside.setdefault(relation["spdxElementId"], []).append(relation["relatedSpdxElement"])
    references = {info["licenseId"] for info in document["hasExtractedLicensingInfos"]}
    debian = set()
    for package in document["packages"]:
        name, contained = package["name"], inside.get(package["SPDXID"], [])
        for licence in re.findall(r"LicenseRef-[A-Za-z0-9.-]+", package["licenseDeclared"]):
            if licence not in references:
                yield f"{name}: {licence} is nowhere explained"
        sums = sorted(files[file]["checksums"][0]["checksumValue"] for file in contained)
        code = hashlib.sha1("".join(sums).encode()).hexdigest()
        if package["packageVerificationCode"]["packageVerificationCodeValue"] != code:
            yield f"{name}: the verification code is not that of its files"
        if "copyright" not in " ".join(files[file]["fileName"] for file in contained):
            yield f"{name}: its licence is not in the image"
        if package.get("externalRefs"):
            debian.update(files[file]["fileName"].removeprefix("./") for file in contained)
    for name in archive.files():
        if re.search(r"\.so(\.|$)", name) and name not in debian:
            yield f"{name}: no package of the SBOM has brought it"


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: check_image.py ARCHIVE REPOSITORY")
    archive = Archive(sys.argv[1])
    findings = [*archive.findings, *check_docker_manifest(archive),
                *check_config(archive, sys.argv[2]), *check_files(archive), *check_sbom(archive)]
    if findings:
        print("\n".join(findings))
        sys.exit(1)
    libraries = sum(1 for name in archive.files() if ".so" in name)
    print(f"{archive.names[0]}: {archive.size / 2**20:.1f} MiB, {len(archive.entries)} entries, "
          f"{libraries} libraries, nothing found")


if __name__ == "__main__":
    main()
