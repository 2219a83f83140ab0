/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/e2e/engine_driver.c - node/engine.h for a test that speaks lines: one engine on one directory.
 *
 *   engine_driver TEMPLATES NAME MOUNTPOINT STATE_DIR ADDRESS PORT [plain]
 *
 * Reads commands: start, stop MS, status, wait PHASE, password, end, leave. Each gives one line of JSON.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/log.h"
#include "node/engine.h"

static const char *const phases[] = {"IDLE", "STARTING", "RUNNING", "STOPPING", "FAILED"};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static unsigned changes;

static void told(void *arg)
{
    (void)arg;
    pthread_mutex_lock(&mutex);
    changes++;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&mutex);
}

static void say(json_t *line)
{
    json_dumpf(line, stdout, JSON_COMPACT);
    putchar('\n');
    fflush(stdout);
    json_decref(line);
}

static void say_failure(ks_rc rc)
{
    say(json_pack("{s:s, s:s, s:s}", "error", ks_name(rc), "class", ks_class_name(rc), "message",
                  ks_text(rc)));
}

static void say_status(struct engine *e)
{
    struct engine_status s;

    engine_status(e, &s);
    say(json_pack("{s:s, s:s, s:s, s:i}", "phase", phases[s.phase], "message", s.message,
                  "connection", s.connection, "restarts", (int)s.restarts));
}

static void wait_phase(struct engine *e, const char *phase)
{
    struct engine_status s;

    pthread_mutex_lock(&mutex);
    for (engine_status(e, &s); strcmp(phases[s.phase], phase) != 0; engine_status(e, &s))
        pthread_cond_wait(&changed, &mutex);
    pthread_mutex_unlock(&mutex);
    say_status(e);
}

static void say_password(struct engine *e)
{
    struct secret *password = NULL;
    ks_rc rc = engine_password(e, &password);

    if (!ks_ok(rc)) {
        say_failure(rc);
        return;
    }
    struct view v = secret_view(password);
    say(json_pack("{s:s%}", "password", (const char *)v.bytes, v.len));
    secret_free(password);
}

/* Whether to go on. */
static bool obey(struct engine *e, char *line)
{
    line[strcspn(line, "\n")] = 0;
    if (strcmp(line, "end") == 0 || strcmp(line, "leave") == 0) {
        engine_free(e, strcmp(line, "leave") == 0);
        say(json_object());
        return false;
    }
    if (strcmp(line, "password") == 0) {
        say_password(e);
        return true;
    }
    if (strncmp(line, "wait ", 5) == 0) {
        wait_phase(e, line + 5);
        return true;
    }
    if (strcmp(line, "start") == 0)
        engine_start(e);
    if (strncmp(line, "stop ", 5) == 0)
        engine_stop(e, (uint32_t)strtoul(line + 5, NULL, 10), 60000);
    say_status(e);
    return true;
}

static ks_rc find_owner(void *text, uid_t *ret)
{
    *ret = (uid_t)strtoul(text, NULL, 10);
    return KS_SUCCESS;
}

int main(int argc, char **argv)
{
    struct engine_template *t = NULL;
    struct engine *e = NULL;
    char line[256];

    if (argc < 8)
        return 2;
    log_setup("engine_driver", LOG_INFO);
    ks_rc rc = secret_init();
    if (ks_ok(rc))
        rc = engine_template_load(argv[1], argv[2], &t);
    if (ks_ok(rc))
        rc = engine_template_check(t);
    const struct engine_conf conf = {.kind = t,
                                     .mountpoint = argv[3],
                                     .state_dir = argv[4],
                                     .may_be_plain = argc > 8,
                                     .address = argv[5],
                                     .port = (uint16_t)strtoul(argv[6], NULL, 10),
                                     .cluster_name = "orders 1",
                                     .owner = strcmp(argv[7], "0") == 0 ? NULL : find_owner,
                                     .owner_arg = argv[7],
                                     .clock = clock_system(),
                                     .random = random_system(),
                                     .told = told};
    if (ks_ok(rc))
        rc = engine_new(&conf, &e);
    if (!ks_ok(rc)) {
        say_failure(rc);
        return 1;
    }
    say_status(e);
    while (fgets(line, sizeof line, stdin) && obey(e, line))
        ;
    engine_template_free(t);
    return 0;
}
