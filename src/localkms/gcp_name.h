/* SPDX-License-Identifier: Apache-2.0 */
/*
 * localkms/gcp_name.h - names of Google's resources, as the path of a request gives them.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum goog_kind {
    GOOG_PROJECT,
    GOOG_LOCATION,
    GOOG_KEY_RING,
    GOOG_CRYPTO_KEY,
    GOOG_VERSION,
    GOOG_IMPORT_JOB,
    GOOG_ACCOUNT, /* service account */
    GOOG_ACCOUNT_KEY,
    GOOG_KINDS,
};

enum {
    GOOG_NAME_BYTES = 512,
    GOOG_PROJECT_BYTES = 64,
    GOOG_VERB_BYTES = 32,
    GOOG_EMAIL_BYTES = 128
};

struct goog_name {
    enum goog_kind kind; /* of the resource, or of the members of the collection */
    bool is_collection;  /* ".../keyRings": text is then the parent's name */
    char text[GOOG_NAME_BYTES];
    char verb[GOOG_VERB_BYTES]; /* "encrypt" of "...:encrypt"; "" for none */
    char project[GOOG_PROJECT_BYTES];
};

/* goog_name_parse(path, ret): path behind "/v1/", percent-encoded; false for what names nothing. The project "-" of
 * a service account is replaced by the one in its address. */
bool goog_name_parse(const char *path, struct goog_name *ret);
/* goog_name_parent(name): cuts the last pair off: "a/b/c/d" becomes "a/b"; false when there is no more. */
bool goog_name_parent(char *name);
/* goog_name_is_id(kind, id): whether a new member of kind may be called so. */
bool goog_name_is_id(enum goog_kind kind, const char *id);
/* goog_account_name(email, ret): "projects/P/serviceAccounts/EMAIL"; false for an address of another form than
 * NAME@PROJECT.iam.gserviceaccount.com. */
bool goog_account_name(const char *email, char ret[GOOG_NAME_BYTES]);
const char *goog_kind_title(enum goog_kind kind); /* "CryptoKey" */
const char *goog_kind_word(enum goog_kind kind);  /* "cryptoKeys" */
