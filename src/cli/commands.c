/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/commands.c - the one table of commands, and the one of options.
 *
 * Help, man page, docs/CLI.md and completion are made from it; nothing about a command is said twice.
 */
#include "cli/cli.h"

const struct cli_option cli_options[OPTION_COUNT_ALL] = {
#define CLI_OPTION(id, name, letter, type, value, preset, allowed, required, help)                 \
    [OPT_##id] = {name, letter, type, value, preset, allowed, required, help},
#include "cli/options.def"
#undef CLI_OPTION
};

/* What several commands answer with. */
#define JSON_KEY                                                                                   \
    "name, id, state, version, created: of the key; state is ENABLED, DISABLED, PENDING_DELETION " \
    "or DESTROYED, version the newest one\n"                                                       \
    "changed: when its state or version changed last\n"                                            \
    "deletion: when a pending deletion takes place, or null\n"
#define JSON_WRAPS                                                                                 \
    "wraps[]: id, state (ACTIVE or RETIRED), type, uri, auth_principal, key_version, created, "    \
    "retired (or null)\n"
#define JSON_STATUS                                                                                \
    "ok: true\n"                                                                                   \
    "state: OPEN, GRACE, LOCKING, LOCKED; UNMOUNTED when no volume process serves it\n"            \
    "volume: id, label, backing, mountpoint, pid; the last two are null when unmounted, pid "      \
    "alone "                                                                                       \
    "when the process died and left its mount point\n"                                             \
    "revoked: whether access was revoked by \"volume lock\"\n"                                     \
    "lease: left_ms, max_ms, grace_ms, probe_ms\n"                                                 \
    "last_probe: at, result (GRANT, DENY, UNREACH), wrap, message; or null\n" JSON_WRAPS           \
    "generations[]: generation, state (NEWEST, OLDER, DESTROYED), created, bytes (null when not "  \
    "counted)\n"                                                                                   \
    "generations_as_of: when the bytes were counted, or null\n"                                    \
    "next_data_rotation: when the next data key is due, or null\n"                                 \
    "rekey: a re-encryption in progress: bytes_rewritten, bytes_total, rate (bytes/s), eta_s (or " \
    "null); or null\n"                                                                             \
    "handles: open files; counters: of requests since the mount, or null\n"                        \
    "counters.failed: requests that failed by kind: io, no_space, quota, read_only, gone, "        \
    "resources, damaged, internal; counters.files_poisoned: files of which a sync failed\n"        \
    "receipt: of the last lock: at, reason, duration_ms, handles_cut; or null\n"

#define JSON_TRANSFER                                                                              \
    "objects, bytes: moved now; objects are files, symbolic links and the like\n"                  \
    "files_linked_elsewhere: had hard links outside of the directory, which keep their contents\n" \
    "is_interrupted: whether it was stopped before the end\n"

#define TEXT_PATH "PATH is the mount point or the backing directory. "
#define TEXT_BOTH                                                                                  \
    "A mounted volume does it without interruption; an unmounted one is opened for it under its "  \
    "lock. "

/* clang-format off */
const struct cli_command cli_commands[CMD_COUNT] = {
    [CMD_KMS_INIT] = {
        "kms init", "", 0, 0, cmd_kms_init, "make a key store in a directory",
        "A key store keeps customer keys in a directory of its own, sealed under a passphrase or a key "
        "file. Keep it away from the volumes, best under another user id. A key file that does not "
        "exist is made. Whoever loses passphrase or key file loses every volume under its keys.",
        "keystead kms init --store /srv/kms --key-file /root/kms.key\n"
        "keystead kms init --store /srv/kms\n", NULL},
    [CMD_KMS_KEY_CREATE] = {
        "kms key create", "NAME", 1, 1, cmd_kms_key_create, "make a key",
        "Names are made of a-z, 0-9, dot, dash and underscore, and begin with a letter or digit. The "
        "key's material never leaves the store. With --dir, here and in the other commands about keys, the key is one of a "
        "running key service (kms serve), asked as the root user of the account; its name is an alias there.",
        "keystead kms key create orders --store /srv/kms --key-file /root/kms.key\n"
        "keystead kms key create orders --dir /var/lib/keystead-kms\n", JSON_KEY},
    [CMD_KMS_KEY_LIST] = {
        "kms key list", "", 0, 0, cmd_kms_key_list, "list the keys",
        "Lists every key with its state, newest version and dates.",
        "keystead kms key list --store /srv/kms --key-file /root/kms.key -o json\n",
        "keys[]: name, id, state, version, created, changed, deletion, as in kms key show\n"},
    [CMD_KMS_KEY_SHOW] = {
        "kms key show", "NAME", 1, 1, cmd_kms_key_show, "show a key",
        "Shows one key with its state, newest version and dates.",
        "keystead kms key show orders --store /srv/kms --key-file /root/kms.key\n", JSON_KEY},
    [CMD_KMS_KEY_DISABLE] = {
        "kms key disable", "NAME", 1, 1, cmd_kms_key_disable, "take a key away, until it is enabled",
        "Every mounted volume that no other key opens locks with its next probe: its files cannot be "
        "read any more and its keys are wiped from memory. Nothing is lost.",
        "keystead kms key disable orders --store /srv/kms --key-file /root/kms.key\n", NULL},
    [CMD_KMS_KEY_ENABLE] = {
        "kms key enable", "NAME", 1, 1, cmd_kms_key_enable, "give a disabled key back",
        "Volumes that locked because of it open by themselves with their next probe.",
        "keystead kms key enable orders --store /srv/kms --key-file /root/kms.key\n", NULL},
    [CMD_KMS_KEY_ROTATE] = {
        "kms key rotate", "NAME", 1, 1, cmd_kms_key_rotate, "make a new version of a key",
        "Older versions keep opening what they sealed. Volumes move to the new version with "
        "\"keystead volume rotate PATH --level cmek\".",
        "keystead kms key rotate orders --store /srv/kms --key-file /root/kms.key\n", NULL},
    [CMD_KMS_KEY_SCHEDULE_DELETION] = {
        "kms key schedule-deletion", "NAME", 1, 1, cmd_kms_key_schedule_deletion,
        "destroy a key after some days",
        "The key cannot be used from now on, and is destroyed after the days have passed; until then "
        "cancel-deletion brings it back. With --days 0 it is destroyed now. What only a destroyed key "
        "opens is lost for ever. Asks for the key's name to be typed.",
        "keystead kms key schedule-deletion orders --days 7 --store /srv/kms --key-file /root/kms.key\n",
        NULL},
    [CMD_KMS_KEY_CANCEL_DELETION] = {
        "kms key cancel-deletion", "NAME", 1, 1, cmd_kms_key_cancel_deletion,
        "keep a key that is pending deletion",
        "The key is disabled afterwards; enable it to use it again.",
        "keystead kms key cancel-deletion orders --store /srv/kms --key-file /root/kms.key\n", NULL},
    [CMD_KMS_SETUP] = {
        "kms setup", "", 0, 0, cmd_kms_setup, "make the state directory of a key service",
        "A key service keeps keys for many and answers on the network, in the protocols of AWS KMS, IAM and STS. Its state "
        "lies in a directory of its own, sealed under a key file, a passphrase, or a key in an HSM or at another key service "
        "(--root-key); a key file that does not exist is made. "
        "Makes the first account and writes the access key of its root user to a file that AWS's tools read.",
        "keystead kms setup --dir /var/lib/keystead-kms --key-file /etc/keystead/kms-root.key\n"
        "keystead kms setup --dir /var/lib/keystead-kms --account 222233334444\n"
        "keystead kms setup --dir /var/lib/keystead-kms --root-key 'pkcs11:token=hsm;object=root?module-path=/usr/lib/hsm.so&pin-source=file:/etc/keystead/pin'\n", NULL},
    [CMD_KMS_SERVE] = {
        "kms serve", "", 0, 0, cmd_kms_serve, "run a key service",
        "Serves the keys of a state directory until it is told to end (SIGTERM), in the foreground, logging to standard "
        "error; tells a service manager when it is ready. DIR/endpoint says where it listens. Each use of a key is in "
        "DIR/audit.log before it is answered. Without --key-file a credential named keystead-kms-root of the service "
        "manager is used, or a passphrase asked for. Use TLS for everything but this host.",
        "keystead kms serve --dir /var/lib/keystead-kms --key-file /etc/keystead/kms-root.key\n"
        "keystead kms serve --dir /var/lib/keystead-kms --key-file /etc/keystead/kms-root.key --listen 10.0.0.5:443 "
        "--tls-cert /etc/keystead/kms.pem --tls-key /etc/keystead/kms.key\n", NULL},
    [CMD_KMS_ACCOUNT_CREATE] = {
        "kms account create", "ACCOUNT", 1, 1, cmd_kms_account_create, "make one more account",
        "ACCOUNT is twelve digits. The access key of its root user is written to a file that AWS's tools read.",
        "keystead kms account create 222233334444 --dir /var/lib/keystead-kms --credentials customer.credentials\n",
        NULL},
    [CMD_KMS_ACCOUNT_LIST] = {
        "kms account list", "", 0, 0, cmd_kms_account_list, "list the accounts", "Lists the accounts of a running key service.",
        "keystead kms account list --dir /var/lib/keystead-kms\n", "accounts[]: their numbers\n"},
    [CMD_KMS_USER_CREATE] = {
        "kms user create", "NAME", 1, 1, cmd_kms_user_create, "make somebody who may assume roles",
        "Makes a user with an access key in an account of a running key service. The user may assume the roles that other "
        "accounts let this one assume, and nothing else: as whom the provider of databases asks for its customers' keys. "
        "The access key is in DIR/ACCOUNT.NAME.credentials.",
        "keystead kms user create keystead --account 444455556666 --dir /var/lib/keystead-kms\n",
        "user, credentials: its name, and the file of its access key\n"},
    [CMD_KMS_ROLE_CREATE] = {
        "kms role create", "NAME", 1, 1, cmd_kms_role_create, "let another account use a key",
        "Makes a role in the customer's account, as the guides of managed databases have customers do: another account may "
        "assume it under an ExternalId, and it may use the key, nothing else. The key service must be running.",
        "keystead kms role create database --of-key orders --trust 444455556666 --external-id org-1 --dir /var/lib/keystead-kms\n",
        "role, key: their ARNs\n"},
    [CMD_KMS_ROLE_DELETE] = {
        "kms role delete", "NAME", 1, 1, cmd_kms_role_delete, "take that away again",
        "Whoever used a key in the role is refused from now on: volumes lock with their next probe.",
        "keystead kms role delete database --dir /var/lib/keystead-kms\n", NULL},
    [CMD_KMS_DIAL_SET] = {
        "kms dial set", "EFFECT", 1, 1, cmd_kms_dial_set, "let something go wrong, for tests",
        "EFFECT is latency, throttle, error, deny, hang, reset, garbage, lag (changes of keys take effect late) or skew "
        "(the clock is ahead). The service must have been started with --dial. What is set is forgotten when it ends.",
        "keystead kms dial set latency --time 500ms --operation kms:Decrypt --dir /var/lib/keystead-kms\n"
        "keystead kms dial set lag --time 5m --dir /var/lib/keystead-kms\n"
        "keystead kms dial set deny --after 10s --of-key 1234abcd-12ab-34cd-56ef-1234567890ab --dir /var/lib/keystead-kms\n",
        NULL},
    [CMD_KMS_DIAL_LIST] = {
        "kms dial list", "", 0, 0, cmd_kms_dial_list, "list what is set to go wrong",
        "Lists the rules of \"kms dial set\" with their numbers.", "keystead kms dial list --dir /var/lib/keystead-kms\n",
        "rules[]: id, effect, ms, percent, active, and account, key, operation, count where given\n"},
    [CMD_KMS_DIAL_CLEAR] = {
        "kms dial clear", "[ID]", 0, 1, cmd_kms_dial_clear, "let it go right again", "Removes one rule, or all.",
        "keystead kms dial clear --dir /var/lib/keystead-kms\n", NULL},
    [CMD_KEY_CHECK] = {
        "key check", "SPEC", 1, 1, cmd_key_check, "try what a volume will need of a key",
        "Makes each request to the key service that volumes make, really, and says for each right whether it is "
        "granted or missing, or cannot be told, with the service's own words and what would mend it. Nothing is left behind. Credentials are "
        "found as the provider's own tools find them. The exit code is that of the worst right that is needed: 0, 3 "
        "denied, 4 not reachable.",
        "keystead key check file:/srv/kms#orders --key-file /root/kms.key\n"
        "keystead key check aws_kms:arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab "
        "--auth-principal arn:aws:iam::111122223333:role/keystead --organisation acme\n",
        "type, uri, auth_principal: of the key\n"
        "ok: whether every right that is needed is granted\n"
        "rights[]: name, required, right (granted, missing, cannot tell), why, code (OK or the error), message, request_id, mend\n"
        "hints[]: what looks wrong before anything is asked\n"},
    [CMD_KEY_GRANTS] = {
        "key grants", "SPEC", 1, 1, cmd_key_grants, "print what the owner of a key must grant",
        "Prints text that is ready to paste, by the type of the key: commands (--as cli), Terraform (--as terraform), for AWS also the key "
        "policy (policy), the trust policy of the role (trust) and a template that makes role and key "
        "(cloudformation), for Vault the policy (policy). Asks nothing and changes nothing.",
        "keystead key grants aws_kms:arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab "
        "--as cloudformation --trusted arn:aws:iam::444455556666:role/db --organisation acme\n"
        "keystead key grants vault_transit:https://vault.example.com:8200/v1/transit/keys/orders --as policy\n", NULL},
    [CMD_VOLUME_CREATE] = {
        "volume create", "BACKING", 1, 1, cmd_volume_create, "make an encrypted volume",
        "BACKING is the directory that keeps the ciphertext; it is made when missing and must be empty "
        "otherwise. Each --key becomes a wrap, and any one of them opens the volume; every key is used "
        "once to prove that it works. Paths are kept in the volume as absolute ones.",
        "keystead volume create /srv/orders --key file:/srv/kms#orders --key-file /root/kms.key\n"
        "keystead volume create /srv/orders --key file:/srv/kms#orders --lease 30s --probe 5s\n",
        "id, label, backing: of the new volume\n"},
    [CMD_VOLUME_MOUNT] = {
        "volume mount", "BACKING MOUNTPOINT", 2, 2, cmd_volume_mount, "serve a volume at a directory",
        "Returns when the mount is ready to be used, or with the error. The volume process goes on in "
        "the background until it is unmounted. A passphrase is asked before the process leaves the "
        "terminal. The directory MOUNTPOINT must exist.",
        "keystead volume mount /srv/orders /var/lib/orders\n"
        "keystead volume mount /srv/orders /var/lib/orders --on-lock /etc/orders/stop "
        "--on-unlock /etc/orders/start\n"
        "keystead volume mount /srv/orders /var/lib/orders --foreground --start-locked\n", NULL},
    [CMD_VOLUME_UNMOUNT] = {
        "volume unmount", "PATH", 1, 1, cmd_volume_unmount, "end a mount",
        TEXT_PATH "Returns when the volume process has ended, with everything written and its keys "
        "wiped. Also clears a mount point whose volume process has died. BUSY while files are open.",
        "keystead volume unmount /var/lib/orders\n", NULL},
    [CMD_VOLUME_STATUS] = {
        "volume status", "PATH", 1, 1, cmd_volume_status, "show how a volume is doing",
        TEXT_PATH "Shows state, lease, last probe, wraps, the bytes under each generation of data key, "
        "and when the next rotation is due.",
        "keystead volume status /var/lib/orders\n"
        "keystead volume status /srv/orders -o json\n", JSON_STATUS},
    [CMD_VOLUME_INSPECT] = {
        "volume inspect", "BACKING", 1, 1, cmd_volume_inspect, "show what a volume says without any key",
        "Reads the keyring and the record of a \"volume lock\" only: no key, no key service, no lock, mounted "
        "or not. What it shows is checked against damage, not against forgery. A mount point is taken for "
        "its backing directory.",
        "keystead volume inspect /srv/orders\n"
        "keystead volume inspect /srv/orders --survey -o json\n",
        "format_version\n"
        "volume: id, label, organisation, cluster, region, created, sequence, suite, block_payload\n"
        "revoked: when access was revoked by \"volume lock\", or null\n"
        "settings: lease_ms_max, probe_ms, grace_ms, data_rotation_s\n"
        "store_key: id, created\n" JSON_WRAPS
        "generations[]: generation, state (NEWEST, OLDER, DESTROYED), created, retired, destroyed, "
        "bytes (null without --survey)\n"
        "survey: files, directories, other, blocks, holes, bytes; null without --survey\n"},
    [CMD_VOLUME_VERIFY] = {
        "volume verify", "PATH", 1, 1, cmd_volume_verify, "read and authenticate everything",
        TEXT_PATH "Names every damaged file and block; exit code 6 when there is damage. Progress is "
        "shown on a terminal. Changes nothing; can be interrupted at any time (exit code 130).",
        "keystead volume verify /srv/orders\n",
        "files, directories, other, blocks, holes, bytes: what was read\n"
        "files_damaged, blocks_damaged, names_damaged\n"
        "files_unfinished: begun before a power loss and never made durable; no damage\n"
        "damaged[]: path, block (null: the file or name itself), what; at most 1000\n"
        "is_sound: whether all of it was read and nothing is damaged\n"
        "is_interrupted: whether it was stopped before the end\n"},
    [CMD_VOLUME_ROTATE] = {
        "volume rotate", "PATH", 1, 1, cmd_volume_rotate, "rotate keys at one level",
        TEXT_PATH TEXT_BOTH "A crash leaves the old keys or the new ones, never neither.\n"
        "cmek: wraps again under the newest version of the customer key, or under another key with "
        "--key; all wraps, or one with --wrap.\n"
        "store: makes a new store key and wraps all data keys under it.\n"
        "data: makes a new generation of data key; all writes from now on use it.",
        "keystead volume rotate /var/lib/orders --level cmek\n"
        "keystead volume rotate /var/lib/orders --level cmek --wrap 1 --key file:/srv/kms2#orders "
        "--key-file /root/kms2.key\n"
        "keystead volume rotate /var/lib/orders --level data\n", NULL},
    [CMD_VOLUME_REKEY] = {
        "volume rekey", "PATH", 1, 1, cmd_volume_rekey, "re-encrypt what older data keys sealed",
        TEXT_PATH TEXT_BOTH "Every block of an older generation is decrypted and sealed anew under the newest data "
        "key, in place, while the volume is used; a power loss leaves each block under one of the two. Then an older "
        "data key is destroyed when a fresh count finds no block under it and nothing in the volume is damaged; "
        "otherwise it is kept, with the reason, and the exit code is 6 (damage) or 5 (try again).\n"
        "Can be interrupted at any time (exit code 130 when unmounted) and goes on where it is started again. "
        "Copies and snapshots of the backing directory from before hold the old blocks and the old keys.",
        "keystead volume rotate /var/lib/orders --level data\n"
        "keystead volume rekey /var/lib/orders --rate 50\n"
        "keystead volume generations /var/lib/orders\n",
        "bytes_rewritten: on disk\n"
        "blocks_damaged\n"
        "destroyed[]: the generations whose keys are destroyed now\n"
        "kept[]: generation, blocks, reason (HAS_BLOCKS, DAMAGE, MISSED, REFUSED, UNFINISHED), because; of the "
        "older ones that are kept\n"
        "is_interrupted: whether it was stopped before the end\n"},
    [CMD_VOLUME_GENERATIONS] = {
        "volume generations", "PATH", 1, 1, cmd_volume_generations, "show what still needs which key",
        TEXT_PATH "Counts the blocks under each generation of data key, and says for each generation and for each "
        "version of a customer key whether it is safe to delete, and why. Needs no key and no key service, "
        "mounted or not. The count of a volume in use is an upper bound for older generations; files that were "
        "removed but are still open are not counted (rekey looks at them too).",
        "keystead volume generations /srv/orders\n"
        "keystead volume generations /srv/orders -o json\n",
        "volume: id, label\n"
        "generations[]: generation, state (NEWEST, OLDER, DESTROYED), created, retired, destroyed, blocks, bytes, "
        "safe_to_delete: answer (true or false), because\n"
        "keys[]: type, uri, key_version, wraps (ids), safe_to_delete: answer, because; each version of a customer "
        "key that the volume has or had a wrap under\n"
        "damaged: files, blocks\n"},
    [CMD_VOLUME_ADOPT] = {
        "volume adopt", "DIR BACKING", 2, 2, cmd_volume_adopt, "encrypt a directory that is there",
        "Moves everything below DIR into the volume at BACKING, which is made with the options of \"volume create\" when "
        "it is no volume yet; DIR stays as an empty directory, to mount the volume at. Nothing may use DIR meanwhile. Each file is "
        "copied, made durable, read back and compared before the original is removed: at any moment, and after a power "
        "loss, every file is whole on one side. Needs free space for some files, not for all. Can be interrupted at any "
        "time (exit code 130); the same command goes on. What was in the files may still be on the disk, in blocks "
        "that the file system has freed.",
        "keystead volume adopt /var/lib/orders /srv/orders --key file:/srv/kms#orders --key-file /root/kms.key\n"
        "keystead volume mount /srv/orders /var/lib/orders\n", JSON_TRANSFER},
    [CMD_VOLUME_RELEASE] = {
        "volume release", "BACKING DIR", 2, 2, cmd_volume_release, "decrypt a volume into a directory, and end it",
        "Moves everything in the volume at BACKING to below DIR, as plain files, in the same way and with the same care as \"volume "
        "adopt\". The volume must not be mounted. At the end its keyring is removed and BACKING is an empty directory.",
        "keystead volume unmount /var/lib/orders\n"
        "keystead volume release /srv/orders /var/lib/orders\n", JSON_TRANSFER},
    [CMD_VOLUME_LOCK] = {
        "volume lock", "PATH", 1, 1, cmd_volume_lock, "take a volume away at once",
        TEXT_PATH "Data is written back, then every access to the files fails, keys are wiped from "
        "memory and the program of --on-lock is started. It stays so, also after a restart, until "
        "\"volume unlock\". The record of that needs no key: it is made also when the key service denies the "
        "volume, and when it is not mounted. Asks for the volume's label to be typed.",
        "keystead volume lock /var/lib/orders\n"
        "keystead volume lock /var/lib/orders --yes -o json\n",
        "state: LOCKED, or UNMOUNTED when only the record was made\n"
        "receipt: at, reason, duration_ms, handles_cut; null when unmounted\n"},
    [CMD_VOLUME_UNLOCK] = {
        "volume unlock", "PATH", 1, 1, cmd_volume_unlock, "give a locked volume back",
        TEXT_PATH "Ends a \"volume lock\". The key service is asked at once, and the volume is open when "
        "it grants. When it does not, its answer is the error, and the volume opens by itself with a "
        "later grant. For an unmounted volume only the record is removed, and the "
        "next mount asks the key service.",
        "keystead volume unlock /var/lib/orders\n",
        "state: OPEN, or UNMOUNTED when only the record was removed\n"},
    [CMD_VOLUME_ADD_WRAP] = {
        "volume add-wrap", "PATH", 1, 1, cmd_volume_add_wrap, "let one more key open a volume",
        TEXT_PATH TEXT_BOTH "The volume is denied only when all of its keys are.",
        "keystead volume add-wrap /var/lib/orders --key file:/srv/kms2#orders "
        "--key-file /root/kms2.key\n", NULL},
    [CMD_VOLUME_REMOVE_WRAP] = {
        "volume remove-wrap", "PATH", 1, 1, cmd_volume_remove_wrap, "take a wrap off a volume",
        TEXT_PATH TEXT_BOTH "The key of this wrap does not open the volume any more. The last active "
        "wrap cannot be removed. Asks for the volume's label to be typed.",
        "keystead volume remove-wrap /var/lib/orders --wrap 2\n", NULL},
    [CMD_VOLUME_SET] = {
        "volume set", "PATH", 1, 1, cmd_volume_set, "change lease, probe, grace or rotation time",
        TEXT_PATH TEXT_BOTH "What is not given stays as it is.",
        "keystead volume set /var/lib/orders --lease 30s --probe 5s\n"
        "keystead volume set /var/lib/orders --rotate-data 7d\n", NULL},
    [CMD_VERSION] = {
        "version", "", 0, 0, cmd_version, "show versions of program and libraries",
        "Shows the versions of keystead and of the libraries it runs with.",
        "keystead version\n"
        "keystead version -o json\n", "keystead, openssl, libfuse, libsodium: versions\n"},
    [CMD_HELP] = {
        "help", "[COMMAND]", 0, 3, cmd_help, "explain the program or a command",
        "With --format the whole reference is written as man page or Markdown.",
        "keystead help volume mount\n", NULL},
    [CMD_COMPLETION] = {
        "completion", "SHELL", 1, 1, cmd_completion, "write a completion script; SHELL is bash",
        "The script completes commands, options and files.",
        "source <(keystead completion bash)\n", NULL},
};
/* clang-format on */
