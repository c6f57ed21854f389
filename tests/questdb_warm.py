"""What every QuestDB of several runs of tests starts from: the whole schema, and the server's classes, read and linked.

`python -m tests.questdb_warm FOLDER` puts both into a folder. Tests find the schema by ARES_TEST_SCHEMA=FOLDER, and
Java the classes by -XX:AOTCache=FOLDER/questdb.aot in JDK_JAVA_OPTIONS. What is said there otherwise must be said when
this runs, too: Java takes no classes that were linked for other options.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.questdb import migrated, serving, small, whole_schema

OPTIONS = "JDK_JAVA_OPTIONS"
NOTED_S_MAX = 120.0
"""It notes what it loaded when it ends, which takes longer than a server may take to end."""


def main(folder: Path) -> None:
    """Lay the schema there, start a server of it that notes what it loads, and link that."""
    folder.mkdir(parents=True, exist_ok=True)
    noted, linked = folder / "questdb.noted", folder / "questdb.aot"
    options = os.environ.get(OPTIONS, "")
    os.environ["ARES_TEST_SCHEMA"] = str(folder)
    whole_schema()
    os.environ[OPTIONS] = f"{options} -XX:AOTMode=record -XX:AOTConfiguration={noted}"
    config = small()
    with tempfile.TemporaryDirectory() as place, serving(config, Path(place), schema=True) as server:
        asyncio.run(migrated(config))
        running = server.running()
        if running is not None and (process := running.process()):
            process.terminate()
            process.wait(NOTED_S_MAX)
    words = f"{options} -XX:AOTMode=create -XX:AOTConfiguration={noted} -XX:AOTCache={linked}"
    subprocess.run(server.command(), env={**os.environ, OPTIONS: words}, check=True)
    noted.unlink()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
