# SPDX-License-Identifier: Apache-2.0
"""A SoftHSM token, as the tests use it: a stand-in for an HSM in a rack."""
import glob
import os
import shutil
import subprocess

TOOLS = ("softhsm2-util", "pkcs11-tool")
PIN, SO_PIN = "1234", "12345678"


def module():
    found = sorted(glob.glob("/usr/lib*/softhsm/libsofthsm2.so") + glob.glob("/usr/lib/*/softhsm/libsofthsm2.so"))
    return found[0] if found else None


def missing():
    """Why these tests cannot run; None when they can."""
    absent = [tool for tool in TOOLS if not shutil.which(tool)]
    if absent or not module():
        return f"SKIP: SoftHSM is not installed ({', '.join(absent) or 'no module'})"
    return None


class SoftHsm:
    """One token. Its place is in SOFTHSM2_CONF, which everything started from here inherits."""

    def __init__(self, work, label="hsm"):
        self.label = label
        self.tokens = os.path.join(work, "tokens")
        self.pin_file = os.path.join(work, "pin")
        conf = os.path.join(work, "softhsm2.conf")
        os.mkdir(self.tokens)
        with open(conf, "w") as f:
            f.write(f"directories.tokendir = {self.tokens}\nobjectstore.backend = file\nlog.level = ERROR\n")
        self.write_pin(PIN)
        os.environ["SOFTHSM2_CONF"] = conf
        self.run("softhsm2-util", "--init-token", "--free", "--label", label, "--so-pin", SO_PIN, "--pin", PIN)

    @staticmethod
    def run(*argv):
        subprocess.run(argv, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                       timeout=60)

    def tool(self, *args):
        self.run("pkcs11-tool", "--module", module(), "--token-label", self.label, "--login", "--pin", PIN, *args)

    def write_pin(self, pin):
        with open(self.pin_file, "w") as f:
            f.write(pin + "\n")

    def create(self, name, number="01"):
        self.tool("--keygen", "--key-type", "AES:32", "--sensitive", "--label", name, "--id", number)

    def destroy(self, name, number="01"):
        self.tool("--delete-object", "--type", "secrkey", "--label", name, "--id", number)

    def unplug(self):
        os.rename(self.tokens, self.tokens + ".away")

    def plug(self):
        os.rename(self.tokens + ".away", self.tokens)

    def spec(self, name):
        return ["--key", f"pkcs11:token={self.label};object={name}?module-path={module()}"
                         f"&pin-source=file:{self.pin_file}"]
