/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kms/p11_module.c - PKCS#11 modules of this process: loaded, initialised, and which PINs they refused.
 *
 * Invariant: C_Initialize and C_Finalize run while nobody is inside. Records and libraries stay until the process
 * ends: modules start threads and do not survive being unloaded.
 */
#include "kms/p11_module.h"

#include <dlfcn.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"

enum { REFUSED_MAX = 8 };

struct refused {
    CK_UTF8CHAR serial[P11_SERIAL_BYTES];
    struct secret *pin; /* NULL: a free slot */
    bool is_counted;    /* the token said so */
};

/* The token says that wrong PINs were given since the last right one. */
static bool is_counting(const CK_TOKEN_INFO *token)
{
    return (token->flags &
            (CKF_USER_PIN_COUNT_LOW | CKF_USER_PIN_FINAL_TRY | CKF_USER_PIN_LOCKED)) != 0;
}

struct p11_module {
    struct p11_module *next;
    char path[P11_PATH_BYTES];
    unsigned users;         /* guarded by the list's mutex */
    pthread_rwlock_t stays; /* read: inside; write: initialise or finalise */
    void *library;
    CK_FUNCTION_LIST *f;
    bool is_initialised, is_ours; /* ours: we called C_Initialize */
    pid_t pid;                    /* that initialised it */
    uint64_t generation;
    pthread_mutex_t pin_mutex;
    struct refused refused[REFUSED_MAX];
    size_t refused_at;
};

static pthread_mutex_t list_mutex = PTHREAD_MUTEX_INITIALIZER;
static struct p11_module *modules;

static struct p11_module *find_locked(const char *path)
{
    struct p11_module *m = modules;

    while (m && strcmp(m->path, path) != 0)
        m = m->next;
    return m;
}

static ks_rc add_locked(const char *path, struct p11_module **ret)
{
    struct p11_module *m;
    size_t len = strlen(path);

    ENSURE(len < sizeof m->path, KS_E_USAGE, "the path of the PKCS#11 module is too long");
    TRY(mem_new(1, sizeof *m, &m));
    memcpy(m->path, path, len + 1);
    pthread_rwlock_init(&m->stays, NULL);
    pthread_mutex_init(&m->pin_mutex, NULL);
    m->next = modules;
    modules = m;
    *ret = m;
    return KS_SUCCESS;
}

ks_rc p11_module_get(const char *path, struct p11_module **ret)
{
    ks_rc rc = KS_SUCCESS;

    pthread_mutex_lock(&list_mutex);
    struct p11_module *m = find_locked(path);
    if (!m)
        rc = add_locked(path, &m);
    if (ks_ok(rc)) {
        m->users++;
        *ret = m;
    }
    pthread_mutex_unlock(&list_mutex);
    return rc;
}

static void finalise_locked(struct p11_module *m)
{
    /* What a parent process initialised is the parent's. */
    if (m->is_initialised && m->is_ours && m->pid == getpid())
        m->f->C_Finalize(NULL);
    m->is_initialised = false;
    m->generation++;
}

void p11_module_put(struct p11_module *m)
{
    if (!m)
        return;
    pthread_mutex_lock(&list_mutex);
    if (--m->users == 0) {
        pthread_rwlock_wrlock(&m->stays);
        finalise_locked(m);
        pthread_rwlock_unlock(&m->stays);
    }
    pthread_mutex_unlock(&list_mutex);
}

static ks_rc load_locked(struct p11_module *m)
{
    CK_RV (*list)(CK_FUNCTION_LIST **) = NULL;

    if (m->f)
        return KS_SUCCESS;
    if (!m->library)
        m->library = dlopen(m->path, RTLD_NOW | RTLD_LOCAL);
    /* dlerror says which file or symbol is missing; it holds no secret. */
    ENSURE(m->library, KS_E_UNREACHABLE, "the PKCS#11 module cannot be loaded: %.300s", dlerror());
    void *symbol = dlsym(m->library, "C_GetFunctionList");
    ENSURE(symbol, KS_E_UNREACHABLE, "%.200s is no PKCS#11 module", m->path);
    memcpy(&list, &symbol, sizeof list);
    CK_FUNCTION_LIST *f = NULL;
    CK_RV rv = list(&f);
    ENSURE(rv == CKR_OK && f, KS_E_UNREACHABLE, "C_GetFunctionList of %.200s gave 0x%lx", m->path,
           rv);
    m->f = f;
    return KS_SUCCESS;
}

static ks_rc initialise_locked(struct p11_module *m)
{
    CK_C_INITIALIZE_ARGS how = {.flags = CKF_OS_LOCKING_OK};

    if (m->is_initialised && m->pid == getpid())
        return KS_SUCCESS;
    TRY(load_locked(m));
    CK_RV rv = m->f->C_Initialize(&how);
    if (rv != CKR_OK && rv != CKR_CRYPTOKI_ALREADY_INITIALIZED)
        return ks_fail(KS_E_UNREACHABLE,
                       "C_Initialize of %.200s gave 0x%lx; are its token and configuration there?",
                       m->path, rv);
    m->is_ours = rv == CKR_OK;
    m->is_initialised = true;
    m->pid = getpid();
    m->generation++;
    return KS_SUCCESS;
}

ks_rc p11_module_enter(struct p11_module *m, struct p11_stay *ret)
{
    for (;;) {
        pthread_rwlock_rdlock(&m->stays);
        if (m->is_initialised && m->pid == getpid())
            break;
        pthread_rwlock_unlock(&m->stays);
        pthread_rwlock_wrlock(&m->stays);
        ks_rc rc = initialise_locked(m);
        pthread_rwlock_unlock(&m->stays);
        TRY(rc);
    }
    *ret = (struct p11_stay){m->f, m->generation};
    return KS_SUCCESS;
}

void p11_module_leave(struct p11_module *m)
{
    pthread_rwlock_unlock(&m->stays);
}

void p11_module_reset(struct p11_module *m, uint64_t generation)
{
    pthread_rwlock_wrlock(&m->stays);
    if (m->generation == generation)
        finalise_locked(m);
    pthread_rwlock_unlock(&m->stays);
}

void p11_pin_lock(struct p11_module *m)
{
    pthread_mutex_lock(&m->pin_mutex);
}

void p11_pin_unlock(struct p11_module *m)
{
    pthread_mutex_unlock(&m->pin_mutex);
}

bool p11_pin_is_refused(const struct p11_module *m, const CK_TOKEN_INFO *token, struct view pin)
{
    for (size_t i = 0; i < REFUSED_MAX; i++) {
        const struct refused *r = &m->refused[i];
        if (r->pin && (!r->is_counted || is_counting(token)) &&
            memcmp(r->serial, token->serialNumber, sizeof r->serial) == 0 &&
            secret_is_equal(secret_view(r->pin), pin))
            return true;
    }
    return false;
}

ks_rc p11_pin_refuse(struct p11_module *m, const CK_TOKEN_INFO *token, struct view pin)
{
    struct refused *r = &m->refused[m->refused_at++ % REFUSED_MAX];
    struct secret *copy;

    TRY(secret_copy(pin, &copy));
    secret_free(r->pin);
    r->pin = copy;
    r->is_counted = is_counting(token);
    memcpy(r->serial, token->serialNumber, sizeof r->serial);
    return KS_SUCCESS;
}
