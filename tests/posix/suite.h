/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/posix/suite.h - what a case of the conformance suite is written with.
 *
 * A case runs in a process of its own (as root, umask 022) in an empty directory of its own. It states what POSIX and
 * the manual pages say with the macros below; the first statement that does not hold ends it. What it notes is printed
 * beside its result, so that two file systems can be compared where both may choose.
 */
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

#define SUITE_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

struct suite_test {
    const char *name;
    void (*run)(void);
};
/* TEST(f): a row of a table of cases that need no argument. */
#define TEST(function)                                                                             \
    {                                                                                              \
#function, function                                                                        \
    }
#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* suite_case(run, row, fmt, ...): one case, named after its family and fmt. */
void suite_case(void (*run)(const void *row), const void *row, const char *fmt, ...)
    SUITE_PRINTF(3, 4);
void suite_tests(const struct suite_test *tests, size_t count);

/* --- inside a case --- */

/* These end the case. */
void suite_fail(const char *file, int line, const char *fmt, ...) SUITE_PRINTF(3, 4)
    __attribute__((noreturn));
void suite_skip(const char *fmt, ...) SUITE_PRINTF(1, 2) __attribute__((noreturn));
/* suite_note(fmt, ...): becomes part of the result. */
void suite_note(const char *fmt, ...) SUITE_PRINTF(1, 2);

long suite_ok(const char *file, int line, const char *text, long result);
void suite_fails(const char *file, int line, const char *text, long result, int want);
void suite_expect(const char *file, int line, const char *text, long result, int want);
void suite_same(const char *file, int line, const char *text, long long a, long long b);

/* OK(call): succeeds; its result. FAILS(err, call): fails with that errno. SAME(a, b): two numbers. */
#define OK(call) suite_ok(__FILE__, __LINE__, #call, (errno = 0, (long)(call)))
#define FAILS(want, call) suite_fails(__FILE__, __LINE__, #call, (errno = 0, (long)(call)), (want))
/* EXPECT(want, call): as OK when want is 0, else as FAILS. */
#define EXPECT(want, call)                                                                         \
    suite_expect(__FILE__, __LINE__, #call, (errno = 0, (long)(call)), (want))
#define SAME(a, b) suite_same(__FILE__, __LINE__, #a " is " #b, (long long)(a), (long long)(b))
#define HOLDS(condition)                                                                           \
    ((condition) ? (void)0 : suite_fail(__FILE__, __LINE__, "not so: %s", #condition))

/* suite_errno(err): its name, as ENOENT. */
const char *suite_errno(int err);

/* become(uid, gid): true in a new process of that user, with no other group and no capability; it must end with
 * done(). The caller waits for it, and then gets false. in_child(): the same without a change of user. */
bool become(uid_t uid, gid_t gid);
bool in_child(void);
void done(void) __attribute__((noreturn));
/* wait_for_children(): of processes made with fork(2); the first that failed ends the case. */
void wait_for_children(void);

/* suite_top(): the directory that the suite was given. */
const char *suite_top(void);

enum { USER_A = 23001, USER_B = 23002, GROUP_A = 23001, GROUP_B = 23002 };

/* --- things to work on; all of these end the case when they fail --- */

enum thing { A_FILE, A_DIRECTORY, A_SYMLINK, A_FIFO, A_SOCKET, A_CHAR, A_BLOCK, THING_COUNT };
extern const char *const thing_names[THING_COUNT];
extern const mode_t thing_types[THING_COUNT];

void make_thing(enum thing thing, const char *name);
/* put(name, text): a file of mode 0644 with that text. put_bytes: with len bytes of a pattern. */
void put(const char *name, const char *text);
void put_bytes(const char *name, size_t len);
uint8_t pattern_at(uint64_t at);
/* put_pattern(fd, at, len): the bytes that holds_pattern wants there. */
void put_pattern(int fd, uint64_t at, size_t len);
/* holds_text(name, text): it is a file of exactly that text. */
void holds_text(const char *name, const char *text);
void holds_pattern(int fd, uint64_t at, size_t len);
void holds_zeros(int fd, uint64_t at, size_t len);
/* reread(fd): what is read next does not come from the page cache. */
void reread(int fd);
struct stat stat_of(const char *name);
struct stat stat_of_fd(int fd);
mode_t mode_of(const char *name); /* without the type */
bool is_before(const struct timespec *a, const struct timespec *b);
/* runs(pid, name): the process has begun to execute the program of that name. */
bool runs(pid_t pid, const char *name);
/* next_tick(): returns when a time stamp that is taken now is later than every one before the call. */
void next_tick(void);
/* set_old(name): access and modification time become OLD_SECONDS. */
enum { OLD_SECONDS = 1000000000 };
void set_old(const char *name);

/* --- the families --- */

void paths_cases(void);
void types_cases(void);
void open_cases(void);
void links_cases(void);
void rename_cases(void);
void modes_cases(void);
void access_cases(void);
void times_cases(void);
void data_cases(void);
void direct_cases(void);
void fallocate_cases(void);
void seek_cases(void);
void copy_cases(void);
void map_cases(void);
void xattr_cases(void);
void locks_cases(void);
void dirs_cases(void);
void names_cases(void);
void fs_cases(void);
