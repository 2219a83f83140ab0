# SPDX-License-Identifier: Apache-2.0
"""Goal: whoever can write the backing directory can destroy, but neither read nor forge; damage is told
with file and block, and costs no other file."""
import errno
import json
import os
import shutil

import pytest

from harness import memory
from harness.keyring import claiming

PAYLOAD, BLOCK, HEADER = 3584, 4096, 4096
SECRET = b"the-secret-that-nobody-may-see"
EXIT_USAGE, EXIT_CORRUPT = 2, 6


def write(path, data):
    with open(path, "wb") as f:
        f.write(data)
        os.fsync(f.fileno())


@pytest.fixture
def files(volume):
    """{name: data} of an unmounted volume; sizes differ so that a backing file can be told by its own."""
    volume.mount()
    content = {f"file-{n}": os.urandom(PAYLOAD * (10 + n)) for n in range(4)}
    for name, data in content.items():
        write(os.path.join(volume.mountpoint, name), data)
    volume.unmount()
    return content


def backing_of(volume, data):
    size = HEADER + len(data) // PAYLOAD * BLOCK
    return next(p for p in memory.backing_files(volume, 100) if os.path.getsize(p) == size)


def flip(path, at):
    with open(path, "r+b") as f:
        f.seek(at)
        byte = f.read(1)[0]
        f.seek(at)
        f.write(bytes([byte ^ 0x10]))


@pytest.mark.parametrize("offset", [0, 2000, 3584, 3600, 3630, 4090],
                         ids=["first", "payload", "tag", "nonce", "meta", "reserved"])
def test_flipped_byte__that_block_gives_eio_and_nothing_else(offset, volume, files):
    bad = 3
    flip(backing_of(volume, files["file-1"]), HEADER + bad * BLOCK + offset)
    volume.mount()
    fd = os.open(os.path.join(volume.mountpoint, "file-1"), os.O_RDONLY)
    try:
        with pytest.raises(OSError) as error:
            os.pread(fd, PAYLOAD, bad * PAYLOAD)
        assert error.value.errno == errno.EIO
        # a block two pages away shares no page of the kernel's cache with the bad one
        for good in (0, bad + 3):
            data = os.pread(fd, PAYLOAD, good * PAYLOAD)
            assert data == files["file-1"][good * PAYLOAD:][:PAYLOAD]
    finally:
        os.close(fd)
    for name, data in files.items():
        if name != "file-1":
            with open(os.path.join(volume.mountpoint, name), "rb") as f:
                assert f.read() == data
    assert volume.status()["counters"]["blocks_corrupt"] >= 1


@pytest.mark.parametrize("is_mounted", [True, False], ids=["mounted", "offline"])
def test_verify__lists_the_file_and_the_block(is_mounted, volume, files):
    flip(backing_of(volume, files["file-2"]), HEADER + 5 * BLOCK + 17)
    flip(backing_of(volume, files["file-2"]), HEADER + 7 * BLOCK + 17)
    if is_mounted:
        volume.mount()
    where = volume.mountpoint if is_mounted else volume.backing
    done = volume.cli.run("volume", "verify", where, "--output", "json", check=False)
    assert done.returncode == EXIT_CORRUPT
    report = json.loads(done.stdout)
    text = json.dumps(report)
    assert "file-2" in text and "file-1" not in text, text
    assert {5, 7} <= set(find_values(report, "block")), text
    table = volume.cli.run("volume", "verify", where, check=False)
    assert "file-2" in table.stdout + table.stderr


def find_values(node, key):
    """All values of a key, anywhere in a JSON document."""
    if isinstance(node, dict):
        for k, v in node.items():
            if k == key:
                yield v
            yield from find_values(v, key)
    elif isinstance(node, list):
        for v in node:
            yield from find_values(v, key)


def test_verify_of_a_sound_volume__says_so(volume, files):
    assert volume.cli.run("volume", "verify", volume.backing).returncode == 0


def swap_blocks(path, a, b):
    with open(path, "r+b") as f:
        f.seek(HEADER + a * BLOCK)
        first = f.read(BLOCK)
        f.seek(HEADER + b * BLOCK)
        second = f.read(BLOCK)
        f.seek(HEADER + b * BLOCK)
        f.write(first)
        f.seek(HEADER + a * BLOCK)
        f.write(second)


def reads_nothing_of(volume, name, at):
    with open(os.path.join(volume.mountpoint, name), "rb", buffering=0) as f:
        with pytest.raises(OSError) as error:
            os.pread(f.fileno(), PAYLOAD, at)
    assert error.value.errno == errno.EIO


def test_blocks_swapped_within_a_file__are_refused(volume, files):
    swap_blocks(backing_of(volume, files["file-0"]), 2, 6)
    volume.mount()
    reads_nothing_of(volume, "file-0", 2 * PAYLOAD)
    reads_nothing_of(volume, "file-0", 6 * PAYLOAD)


def test_block_copied_from_another_file__is_refused(volume, files):
    with open(backing_of(volume, files["file-0"]), "rb") as f:
        f.seek(HEADER + 2 * BLOCK)
        block = f.read(BLOCK)
    with open(backing_of(volume, files["file-1"]), "r+b") as f:
        f.seek(HEADER + 2 * BLOCK)
        f.write(block)
    volume.mount()
    reads_nothing_of(volume, "file-1", 2 * PAYLOAD)


def test_file_copied_from_another_volume__is_refused(volume, files, new_volume, store):
    other = new_volume([store.spec("orders")], name="other")
    other.mount()
    write(os.path.join(other.mountpoint, "victim"), os.urandom(len(files["file-0"])))
    other.unmount()
    shutil.copy(backing_of(volume, files["file-0"]), memory.backing_files(other)[0])
    other.mount()
    with pytest.raises(OSError) as error:
        with open(os.path.join(other.mountpoint, "victim"), "rb") as f:
            f.read()
    assert error.value.errno == errno.EIO


def page_of(path, page):
    with open(path, "rb") as f:
        f.seek(page * BLOCK)
        return f.read(BLOCK)


def put_page(path, page, data):
    with open(path, "r+b") as f:
        f.seek(page * BLOCK)
        f.write(data)


def header_of_another(path, other):
    put_page(path, 0, page_of(other, 0))


def block_appended(path, other):
    put_page(path, os.path.getsize(path) // BLOCK, page_of(other, 1))


def cut_within_a_page(path, other):
    os.truncate(path, os.path.getsize(path) - 100)


def moved_block(path, other):
    put_page(path, 4, page_of(path, 2))


@pytest.mark.parametrize("attack", [header_of_another, block_appended, cut_within_a_page, moved_block],
                         ids=lambda attack: attack.__name__)
def test_structure_changed__read_gives_eio_and_verify_names_the_file(attack, volume, files):
    attack(backing_of(volume, files["file-1"]), backing_of(volume, files["file-2"]))
    volume.mount()
    with pytest.raises(OSError) as error:
        with open(os.path.join(volume.mountpoint, "file-1"), "rb") as f:
            while f.read(PAYLOAD):
                pass
    assert error.value.errno == errno.EIO
    with open(os.path.join(volume.mountpoint, "file-2"), "rb") as f:
        assert f.read() == files["file-2"]
    done = volume.call("verify", "--output", "json", check=False)
    assert done.returncode == EXIT_CORRUPT
    assert "file-1" in done.stdout and "file-2" not in done.stdout


def test_block_zeroed__is_a_hole_as_the_threat_model_says(volume, files):
    put_page(backing_of(volume, files["file-1"]), 3, bytes(BLOCK))
    volume.mount()
    with open(os.path.join(volume.mountpoint, "file-1"), "rb") as f:
        data = f.read()
    want = files["file-1"]
    assert data == want[:2 * PAYLOAD] + bytes(PAYLOAD) + want[3 * PAYLOAD:]
    assert volume.call("verify").returncode == 0


def test_damaged_name__is_left_out_and_reported(volume, files):
    path = backing_of(volume, files["file-3"])
    directory, name = os.path.split(path)
    changed = name[:-3] + ("AAA" if not name.endswith("AAA") else "BBB")
    os.rename(path, os.path.join(directory, changed))
    volume.mount()
    assert sorted(os.listdir(volume.mountpoint)) == ["file-0", "file-1", "file-2"]
    assert volume.call("verify", check=False).returncode == EXIT_CORRUPT


def test_backing_directory__never_has_plaintext_or_names(mounted):
    m = mounted.mountpoint
    os.makedirs(os.path.join(m, "a-directory-name", "second-directory"))
    write(os.path.join(m, "a-directory-name", "a-file-name"), SECRET * 1000)
    os.symlink(SECRET.decode() * 30, os.path.join(m, "a-link-name"))
    write(os.path.join(m, "n" * 200 + "-a-long-name"), SECRET)
    os.setxattr(os.path.join(m, "a-directory-name", "a-file-name"), "user.a-attribute-name", SECRET)
    os.rename(os.path.join(m, "a-directory-name", "a-file-name"), os.path.join(m, "a-new-name"))
    os.sync()
    needles = [SECRET, b"a-directory-name", b"second-directory", b"a-file-name", b"a-link-name",
               b"a-long-name", b"a-new-name", b"a-attribute-name"]
    assert memory.contains(m, SECRET), "the search finds what is there"
    assert not memory.contains(mounted.backing, *needles)
    for parent, directories, names in os.walk(mounted.backing):
        for name in directories + names:
            path = os.path.join(parent, name)
            for attribute in os.listxattr(path, follow_symlinks=False):
                value = os.getxattr(path, attribute, follow_symlinks=False)
                assert not any(n in attribute.encode() + value for n in needles)


def test_same_content_twice__looks_different(mounted):
    data = SECRET * 500
    for name in ("one", "two"):
        write(os.path.join(mounted.mountpoint, name), data)
    os.sync()
    pages = set()
    count = 0
    for path in memory.backing_files(mounted):
        with open(path, "rb") as f:
            while page := f.read(BLOCK):
                pages.add(page)
                count += 1
    assert count >= 10 and len(pages) == count


def repaired(volume):
    done = volume.cli.run("volume", "verify", volume.backing, "--repair", "--output", "json", check=False)
    return done.returncode, json.loads(done.stdout)


def test_repair__a_damaged_copy_of_the_keyring_is_whole_again(volume, files):
    copies = [os.path.join(volume.backing, f"keyring.{n}") for n in range(2)]
    with open(copies[0], "rb") as f:
        whole = f.read()
    flip(copies[1], 100)
    code, said = repaired(volume)
    assert (code, said["is_keyring_mended"]) == (0, True)
    with open(copies[1], "rb") as f:
        assert f.read() == whole
    assert repaired(volume)[1]["is_keyring_mended"] is False


def test_repair__a_damaged_file_is_told_and_not_touched(volume, files):
    path = backing_of(volume, files["file-1"])
    flip(path, HEADER + 5 * BLOCK + 100)
    with open(path, "rb") as f:
        before = f.read()
    code, said = repaired(volume)
    assert code == EXIT_CORRUPT and not said["is_sound"]
    assert [(d["path"], d["block"]) for d in said["damaged"]] == [("/file-1", 5)]
    with open(path, "rb") as f:
        assert f.read() == before


def test_repair_of_a_mounted_volume__is_refused(volume):
    volume.mount()
    done = volume.cli.run("volume", "verify", volume.mountpoint, "--repair", check=False)
    assert done.returncode == 5 and "unmount it" in done.stderr


# --- targets, attributes and long names ---

LONG = "n" * 250


@pytest.fixture
def objects(volume):
    """What is no file's contents, of an unmounted volume: {name: inode number}, the same in the backing tree."""
    volume.mount()
    top = volume.mountpoint
    write(os.path.join(top, "file"), b"x" * PAYLOAD)
    os.mkdir(os.path.join(top, "directory"))
    os.symlink("file", os.path.join(top, "link"))
    os.symlink("directory", os.path.join(top, "other-link"))
    for name in ("file", "directory"):
        os.setxattr(os.path.join(top, name), "user.origin", SECRET)
    write(os.path.join(top, LONG), b"long")
    inodes = {name: os.lstat(os.path.join(top, name)).st_ino for name in os.listdir(top)}
    volume.unmount()
    return inodes


def backing_path(volume, inode):
    for parent, directories, names in os.walk(os.path.join(volume.backing, "tree")):
        for name in directories + names:
            if os.lstat(os.path.join(parent, name)).st_ino == inode:
                return os.path.join(parent, name)


def retarget(volume, objects):
    path = backing_path(volume, objects["link"])
    sealed = os.readlink(path)
    os.unlink(path)
    os.symlink(sealed[:-2] + ("AA" if not sealed.endswith("AA") else "BB"), path)


def change_attribute(volume, objects, name):
    path = backing_path(volume, objects[name])
    kept = next(a for a in os.listxattr(path) if a.startswith("user.ks."))
    value = bytearray(os.getxattr(path, kept))
    value[-1] ^= 1
    os.setxattr(path, kept, bytes(value))


def change_attribute_of_a_file(volume, objects):
    change_attribute(volume, objects, "file")


def change_attribute_of_a_directory(volume, objects):
    change_attribute(volume, objects, "directory")


def record_path(volume):
    record, = os.listdir(os.path.join(volume.backing, "long"))
    return os.path.join(volume.backing, "long", record)


def change_record(volume, _):
    flip(record_path(volume), 100)


def cut_record(volume, _):
    os.truncate(record_path(volume), 100)


def remove_record(volume, _):
    os.unlink(record_path(volume))


def record_by_a_symlink(volume, _):
    path = record_path(volume)
    os.rename(path, path + ".moved")
    os.symlink(path + ".moved", path)


def use_link(top):
    os.readlink(os.path.join(top, "link"))


def use_file_attribute(top):
    os.getxattr(os.path.join(top, "file"), "user.origin")


def use_directory_attribute(top):
    os.getxattr(os.path.join(top, "directory"), "user.origin")


def counts(report):
    return {key: n for key, n in report.items() if key.endswith("_damaged") and n}


@pytest.mark.parametrize("is_mounted", [True, False], ids=["mounted", "offline"])
@pytest.mark.parametrize("attack, use, path, what, count", [
    (retarget, use_link, "/link", "target of the symlink", "targets_damaged"),
    (change_attribute_of_a_file, use_file_attribute, "/file", "attribute user.origin", "attributes_damaged"),
    (change_attribute_of_a_directory, use_directory_attribute, "/directory", "attribute user.origin",
     "attributes_damaged"),
], ids=["target", "attribute of a file", "attribute of a directory"])
def test_object_changed__use_gives_eio_and_verify_names_it(attack, use, path, what, count, is_mounted, volume, objects):
    attack(volume, objects)
    volume.mount()
    with pytest.raises(OSError) as error:
        use(volume.mountpoint)
    assert error.value.errno == errno.EIO
    if not is_mounted:
        volume.unmount()
    where = volume.mountpoint if is_mounted else volume.backing
    done = volume.cli.run("volume", "verify", where, "--output", "json", check=False)
    report = json.loads(done.stdout)
    assert done.returncode == EXIT_CORRUPT and report["is_sound"] is False
    assert [(d["path"], d["block"]) for d in report["damaged"]] == [(path, None)]
    assert what in report["damaged"][0]["what"]
    assert counts(report) == {count: 1}
    text = volume.cli.run("volume", "verify", where, check=False)
    assert f"damaged: {path}: " in text.stdout and what in text.stdout and "DAMAGED" in text.stdout


@pytest.mark.parametrize("attack, records", [(change_record, 1), (cut_record, 1), (remove_record, 0), (record_by_a_symlink, 1)],
                         ids=["changed", "cut", "removed", "symlink"])
def test_record_of_a_long_name__changed_or_gone__is_told_and_costs_no_other_name(attack, records, volume, objects):
    attack(volume, objects)
    volume.mount()
    assert sorted(os.listdir(volume.mountpoint)) == sorted(set(objects) - {LONG})
    with open(os.path.join(volume.mountpoint, LONG), "rb") as f:  # who knows the name still gets there
        assert f.read() == b"long"
    done = volume.call("verify", "--output", "json", check=False)
    report = json.loads(done.stdout)
    assert done.returncode == EXIT_CORRUPT and report["is_sound"] is False
    assert counts(report) == {"names_damaged": 1, **({"records_damaged": records} if records else {})}
    assert sum(d["path"].startswith("long/") for d in report["damaged"]) == records
    assert all(d["block"] is None for d in report["damaged"])
    os.rename(os.path.join(volume.mountpoint, LONG), os.path.join(volume.mountpoint, "short"))
    back = (os.path.join(volume.mountpoint, "short"), os.path.join(volume.mountpoint, LONG))
    if records:  # nobody could find out what it is called
        with pytest.raises(OSError) as error:
            os.rename(*back)
        assert error.value.errno == errno.EIO
        long = os.path.join(volume.backing, "long")
        for name in os.listdir(long):
            os.unlink(os.path.join(long, name))
    os.rename(*back)
    assert sorted(os.listdir(volume.mountpoint)) == sorted(objects)


def test_count_without_keys__looks_at_none_of_it(volume, objects):
    retarget(volume, objects)
    change_attribute_of_a_file(volume, objects)
    change_record(volume, objects)
    survey = volume.cli.json("volume", "inspect", volume.backing, "--survey")["survey"]
    assert (survey["files"], survey["directories"], survey["other"]) == (2, 2, 2)
    report = json.loads(volume.cli.run("volume", "verify", volume.backing, "-o", "json", check=False).stdout)
    assert counts(report) == {"targets_damaged": 1, "attributes_damaged": 1, "names_damaged": 1, "records_damaged": 1}


def test_symlinks_exchanged__each_leads_where_the_other_did(volume, objects):
    one, two = backing_path(volume, objects["link"]), backing_path(volume, objects["other-link"])
    os.rename(one, one + ".x")
    os.rename(two, one)
    os.rename(one + ".x", two)
    volume.mount()
    assert os.readlink(os.path.join(volume.mountpoint, "link")) == "directory"
    assert os.readlink(os.path.join(volume.mountpoint, "other-link")) == "file"
    assert volume.call("verify").returncode == 0


def test_damage_under_a_name_that_is_no_utf8__is_told_of_a_mounted_volume(volume):
    volume.mount()
    write(os.path.join(os.fsencode(volume.mountpoint), b"ledger-\xff"), b"x" * 10 * PAYLOAD)
    volume.unmount()
    flip(memory.backing_files(volume, 1)[0], HEADER + 5 * BLOCK)
    volume.mount()
    report = json.loads(volume.call("verify", "-o", "json", check=False).stdout)
    assert [(d["path"], d["block"]) for d in report["damaged"]] == [("/ledger-?", 5)]


# --- what THREAT-MODEL.md says is not seen: it is as it says there, through the mount and for verify ---


@pytest.fixture
def tree(volume):
    """An unmounted volume with /a/one, /b/two and /three."""
    volume.mount()
    top, content = volume.mountpoint, {}
    for n, name in enumerate(["a/one", "b/two", "three"]):
        os.makedirs(os.path.dirname(os.path.join(top, name)), exist_ok=True)
        content[name] = os.urandom(PAYLOAD * (10 + n))
        write(os.path.join(top, name), content[name])
    inodes = {name: os.stat(os.path.join(top, name)).st_ino for name in [*content, "a", "b"]}
    volume.unmount()
    return content, {name: backing_path(volume, inode) for name, inode in inodes.items()}


def contents(top):
    """{path: data} of all files below."""
    found = {}
    for parent, _, names in os.walk(top):
        for name in names:
            path = os.path.join(parent, name)
            with open(path, "rb") as f:
                found[os.path.relpath(path, top)] = f.read()
    return found


def entry_moved(data, at):
    os.rename(at["a/one"], os.path.join(at["b"], os.path.basename(at["a/one"])))
    return {"b/one": data["a/one"], "b/two": data["b/two"], "three": data["three"]}


def directory_moved(data, at):
    os.rename(at["a"], os.path.join(at["b"], os.path.basename(at["a"])))
    return {"b/a/one": data["a/one"], "b/two": data["b/two"], "three": data["three"]}


def directories_exchanged(data, at):
    os.rename(at["a"], at["a"] + ".x")
    os.rename(at["b"], at["a"])
    os.rename(at["a"] + ".x", at["b"])
    return {"b/one": data["a/one"], "a/two": data["b/two"], "three": data["three"]}


def file_removed(data, at):
    os.unlink(at["a/one"])
    return {"b/two": data["b/two"], "three": data["three"]}


def hard_link_added(data, at):
    os.link(at["a/one"], os.path.join(at["b"], os.path.basename(at["three"])))
    return {**data, "b/three": data["a/one"]}


def zero_pages_appended(data, at):
    with open(at["three"], "ab") as f:
        f.write(bytes(5 * BLOCK))
    return data


def sparse_tail_appended(data, at):
    os.truncate(at["three"], 1 << 30)
    return data


def cut_at_a_block(data, at):
    os.truncate(at["three"], HEADER + 4 * BLOCK)
    return {**data, "three": data["three"][:4 * PAYLOAD]}


def cut_to_the_header(data, at):
    os.truncate(at["three"], HEADER)
    return {**data, "three": b""}


def emptied(data, at):
    os.truncate(at["three"], 0)
    return {**data, "three": b""}


@pytest.mark.parametrize("attack", [entry_moved, directory_moved, directories_exchanged, file_removed, hard_link_added,
                                    zero_pages_appended, sparse_tail_appended, cut_at_a_block, cut_to_the_header,
                                    emptied], ids=lambda attack: attack.__name__)
def test_structure_changed__is_as_the_threat_model_says(attack, volume, tree):
    want = attack(*tree)
    volume.mount()
    assert contents(volume.mountpoint) == want
    assert volume.call("verify").returncode == 0


def test_mode_and_owner_changed__are_the_new_ones_and_have_no_power_on_the_host(volume, tree):
    _, at = tree
    os.chown(at["three"], 4711, 4712)
    os.chmod(at["three"], 0o4777)
    os.utime(at["three"], (1, 1))
    volume.mount()
    info = os.stat(os.path.join(volume.mountpoint, "three"))
    assert (info.st_uid, info.st_gid, info.st_mode & 0o7777, info.st_mtime) == (4711, 4712, 0o4777, 1)
    powers = os.ST_NOSUID | os.ST_NODEV
    assert os.statvfs(volume.mountpoint).f_flag & powers == powers
    assert volume.call("verify").returncode == 0


def test_file_put_back__is_the_older_one(volume, tree, work):
    data, at = tree
    kept = os.path.join(work, "kept")
    shutil.copy2(at["three"], kept)
    volume.mount()
    write(os.path.join(volume.mountpoint, "three"), os.urandom(PAYLOAD * 20))
    os.unlink(os.path.join(volume.mountpoint, "a/one"))
    volume.unmount()
    shutil.copy2(kept, at["three"])
    volume.mount()
    assert contents(volume.mountpoint) == {"b/two": data["b/two"], "three": data["three"]}
    assert volume.call("verify").returncode == 0


def test_volume_put_back__is_the_older_one(volume, tree, work):
    data, _ = tree
    kept = os.path.join(work, "kept")
    shutil.copytree(volume.backing, kept, symlinks=True)
    volume.mount()
    write(os.path.join(volume.mountpoint, "three"), b"newer")
    os.unlink(os.path.join(volume.mountpoint, "a/one"))
    volume.call("rotate", "--level", "data")
    volume.unmount()
    shutil.rmtree(volume.backing)
    shutil.copytree(kept, volume.backing, symlinks=True)
    volume.mount()
    assert contents(volume.mountpoint) == data
    assert volume.call("verify").returncode == 0


# --- a keyring that is put back ---


def keep_keyring(volume):
    return {name: open(os.path.join(volume.backing, name), "rb").read() for name in ("keyring.0", "keyring.1")}


def put_keyring_back(volume, kept):
    for name, data in kept.items():
        write(os.path.join(volume.backing, name), data)


def test_keyring_put_back__newer_blocks_fail_and_are_named(volume, tree):
    data, _ = tree
    kept = keep_keyring(volume)
    volume.mount()
    volume.call("rotate", "--level", "data")
    write(os.path.join(volume.mountpoint, "newer"), b"x" * 3 * PAYLOAD)
    volume.unmount()
    put_keyring_back(volume, kept)
    volume.mount()
    with pytest.raises(OSError) as error:
        with open(os.path.join(volume.mountpoint, "newer"), "rb") as f:
            f.read()
    assert error.value.errno == errno.EIO
    for name, want in data.items():
        with open(os.path.join(volume.mountpoint, name), "rb") as f:
            assert f.read() == want
    done = volume.call("verify", "-o", "json", check=False)
    assert done.returncode == EXIT_CORRUPT
    assert sorted((d["path"], d["block"]) for d in json.loads(done.stdout)["damaged"]) == [("/newer", n) for n in range(3)]


def test_keyring_put_back__below_the_minimum__is_refused_and_nothing_is_lost(volume, tree, store):
    """Who has seen a keyring does not take an older one: before any key is asked for, mounted locked or not, and whatever a number
    says that no key vouches for. The right one put back, or the older one accepted, mounts."""
    kept = keep_keyring(volume)
    volume.mount()
    assert volume.status()["keyring"] == {"sequence": 1, "sequence_min": 0, "stale": None}
    volume.call("rotate", "--level", "data")
    volume.unmount()
    volume.mount("--min-sequence", 2)
    assert volume.status()["keyring"] == {"sequence": 2, "sequence_min": 2, "stale": None}
    volume.unmount()
    today = keep_keyring(volume)

    def refused():
        for more in ((), ("--start-locked",)):
            done = volume.mount("--min-sequence", 2, *more, check=False)
            assert done.returncode == EXIT_CORRUPT and "sequence 1, but one with 2" in done.stderr, done.stderr
            said = json.loads(volume.mount("--min-sequence", 2, *more, "-o", "json", check=False).stderr)
            assert said["error"]["code"] == "ROLLED_BACK"
        assert volume.cli.json("volume", "status", volume.backing)["state"] == "UNMOUNTED"

    put_keyring_back(volume, kept)
    refused()
    store.disable("orders")
    refused()
    store.enable("orders")
    write(os.path.join(volume.backing, "keyring.0"), claiming(kept["keyring.0"], 99))
    refused()
    assert keep_keyring(volume)["keyring.1"] == kept["keyring.1"]
    put_keyring_back(volume, today)
    volume.mount("--min-sequence", 2)
    assert contents(volume.mountpoint) == tree[0]
    volume.unmount()
    put_keyring_back(volume, kept)
    volume.mount("--min-sequence", 1)
    assert contents(volume.mountpoint) == tree[0]


def test_keyring_put_back__under_a_volume_that_is_mounted__it_keeps_to_its_own(volume, tree):
    """A volume process reads the keyring once. What is put in its place is neither opened by an unlock nor left there by a change."""
    kept = keep_keyring(volume)
    volume.mount()
    volume.call("rotate", "--level", "data")
    put_keyring_back(volume, kept)
    volume.call("lock", "--yes")
    volume.call("unlock")
    assert volume.status()["keyring"]["sequence"] == 2 and len(volume.status()["generations"]) == 2
    assert contents(volume.mountpoint) == tree[0]
    volume.call("rotate", "--level", "store")
    volume.unmount()
    volume.mount("--min-sequence", 3)
    assert volume.status()["keyring"]["sequence"] == 3 and contents(volume.mountpoint) == tree[0]


def test_keyring_put_back__of_a_volume_that_is_revoked__is_refused_too_and_a_forged_number_does_not_unlock(volume, tree):
    kept = keep_keyring(volume)
    volume.mount()
    volume.call("rotate", "--level", "data")
    volume.call("lock", "--yes")
    volume.unmount()
    today = keep_keyring(volume)
    put_keyring_back(volume, kept)
    done = volume.mount("--min-sequence", 2, "--start-locked", check=False)
    assert done.returncode == EXIT_CORRUPT and "sequence 1, but one with 2" in done.stderr
    write(os.path.join(volume.backing, "keyring.0"), claiming(kept["keyring.0"], 99))
    volume.mount("--min-sequence", 2, "--start-locked")  # a revoke asks for no key, which would have told
    assert volume.status()["keyring"] == {"sequence": None, "sequence_min": 2, "stale": None}
    assert volume.call("unlock", check=False).returncode != 0
    status = volume.status()
    assert (status["state"], status["cause"]) == ("LOCKED", "ROLLED_BACK") and "sequence 1, but one with 2" in status["message"]
    assert status["keyring"]["sequence"] != 99
    volume.unmount()
    put_keyring_back(volume, today)
    volume.mount("--min-sequence", 2, "--start-locked")
    volume.call("unlock")
    assert contents(volume.mountpoint) == tree[0]


@pytest.fixture
def beside(volume, tree, new_volume, store, cli):
    """A volume, its id, and the keyring of another one, which the same key opens and whose sequence is higher."""
    volume.mount()
    own = volume.status()["volume"]["id"]
    volume.unmount()
    other = new_volume([store.spec("orders")], name="other")
    for _ in range(2):
        cli.run("volume", "rotate", other.backing, "--level", "store")
    return volume, own, keep_keyring(other)


def test_keyring_of_another_volume__id_given__is_refused_and_nothing_changes(beside, tree):
    """By the volume process itself: whoever looked before may have seen another one there."""
    volume, own, foreign = beside
    kept = keep_keyring(volume)
    put_keyring_back(volume, foreign)
    for more in ((), ("--start-locked",)):
        done = volume.mount("--volume-id", own, "-o", "json", *more, check=False)
        assert done.returncode == EXIT_CORRUPT
        error = json.loads(done.stderr)["error"]
        assert error["code"] == "FOREIGN" and own in error["message"]
    assert keep_keyring(volume) == foreign
    put_keyring_back(volume, kept)
    volume.mount("--volume-id", own)
    assert contents(volume.mountpoint) == tree[0]


@pytest.mark.parametrize("name", ("keyring.0", "keyring.1"))
def test_one_copy_of_another_volumes_keyring__id_given__the_own_one_opens_and_replaces_it(beside, tree, name):
    volume, own, foreign = beside
    kept = keep_keyring(volume)
    put_keyring_back(volume, {name: foreign[name]})
    volume.mount("--volume-id", own)
    assert volume.status()["volume"]["id"] == own and contents(volume.mountpoint) == tree[0]
    volume.unmount()
    assert keep_keyring(volume) == kept


def test_one_copy_of_the_keyring_put_back__the_newer_one_counts(volume, tree):
    kept = keep_keyring(volume)
    volume.mount()
    volume.call("rotate", "--level", "data")
    write(os.path.join(volume.mountpoint, "newer"), b"newer")
    volume.unmount()
    put_keyring_back(volume, {"keyring.0": kept["keyring.0"]})
    volume.mount()
    assert contents(volume.mountpoint) == {**tree[0], "newer": b"newer"}
    assert len(volume.status()["generations"]) == 2


def test_keyring_put_back__a_destroyed_data_key_is_there_again_until_the_key_of_then_is_disabled(volume, tree, store, work):
    """What a copy of the backing directory from before held is readable again: destroying a data key reaches no copies."""
    data, at = tree
    kept, old = keep_keyring(volume), os.path.join(work, "old")
    shutil.copy2(at["three"], old)
    volume.mount()
    volume.call("rotate", "--level", "data")
    volume.call("rekey")
    assert [g["state"] for g in volume.status()["generations"]] == ["DESTROYED", "NEWEST"]
    volume.unmount()

    shutil.copy2(old, at["three"])  # with the keyring of today its key is gone
    volume.mount()
    with pytest.raises(OSError) as error:
        with open(os.path.join(volume.mountpoint, "three"), "rb") as f:
            f.read()
    assert error.value.errno == errno.EIO
    volume.unmount()

    today = keep_keyring(volume)
    put_keyring_back(volume, kept)
    volume.mount()
    with open(os.path.join(volume.mountpoint, "three"), "rb") as f:
        assert f.read() == data["three"]
    volume.unmount()

    put_keyring_back(volume, today)
    store.create("next")
    volume.cli.run("volume", "rotate", volume.backing, "--level", "cmek", *store.spec("next"))
    store.disable("orders")
    today = keep_keyring(volume)
    put_keyring_back(volume, kept)
    assert volume.mount(check=False).returncode == 3
    put_keyring_back(volume, today)
    volume.mount()


def test_keyring_put_back__a_removed_wrap_opens_until_its_key_is_disabled(volume, tree, store):
    store.create("former")
    volume.cli.run("volume", "add-wrap", volume.backing, *store.spec("former"))
    former = next(w["id"] for w in volume.cli.json("volume", "inspect", volume.backing)["wraps"] if "former" in w["uri"])
    kept = keep_keyring(volume)
    volume.cli.run("volume", "remove-wrap", volume.backing, "--wrap", str(former), "--yes")
    store.disable("orders")
    assert volume.mount(check=False).returncode == 3  # the removed wrap is gone

    put_keyring_back(volume, kept)
    volume.mount()
    assert contents(volume.mountpoint) == tree[0]
    volume.unmount()

    store.disable("former")  # at the key service: that no file undoes
    assert volume.mount(check=False).returncode == 3


def rename_attribute(volume, objects):
    path = backing_path(volume, objects["file"])
    kept = next(a for a in os.listxattr(path) if a.startswith("user.ks."))
    value = os.getxattr(path, kept)
    os.removexattr(path, kept)
    os.setxattr(path, kept[:8] + kept[8:].swapcase(), value)


def change_header(volume, objects):
    flip(backing_path(volume, objects["file"]), 40)


def change_end(volume, objects):
    cut_within_a_page(backing_path(volume, objects["file"]), None)


@pytest.mark.parametrize("attack, code, told, is_listed", [
    (change_header, EXIT_CORRUPT, "keystead: file: ", True),
    (change_end, EXIT_CORRUPT, "keystead: file: ", True),
    (retarget, EXIT_CORRUPT, "keystead: link: ", True),
    (change_attribute_of_a_file, EXIT_CORRUPT, "keystead: file: attribute user.origin: ", True),
    (change_attribute_of_a_directory, EXIT_CORRUPT, "keystead: directory: attribute user.origin: ", True),
    (rename_attribute, EXIT_CORRUPT, "keystead: file: attribute user.ks.", True),
    (change_record, EXIT_USAGE, "keystead: the volume is not empty: tree/~", False),
], ids=["header", "end", "target", "value of a file", "value of a directory", "name of an attribute", "record"])
def test_release__of_what_is_damaged__leaves_it_and_the_volume(attack, code, told, is_listed, volume, objects, work):
    attack(volume, objects)
    plain = os.path.join(work, "plain")
    os.mkdir(plain)
    done = volume.cli.run("volume", "release", volume.backing, plain, check=False)
    assert done.returncode == code, done.stderr
    assert done.stderr.startswith(told)
    name = told.split(": ")[1] if is_listed else LONG
    assert not os.path.lexists(os.path.join(plain, name)) or os.path.isdir(os.path.join(plain, name))
    assert volume.cli.run("volume", "verify", volume.backing, check=False).returncode == EXIT_CORRUPT
