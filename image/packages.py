"""What dpkg knows of the files that go into the image: which package owns them, and its licence."""

import dataclasses
import os
import re
import subprocess

_FIELDS = ("Package", "Version", "Architecture", "source:Package", "source:Version", "Homepage")


@dataclasses.dataclass(frozen=True)
class Package:
    """A Debian package that is installed on this machine."""

    name: str
    version: str
    architecture: str
    source: str
    source_version: str
    homepage: str

    def copyright(self):
        """Licences and copyright holders, as Debian publishes them."""
        with open(f"/usr/share/doc/{self.name}/copyright", encoding="utf-8") as file:
            return file.read()

    def files(self):
        """The paths that the package has brought."""
        return _run("dpkg-query", "--listfiles", self.qualified_name()).splitlines()

    def qualified_name(self):
        return self.name if self.architecture == "all" else f"{self.name}:{self.architecture}"


def _run(*command):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True,
                          env={**os.environ, "LC_ALL": "C.UTF-8"}).stdout


def architecture():
    """Debian's and the image specification's name of this machine: amd64, arm64."""
    return _run("dpkg", "--print-architecture").strip()


def find(names):
    """name -> the installed package, for each of the names. One call for all: dpkg reads its whole
    database each time."""
    lines = _run("dpkg-query", "--show", "--showformat",
                 "\t".join("${%s}" % field for field in _FIELDS) + "\n", *names).splitlines()
    found = [Package(*line.split("\t")) for line in lines]
    return {package.name: package for package in found}


def statuses(some):
    """package -> its paragraph in dpkg's database, which scanners for vulnerabilities read."""
    paragraphs = _run("dpkg-query", "--status", *(package.qualified_name() for package in some))
    return dict(zip(some, (text.strip() + "\n" for text in paragraphs.split("\n\n")), strict=True))


def owners(paths):
    """path -> the package that has brought the file. Raises LookupError when there is none."""
    # With a merged /usr the database may know either name of a file.
    asked = {name: path for path in paths
             for name in (path, path.removeprefix("/usr"), "/usr" + path)}
    # It fails when it knows one of them only.
    answer = subprocess.run(["dpkg-query", "--search", *sorted(asked)], text=True, check=False,
                            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
    names = {}
    for line in answer.splitlines():
        package, _, owned = line.partition(": ")
        if owned in asked and not package.startswith("diversion"):
            names[asked[owned]] = package.split(",")[0].split(":")[0]
    for path in paths:
        if path not in names:
            raise LookupError(f"{path} belongs to no Debian package: the image could say neither where "
                              "it comes from nor under which licence it is. Build on a Debian 12 that "
                              "has its libraries from packages only")
    found = find(sorted(set(names.values())))
    return {path: found[name] for path, name in names.items()}


_SAME_NAME = {name.lower(): name for name in (
    "Apache-2.0", "Artistic-2.0", "BSD-2-Clause", "BSD-3-Clause", "BSD-4-Clause", "BSL-1.0",
    "CC0-1.0", "FSFAP", "FSFUL", "FSFULLR", "ISC", "MIT", "MPL-1.1", "MPL-2.0", "OLDAP-2.8",
    "Zlib", "curl")}
_OTHER_NAME = {"expat": "MIT", "artistic": "Artistic-1.0-Perl"}
_GNU = re.compile(r"(A?GPL|LGPL|GFDL)-(\d)(\.\d)?(\+|-only|-or-later)?", re.IGNORECASE)


def _spdx_name(name):
    """SPDX's identifier for one licence as Debian calls it, or None."""
    gnu = _GNU.fullmatch(name)
    if gnu:
        family, major, minor, later = gnu.groups()
        suffix = "or-later" if later in ("+", "-or-later") else "only"
        return f"{family.upper()}-{major}{minor or '.0'}-{suffix}"
    return _SAME_NAME.get(name.lower()) or _OTHER_NAME.get(name.lower())


def _spdx_expression(licence):
    """The same for an expression such as "GPL-2+ or LGPL-3+"; None when a part is unknown."""
    words = []
    for word in licence.split():
        words.append(word.upper() if word in ("and", "or") else _spdx_name(word))
    if None in words or "," in licence:
        return None
    return f"({' '.join(words)})" if len(words) > 1 else words[0]


def declared_licences(copyright_text):
    """(SPDX expressions, whether they are all) that a copyright file in Debian's machine-readable
    format names; nothing is known of other files."""
    names = set(re.findall(r"^License:[ \t]*(\S.*?)[ \t]*$", copyright_text, re.MULTILINE))
    expressions = {_spdx_expression(name) for name in names}
    complete = copyright_text.startswith("Format:") and bool(names) and None not in expressions
    return sorted(expressions - {None}), complete
