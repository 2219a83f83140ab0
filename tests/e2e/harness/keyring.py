# SPDX-License-Identifier: Apache-2.0
"""What somebody without keys can do to a keyring (docs/FORMAT.md)."""
import hashlib


def claiming(copy, sequence):
    """A copy of a keyring with this sequence and a right sum."""
    data = copy[:32] + sequence.to_bytes(8, "little") + copy[40:-32]
    return data + hashlib.sha256(data).digest()
