"""GPU code inside a shared library: list it, and zero what another GPU architecture needs.

nvcc puts the code of all architectures into the section .nv_fatbin, as containers one behind the
other. A container is a 16-byte header {u32 magic, u16 version, u16 header size, u64 size of the
rest} and entries. An entry is a header {u16 kind, u16 version, u32 header size, u64 payload size,
…, u32 architecture at 28, …} and its payload, mostly compressed. The driver reads the payload of the
entry that it chooses by architecture and no other, so zeroing the others changes nothing but the
size of the file once it is compressed.

All numbers in the file are checked before they are used: a file that is not what it seems raises
Bad with a sentence.
"""
import collections
import struct

MAGIC = 0xBA55ED50
PTX, CODE = 1, 2
SECTIONS = (b'.nv_fatbin', b'__nv_relfatbin')

Entry = collections.namedtuple('Entry', 'kind arch start size')  # start, size: of the payload


class Bad(Exception):
    pass


def unpack(fmt, data, offset, what):
    if offset < 0 or offset + struct.calcsize(fmt) > len(data):
        raise Bad(f'{what} is cut off')
    return struct.unpack_from(fmt, data, offset)


def fatbin_sections(data):
    """(offset, end) of the sections with GPU code in an ELF file."""
    if bytes(data[:6]) != b'\x7fELF\x02\x01':
        raise Bad('this is no 64-bit ELF file')
    table, = unpack('<Q', data, 0x28, 'the ELF header')
    size, count, names = unpack('<HHH', data, 0x3A, 'the ELF header')
    if size != 64 or names >= count:
        raise Bad('the ELF file has no section table')
    rows = [unpack('<IIQQQQ', data, table + 64 * i, 'the section table') for i in range(count)]
    found = []
    for name, kind, _, _, offset, length in rows:
        at = rows[names][4] + name
        if kind == 8 or not any(bytes(data[at:at + len(s) + 1]) == s + b'\0' for s in SECTIONS):
            continue
        if offset + length > len(data):
            raise Bad('the section with GPU code is cut off')
        found.append((offset, offset + length))
    return found


def container_entries(data, at, end):
    entries = []
    while at < end:
        kind, _, header, size = unpack('<HHIQ', data, at, 'an entry of GPU code')
        arch, = unpack('<I', data, at + 28, 'an entry of GPU code')
        if header < 32 or header > end - at or size > end - at - header:
            raise Bad(f'the entry of GPU code at {at:#x} does not fit')
        entries.append(Entry(kind, arch, at + header, size))
        at += header + size
    return entries


def containers(data):
    """One list of entries for each container."""
    found = []
    for at, end in fatbin_sections(data):
        while at < end:
            if end - at >= 8 and not any(data[at:at + 8]):
                at += 8  # between containers
                continue
            magic, _, header, size = unpack('<IHHQ', data, at, 'a container of GPU code')
            if magic != MAGIC or header < 16 or header + size > end - at:
                raise Bad(f'what is at {at:#x} is no container of GPU code')
            found.append(container_entries(data, at + header, at + header + size))
            at += header + size
    return found


def best(entries, kind, arch, same_major):
    able = [e.arch for e in entries if e.kind == kind and e.arch <= arch and
            (not same_major or e.arch // 10 == arch // 10)]
    return [e for e in entries if able and e.kind == kind and e.arch == max(able)]


def strip(data, arch):
    """Zero in a bytearray what a GPU of this architecture does not load: it takes the newest code of
    its generation, or PTX where there is none. Returns (entries kept, entries zeroed)."""
    kept = zeroed = 0
    for entries in containers(data):
        keep = best(entries, CODE, arch, True) or best(entries, PTX, arch, False)
        for e in entries:
            if e in keep:
                kept += 1
            else:
                data[e.start:e.start + e.size] = bytes(e.size)
                zeroed += 1
    if zeroed and not kept:
        raise Bad(f'it has no code for sm_{arch}')
    return kept, zeroed


def summary(data):
    """{(kind, arch): (entries, bytes, entries that are all zero)}"""
    table = {}
    for e in (e for entries in containers(data) for e in entries):
        n, size, empty = table.get((e.kind, e.arch), (0, 0, 0))
        blank = not any(data[e.start:e.start + e.size])
        table[e.kind, e.arch] = (n + 1, size + e.size, empty + blank)
    return table
