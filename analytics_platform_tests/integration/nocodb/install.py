"""Installs the NocoDB server of the tests, once per version, into a cache folder that all checkouts share.

Run by ``make nocodb-server``. Takes minutes and 1.7 GB the first time, nothing afterwards. ``NOCODB_SERVER_CACHE``
names another folder.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

SERVER = Path(__file__).parent / "server"
TOOLS = {"npm": "npm", "c++": "g++", "make": "make", "python3": "python3"}
"""Commands that the installation needs, and the Debian package that has each."""

MANIFESTS = ("package.json", "package-lock.json")
INSTALL_SECONDS = 1800


class UnavailableError(Exception):
    """This machine cannot install the server; says what it lacks."""


@dataclass(frozen=True)
class Program:
    """An installed server.

    Attributes:
        folder: Where it is installed.
        node: The Node.js that runs it, of the version that it is made for.
    """

    folder: Path
    node: Path

    @property
    def command(self) -> list[str]:
        """The command line that runs it; see ``server.js`` for its variables."""
        return [str(self.node), str(SERVER / "server.js")]


def install() -> Program:
    """Return the installed server; install it first where that has not been done.

    Raises:
        UnavailableError: If a tool is missing.
    """
    digest = hashlib.sha256(b"".join((SERVER / name).read_bytes() for name in MANIFESTS)).hexdigest()[:16]
    cache = cache_folder()
    folder = cache / digest
    if not (folder / "done").is_file():
        missing = {tool: package for tool, package in TOOLS.items() if not shutil.which(tool)}
        if missing:
            raise UnavailableError(f"NocoDB needs {', '.join(missing)} to be installed: {', '.join(missing.values())}")
        cache.mkdir(parents=True, exist_ok=True)
        with FileLock(cache / f"{digest}.lock"):
            if not (folder / "done").is_file():  # another process may have installed it while this one waited
                _install(folder)
    return Program(folder, _node(folder))


def cache_folder() -> Path:
    """Return where servers are kept."""
    named = os.environ.get("NOCODB_SERVER_CACHE")
    if named:
        return Path(named)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "analytics-platform" / "nocodb"


def _install(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name in MANIFESTS:
        shutil.copy(SERVER / name, folder)
    _run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"], folder, folder)
    node = _node(folder)
    # Built against the headers that come with that Node.js, so nothing is fetched from anywhere else.
    gyp = [str(node), str(folder / "node_modules/node-gyp/bin/node-gyp.js"), "rebuild"]
    _run([*gyp, f"--nodedir={node.parents[1]}"], folder / "node_modules/sqlite3", folder)
    (folder / "done").touch()


def _node(folder: Path) -> Path:
    found = sorted((folder / "node_modules").glob("node-linux-*/bin/node"))
    if not found:
        raise UnavailableError(f"NocoDB needs a Node.js, which its packages have for Linux only, not {sys.platform}")
    return found[0]


def _run(command: list[str], folder: Path, logs: Path) -> None:
    log = logs / "install.log"
    with log.open("ab") as output:
        done = subprocess.run(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            timeout=INSTALL_SECONDS,
            check=False,
        )
    if done.returncode:
        end = log.read_text(encoding="utf-8", errors="replace")[-3000:]
        raise RuntimeError(f"{' '.join(command)} failed; the end of {log}:\n{end}")


def main() -> None:
    """Install the server; on a machine that cannot, say so, which is an error in CI only."""
    try:
        sys.stdout.write(f"NocoDB for the tests: {cache_folder()} (some minutes the first time)\n")
        sys.stdout.flush()
        install()
    except UnavailableError as error:
        sys.stderr.write(f"{error}; the tests that need it are skipped\n")
        sys.exit("CI" in os.environ)


if __name__ == "__main__":
    main()
