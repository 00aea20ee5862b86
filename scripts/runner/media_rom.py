# SPDX-License-Identifier: BSD-2-Clause
"""Boot media for an emulator that can put files at physical addresses: no BIOS, no loader.

A ROM of a few instructions takes the place of the BIOS, switches to 32-bit protected mode and jumps
to the image's PVH entry, with EBX at an hvm_start_info that lies in memory beside the image:

    0x00008000   hvm_start_info, memory map, command line     (`info`)
    0x00100000   the image's one segment                      (`ram`)
    0xffff0000   64 KBytes of ROM, the reset vector at its end (`rom`)

A launch takes the time that the tests take, where BIOS and GRUB need seconds.

The image comes in files of at most 128 KBytes: Bochs allots memory in blocks of that size, which
do not lie behind each other, and reads each file in one go into the block where it begins.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import List

INFO_ADDRESS = 0x8000
_ROM_ADDRESS = 0xFFFF0000
_ROM_BYTES = 0x10000
_CODE = 0xFF00  # in the ROM
_TABLE = 0xFEE0
_LOW_RAM = 0xA0000
_MBYTE = 1 << 20
_PIECE = 128 << 10
_PIECES = 3
_PVH_MAGIC = 0x336EC578
_PT_LOAD = 1


@dataclass(frozen=True)
class RomMedia:
    """Files and the physical addresses that they belong at."""

    rom: Path
    ram: List[Path]
    ram_address: List[int]
    info: Path
    info_address: int


def rom_media(flat: Path, args: str, memory: int, out: Path) -> RomMedia:
    """Writes into `out` the files that boot `flat` with a command line and `memory` MBytes."""
    entry, address, content = segment(flat.read_bytes())
    out.mkdir(parents=True, exist_ok=True)
    media = RomMedia(
        out / "rom.bin",
        [out / f"ram{index + 1}.bin" for index in range(_PIECES)],
        [address + index * _PIECE for index in range(_PIECES)],
        out / "info.bin",
        INFO_ADDRESS,
    )
    media.rom.write_bytes(_rom(entry))
    if address % _PIECE or len(content) > _PIECES * _PIECE:
        raise ValueError("a segment that does not fit into the files")
    for index, file in enumerate(media.ram):
        start, end = index * _PIECE, (index + 1) * _PIECE
        file.write_bytes(content[start:end])
    media.info.write_bytes(_start_info(args, memory))
    return media


def segment(elf: bytes) -> "tuple[int, int, bytes]":
    """Entry, physical address and content of the one segment of an image."""
    entry, headers = struct.unpack_from("<QQ", elf, 24)
    size, count = struct.unpack_from("<HH", elf, 54)
    for index in range(count):
        kind, _, offset, _, address, in_file = struct.unpack_from(
            "<IIQQQQ", elf, headers + index * size
        )
        if kind == _PT_LOAD:
            end = offset + in_file
            return entry, address, elf[offset:end]
    raise ValueError("no segment to load")


def _start_info(args: str, memory: int) -> bytes:
    """struct hvm_start_info, version 1, with its map and command line behind it."""
    ranges = [(0, _LOW_RAM), (_MBYTE, (memory - 1) * _MBYTE)]
    table = INFO_ADDRESS + 56
    words = table + 24 * len(ranges)
    info = struct.pack("<IIII", _PVH_MAGIC, 1, 0, 0)
    info += struct.pack("<QQQQII", 0, words, 0, table, len(ranges), 0)
    for start, size in ranges:
        info += struct.pack("<QQII", start, size, 1, 0)
    return info + args.encode() + b"\0"


def _rom(entry: int) -> bytes:
    rom = bytearray(b"\xf4" * _ROM_BYTES)
    # Accessed bits are set: the processor cannot write them into a ROM.
    descriptors = struct.pack("<QQQ", 0, 0x00CF9B000000FFFF, 0x00CF93000000FFFF)
    descriptors += struct.pack("<HI", 23, _ROM_ADDRESS + _TABLE)
    put(rom, _TABLE, descriptors)
    code = b"\xfa"  # cli
    code += b"\x2e\x66\x0f\x01\x16" + struct.pack("<H", _TABLE + 24)  # lgdtl %cs:descriptors
    code += b"\x0f\x20\xc0\x0c\x01\x0f\x22\xc0"  # CR0.PE = 1
    after = _ROM_ADDRESS + _CODE + len(code) + 8
    code += b"\x66\xea" + struct.pack("<IH", after, 8)  # ljmpl $8, $after
    code += b"\x66\xb8\x10\x00\x8e\xd8\x8e\xc0\x8e\xd0\x8e\xe0\x8e\xe8"  # data segments
    code += b"\x31\xc0\xbb" + struct.pack("<I", INFO_ADDRESS)  # EAX = 0, EBX
    code += b"\xb9" + struct.pack("<I", entry) + b"\xff\xe1"  # jmp *%ecx
    put(rom, _CODE, code)
    rom[0xFFF0:0xFFF3] = b"\xe9" + struct.pack("<h", _CODE - 0xFFF3)  # the reset vector
    return bytes(rom)


def put(rom: bytearray, at: int, content: bytes) -> None:
    end = at + len(content)
    rom[at:end] = content
