/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/cli.h - what every command of the executable works with: the tables of commands and options, and
 * the command line as parsed by them.
 *
 * The two tables (cli/commands.def, cli/options.def) are the only source of parsing, help, man page,
 * Markdown reference and shell completion. Values are borrowed from argv; no secret is ever among them.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/rc.h"

enum cli_cmd {
#define CLI_COMMAND(id, run, name, args, arg_min, arg_max, summary, text, examples, json) CMD_##id,
#include "cli/commands.def"
#undef CLI_COMMAND
    CMD_COUNT,
};

/* A set of commands, for the "allowed" and "required" columns of the options. */
__extension__ typedef unsigned __int128 cli_set;
#define ON(cmd) ((cli_set)1 << CMD_##cmd)
#define ON_KMS_KEY                                                                                 \
    (ON(KMS_KEY_CREATE) | ON(KMS_KEY_LIST) | ON(KMS_KEY_SHOW) | ON(KMS_KEY_DISABLE) |              \
     ON(KMS_KEY_ENABLE) | ON(KMS_KEY_ROTATE) | ON(KMS_KEY_SCHEDULE_DELETION) |                     \
     ON(KMS_KEY_CANCEL_DELETION))
/* Commands about a key service: those that open its state directory, those that ask it. */
#define ON_KMS_ROLE (ON(KMS_USER_CREATE) | ON(KMS_ROLE_CREATE) | ON(KMS_ROLE_DELETE))
#define ON_KMS_DIR (ON(KMS_SETUP) | ON(KMS_SERVE))
#define ON_KMS_ADMIN                                                                               \
    (ON(KMS_ACCOUNT_CREATE) | ON(KMS_ACCOUNT_LIST) | ON(KMS_DIAL_SET) | ON(KMS_DIAL_LIST) |        \
     ON(KMS_DIAL_CLEAR))
#define ON_SERVE (ON(SERVE) | ON(SERVE_SETUP))
#define ON_KMS (ON(KMS_INIT) | ON_KMS_KEY)
#define ON_KEY (ON(KEY_CHECK) | ON(KEY_GRANTS))
#define ON_CHANGES                                                                                 \
    (ON(VOLUME_ROTATE) | ON(VOLUME_ADD_WRAP) | ON(VOLUME_REMOVE_WRAP) | ON(VOLUME_SET))
#define ON_CREATES (ON(VOLUME_CREATE) | ON(VOLUME_ADOPT))
#define ON_KEYED                                                                                   \
    (ON_CREATES | ON(VOLUME_MOUNT) | ON(VOLUME_VERIFY) | ON(VOLUME_REKEY) | ON(VOLUME_RELEASE) |   \
     ON_CHANGES)
#define ON_RUNNING                                                                                 \
    (ON(VOLUME_MOUNT) | ON(VOLUME_UNMOUNT) | ON(VOLUME_STATUS) | ON(VOLUME_VERIFY) |               \
     ON(VOLUME_REKEY) | ON(VOLUME_LOCK) | ON(VOLUME_UNLOCK) | ON(VOLUME_ADOPT) |                   \
     ON(VOLUME_RELEASE) | ON_CHANGES)

enum cli_option_type {
    OPTION_FLAG,
    OPTION_TEXT,     /* not empty */
    OPTION_PATH,     /* not empty */
    OPTION_DURATION, /* cli/duration.h; the number is milliseconds */
    OPTION_COUNT,    /* the number, at most UINT32_MAX */
    OPTION_SEQUENCE, /* the number, at most INT64_MAX */
    OPTION_HEX_ID,   /* of a volume, as status shows it */
    OPTION_CHOICE,   /* one of the words in the value column */
    OPTION_KEY,      /* may be repeated: cli->keys */
};

enum cli_opt {
#define CLI_OPTION(id, name, letter, type, value, preset, allowed, required, help) OPT_##id,
#include "cli/options.def"
#undef CLI_OPTION
    OPT_NONE,
};
enum { OPTION_COUNT_ALL = OPT_NONE };

struct cli_option {
    const char *name;
    char letter; /* 0: none */
    enum cli_option_type type;
    const char *value;  /* its name in usage lines; the words of a choice, with | between them */
    const char *preset; /* for people; NULL: none */
    cli_set allowed, required;
    const char *help;
};
extern const struct cli_option cli_options[OPTION_COUNT_ALL];

struct cli;
struct cli_command {
    const char *name; /* "volume mount" */
    const char *args; /* "BACKING MOUNTPOINT"; optional ones in brackets */
    int arg_min, arg_max;
    ks_rc (*run)(struct cli *) KS_MUST;
    const char *summary;  /* one line, no full stop */
    const char *text;     /* paragraphs */
    const char *examples; /* one command per line */
    const char *json;     /* its JSON keys, one per line; NULL: no JSON output and no --output */
};
extern const struct cli_command cli_commands[CMD_COUNT];

/* A key as given: --key SPEC and the --key-file or --auth-principal that follows it. */
struct cli_key {
    const char *spec;
    const char *key_file, *principal; /* NULL: not given; never both */
};

enum { CLI_ARGS_MAX = 8, CLI_KEYS_MAX = 8 };
enum { EXIT_INTERRUPTED = 130 };

struct cli {
    const struct cli_command *command;
    size_t arg_count;
    const char *args[CLI_ARGS_MAX];
    const char *texts[OPTION_COUNT_ALL]; /* as given; NULL: not given */
    uint64_t numbers[OPTION_COUNT_ALL];  /* of durations and counts that were given */
    size_t key_count;
    struct cli_key keys[CLI_KEYS_MAX];
    bool is_json;  /* --output json */
    bool is_help;  /* --help was given: nothing is to be run */
    int exit_code; /* of a run that succeeded; 0, or EXIT_INTERRUPTED */
};

static inline bool cli_is_listed(cli_set set, const struct cli_command *command)
{
    return (set >> (command - cli_commands) & 1) != 0;
}

/* cli_is_allowed(option, command): whether the command takes the option. */
static inline bool cli_is_allowed(const struct cli_option *option,
                                  const struct cli_command *command)
{
    if (option == &cli_options[OPT_OUTPUT])
        return command->json != NULL &&
               !cli_is_listed(cli_options[OPT_STATUS_OUTPUT].allowed, command);
    return cli_is_listed(option->allowed, command);
}

static inline bool cli_is_required(const struct cli_option *option,
                                   const struct cli_command *command)
{
    return cli_is_listed(option->required, command);
}

/* The commands: each does all of one command and returns its result; output goes to stdout. */
#define CLI_COMMAND(id, run, name, args, arg_min, arg_max, summary, text, examples, json)          \
    ks_rc run(struct cli *cli) KS_MUST;
#include "cli/commands.def"
#undef CLI_COMMAND
