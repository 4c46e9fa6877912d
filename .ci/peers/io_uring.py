#!/usr/bin/env python3
"""Says why examples/uring cannot run here, and fails then: the kernel is older than 6.1, or forbids it."""

import ctypes
import os
import sys

release = os.uname().release
if os.uname().sysname != "Linux" or tuple(map(int, release.split("-")[0].split(".")[:2])) < (6, 1):
    sys.exit(print(f"{os.uname().sysname} {release} is older than Linux 6.1") or 1)
# io_uring_setup is 425 on every processor, and its parameters have 120 bytes.
libc = ctypes.CDLL(None, use_errno=True)
ring = libc.syscall(425, 1, ctypes.create_string_buffer(120))
if ring < 0:
    sys.exit(print(f"the kernel forbids io_uring: {os.strerror(ctypes.get_errno())}") or 1)
os.close(ring)
