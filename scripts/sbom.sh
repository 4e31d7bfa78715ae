#!/usr/bin/env bash
# Prints the bill of materials of a built `sluice` as CycloneDX 1.5 (JSON): each Debian package whose library the
# binary loads or whose code is compiled into it, with its version and source, and the SHA-256 of what is loaded.
#
#   scripts/sbom.sh [BINARY]                  build/release/bin/sluice
#   scripts/sbom.sh --root DIR BINARY         of an image's file system: all its packages; BINARY is in it
set -euo pipefail
cd "$(dirname "$0")/.."
root=
if [ "${1-}" = --root ]; then
  root=$2
  shift 2
fi
binary=${1:-build/release/bin/sluice}
exec python3 - "$root" "$binary" <<'PYTHON'
import hashlib
import json
import os
import re
import subprocess
import sys
import uuid

ROOT, BINARY = sys.argv[1], sys.argv[2]
# Headers, and archives that are linked in: no file of theirs is loaded.
COMPILED_IN = ["libboost1.81-dev", "libconcurrentqueue-dev", "libcli11-dev"]
FORMAT = "${Package}\t${Version}\t${Architecture}\t${source:Package}\t${source:Version}\t${db:Status-Status}\n"


def output(*command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout if done.returncode == 0 else ""


def in_root(*command):
    return output("chroot", ROOT, *command) if ROOT else output(*command)


def dpkg_query(*arguments, root=ROOT):
    return output("dpkg-query", *([f"--admindir={root}/var/lib/dpkg"] if root else []), *arguments)


def packages(*names, root=ROOT):
    rows = (line.split("\t") for line in dpkg_query("-W", f"-f={FORMAT}", *names, root=root).splitlines())
    return {row[0]: row[1:5] for row in rows if row[5] == "installed"}


def loaded():
    """The libraries that the loader finds for the binary."""
    listing = in_root("/lib64/ld-linux-x86-64.so.2", "--list", BINARY) or in_root("ldd", BINARY)
    missing = re.findall(r"(\S+) => not found", listing)
    if missing or not listing:
        sys.exit(f"sbom.sh: {BINARY}: " + (f"not found: {' '.join(missing)}" if missing else "cannot be loaded"))
    return sorted(set(re.findall(r"(/\S+\.so\S*)", listing)))


def owner(path):
    """The package of a file, which dpkg may know by its path before /usr was merged."""
    real = os.path.realpath(ROOT + path)[len(ROOT):]
    for name in {path, real, "/usr" + path, real.removeprefix("/usr"), "/usr" + real}:
        found = dpkg_query("-S", name)
        if found:
            return found.partition(": ")[0].split(":")[0]
    sys.exit(f"sbom.sh: {path} is of no package")


def sha256(path):
    with open(ROOT + path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def component(name, facts, files):
    version, architecture, source, source_version = facts
    made = {
        "type": "library", "bom-ref": f"deb:{name}", "name": name, "version": version,
        "purl": f"pkg:deb/debian/{name}@{version.replace('+', '%2B').replace(':', '%3A')}?arch={architecture}&distro=debian-12",
        "properties": [{"name": "sluice:source", "value": f"{source} {source_version}"},
                       {"name": "sluice:use", "value": "loaded" if files else
                        "compiled in" if name in COMPILED_IN else "installed"}],
    }
    if files:
        made["components"] = [{"type": "file", "name": path, "hashes": [{"alg": "SHA-256", "content": sha256(path)}]}
                              for path in files]
    return made


def main():
    files = {}
    for path in loaded():
        files.setdefault(owner(path), []).append(path)
    everything = packages() if ROOT else packages(*files)
    everything |= packages(*COMPILED_IN, root="")  # where it was built
    unknown = set(files).union(COMPILED_IN) - set(everything)
    if unknown:
        sys.exit(f"sbom.sh: not installed: {' '.join(sorted(unknown))}")
    version = re.search(r"\d\S*", in_root(BINARY, "version") or "0").group(0)
    components = [component(name, facts, files.get(name)) for name, facts in sorted(everything.items())]
    digest = sha256(os.path.abspath(BINARY) if not ROOT else BINARY)
    print(json.dumps({
        "bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1,
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_OID, digest + json.dumps(components))}",
        "metadata": {"component": {"type": "application", "bom-ref": "sluice", "name": "sluice", "version": version,
                                   "hashes": [{"alg": "SHA-256", "content": digest}]}},
        "components": components,
        "dependencies": [{"ref": "sluice", "dependsOn": [made["bom-ref"] for made in components]}],
    }, indent=1))


main()
PYTHON
