/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/contract/external.c - reads the environment and runs the hook.
 */
#include "external.h"

#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CANNOT = 77, KEYS = 3 };

static const char *const names[KEYS] = {"one", "two", "missing"};
static const char *const variables[KEYS] = {"KEYSTEAD_CONTRACT_ONE", "KEYSTEAD_CONTRACT_TWO",
                                            "KEYSTEAD_CONTRACT_MISSING"};
static char uris[KEYS][KEY_URI_BYTES];

static const char *setting(const char *name)
{
    const char *value = getenv(name);

    return value ? value : "";
}

const char *external_type(void)
{
    return getenv("KEYSTEAD_CONTRACT_TYPE");
}

/* A line "one URI" of the hook. */
static void take_line(char *line)
{
    line[strcspn(line, "\n")] = 0;
    for (int i = 0; i < KEYS; i++) {
        size_t len = strlen(names[i]);
        if (strncmp(line, names[i], len) == 0 && line[len] == ' ')
            snprintf(uris[i], sizeof uris[i], "%s", line + len + 1);
    }
}

/* The hook with one word; what it prints comes out of *ret_out. */
static pid_t start_hook(const char *word, FILE **ret_out)
{
    char program[4096], argument[32];
    char *argv[] = {program, argument, NULL};
    posix_spawn_file_actions_t actions;
    int ends[2];
    pid_t pid;

    snprintf(program, sizeof program, "%s", setting("KEYSTEAD_CONTRACT_HOOK"));
    snprintf(argument, sizeof argument, "%s", word);
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    assert_int_equal(posix_spawn(&pid, program, &actions, NULL, argv, environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    *ret_out = fdopen(ends[0], "r");
    assert_non_null(*ret_out);
    return pid;
}

bool external_hook(const char *word)
{
    char line[KEY_URI_BYTES + 16];
    FILE *out;
    int status;

    if (!setting("KEYSTEAD_CONTRACT_HOOK")[0])
        return false;
    pid_t pid = start_hook(word, &out);
    while (fgets(line, sizeof line, out))
        take_line(line);
    fclose(out);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) != 0 && WEXITSTATUS(status) != CANNOT)
        fail_msg("the hook could not %s: exit %d", word, WEXITSTATUS(status));
    return WEXITSTATUS(status) == 0;
}

void external_setup(void)
{
    for (int i = 0; i < KEYS; i++)
        snprintf(uris[i], sizeof uris[i], "%s", setting(variables[i]));
    (void)external_hook("setup");
}

void external_teardown(void)
{
    (void)external_hook("teardown");
}

struct key_spec external_spec(const char *key)
{
    struct key_spec spec = {"", "", ""};

    snprintf(spec.type, sizeof spec.type, "%s", external_type());
    snprintf(spec.auth_principal, sizeof spec.auth_principal, "%s",
             setting("KEYSTEAD_CONTRACT_PRINCIPAL"));
    for (int i = 0; i < KEYS; i++)
        if (strcmp(names[i], key) == 0)
            memcpy(spec.uri, uris[i], sizeof spec.uri);
    return spec;
}

static void leave_out(void **state)
{
    (void)state;
    skip();
}

static bool is_named(const char *list, const char *name)
{
    size_t len = strlen(name);

    for (const char *at = list; (at = strstr(at, name)); at += len)
        if ((at == list || at[-1] == ' ') && (at[len] == 0 || at[len] == ' '))
            return true;
    return false;
}

void external_leave_out(struct CMUnitTest *tests, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!is_named(setting("KEYSTEAD_CONTRACT_LEAVE_OUT"), tests[i].name))
            continue;
        tests[i].test_func = leave_out;
        tests[i].setup_func = NULL;
        tests[i].teardown_func = NULL;
    }
}
