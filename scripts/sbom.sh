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
# Headers, and archives that are linked in: no file of theirs is loaded. An image keeps the list of where it was built.
COMPILED_IN = ["libboost1.*-dev", "libconcurrentqueue-dev", "libcli11-dev"]
BUILT_WITH = f"{ROOT}/usr/share/sluice/built-with"
LOADERS = ["/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1"]
FORMAT = "${Package}\t${Version}\t${Architecture}\t${source:Package}\t${source:Version}\t${db:Status-Status}\n"


def output(*command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout if done.returncode == 0 else ""


def in_root(*command):
    return output("chroot", ROOT, *command) if ROOT else output(*command)


def dpkg_query(*arguments, root=ROOT):
    return output("dpkg-query", *([f"--admindir={root}/var/lib/dpkg"] if root else []), *arguments)


def listed(text):
    rows = (line.split("\t") for line in text.splitlines())
    return {row[0]: row[1:5] for row in rows if row[5] == "installed"}


def packages(*names, root=ROOT):
    return listed(dpkg_query("-W", f"-f={FORMAT}", *names, root=root))


def compiled_in():
    if ROOT:
        with open(BUILT_WITH, encoding="utf-8") as file:
            return listed(file.read())
    return packages(*COMPILED_IN)


def distribution():
    with open(f"{ROOT}/etc/os-release", encoding="utf-8") as file:
        release = dict(line.strip().replace('"', "").split("=", 1) for line in file if "=" in line)
    return f"{release['ID']}-{release['VERSION_ID']}"


def loaded():
    """The libraries that the loader finds for the binary."""
    listing = next(filter(None, (in_root(loader, "--list", BINARY) for loader in LOADERS)), "") or in_root("ldd", BINARY)
    missing = re.findall(r"(\S+) => not found", listing)
    if missing or not listing:
        sys.exit(f"sbom.sh: {BINARY}: " + (f"not found: {' '.join(missing)}" if missing else "cannot be loaded"))
    return sorted(set(re.findall(r"(/\S+\.so\S*)", listing)))


def owner(path):
    """The package of a file, which dpkg may know by its path before /usr was merged."""
    real = in_root("realpath", path).strip() or path  # links of an image lead to where it has its root
    for name in (path, real, "/usr" + path, real.removeprefix("/usr"), "/usr" + real):
        for line in dpkg_query("-S", name).splitlines():
            if not line.startswith("diversion by "):
                return line.partition(": ")[0].split(":")[0]
    sys.exit(f"sbom.sh: {path} is of no package")


def sha256(path):
    with open(ROOT + path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def component(name, facts, files, use):
    version, architecture, source, source_version = facts
    made = {
        "type": "library", "bom-ref": f"deb:{name}", "name": name, "version": version,
        "purl": f"pkg:deb/debian/{name}@{version.replace('+', '%2B').replace(':', '%3A')}?arch={architecture}&distro={distribution()}",
        "properties": [{"name": "sluice:source", "value": f"{source} {source_version}"},
                       {"name": "sluice:use", "value": use}],
    }
    if files:
        made["components"] = [{"type": "file", "name": path, "hashes": [{"alg": "SHA-256", "content": sha256(path)}]}
                              for path in files]
    return made


def main():
    files = {}
    for path in loaded():
        files.setdefault(owner(path), []).append(path)
    built_with = compiled_in()
    everything = packages() if ROOT else packages(*files)
    unknown = set(files) - set(everything)
    if unknown or len(built_with) != len(COMPILED_IN):
        sys.exit(f"sbom.sh: not installed: {' '.join(sorted(unknown) or COMPILED_IN)}")
    everything |= built_with
    uses = {name: "compiled in" for name in built_with} | {name: "loaded" for name in files}
    version = re.search(r"\d\S*", in_root(BINARY, "version") or "0").group(0)
    components = [component(name, facts, files.get(name), uses.get(name, "installed")) for name, facts in sorted(everything.items())]
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
