/* SPDX-License-Identifier: Apache-2.0 */
/*
 * node/engine_template.c - what a template says, read strictly: every member is known, every name of a program stands in "programs",
 * every text can be filled in. docs/ENGINES.md lists the members.
 */
#include <ctype.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/yaml.h"
#include "io/atomic_file.h"
#include "node/engine_int.h"

enum {
    DEPTH_MAX = 8,
    SECONDS_MAX = 3600,
    STEP_SECONDS = 300,
    READY_SECONDS = 120,
    PATTERNS_MAX = 32
};

static const char SUFFIX[] = ".yml";

/* ---- members ---- */

static bool is_name(const char *text)
{
    size_t len = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-_");

    return len > 0 && len < ENGINE_NAME_BYTES && text[len] == 0;
}

/* members: names, each followed by a blank. */
static ks_rc check_members(json_t *object, const char *members)
{
    const char *name;
    json_t *value;

    json_object_foreach(object, name, value)
    {
        const char *at = members;
        size_t len = strlen(name);
        while (at && !(strncmp(at, name, len) == 0 && at[len] == ' ')) {
            at = strchr(at, ' ');
            at = at && at[1] ? at + 1 : NULL;
        }
        ENSURE(at && len > 0, KS_E_USAGE, "there is no member \"%.64s\" here; there are: %s", name,
               members);
    }
    return KS_SUCCESS;
}

static ks_rc may_text(json_t *object, const char *name, bool may_be_secret, const char **ret)
{
    TRY(json_may_text(object, name, ENGINE_TEXT_MAX, ret));
    return *ret ? ks_wrap(engine_text_check(*ret, may_be_secret), "\"%s\"", name) : KS_SUCCESS;
}

/* A list of texts; each is checked. */
static ks_rc may_list(json_t *object, const char *name, size_t count_max, json_t **ret)
{
    json_t *item;
    size_t i;

    TRY(json_may_array(object, name, count_max, ret));
    json_array_foreach(*ret, i, item)
    {
        ENSURE(json_is_string(item), KS_E_USAGE,
               "\"%s\" is a list of texts; put number %zu in quotes", name, i + 1);
        TRY(ks_wrap(engine_text_check(json_string_value(item), false), "\"%s\"", name));
    }
    return KS_SUCCESS;
}

static ks_rc may_seconds(json_t *object, uint32_t preset, uint32_t *ret)
{
    int64_t seconds = preset;

    TRY(json_may_int(object, "seconds", 1, SECONDS_MAX, &seconds));
    *ret = (uint32_t)seconds;
    return KS_SUCCESS;
}

/* ---- parts ---- */

static ks_rc read_step(const struct engine_template *t, json_t *object, struct engine_step *ret)
{
    json_t *args = NULL, *item;
    size_t i;

    ENSURE(json_is_object(object), KS_E_USAGE, "a step is an object with \"program\"");
    TRY(check_members(object, "program arguments input expect seconds "));
    TRY(json_get_text(object, "program", ENGINE_NAME_BYTES, &ret->program));
    ENSURE(json_object_get(t->programs, ret->program), KS_E_USAGE,
           "\"program\": there is no %.64s in \"programs\"", ret->program);
    TRY(may_list(object, "arguments", ENGINE_ARGS_MAX - 2, &args));
    json_array_foreach(args, i, item) ret->args[ret->arg_count++] = json_string_value(item);
    TRY(may_text(object, "input", true, &ret->input));
    TRY(may_text(object, "expect", false, &ret->expect));
    return may_seconds(object, STEP_SECONDS, &ret->seconds);
}

static ks_rc read_steps(const struct engine_template *t, const char *name, struct engine_steps *ret)
{
    json_t *list = NULL, *item;
    size_t i;

    TRY(json_may_array(t->document, name, ENGINE_STEPS_MAX, &list));
    json_array_foreach(list, i, item) TRY(
        ks_wrap(read_step(t, item, &ret->steps[ret->count++]), "\"%s\", step %zu", name, i + 1));
    return KS_SUCCESS;
}

static ks_rc read_start(struct engine_template *t)
{
    json_t *object = NULL;

    TRY(json_may_object(t->document, "start", &object));
    t->has_process = object != NULL;
    if (!object)
        return KS_SUCCESS;
    TRY(ks_wrap(check_members(object, "program arguments "), "\"start\""));
    return ks_wrap(read_step(t, object, &t->start), "\"start\"");
}

/* Without a program it is ready when it takes connections. */
static ks_rc read_ready(struct engine_template *t)
{
    json_t *object = NULL;

    t->ready.seconds = READY_SECONDS;
    TRY(json_may_object(t->document, "ready", &object));
    if (!object)
        return KS_SUCCESS;
    if (json_object_get(object, "program"))
        TRY(ks_wrap(read_step(t, object, &t->ready), "\"ready\""));
    else
        TRY(ks_wrap(check_members(object, "seconds "), "\"ready\""));
    return ks_wrap(may_seconds(object, READY_SECONDS, &t->ready.seconds), "\"ready\"");
}

static ks_rc read_signal(const char *name, int *ret)
{
    static const struct {
        const char *name;
        int number;
    } signals[] = {{"TERM", SIGTERM}, {"INT", SIGINT},   {"QUIT", SIGQUIT},
                   {"HUP", SIGHUP},   {"USR1", SIGUSR1}, {"USR2", SIGUSR2}};

    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        if (strcmp(signals[i].name, name) == 0) {
            *ret = signals[i].number;
            return KS_SUCCESS;
        }
    return ks_fail(KS_E_USAGE, "\"signal\" is one of TERM, INT, QUIT, HUP, USR1, USR2");
}

static ks_rc read_stop(struct engine_template *t, json_t *object)
{
    const char *name = NULL;

    ENSURE(json_is_object(object), KS_E_USAGE, "each is an object with \"signal\"");
    TRY(check_members(object, "signal seconds "));
    TRY(json_get_text(object, "signal", 8, &name));
    TRY(read_signal(name, &t->stops[t->stop_count].number));
    TRY(may_seconds(object, 10, &t->stops[t->stop_count].seconds));
    t->stop_count++;
    return KS_SUCCESS;
}

static ks_rc read_file(struct engine_template *t, json_t *object)
{
    struct engine_file *f = &t->files[t->file_count];

    ENSURE(json_is_object(object), KS_E_USAGE, "each is an object with \"name\" and \"text\"");
    TRY(check_members(object, "name text "));
    TRY(json_get_text(object, "name", ENGINE_NAME_BYTES, &f->name));
    ENSURE(f->name[0] != '.' &&
               strspn(f->name, "abcdefghijklmnopqrstuvwxyz0123456789-_.") == strlen(f->name),
           KS_E_USAGE, "\"name\" is one of small letters, digits, - _ .");
    TRY(may_text(object, "text", true, &f->text));
    ENSURE(f->text, KS_E_USAGE, "\"text\" is missing");
    t->file_count++;
    return KS_SUCCESS;
}

/* A list, each of whose items is one of these. */
static ks_rc read_each(struct engine_template *t, const char *name, size_t count_max,
                       ks_rc (*read_one)(struct engine_template *t, json_t *object))
{
    json_t *list = NULL, *item;
    size_t i;

    TRY(json_may_array(t->document, name, count_max, &list));
    json_array_foreach(list, i, item) TRY(ks_wrap(read_one(t, item), "\"%s\", %zu", name, i + 1));
    return KS_SUCCESS;
}

static ks_rc read_programs(struct engine_template *t)
{
    json_t *patterns, *item;
    const char *name;
    size_t i;

    TRY(json_may_object(t->document, "programs", &t->programs));
    json_object_foreach(t->programs, name, patterns)
    {
        ENSURE(is_name(name), KS_E_USAGE,
               "\"programs\": a name has small letters, digits, - and _");
        ENSURE(json_is_array(patterns) && json_array_size(patterns) > 0 &&
                   json_array_size(patterns) <= PATTERNS_MAX,
               KS_E_USAGE, "\"programs\": %s is a list of 1 to %d paths", name, PATTERNS_MAX);
        json_array_foreach(patterns, i, item)
            ENSURE(json_is_string(item) && json_string_value(item)[0] == '/', KS_E_USAGE,
                   "\"programs\": a path of %s begins with /", name);
    }
    return KS_SUCCESS;
}

/* Names as programs expect them; values that may not be secret. */
static ks_rc read_environment(struct engine_template *t)
{
    const char *name;
    json_t *value;

    TRY(json_may_object(t->document, "environment", &t->environment));
    ENSURE(json_object_size(t->environment) < ENGINE_ENV_MAX - 4, KS_E_USAGE,
           "\"environment\" is too long");
    json_object_foreach(t->environment, name, value)
    {
        ENSURE((isalpha((unsigned char)name[0]) || name[0] == '_') && !strchr(name, '='),
               KS_E_USAGE, "\"environment\": \"%.64s\" is no name of a variable", name);
        ENSURE(json_is_string(value), KS_E_USAGE, "\"environment\": %s is a text", name);
        TRY(ks_wrap(engine_text_check(json_string_value(value), false), "\"environment\""));
    }
    return KS_SUCCESS;
}

static ks_rc read_directories(struct engine_template *t)
{
    json_t *item;
    size_t i;

    TRY(may_list(t->document, "directories", 16, &t->directories));
    json_array_foreach(t->directories, i, item)
        ENSURE(is_name(json_string_value(item)), KS_E_USAGE,
               "\"directories\" are single names below the home");
    return KS_SUCCESS;
}

static ks_rc read_scalars(struct engine_template *t, const char *name)
{
    int64_t files_max = 0;
    const char *own = NULL;

    TRY(json_get_text(t->document, "name", ENGINE_NAME_BYTES, &own));
    ENSURE(strcmp(own, name) == 0, KS_E_USAGE, "\"name\" is the name of the file, %s", name);
    TRY(json_get_text(t->document, "hint", 1024, &t->hint));
    TRY(may_text(t->document, "connection", false, &t->connection));
    TRY(json_may_bool(t->document, "password", &t->has_password));
    TRY(json_may_int(t->document, "open_files", 64, 1 << 20, &files_max));
    t->files_max = (uint32_t)files_max;
    TRY(json_may_bool(t->document, "shared_user", &t->is_shared_user));
    TRY(may_list(t->document, "users", 8, &t->users));
    bool is_needed = json_object_get(t->document, "users") || t->is_shared_user;
    ENSURE(!is_needed || json_array_size(t->users) > 0, KS_E_USAGE, "\"users\" names at least one");
    return KS_SUCCESS;
}

static ks_rc read_document(struct engine_template *t, const char *name)
{
    ENSURE(json_is_object(t->document), KS_E_USAGE, "a template is an object");
    TRY(check_members(
        t->document,
        "name hint programs users shared_user environment open_files password directories files "
        "initialise start ready prepare stop connection "));
    TRY(read_scalars(t, name));
    TRY(read_programs(t));
    TRY(read_environment(t));
    TRY(read_directories(t));
    TRY(read_each(t, "files", ENGINE_FILES_MAX, read_file));
    TRY(read_steps(t, "initialise", &t->initialise));
    TRY(read_steps(t, "prepare", &t->prepare));
    TRY(read_start(t));
    TRY(read_ready(t));
    return read_each(t, "stop", ENGINE_STOPS_MAX, read_stop);
}

/* ---- loading ---- */

static void template_freep(struct engine_template **t)
{
    engine_template_free(*t);
}

static ks_rc make(const char *name, json_t **document, struct engine_template **ret)
{
    CLEANUP(template_freep) struct engine_template *t = NULL;

    TRY(mem_new(1, sizeof *t, &t));
    t->document = TAKE(*document);
    if (t->document)
        TRY(read_document(t, name));
    memcpy(t->name, name, strlen(name));
    *ret = TAKE(t);
    return KS_SUCCESS;
}

ks_rc engine_template_parse(const char *name, struct view text, struct engine_template **ret)
{
    const struct json_limits limits = {ENGINE_TEXT_MAX, DEPTH_MAX};
    json_t *document = NULL;

    ENSURE(is_name(name), KS_E_USAGE, "\"%.64s\" is no name of an engine", name);
    TRY(yaml_read(text, limits, name, &document));
    ks_rc rc = make(name, &document, ret);
    json_decref(document);
    return ks_wrap(rc, "engine template %s", name);
}

static ks_rc open_dir(const char *dir, struct io_node **ret)
{
    return ks_wrap(io_posix()->ops->open_root(io_posix(), dir, ret), "the engine templates in %s",
                   dir);
}

/* The name of a template, or "" for another file. */
static void name_of(const char *file, char room[ENGINE_NAME_BYTES])
{
    size_t len = strlen(file), end = sizeof SUFFIX - 1;

    room[0] = 0;
    if (len <= end || len - end >= ENGINE_NAME_BYTES || strcmp(file + len - end, SUFFIX) != 0)
        return;
    memcpy(room, file, len - end);
    room[len - end] = 0;
    if (!is_name(room))
        room[0] = 0;
}

static ks_rc each_name(const char *dir, void (*each)(void *arg, const char *name), void *arg)
{
    struct io *io = io_posix();
    struct io_node *node = NULL;
    struct io_dir *list = NULL;
    struct io_dirent e = {.name = "."};
    char name[ENGINE_NAME_BYTES];

    TRY(open_dir(dir, &node));
    ks_rc rc = io->ops->dir_open(io, node, &list);
    while (ks_ok(rc) && e.name[0]) {
        rc = io->ops->dir_next(io, list, &e);
        name_of(e.name, name);
        if (ks_ok(rc) && name[0])
            each(arg, name);
    }
    if (list)
        io->ops->dir_close(io, list);
    io->ops->node_close(io, node);
    return ks_wrap(rc, "the engine templates in %s", dir);
}

static void add_name(void *arg, const char *name)
{
    /* a list that is cut off is as good */
    IGNORE(buf_printf(arg, " %s", name));
}

static ks_rc none_such(const char *dir, const char *name)
{
    CLEANUP(buf_done) struct buf names = buf_init(300);

    /* without a list the text says as much */
    IGNORE(each_name(dir, add_name, &names));
    return ks_fail(KS_E_NOT_FOUND, "there is no engine %s in %s; there are: none%s", name, dir,
                   names.len ? buf_text(&names) : "");
}

ks_rc engine_template_load(const char *dir, const char *name, struct engine_template **ret)
{
    CLEANUP(buf_done) struct buf text = buf_init(ENGINE_TEXT_MAX);
    char file[ENGINE_NAME_BYTES + sizeof SUFFIX];
    struct io_node *node = NULL;
    json_t *none = NULL;

    if (strcmp(name, "none") == 0)
        return make(name, &none, ret);
    ENSURE(is_name(name), KS_E_USAGE, "\"%.64s\" is no name of an engine", name);
    TRY(open_dir(dir, &node));
    snprintf(file, sizeof file, "%s%s", name, SUFFIX);
    ks_rc rc = atomic_file_read(io_posix(), node, file, ENGINE_TEXT_MAX, &text);
    io_posix()->ops->node_close(io_posix(), node);
    if (ks_is_os(rc, ENOENT))
        return none_such(dir, name);
    TRY(ks_wrap(rc, "%s/%s", dir, file));
    return ks_wrap(engine_template_parse(name, buf_view(&text), ret), "%s", dir);
}

void engine_template_free(struct engine_template *t)
{
    if (!t)
        return;
    json_decref(t->document);
    mem_free(t);
}

const char *engine_template_name(const struct engine_template *t)
{
    return t->name;
}

/* ---- what of it is there ---- */

ks_rc engine_find_program(const struct engine_template *t, const char *name, char **ret)
{
    const json_t *patterns = json_object_get(t->programs, name);
    size_t i;
    json_t *item;

    json_array_foreach(patterns, i, item)
    {
        ks_rc rc = program_glob(json_string_value(item), ret);
        if (!ks_is(rc, KS_E_NOT_FOUND))
            return rc;
    }
    return ks_fail(KS_E_NOT_FOUND, "%s needs the program %s, which is not here: %s", t->name, name,
                   t->hint);
}

ks_rc engine_find_user(const struct engine_template *t, struct program_user *ret)
{
    json_t *item;
    size_t i;

    json_array_foreach(t->users, i, item)
    {
        ks_rc rc = program_user_find(json_string_value(item), ret);
        if (!ks_is(rc, KS_E_NOT_FOUND))
            return ks_wrap(rc, "%s", t->name);
    }
    if (geteuid() != 0) /* who is not root has but one */
        return program_user_of(1, ret);
    return ks_fail(KS_E_NOT_FOUND, "%s runs as none of its users, which are not here: %s", t->name,
                   t->hint);
}

ks_rc engine_template_check(const struct engine_template *t)
{
    struct program_user user;
    json_t *patterns;
    const char *name;

    if (!t->document)
        return KS_SUCCESS;
    json_object_foreach(t->programs, name, patterns)
    {
        CLEANUP(mem_freep) char *path = NULL;
        TRY(engine_find_program(t, name, &path));
    }
    return json_array_size(t->users) ? engine_find_user(t, &user) : KS_SUCCESS;
}

struct listing {
    const char *dir;
    void (*each)(void *arg, const struct engine_template *t, ks_rc check);
    void *arg;
};

static void list_one(void *arg, const char *name)
{
    CLEANUP(template_freep) struct engine_template *t = NULL;
    struct listing *l = arg;

    if (ks_ok(engine_template_load(l->dir, name, &t)))
        l->each(l->arg, t, engine_template_check(t));
}

ks_rc engine_templates(const char *dir,
                       void (*each)(void *arg, const struct engine_template *t, ks_rc check),
                       void *arg)
{
    struct listing l = {dir, each, arg};

    return each_name(dir, list_one, &l);
}
