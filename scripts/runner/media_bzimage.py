# SPDX-License-Identifier: BSD-2-Clause
"""An image in the shape of a Linux kernel, for loaders that know nothing else.

The file is a boot sector that never runs, four sectors of real-mode code, and the image's segment,
which belongs at 1 MByte, just where loaders put the part for protected mode ("The Linux/x86 Boot
Protocol", version 2.06). The real-mode code asks the BIOS for the memory map, makes an
hvm_start_info of it and of the command line, switches to protected mode and jumps to the image's
PVH entry: the image sees the loader that it sees elsewhere.
"""

from __future__ import annotations

import struct

from .errors import UserError
from .media_rom import put, segment

_SECTOR = 512
_SECTORS = 4  # of real-mode code
_LOADED_AT = 0x100000
_VERSION = 0x0206
_LOADED_HIGH = 1
_COMMAND_LINE = 0x228  # the loader's pointer
_COMMAND_LINE_BYTES = 2047
# Offsets in the file, and in the segment that the loader has put into DS, ES and SS.
_CODE = 0x240
_TABLE = 0x300
_GDTR = 0x320
_FAR = 0x328
_INFO = 0x340
_MAP = 0x400
_MOST_RANGES = 32
_CODE_32 = 0x380
_PVH_MAGIC = 0x336EC578
_MULTIBOOT = struct.pack("<I", 0x1BADB002)
_MULTIBOOT2 = struct.pack("<I", 0xE85250D6)
_SEARCHED = 8192


def bzimage(elf: bytes) -> bytes:
    """The file for an image."""
    try:
        entry, address, content = segment(elf)
    except (ValueError, struct.error):
        raise UserError("an image without a segment to load cannot become a bzImage") from None
    if address != _LOADED_AT:
        raise UserError(f"an image at {address:#x} cannot become a bzImage")
    # Or a loader that knows both would take it for what it was.
    head = content[:_SEARCHED].replace(_MULTIBOOT, bytes(4)).replace(_MULTIBOOT2, bytes(4))
    return _setup(entry, len(content)) + head + content[_SEARCHED:]


def _setup(entry: int, size: int) -> bytes:
    setup = bytearray((1 + _SECTORS) * _SECTOR)
    put(setup, 0x1F1, struct.pack("<BHI", _SECTORS, 0, (size + 15) // 16))
    put(setup, 0x1FE, b"\x55\xaa" + b"\xeb" + bytes([_CODE - 0x202]))  # jmp _CODE
    put(setup, 0x202, b"HdrS" + struct.pack("<H", _VERSION))
    put(setup, 0x211, bytes([_LOADED_HIGH]))
    put(setup, 0x214, struct.pack("<I", _LOADED_AT))
    put(setup, 0x22C, struct.pack("<II", 0x7FFFFFFF, 0x1000))  # initial RAM disk, alignment
    put(setup, 0x238, struct.pack("<I", _COMMAND_LINE_BYTES))
    put(setup, _CODE, _real_mode())
    put(setup, _TABLE, struct.pack("<QQQ", 0, 0x00CF9B000000FFFF, 0x00CF93000000FFFF))
    put(setup, _GDTR, struct.pack("<HI", 23, _TABLE))
    put(setup, _FAR, struct.pack("<IH", _CODE_32, 8))
    put(setup, _INFO, struct.pack("<IIIIQQQQII", _PVH_MAGIC, 1, 0, 0, 0, 0, 0, _MAP, 0, 0))
    put(setup, _CODE_32, _protected_mode(entry))
    return bytes(setup)


def _word(value: int) -> bytes:
    return struct.pack("<H", value)


def _real_mode() -> bytes:
    """EBX leaves it as the linear address of this file's first byte."""
    count = _word(_INFO + 48)
    each = b"\x66\xb8\x20\xe8\x00\x00"  # mov $0xe820, %eax
    each += b"\x66\xb9\x14\x00\x00\x00"  # mov $20, %ecx
    each += b"\x66\xba\x50\x41\x4d\x53"  # mov $"SMAP", %edx
    each += b"\xcd\x15"  # int $0x15
    more = b"\x83\xc7\x18"  # add $24, %di
    more += b"\xfe\x06" + count  # incb count
    more += b"\x80\x3e" + count + bytes([_MOST_RANGES])  # cmpb $most, count
    more += b"\x73\x05"  # jae done
    more += b"\x66\x85\xdb"  # test %ebx, %ebx
    back = len(each) + 2 + len(more) + 2
    code = b"\xfc\xbf" + _word(_MAP) + b"\x66\x31\xdb"  # cld; mov $map, %di; xor %ebx, %ebx
    code += each + b"\x72" + bytes([len(more) + 2])  # jc done
    code += more + b"\x75" + bytes([256 - back])  # jnz each
    code += b"\xfa\x66\x31\xc0\x8c\xd8\x66\xc1\xe0\x04"  # cli; EAX = DS * 16
    code += b"\x66\x89\xc3"  # mov %eax, %ebx
    for pointer in (_GDTR + 2, _FAR, _INFO + 40):
        code += b"\x66\x01\x06" + _word(pointer)  # add %eax, pointer
    code += b"\x66\x8b\x0e" + _word(_COMMAND_LINE)  # mov command_line, %ecx
    code += b"\x66\x89\x0e" + _word(_INFO + 24)  # mov %ecx, info.command_line
    code += b"\x66\x0f\x01\x16" + _word(_GDTR)  # lgdtl descriptors
    code += b"\x0f\x20\xc1\x80\xc9\x01\x0f\x22\xc1"  # CR0.PE = 1
    return code + b"\x66\xff\x2e" + _word(_FAR)  # ljmpl *far


def _protected_mode(entry: int) -> bytes:
    code = b"\x66\xb9\x10\x00"  # mov $16, %cx
    code += b"\x8e\xd9\x8e\xc1\x8e\xd1\x8e\xe1\x8e\xe9"  # data segments
    code += b"\x81\xc3" + struct.pack("<I", _INFO)  # add $info, %ebx
    code += b"\x31\xc0"  # xor %eax, %eax
    return code + b"\xb9" + struct.pack("<I", entry) + b"\xff\xe1"  # jmp *%ecx
