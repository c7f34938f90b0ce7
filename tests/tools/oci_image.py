#!/usr/bin/env python3
"""Makes an OCI image archive of one layer from single files, for clusters without a registry.

oci_image.py --name REF --output FILE.tar --file SRC=/DEST... [--link TARGET=/DEST...]
             [--user UID:GID] [--workdir DIR] ENTRYPOINT [ARGUMENT...]

The same input gives the same bytes. `ctr images import FILE.tar` makes it REF.
"""
import argparse
import hashlib
import io
import json
import os
import tarfile

LAYOUT = b'{"imageLayoutVersion":"1.0.0"}'
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"


def entry(name, kind, mode, size=0):
    info = tarfile.TarInfo(name.strip("/"))
    info.type, info.mode, info.size = kind, mode, size
    return info


def make_layer(files, links):
    """files: (source, destination); links: (target, destination)."""
    folders = set()
    for _, destination in files + links:
        folder = os.path.dirname(destination)
        while folder not in ("/", ""):
            folders.add(folder)
            folder = os.path.dirname(folder)
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for folder in sorted(folders | {"/tmp"}):
            tar.addfile(entry(folder, tarfile.DIRTYPE, 0o1777 if folder == "/tmp" else 0o755))
        for source, destination in sorted(files, key=lambda pair: pair[1]):
            with open(source, "rb") as stream:
                mode = 0o755 if os.access(source, os.X_OK) else 0o644
                size = os.stat(source).st_size
                tar.addfile(entry(destination, tarfile.REGTYPE, mode, size), stream)
        for target, destination in sorted(links, key=lambda pair: pair[1]):
            info = entry(destination, tarfile.SYMTYPE, 0o777)
            info.linkname = target
            tar.addfile(info)
    return out.getvalue()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--name", required=True)
    parser.add_argument("--output", required=True)
    parser.add_argument("--file", action="append", default=[])
    parser.add_argument("--link", action="append", default=[])
    parser.add_argument("--user", default="0:0")
    parser.add_argument("--workdir", default="/")
    parser.add_argument("entrypoint", nargs=argparse.REMAINDER)
    args = parser.parse_args()

    layer = make_layer([tuple(pair.split("=", 1)) for pair in args.file],
                       [tuple(pair.split("=", 1)) for pair in args.link])
    blobs = {}

    def add(kind, data):
        digest = hashlib.sha256(data).hexdigest()
        blobs["blobs/sha256/" + digest] = data
        return {"mediaType": kind, "digest": "sha256:" + digest, "size": len(data)}

    layer_blob = add(LAYER, layer)
    config_blob = add(CONFIG, json.dumps({
        "architecture": "amd64", "os": "linux",
        "config": {"User": args.user, "Entrypoint": args.entrypoint, "WorkingDir": args.workdir,
                   "Env": ["PATH=/usr/local/bin:/usr/bin:/bin"]},
        "rootfs": {"type": "layers", "diff_ids": [layer_blob["digest"]]},
    }).encode())
    manifest_blob = add(MANIFEST, json.dumps({
        "schemaVersion": 2, "mediaType": MANIFEST,
        "config": config_blob, "layers": [layer_blob],
    }).encode())
    manifest_blob["annotations"] = {"io.containerd.image.name": args.name}
    index = json.dumps({"schemaVersion": 2, "manifests": [manifest_blob]}).encode()

    with tarfile.open(args.output, "w", format=tarfile.USTAR_FORMAT) as tar:
        for name, data in [("oci-layout", LAYOUT), ("index.json", index), *sorted(blobs.items())]:
            tar.addfile(entry(name, tarfile.REGTYPE, 0o644, len(data)), io.BytesIO(data))


main()
