"""A tool server without any library, told by a folder what to say: ``mirror_server.py http|stdio modern|legacy FOLDER [PORT]``.

``mirror/folder.py`` says what lies in the folder, ``mirror/dialogue.py`` which steps an answer can have.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from mirror.dialogue import Dialogue
from mirror.folder import Folder
from mirror.http import HttpMirror
from mirror.lines import StdioMirror


async def main(transport: str, era: str, folder: str, port: str = "0") -> None:
    """Serve until killed, or until the standard input ends."""
    dialogue = Dialogue(Folder(Path(folder)), era)
    if transport == "http":
        await HttpMirror(dialogue).run(int(port))
    else:
        await StdioMirror(dialogue).run()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
