# SPDX-License-Identifier: BSD-2-Clause
"""An outer machine that pretends: fake_outer.py IMAGES. Its guests are fake.py's.

It takes the image's name from what lies in `shared`, and runs IMAGES/NAME.flat.guest. A guest that
ends with status 99 has met a triple fault; 0 is its own wish.
"""

import os
import selectors
import socket
import subprocess
import sys
from pathlib import Path
from typing import Optional

DLE = b"\x10"
FAKE = Path(__file__).parent / "fake.py"
folder = Path.cwd()
images = Path(sys.argv[1])
guest: Optional["subprocess.Popen[bytes]"] = None
selector = selectors.DefaultSelector()

with open(images / "starts", "a", encoding="utf-8") as starts:
    starts.write(f"{os.getpid()}\n")
(folder / "shared").write_bytes(bytes(1 << 20))
(folder / "kernel.log").write_text("Linux version 0\n", encoding="utf-8")
if (images / "broken").exists():
    sys.exit("no such processor")


def stop() -> None:
    """Ends the guest, if one runs, and forgets what it said."""
    global guest
    if guest is not None and guest.stdout is not None:
        selector.unregister(guest.stdout)
        guest.kill()
        guest.wait()
    guest = None


def start(size: int, args: str) -> None:
    """Runs the image in the shared memory."""
    global guest
    image = (folder / "shared").read_bytes()[:size]
    name = image.partition(b"@image\0")[2].split(b"\0")[0].decode()
    command = [sys.executable, "-S", "-E", str(FAKE), str(images / f"{name}.flat"), args, "."]
    guest = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert guest.stdout is not None
    selector.register(guest.stdout, selectors.EVENT_READ)


def obey(link: socket.socket, order: str) -> None:
    """One line of the host's."""
    words = order.split(" ", 4)
    stop()
    if words[0] == "sync":
        link.sendall(DLE + f"synced {words[1]}\n".encode())
    elif words[0] == "run":
        start(int(words[1]), words[4])


def pass_on(link: socket.socket) -> None:
    """What the guest says, or how it ended."""
    assert guest is not None and guest.stdout is not None
    data = os.read(guest.stdout.fileno(), 65536)
    if data:
        link.sendall(data.replace(DLE, DLE + DLE))
        return
    how = {0: "exit 0", 99: "triple fault; rip=0"}.get(guest.wait(), "the monitor died")
    stop()
    link.sendall(DLE + f"ended {how}\n".encode())


def serve(link: socket.socket) -> None:
    """One connection."""
    selector.register(link, selectors.EVENT_READ)
    while True:
        for key, _ in selector.select():
            if key.fileobj is not link:
                pass_on(link)
                continue
            data = link.recv(65536)
            if not data:
                selector.unregister(link)
                return
            for order in data.decode().splitlines():
                obey(link, order)


listener = socket.socket(socket.AF_UNIX)
listener.bind("control")
listener.listen(1)
first = True
while True:
    connection = listener.accept()[0]
    if first:
        connection.sendall(DLE + b"ready\n")
    first = False
    try:
        serve(connection)
    except OSError:
        pass
    stop()
