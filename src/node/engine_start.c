/* SPDX-License-Identifier: Apache-2.0 */
/*
 * node/engine_start.c - from an open volume to a process: initialising, files, steps, the question whether it is ready.
 *
 * Secrets go into files on the volume and into the input of steps, never into arguments or the environment.
 */
#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/mem.h"
#include "crypto/hash.h"
#include "node/engine_int.h"

enum { OUTPUT_BYTES = 1024, CONNECT_MS = 1000, PROBE_MS = 10000, TAIL_BYTES = 600 };

/* ---- what stands in texts ---- */

struct filled {
    struct engine_values values;
    char cluster[65];
    struct buf password, hash; /* wiped */
};

static void filled_done(struct filled *f)
{
    buf_done(&f->password);
    buf_done(&f->hash);
}

static void add(struct engine_values *v, const char *name, const char *value)
{
    v->pairs[v->count].name = name;
    v->pairs[v->count++].value = value;
}

static ks_rc add_password(struct filled *f, const struct secret *password)
{
    uint8_t hash[HASH_BYTES];

    f->password = buf_init_wiping(ENGINE_PASSWORD_BYTES + 1);
    f->hash = buf_init_wiping(2 * HASH_BYTES + 1);
    if (!password)
        return KS_SUCCESS;
    TRY(buf_append(&f->password, secret_view(password)));
    TRY(hash_sha256(secret_view(password), hash));
    TRY(hex_write(view_of(hash, sizeof hash), &f->hash));
    mem_wipe(hash, sizeof hash);
    add(&f->values, "password", buf_text(&f->password));
    add(&f->values, "password_sha256", buf_text(&f->hash));
    return KS_SUCCESS;
}

/* A name that any file may hold. */
static void plain_name(const char *name, char room[65])
{
    snprintf(room, 65, "%s", name);
    for (char *at = room; *at; at++)
        if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_", *at))
            *at = '-';
}

static ks_rc fill(const struct engine_life *l, struct filled *f)
{
    *f = (struct filled){.values.count = 0};
    plain_name(l->conf->cluster_name, f->cluster);
    add(&f->values, "home", l->pid.home);
    if (l->home)
        add(&f->values, "conf", l->home->conf);
    add(&f->values, "address", l->conf->address);
    add(&f->values, "host", l->host);
    add(&f->values, "probe_host", l->probe_host);
    add(&f->values, "client_host", l->client_host);
    add(&f->values, "port", l->port);
    add(&f->values, "cluster", f->cluster);
    return add_password(f, l->home ? l->home->password : NULL);
}

/* ---- steps ---- */

struct words {
    char *items[ENGINE_ARGS_MAX];
    size_t count;
};

static void words_done(struct words *w)
{
    for (size_t i = 0; i < w->count; i++)
        mem_free(w->items[i]);
}

static ks_rc add_word(struct words *w, const char *prefix, const char *text,
                      const struct engine_values *values)
{
    CLEANUP(buf_done) struct buf b = buf_init(ENGINE_TEXT_MAX);

    TRY(buf_append(&b, view_text(prefix)));
    TRY(engine_text_expand(text, values, &b));
    return mem_text(b.len ? buf_text(&b) : "", &w->items[w->count++]);
}

static ks_rc fill_env(const struct engine_template *t, const struct engine_values *values,
                      struct words *ret)
{
    const char *name;
    json_t *value;

    TRY(add_word(ret, "PATH=", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                 values));
    TRY(add_word(ret, "HOME=", "{home}", values));
    TRY(add_word(ret, "LANG=", "C.UTF-8", values));
    json_object_foreach(t->environment, name, value)
    {
        CLEANUP(mem_freep) char *prefix = NULL;
        TRY(mem_format(&prefix, "%s=", name));
        TRY(add_word(ret, prefix, json_string_value(value), values));
    }
    return KS_SUCCESS;
}

/* A step made ready to be run; lives as long as its parts. */
struct ready_step {
    struct words args, env;
    struct program_conf conf;
};

static void ready_step_done(struct ready_step *r)
{
    words_done(&r->args);
    words_done(&r->env);
}

static ks_rc make_ready(const struct engine_life *l, const struct engine_step *s,
                        const struct filled *f, struct ready_step *ret)
{
    const struct engine_template *t = l->conf->kind;

    TRY(engine_find_program(t, s->program, &ret->args.items[0]));
    ret->args.count = 1;
    for (size_t i = 0; i < s->arg_count; i++)
        TRY(add_word(&ret->args, "", s->args[i], &f->values));
    TRY(fill_env(t, &f->values, &ret->env));
    ret->conf = (struct program_conf){
        .argv = (const char *const *)ret->args.items,
        .env = (const char *const *)ret->env.items,
        .dir = l->pid.home,
        .user = &l->user,
        .files_max = t->files_max,
    };
    return KS_SUCCESS;
}

static ks_rc judge(const struct engine_step *s, const struct buf *output, int status)
{
    const char *text = output->len ? buf_text(output) : "";

    ENSURE(status == 0, KS_E_IO, "%s ended with exit code %d: %s", s->program, status, text);
    ENSURE(!s->expect || strstr(text, s->expect), KS_E_IO, "%s did not say \"%.64s\" but: %s",
           s->program, s->expect ? s->expect : "", text);
    return KS_SUCCESS;
}

static ks_rc run_step(const struct engine_life *l, const struct engine_step *s,
                      const struct program_user *user, uint64_t ms_max)
{
    CLEANUP(filled_done) struct filled f;
    CLEANUP(ready_step_done) struct ready_step r = {0};
    CLEANUP(buf_done) struct buf input = buf_init_wiping(ENGINE_TEXT_MAX);
    CLEANUP(buf_done) struct buf output = buf_init_wiping(OUTPUT_BYTES);
    int status = 0;

    TRY(fill(l, &f));
    TRY(make_ready(l, s, &f, &r));
    r.conf.user = user;
    if (s->input)
        TRY(engine_text_expand(s->input, &f.values, &input));
    TRY(program_run(&r.conf, buf_view(&input), clock_boot_ms(clock_system()) + ms_max, l->cancel_fd,
                    &output, &status));
    return judge(s, &output, status);
}

static ks_rc run_steps(const struct engine_life *l, const struct engine_steps *steps,
                       const struct program_user *user)
{
    for (size_t i = 0; i < steps->count; i++)
        TRY(run_step(l, &steps->steps[i], user, (uint64_t)steps->steps[i].seconds * 1000));
    return KS_SUCCESS;
}

/* ---- beginning ---- */

static ks_rc check_path(const char *path)
{
    ENSURE(path[0] == '/' &&
               path[strspn(path, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                 "._/+:@-")] == 0 &&
               strlen(path) < 900,
           KS_E_USAGE, "the path of an engine has letters, digits and ._/+:@- only: %.300s", path);
    return KS_SUCCESS;
}

/* Nobody else reaches one that listens on the loopback, whatever the host is called. */
static void set_client_host(struct engine_life *l, bool is_loopback)
{
    const char *name = l->conf->client_host;
    bool is_own = is_loopback || !name || !name[0];
    bool is_v6 = !is_own && strchr(name, ':') && name[0] != '[';

    snprintf(l->client_host, sizeof l->client_host, is_v6 ? "[%s]" : "%s", is_own ? l->host : name);
}

ks_rc engine_life_init(struct engine_life *l, const struct engine_conf *conf, int cancel_fd)
{
    struct in6_addr v6;
    struct in_addr v4;
    bool is_v6 = inet_pton(AF_INET6, conf->address, &v6) == 1;

    ENSURE(is_v6 || inet_pton(AF_INET, conf->address, &v4) == 1, KS_E_USAGE,
           "\"%.64s\" is no numeric address", conf->address);
    ENSURE(conf->port > 0, KS_E_USAGE, "an engine needs a port");
    TRY(check_path(conf->mountpoint));
    *l = (struct engine_life){.conf = conf, .cancel_fd = cancel_fd};
    snprintf(l->host, sizeof l->host, is_v6 ? "[%s]" : "%s", conf->address);
    snprintf(l->port, sizeof l->port, "%u", conf->port);
    bool is_any = is_v6 ? IN6_IS_ADDR_UNSPECIFIED(&v6) : v4.s_addr == INADDR_ANY;
    const char *loopback = is_v6 ? "::1" : "127.0.0.1";
    snprintf(l->probe_host, sizeof l->probe_host, "%s", is_any ? loopback : conf->address);
    set_client_host(l, is_v6 ? IN6_IS_ADDR_LOOPBACK(&v6) : ntohl(v4.s_addr) >> 24 == 127);
    return KS_SUCCESS;
}

/* A user that is named makes what the owner gets then, and passes to it by the owner's group. */
static ks_rc find_users(struct engine_life *l)
{
    const struct engine_template *t = l->conf->kind;
    struct program_user *maker = &l->maker;
    bool is_owned = l->conf->owner && !t->is_shared_user && geteuid() == 0;

    l->owner = 0;
    if (!is_owned) {
        TRY(engine_find_user(t, &l->user));
        *maker = l->user;
        return KS_SUCCESS;
    }
    TRY(l->conf->owner(l->conf->owner_arg, &l->owner));
    TRY(program_user_of(l->owner, &l->user));
    *maker = l->user;
    if (json_array_size(t->users) == 0)
        return KS_SUCCESS;
    TRY(engine_find_user(t, maker));
    ENSURE(maker->group_count < PROGRAM_GROUPS_MAX, KS_E_LIMIT, "%s: its user is in %d groups",
           t->name, maker->group_count);
    maker->groups[maker->group_count++] = l->user.gid;
    return KS_SUCCESS;
}

ks_rc engine_life_adopt(struct engine_life *l)
{
    TRY(engine_pid_read(l->conf->state_dir, &l->pid));
    TRY(program_adopt(&l->pid.identity, l->pid.program, &l->process));
    /* the volume may be locked; then there is no password to tell */
    IGNORE(engine_home_open(l->conf, &l->home));
    l->is_adopted = true;
    return KS_SUCCESS;
}

static ks_rc write_files(struct engine_life *l, const struct program_user *user)
{
    const struct engine_template *t = l->conf->kind;
    CLEANUP(filled_done) struct filled f;

    TRY(fill(l, &f));
    for (size_t i = 0; i < t->file_count; i++) {
        CLEANUP(buf_done) struct buf text = buf_init_wiping(ENGINE_TEXT_MAX);
        TRY(engine_text_expand(t->files[i].text, &f.values, &text));
        TRY(engine_home_write(l->home, t->files[i].name, buf_view(&text), user));
    }
    return KS_SUCCESS;
}

static void note_paths(struct engine_life *l)
{
    snprintf(l->pid.home, sizeof l->pid.home, "%s", l->home->home);
    snprintf(l->pid.log, sizeof l->pid.log, "%s", l->home->log);
}

static ks_rc initialise(struct engine_life *l)
{
    const struct engine_template *t = l->conf->kind;

    TRY(engine_home_begin(l->home, t, &l->maker));
    note_paths(l);
    TRY(write_files(l, &l->maker));
    TRY(ks_wrap(run_steps(l, &t->initialise, &l->maker), "%s cannot be initialised", t->name));
    TRY(engine_home_give(l->home, &l->user));
    return engine_home_commit(l->home, t->name, t->prepare.count == 0);
}

static ks_rc start_process(struct engine_life *l)
{
    CLEANUP(filled_done) struct filled f;
    CLEANUP(ready_step_done) struct ready_step r = {0};

    TRY(fill(l, &f));
    TRY(make_ready(l, &l->conf->kind->start, &f, &r));
    snprintf(l->pid.program, sizeof l->pid.program, "%s", r.args.items[0]);
    TRY(program_start(&r.conf, l->pid.log, &l->process));
    program_identity(l->process, &l->pid.identity);
    return engine_pid_write(l->conf->state_dir, &l->pid);
}

ks_rc engine_life_start(struct engine_life *l)
{
    const struct engine_template *t = l->conf->kind;

    if (!t->document) /* no engine at all */
        return KS_SUCCESS;
    l->is_adopted = false;
    TRY(find_users(l));
    engine_home_free(TAKE(l->home));
    TRY(engine_home_open(l->conf, &l->home));
    TRY(engine_home_admit(l->home, l->conf, l->owner));
    if (t->has_password)
        TRY(engine_home_password(l->home, l->conf->random));
    if (!l->home->is_initialised)
        TRY(initialise(l));
    TRY(engine_home_give(l->home, &l->user)); /* it may be of a node that ran it as somebody else */
    note_paths(l);
    TRY(write_files(l, &l->user));
    return t->has_process ? start_process(l) : KS_SUCCESS;
}

/* ---- ready ---- */

static bool connects(int fd, const struct sockaddr *to, socklen_t len)
{
    struct pollfd p = {fd, POLLOUT, 0};
    int err = 0;
    socklen_t err_len = sizeof err;

    if (connect(fd, to, len) == 0)
        return true;
    if (errno != EINPROGRESS || poll(&p, 1, CONNECT_MS) != 1)
        return false;
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &err_len) == 0 && err == 0;
}

static bool takes_connections(const struct engine_life *l)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(l->conf->port)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(l->conf->port)};
    bool is_v4 = inet_pton(AF_INET, l->probe_host, &v4.sin_addr) == 1;

    if (!is_v4 && inet_pton(AF_INET6, l->probe_host, &v6.sin6_addr) != 1)
        return false;
    int fd = socket(is_v4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return false;
    bool is = is_v4 ? connects(fd, (const struct sockaddr *)&v4, sizeof v4)
                    : connects(fd, (const struct sockaddr *)&v6, sizeof v6);
    close(fd);
    return is;
}

bool engine_life_is_ready(struct engine_life *l)
{
    const struct engine_step *probe = &l->conf->kind->ready;

    if (!l->conf->kind->has_process)
        return true;
    if (!takes_connections(l))
        return false;
    /* one that was taken over had its probe */
    return !probe->program || l->is_adopted || ks_ok(run_step(l, probe, &l->user, PROBE_MS));
}

ks_rc engine_life_prepare(struct engine_life *l)
{
    const struct engine_template *t = l->conf->kind;

    if (l->is_adopted || !l->home || l->home->is_prepared)
        return KS_SUCCESS;
    TRY(ks_wrap(run_steps(l, &t->prepare, &l->user), "%s cannot be prepared", t->name));
    return engine_home_commit(l->home, t->name, true);
}

void engine_life_end(struct engine_life *l)
{
    /* a note that stays names a process that is found to be gone */
    IGNORE(engine_pid_write(l->conf->state_dir, NULL));
    program_free(TAKE(l->process));
    engine_home_free(TAKE(l->home));
}

/* ---- for people ---- */

void engine_life_connection(const struct engine_life *l, char *room, size_t len)
{
    CLEANUP(filled_done) struct filled f;
    CLEANUP(buf_done) struct buf text = buf_init(len - 1);

    room[0] = 0;
    ks_rc rc = fill(l, &f);
    if (ks_ok(rc) && l->conf->kind->connection)
        rc = engine_text_expand(l->conf->kind->connection, &f.values, &text);
    if (ks_ok(rc) && text.len)
        snprintf(room, len, "%s", buf_text(&text));
}

/* Covers each place where it stands. */
static void cover(struct buf *text, struct view secret)
{
    uint8_t *at = text->bytes;

    while (at &&
           (at = memmem(at, text->len - (size_t)(at - text->bytes), secret.bytes, secret.len)))
        memset(at, '*', secret.len);
}

void engine_life_explain(const struct engine_life *l, const char *why, char *room, size_t len)
{
    CLEANUP(buf_done) struct buf text = buf_init(TAIL_BYTES);

    /* a log that is not there, or on a locked volume, has nothing to add */
    IGNORE(program_log_tail(l->pid.log, &text));
    if (l->home && l->home->password)
        cover(&text, secret_view(l->home->password));
    snprintf(room, len, "%s%s%s", why, text.len ? "; its log ends with: " : "",
             text.len ? buf_text(&text) : "");
    for (char *at = room; *at; at++)
        if ((unsigned char)*at < ' ')
            *at = ' ';
}
