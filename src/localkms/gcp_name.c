/* SPDX-License-Identifier: Apache-2.0 */
/*
 * localkms/gcp_name.c - which resource, collection and verb a path stands for.
 *
 * One table says what may follow what. Nothing that does not fit it gets any further.
 */
#include "localkms/gcp_name.h"

#include <stdio.h>
#include <string.h>

#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define DIGITS "0123456789"
#define ANY_CASE LOWER "ABCDEFGHIJKLMNOPQRSTUVWXYZ" DIGITS "_-"

static const struct {
    enum goog_kind parent; /* itself: none */
    const char *word, *title, *allowed;
    size_t len_max;
} kinds[GOOG_KINDS] = {
    [GOOG_PROJECT] = {GOOG_PROJECT, "projects", "Project", LOWER DIGITS "-", 63},
    [GOOG_LOCATION] = {GOOG_PROJECT, "locations", "Location", LOWER DIGITS "-", 63},
    [GOOG_KEY_RING] = {GOOG_LOCATION, "keyRings", "KeyRing", ANY_CASE, 63},
    [GOOG_CRYPTO_KEY] = {GOOG_KEY_RING, "cryptoKeys", "CryptoKey", ANY_CASE, 63},
    [GOOG_VERSION] = {GOOG_CRYPTO_KEY, "cryptoKeyVersions", "CryptoKeyVersion", DIGITS, 9},
    [GOOG_IMPORT_JOB] = {GOOG_KEY_RING, "importJobs", "ImportJob", ANY_CASE, 63},
    [GOOG_ACCOUNT] = {GOOG_PROJECT, "serviceAccounts", "Service account", LOWER DIGITS "-@.",
                      GOOG_EMAIL_BYTES - 1},
    [GOOG_ACCOUNT_KEY] = {GOOG_ACCOUNT, "keys", "Service account key", "abcdef" DIGITS, 40},
};

const char *goog_kind_title(enum goog_kind kind)
{
    return kinds[kind].title;
}

const char *goog_kind_word(enum goog_kind kind)
{
    return kinds[kind].word;
}

bool goog_name_is_id(enum goog_kind kind, const char *id)
{
    size_t len = strlen(id);

    return len > 0 && len <= kinds[kind].len_max && strspn(id, kinds[kind].allowed) == len &&
           (kind != GOOG_PROJECT || id[0] != '-');
}

static int hex_digit(char c)
{
    static const char digits[] = "0123456789abcdef0123456789ABCDEF";
    const char *at = c ? strchr(digits, c) : NULL;

    return at ? (int)((at - digits) % 16) : -1;
}

static bool decode(const char *in, char *out, size_t room)
{
    size_t used = 0;

    for (; *in; in++) {
        char c = *in;
        if (c == '%') {
            int high = hex_digit(in[1]), low = high < 0 ? -1 : hex_digit(in[2]);
            if (low < 0)
                return false;
            c = (char)(high << 4 | low);
            in += 2;
        }
        if (c <= ' ' || used + 1 >= room)
            return false;
        out[used++] = c;
    }
    out[used] = 0;
    return true;
}

static bool find_kind(enum goog_kind parent, bool is_first, const char *word, enum goog_kind *ret)
{
    for (int k = 0; k < GOOG_KINDS; k++) {
        bool is_root = k == GOOG_PROJECT;
        if (is_root == is_first && (is_first || kinds[k].parent == parent) &&
            strcmp(kinds[k].word, word) == 0) {
            *ret = (enum goog_kind)k;
            return true;
        }
    }
    return false;
}

static bool take_verb(char *path, char verb[GOOG_VERB_BYTES])
{
    char *colon = strrchr(path, ':');

    verb[0] = 0;
    if (!colon)
        return true;
    if (strchr(colon, '/') || !colon[1] || strlen(colon + 1) >= GOOG_VERB_BYTES)
        return false;
    memcpy(verb, colon + 1, strlen(colon + 1) + 1);
    *colon = 0;
    return true;
}

bool goog_account_name(const char *email, char ret[GOOG_NAME_BYTES])
{
    static const char domain[] = ".iam.gserviceaccount.com";
    const char *at = strchr(email, '@');
    const char *end = at ? strstr(at, domain) : NULL;

    if (!end || strcmp(end, domain) != 0 || end == at + 1 || at == email)
        return false;
    int len = snprintf(ret, GOOG_NAME_BYTES, "projects/%.*s/serviceAccounts/%s",
                       (int)(end - at - 1), at + 1, email);
    return len > 0 && len < GOOG_NAME_BYTES;
}

/* "projects/-/serviceAccounts/EMAIL[/...]" with the project of EMAIL. */
static bool fill_project(char path[GOOG_NAME_BYTES])
{
    static const char any[] = "projects/-/serviceAccounts/";
    char email[GOOG_NAME_BYTES], full[GOOG_NAME_BYTES];

    if (strncmp(path, any, strlen(any)) != 0)
        return true;
    const char *from = path + strlen(any);
    size_t len = strcspn(from, "/");
    snprintf(email, sizeof email, "%.*s", (int)len, from);
    if (!goog_account_name(email, full) || strlen(full) + strlen(from + len) >= GOOG_NAME_BYTES)
        return false;
    snprintf(full + strlen(full), sizeof full - strlen(full), "%s", from + len);
    memcpy(path, full, strlen(full) + 1);
    return true;
}

/* One part of the path, up to the next slash or the end; NULL behind the last. */
static const char *next_part(const char **at, char *room, size_t len)
{
    const char *from = *at;

    if (!from)
        return NULL;
    size_t n = strcspn(from, "/");
    *at = from[n] ? from + n + 1 : NULL;
    snprintf(room, len, "%.*s", (int)n, from);
    return room;
}

static bool walk(struct goog_name *n)
{
    char word[GOOG_NAME_BYTES], id[GOOG_NAME_BYTES];
    const char *at = n->text, *end = n->text;

    while (next_part(&at, word, sizeof word)) {
        if (!find_kind(n->kind, end == n->text, word, &n->kind))
            return false;
        n->is_collection = !next_part(&at, id, sizeof id);
        if (n->is_collection)
            break;
        if (!goog_name_is_id(n->kind, id))
            return false;
        if (!n->project[0])
            snprintf(n->project, sizeof n->project, "%.63s", id);
        end = at ? at - 1 : n->text + strlen(n->text);
    }
    n->text[end - n->text] = 0;
    return true;
}

bool goog_name_parse(const char *path, struct goog_name *ret)
{
    struct goog_name n = {0};

    if (!decode(path, n.text, sizeof n.text) || !take_verb(n.text, n.verb) ||
        !fill_project(n.text) || !walk(&n))
        return false;
    /* the collection of all projects is nothing that we have */
    if (!n.project[0])
        return false;
    *ret = n;
    return true;
}

bool goog_name_parent(char *name)
{
    char *last = strrchr(name, '/');

    if (!last)
        return false;
    *last = 0;
    char *word = strrchr(name, '/');
    *last = '/';
    if (!word)
        return false;
    *word = 0;
    return true;
}
