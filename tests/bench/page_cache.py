"""A page cache that is full, as on a machine that has been at work for a while."""

import pathlib

MIB = 1 << 20
STEP = 256 * MIB
READ = 16 * MIB
LITTLE = STEP // 4  # A step that takes no more of the free memory than that finds none.


class PageCache:
    """Pages of a file of holes take up the memory that nobody uses; the kernel gives them to whoever
    writes a log, at once. Free memory a virtual machine may give back to its host, and then each of
    its pages costs ten times as much when it is used for the first time: whoever is measured first,
    or has deleted most, would pay for that.
    """

    def __init__(self, directory):
        self.path = directory / "holes"
        self.file = self.path.open("w+b", buffering=0)
        self.size = 2 * _memory("MemTotal")  # None of it is cached any more when it is read again.
        self.file.truncate(self.size)

    def fill(self):
        free, in_vain = _memory("MemFree"), 0
        for _ in range(self.size // STEP):
            self._read(STEP)
            before, free = free, _memory("MemFree")
            in_vain = in_vain + 1 if before - free < LITTLE else 0
            if in_vain == 2:  # Once may be somebody else's doing.
                return

    def _read(self, wanted):
        for _ in range(wanted // READ):
            if len(self.file.read(READ)) < READ:
                self.file.seek(0)

    def close(self):
        self.file.close()
        self.path.unlink()


def _memory(what):
    lines = pathlib.Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(f"{what}:"))
