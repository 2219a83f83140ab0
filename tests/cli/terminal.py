#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs a command on a terminal of its own and types at its prompts.

terminal.py [--interrupt] ANSWER... -- COMMAND...

An answer that begins with + is typed where echo is expected; all others where it must be off. Says after
each prompt whether echo was off, and at the end the exit code and whether echo is on again.
"""
import fcntl
import os
import pty
import select
import sys
import termios
import time


def is_echo_on(fd):
    return bool(termios.tcgetattr(fd)[3] & termios.ECHO)


def read_until_prompt(fd):
    """What the command writes until it waits at a prompt, or ends (None)."""
    text = b""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if not select.select([fd], [], [], 0.1)[0]:
            if text.endswith(b": "):
                return text, True
            continue
        try:
            part = os.read(fd, 4096)
        except OSError:
            part = b""
        if not part:
            return text, False
        text += part
    sys.exit("no prompt within 30 s, only: %r" % text)


def show(text):
    for line in text.decode().replace("\r", "").split("\n"):
        if line.strip():
            print("| " + line.rstrip())


def main():
    split = sys.argv.index("--")
    answers, command = sys.argv[1:split], sys.argv[split + 1:]
    # Our own descriptor of the terminal keeps it alive after the command has ended.
    fd, keep = pty.openpty()
    child = os.fork()
    if child == 0:
        os.setsid()
        fcntl.ioctl(keep, termios.TIOCSCTTY, 0)
        for standard in range(3):
            os.dup2(keep, standard)
        os.execv(command[0], command)
    print("$ keystead " + " ".join(command[1:]))
    while True:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            break
        if select.select([fd], [], [], 0.05)[0] and answers:
            text, is_waiting = read_until_prompt(fd)
            show(text)
            if is_waiting:
                print("(echo is %s)" % ("on" if is_echo_on(fd) else "off"))
                answer = answers.pop(0)
                os.write(fd, b"\x03" if answer == "--interrupt" else answer.lstrip("+").encode() + b"\n")
    rest = b""
    while select.select([fd], [], [], 0.1)[0]:
        rest += os.read(fd, 4096)
    show(rest)
    print("= exit %d" % os.waitstatus_to_exitcode(status))
    print("(echo is %s)" % ("on" if is_echo_on(keep) else "off"))


main()
