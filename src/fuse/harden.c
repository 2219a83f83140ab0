/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuse/harden.c - what the volume process takes from itself before it loads a key.
 */
#include "fuse/harden.h"

#include <linux/capability.h>
#include <malloc.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"
#include "base/secret.h"

/* CAP_IPC_LOCK lifts the limit on locked memory. */
bool harden_may_lock_memory(void)
{
    struct __user_cap_header_struct head = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2] = {{0}};

    if (syscall(SYS_capget, &head, data) != 0)
        return geteuid() == 0;
    return (data[CAP_TO_INDEX(CAP_IPC_LOCK)].effective & CAP_TO_MASK(CAP_IPC_LOCK)) != 0;
}

ks_rc harden_memlock_check(uint64_t limit, bool may_lock)
{
    ENSURE(
        may_lock || limit >= HARDEN_MEMLOCK_BYTES_MIN, KS_E_MEMLOCK,
        "the limit on locked memory is %llu KiB and keys need %d KiB: raise it (ulimit -l %d, or "
        "LimitMEMLOCK=64M in the unit), or pass --allow-swap if keys may reach the swap",
        (unsigned long long)(limit / 1024), HARDEN_MEMLOCK_BYTES_MIN / 1024,
        HARDEN_MEMLOCK_BYTES_MIN / 1024);
    return KS_SUCCESS;
}

static void raise_to_hard(int resource)
{
    struct rlimit limit;

    if (getrlimit((__rlimit_resource_t)resource, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit((__rlimit_resource_t)resource, &limit);
}

/* Locked when touched, so that stacks and arenas do not take memory they never use. */
static ks_rc lock_memory(bool is_swap_allowed)
{
    struct rlimit limit = {0};

    raise_to_hard(RLIMIT_MEMLOCK);
    getrlimit(RLIMIT_MEMLOCK, &limit);
    ks_rc rc = harden_memlock_check(limit.rlim_cur, harden_may_lock_memory());
    if (ks_ok(rc) && mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) == 0)
        return KS_SUCCESS;
    if (is_swap_allowed) {
        secret_allow_swap(true);
        log_line(LOG_WARNING, "memory is not locked: keys may reach the swap (--allow-swap)");
        return KS_SUCCESS;
    }
    TRY(rc);
    return ks_fail(KS_E_MEMLOCK,
                   "memory cannot be locked with a limit of %llu KiB; raise it or "
                   "pass --allow-swap",
                   (unsigned long long)(limit.rlim_cur / 1024));
}

ks_rc harden_process(const struct harden_conf *conf)
{
    struct rlimit none = {0, 0};

    ENSURE(setrlimit(RLIMIT_CORE, &none) == 0, KS_E_BUG, "core files cannot be switched off");
    ENSURE(prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0, KS_E_BUG,
           "this process cannot be hidden from debuggers");
    if (conf->may_gain_nothing)
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    umask(0);
    raise_to_hard(RLIMIT_NOFILE);
    mallopt(M_ARENA_MAX, 2);
    TRY(lock_memory(conf->is_swap_allowed));
    return KS_SUCCESS;
}
