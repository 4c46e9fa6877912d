#!/usr/bin/env python3
"""Says why examples/uring cannot run here, and fails then: the system has no io_uring of Linux 6.1, or
forbids it."""

import ctypes
import os
import sys


def reason():
    system, release = os.uname().sysname, os.uname().release
    if system != "Linux" or tuple(map(int, release.split("-")[0].split(".")[:2])) < (6, 1):
        return f"{system} {release} is not Linux 6.1 or later"
    # io_uring_setup is 425 on all processors but Alpha, and its parameters have 120 bytes.
    libc = ctypes.CDLL(None, use_errno=True)
    ring = libc.syscall(425, 1, ctypes.create_string_buffer(120))
    if ring < 0:
        return f"the kernel forbids io_uring: {os.strerror(ctypes.get_errno())}"
    os.close(ring)
    return ""


if why := reason():
    print(why)
    sys.exit(1)
