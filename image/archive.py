#!/usr/bin/env python3
"""Packs a folder of collect.py as a container image, without a builder and without a registry.

  archive.py --root FOLDER --out FILE.tar --tag NAME:TAG --version VERSION
             [--revision COMMIT] [--source URL] [--epoch SECONDS]

The archive is an OCI image layout with the manifest.json of `docker save` beside it, so that
`ctr images import`, `kind load image-archive`, `k3s ctr`, `podman load`, `docker load` and skopeo
take it. User, entry point and labels are those of the Dockerfile; image_test.sh compares them. The
same inputs give the same bytes.
"""

import argparse
import datetime
import gzip
import hashlib
import io
import json
import os
import sys
import tarfile

import packages

TITLE = "esc-agent"
DESCRIPTION = "Pulumi ESC environments for the pods of a Kubernetes node"
_OCI = "application/vnd.oci.image."


def labels(version, revision, source, epoch):
    created = datetime.datetime.fromtimestamp(epoch, datetime.timezone.utc)
    return {
        "org.opencontainers.image.title": TITLE,
        "org.opencontainers.image.description": DESCRIPTION,
        "org.opencontainers.image.source": source,
        "org.opencontainers.image.version": version,
        "org.opencontainers.image.revision": revision,
        "org.opencontainers.image.licenses": "Apache-2.0",
        "org.opencontainers.image.created": created.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }


def _add(archive, name, content, epoch):
    entry = tarfile.TarInfo(name)
    entry.size, entry.mtime, entry.mode = len(content), epoch, 0o644
    archive.addfile(entry, io.BytesIO(content))


def layer(root, epoch):
    """The folder as an uncompressed tar archive: sorted, owned by root, with one time stamp."""
    paths = []
    for parent, folders, files in os.walk(root):
        paths += [os.path.relpath(os.path.join(parent, name), root) for name in folders + files]
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path in sorted(paths):
            entry = archive.gettarinfo(os.path.join(root, path), arcname=path)
            entry.uid = entry.gid = 0
            entry.uname = entry.gname = ""
            entry.mtime = epoch
            if entry.isreg():
                with open(os.path.join(root, path), "rb") as file:
                    archive.addfile(entry, file)
            else:
                archive.addfile(entry)
    return buffer.getvalue()


def _digest(content):
    return "sha256:" + hashlib.sha256(content).hexdigest()


def _json(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def _config(image_labels, layer_digest, architecture):
    created = image_labels["org.opencontainers.image.created"]
    return _json({
        "created": created,
        "architecture": architecture,
        "os": "linux",
        "config": {
            "User": "65532:65532",
            "Entrypoint": ["/usr/local/bin/esc-agent"],
            "Env": ["PATH=/usr/local/bin"],
            "WorkingDir": "/",
            "Labels": image_labels,
        },
        "rootfs": {"type": "layers", "diff_ids": [layer_digest]},
        "history": [{"created": created, "created_by": "image/archive.py"}],
    })


def _full_name(tag):
    """The name that a container runtime makes of a short one."""
    first = tag.split("/")[0]
    if "/" in tag and ("." in first or ":" in first or first == "localhost"):
        return tag
    return "docker.io/" + (tag if "/" in tag else "library/" + tag)


def pack(root, out, tag, image_labels, epoch):
    """Writes the archive. Returns the digest of its manifest."""
    content = layer(root, epoch)
    packed = gzip.compress(content, compresslevel=6, mtime=0)
    config = _config(image_labels, _digest(content), packages.architecture())

    def described(kind, blob):
        return {"mediaType": _OCI + kind, "digest": _digest(blob), "size": len(blob)}

    manifest = _json({
        "schemaVersion": 2,
        "mediaType": _OCI + "manifest.v1+json",
        "config": described("config.v1+json", config),
        "layers": [described("layer.v1.tar+gzip", packed)],
    })
    name = _full_name(tag)
    index = {"schemaVersion": 2, "manifests": [{
        **described("manifest.v1+json", manifest),
        "platform": {"architecture": packages.architecture(), "os": "linux"},
        "annotations": {"io.containerd.image.name": name,
                        "org.opencontainers.image.ref.name": name.rsplit(":", 1)[-1]},
    }]}

    def path(blob):
        return "blobs/sha256/" + _digest(blob).removeprefix("sha256:")

    saved = [{"Config": path(config), "RepoTags": [name], "Layers": [path(packed)]}]
    parts = {path(blob): blob for blob in (config, packed, manifest)}
    parts.update({"index.json": _json(index), "manifest.json": _json(saved),
                  "oci-layout": _json({"imageLayoutVersion": "1.0.0"})})
    partial = out + ".partial"
    with tarfile.open(partial, "w", format=tarfile.PAX_FORMAT) as archive:
        for part in sorted(parts):
            _add(archive, part, parts[part], epoch)
    os.replace(partial, out)
    return _digest(manifest)


def main():
    parser = argparse.ArgumentParser(description="Pack the files of the container image.")
    parser.add_argument("--root", required=True, help="folder of collect.py")
    parser.add_argument("--out", required=True, help="file to write")
    parser.add_argument("--tag", required=True, help="NAME:TAG")
    parser.add_argument("--version", required=True)
    parser.add_argument("--revision", default="unknown")
    parser.add_argument("--source", default="")
    parser.add_argument("--epoch", type=int, default=int(os.environ.get("SOURCE_DATE_EPOCH") or 0))
    arguments = parser.parse_args()
    if ":" not in arguments.tag.rsplit("/", 1)[-1]:
        parser.error(f"--tag {arguments.tag}: expected NAME:TAG, such as esc-agent:0.1.0")
    try:
        digest = pack(arguments.root, arguments.out, arguments.tag,
                      labels(arguments.version, arguments.revision, arguments.source,
                             arguments.epoch), arguments.epoch)
    except OSError as error:
        sys.exit(f"image/archive.py: {arguments.out} cannot be written: {error}")
    print(digest)


if __name__ == "__main__":
    main()
