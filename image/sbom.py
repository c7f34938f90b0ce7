"""The image's bill of materials: an SPDX 2.3 document in JSON.

It names every file of the image with its checksums, every Debian package that brought one, and the
packages that were compiled into our programs.
"""

import datetime
import hashlib
import json
import os
import re
import urllib.parse

import packages

PATH = "usr/share/sbom/esc-agent.spdx.json"

_ROOT = "SPDXRef-Image"


def _spdx_id(*parts):
    return "SPDXRef-" + re.sub(r"[^A-Za-z0-9.-]+", "-", "-".join(parts))


def _files(folder):
    """path -> its entry of the document; links are not files of their own."""
    found = {}
    for parent, _, names in os.walk(folder):
        for name in names:
            full = os.path.join(parent, name)
            if os.path.islink(full):
                continue
            path = os.path.relpath(full, folder)
            with open(full, "rb") as file:
                content = file.read()
            # The checksum of the path keeps names apart that differ in special characters only.
            mark = hashlib.sha256(path.encode()).hexdigest()[:8]
            found[path] = {
                "SPDXID": _spdx_id("File", path, mark),
                "fileName": "./" + path,
                "checksums": [
                    {"algorithm": "SHA1", "checksumValue": hashlib.sha1(content).hexdigest()},
                    {"algorithm": "SHA256", "checksumValue": hashlib.sha256(content).hexdigest()},
                ],
                "licenseConcluded": "NOASSERTION",
                "licenseInfoInFiles": ["NOASSERTION"],
                "copyrightText": "NOASSERTION",
            }
    return dict(sorted(found.items()))


def _checksum(entry, algorithm):
    return next(sum["checksumValue"] for sum in entry["checksums"] if sum["algorithm"] == algorithm)


def _verification_code(entries):
    """SPDX 2.3, 7.9: the SHA1 of the sorted SHA1s."""
    sums = sorted(_checksum(entry, "SHA1") for entry in entries)
    return hashlib.sha1("".join(sums).encode()).hexdigest()


def _licence(package, extracted):
    """The package's declared licence. What Debian's file does not say in a known way is referred to
    as a whole, with its text in `extracted`."""
    text = package.copyright()
    expressions, complete = packages.declared_licences(text)
    if not complete:
        reference = "LicenseRef-" + _spdx_id(package.name)[len("SPDXRef-"):]
        extracted[reference] = {
            "licenseId": reference,
            "name": f"Debian's copyright file of {package.name}",
            "extractedText": text,
        }
        return reference
    return " AND ".join(expressions)


def _debian_package(package, entries, extracted):
    architecture = package.architecture
    version = urllib.parse.quote(package.version, safe="")
    name = urllib.parse.quote(package.name, safe="")
    result = {
        "SPDXID": _spdx_id("Package", package.name, architecture),
        "name": package.name,
        "versionInfo": package.version,
        "supplier": "Organization: Debian",
        "downloadLocation": "NOASSERTION",
        "filesAnalyzed": bool(entries),
        "sourceInfo": f"built from Debian's source package {package.source} {package.source_version}",
        "licenseConcluded": "NOASSERTION",
        "licenseDeclared": _licence(package, extracted),
        "copyrightText": "NOASSERTION",
        "externalRefs": [{
            "referenceCategory": "PACKAGE-MANAGER",
            "referenceType": "purl",
            "referenceLocator":
                f"pkg:deb/debian/{name}@{version}?arch={architecture}&distro=debian-12",
        }],
    }
    if package.homepage:
        result["homepage"] = package.homepage
    if entries:
        result["licenseInfoFromFiles"] = ["NOASSERTION"]
        result["packageVerificationCode"] = {
            "packageVerificationCodeValue": _verification_code(entries)}
    return result


def _image_package(version, own_entries):
    return {
        "SPDXID": _ROOT,
        "name": "esc-agent",
        "versionInfo": version,
        "primaryPackagePurpose": "CONTAINER",
        "supplier": "NOASSERTION",
        "downloadLocation": "NOASSERTION",
        "filesAnalyzed": True,
        "packageVerificationCode": {
            "packageVerificationCodeValue": _verification_code(own_entries),
            "packageVerificationCodeExcludedFiles": ["./" + PATH],
        },
        "licenseConcluded": "NOASSERTION",
        "licenseDeclared": "Apache-2.0",
        "licenseInfoFromFiles": ["NOASSERTION"],
        "copyrightText": "NOASSERTION",
    }


def _relation(subject, kind, related):
    return {"spdxElementId": subject, "relationshipType": kind, "relatedSpdxElement": related}


def document(folder, owners, compiled_in, version, epoch):
    """The document as text. `owners`: path -> the package that brought the file, for those that are
    not ours; `compiled_in`: path of a program -> packages that are in it."""
    files = _files(folder)
    extracted = {}
    relations = [_relation("SPDXRef-DOCUMENT", "DESCRIBES", _ROOT)]
    own = [entry for path, entry in files.items() if path not in owners]
    relations += [_relation(_ROOT, "CONTAINS", entry["SPDXID"]) for entry in own]

    described = [_image_package(version, own)]
    every_package = set(owners.values()).union(*compiled_in.values())
    for package in sorted(every_package, key=lambda package: package.name):
        entries = [files[path] for path in sorted(owners) if owners[path] == package]
        described.append(_debian_package(package, entries, extracted))
        identifier = described[-1]["SPDXID"]
        if entries:
            relations.append(_relation(_ROOT, "CONTAINS", identifier))
        relations += [_relation(identifier, "CONTAINS", entry["SPDXID"]) for entry in entries]
        relations += [_relation(files[path]["SPDXID"], "STATIC_LINK", identifier)
                      for path, inside in sorted(compiled_in.items()) if package in inside]

    architecture = packages.architecture()
    digest = hashlib.sha256("".join(
        path + _checksum(entry, "SHA256") for path, entry in files.items()).encode()).hexdigest()
    created = datetime.datetime.fromtimestamp(epoch, datetime.timezone.utc)
    return json.dumps({
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": f"esc-agent-{version}-{architecture}",
        "documentNamespace": f"https://esc-agent.io/spdx/esc-agent-{version}-{architecture}-{digest}",
        "creationInfo": {
            "created": created.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "creators": [f"Tool: esc-agent-image-sbom-{version}"],
        },
        "packages": described,
        "files": list(files.values()),
        "relationships": relations,
        "hasExtractedLicensingInfos": [extracted[name] for name in sorted(extracted)],
    }, indent=1, ensure_ascii=False) + "\n"
