/* SPDX-License-Identifier: Apache-2.0 */
/*
 * volume/survey_int.h - what the parts of a survey share. Private to survey*.c.
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "volume/crew.h"
#include "volume/survey.h"
#include "volume/volume_int.h"

enum {
    SURVEY_ROUND_BLOCKS = 64, /* 256 KiB; also how long a lock is held at a time */
    SURVEY_WHAT_BYTES = 512,
    SURVEY_LOOKS = 256,                   /* things without bytes from one telling to the next */
    SURVEY_PART_BLOCKS = 64 << (20 - 12), /* 64 MiB: what one job of a large file takes */
};

/* A damaged block that is not told yet. */
struct survey_found {
    uint64_t block;
    char what[SURVEY_WHAT_BYTES];
};

/* What one thread works with, and has found. */
struct survey_hand {
    struct surveying *all;
    struct survey s;
    uint8_t *pages; /* SURVEY_ROUND_BLOCKS pages */
    uint8_t plain[BLOCK_BYTES];
    size_t found_count;
    struct survey_found found[SURVEY_ROUND_BLOCKS];
};

struct surveying {
    const struct survey_conf *conf;
    struct crew *crew;    /* NULL: the walk does everything itself */
    pthread_mutex_t tell; /* progress and damage are told one after another */
    uint64_t bytes_seen;  /* under tell */
    uint64_t looks;       /* at what has no bytes; under tell */
    unsigned hand_count;
    struct survey_hand *hands; /* the walk itself is the last */
};

/* A file on its way; it goes with the last of its parts. */
struct survey_file {
    atomic_uint parts;
    atomic_bool is_damaged;
    bool is_unfinished;   /* from its beginning on */
    struct io_node *node; /* until it is opened */
    struct stat st;
    struct io_file *file;
    struct inode *inode; /* NULL when only counting */
    char *path;
};

/* One job: some blocks of a file, and at first what comes before them. */
struct survey_part {
    struct survey_file *f;
    uint64_t first, end; /* blocks; end 0: the file is not opened yet */
};

/* survey_part_take(hand, part): takes part over. */
ks_rc survey_part_take(struct survey_hand *hand, struct survey_part *part) KS_MUST;
/* survey_part_drop(conf, part): frees a part that nobody will look at, because the survey ends. */
void survey_part_drop(const struct survey_conf *conf, struct survey_part *part);

/* What an object holds besides contents; without a volume nothing is looked at. path: of the object.
 * survey_attributes(hand, path, node), survey_target(hand, path, node): its attributes; the target of a symlink.
 * survey_records(hand): the records of long names. */
ks_rc survey_attributes(struct survey_hand *hand, const char *path, struct io_node *node) KS_MUST;
ks_rc survey_target(struct survey_hand *hand, const char *path, struct io_node *node) KS_MUST;
ks_rc survey_records(struct survey_hand *hand) KS_MUST;

/* survey_damaged(all, path, block, what): tells conf's damaged, which may wait for a client: never inside an operation, a lock would wait with it. */
void survey_damaged(struct surveying *all, const char *path, uint64_t block, const char *what);
/* survey_unfinished(all, path): tells conf's unfinished, likewise. */
void survey_unfinished(struct surveying *all, const char *path);
/* survey_progress(all, bytes): that many more bytes were looked at, or something that has none: 0. BUSY: nobody wants the rest. */
ks_rc survey_progress(struct surveying *all, uint64_t bytes) KS_MUST;
/* survey_count(s, generation, blocks): counts them to their generation. */
ks_rc survey_count(struct survey *s, uint32_t generation, uint64_t blocks) KS_MUST;
