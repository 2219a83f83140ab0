/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kms/rest.h - a request with a body of JSON or a form and a reply of JSON, for key services that speak so.
 *
 * Shared by the drivers of Vault transit and Azure. Thread-safe. Bodies pass through wiping memory only: they hold keys.
 */
#pragma once

#include "base/json.h"
#include "kms/driver.h"
#include "net/http_client.h"

enum { REST_URL_BYTES = 4096, REST_REPLY_MAX = 64 * 1024, REST_BODY_MAX = 64 * 1024 };

struct rest {
    struct http_client *http;
    const char *(*env)(void *arg, const char *name);
    void *env_arg;
};

/* rest_init(conf, ca_file, ret): proxies as HTTPS_PROXY and NO_PROXY of the environment say; hosts of the loopback and link-local
 * metadata services are reached directly. ca_file NULL: the system's authorities. rest_done: of a zeroed one too. */
ks_rc rest_init(const struct kms_conf *conf, const char *ca_file, struct rest *ret) KS_MUST;
void rest_done(struct rest *r);
/* rest_env(r, name): NULL when it is not set. */
const char *rest_env(const struct rest *r, const char *name);

struct rest_request {
    const char *method, *url;
    const struct http_header
        *headers;       /* ended by a NULL name; those with a NULL value are left out; or NULL */
    const json_t *json; /* borrowed; or NULL */
    struct view form;   /* application/x-www-form-urlencoded; or length 0 */
    const char *request_id_header; /* of replies, for the note; or NULL */
    uint32_t connect_ms_max;       /* 0: as long as the deadline leaves */
};

struct rest_reply {
    int status;
    json_t *json; /* an object; NULL: the body is none */
    struct http_reply raw;
};

/* rest_send(r, call, request, ret): any complete reply is a success. Fills the call's note (Retry-After, request id).
 * Classes as http_client_send; TIMEOUT before anything is sent when the deadline has passed. */
ks_rc rest_send(const struct rest *r, const struct kms_call *call,
                const struct rest_request *request, struct rest_reply *ret) KS_MUST;
void rest_reply_done(struct rest_reply *reply);

/* rest_check_url(url, what): https, or http on the loopback only: requests carry credentials. USAGE that
 * begins with what. */
ks_rc rest_check_url(const char *url, const char *what) KS_MUST;
/* rest_form(name, value, ret): appends "name=value", percent-encoded, with "&" before all but the first. */
ks_rc rest_form(const char *name, struct view value, struct buf *ret) KS_MUST;
/* rest_printable(text, out, len): copies with blanks for control characters, cut to len - 1. */
void rest_printable(const char *text, char *out, size_t len);
