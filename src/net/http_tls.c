/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net/http_tls.c - certificates of the HTTP server and of its clients; libmicrohttpd's TLS is GnuTLS.
 */
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <string.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "net/http_server_int.h"

enum { CHAIN_MAX = 8 };
static const char PRIORITIES[] = "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2";

/* As text, which is what libmicrohttpd takes. */
static ks_rc load(const char *path, char **ret)
{
    gnutls_datum_t file = {0};
    char *text;

    int err = gnutls_load_file(path, &file);
    ENSURE(err == 0, KS_E_USAGE, "%s cannot be read", path);
    ks_rc rc = mem_new(file.size + 1, 1, &text);
    if (ks_ok(rc)) {
        memcpy(text, file.data, file.size);
        *ret = text;
    }
    mem_wipe(file.data, file.size);
    gnutls_free(file.data);
    return rc;
}

static ks_rc copy_text(struct view text, char **ret)
{
    TRY(mem_new(text.len + 1, 1, ret));
    memcpy(*ret, text.bytes, text.len);
    return KS_SUCCESS;
}

/* ---- a certificate that can be replaced ---- */

static void identity_free(struct http_identity *identity)
{
    if (!identity)
        return;
    for (unsigned i = 0; i < identity->chain_count; i++)
        gnutls_pcert_deinit(&identity->chain[i]);
    mem_free(identity->chain);
    gnutls_privkey_deinit(identity->key);
    mem_free(identity);
}

static void identity_freep(struct http_identity **identity)
{
    identity_free(*identity);
}

static gnutls_datum_t datum_of(struct view text)
{
    union {
        const uint8_t *from;
        unsigned char *to;
    } bytes = {text.bytes}; /* GnuTLS does not write to it */

    return (gnutls_datum_t){bytes.to, (unsigned)text.len};
}

/* Whether the key is that of the certificate: GnuTLS looks at it only when both are set in one go. */
static bool is_pair(struct view cert, struct view key)
{
    gnutls_certificate_credentials_t probe = NULL;
    gnutls_datum_t cert_pem = datum_of(cert), key_pem = datum_of(key);

    if (gnutls_certificate_allocate_credentials(&probe) != 0)
        return false;
    int err = gnutls_certificate_set_x509_key_mem(probe, &cert_pem, &key_pem, GNUTLS_X509_FMT_PEM);
    gnutls_certificate_free_credentials(probe);
    return err >= 0;
}

static ks_rc identity_new(struct view cert, struct view key, struct http_identity **ret)
{
    CLEANUP(identity_freep) struct http_identity *made = NULL;
    gnutls_datum_t cert_pem = datum_of(cert), key_pem = datum_of(key);
    unsigned count = CHAIN_MAX;

    ENSURE(is_pair(cert, key), KS_E_USAGE, "certificate and key are no pair in PEM");
    TRY(mem_new(1, sizeof *made, &made));
    TRY(mem_new(CHAIN_MAX, sizeof *made->chain, &made->chain));
    ENSURE(gnutls_privkey_init(&made->key) == 0 &&
               gnutls_privkey_import_x509_raw(made->key, &key_pem, GNUTLS_X509_FMT_PEM, NULL, 0) ==
                   0,
           KS_E_USAGE, "the key of the certificate cannot be read");
    ENSURE(gnutls_pcert_list_import_x509_raw(made->chain, &count, &cert_pem, GNUTLS_X509_FMT_PEM,
                                             0) == 0,
           KS_E_USAGE, "the certificate cannot be read; it has at most %d parts", CHAIN_MAX);
    made->chain_count = count;
    *ret = TAKE(made);
    return KS_SUCCESS;
}

/* Whose certificate libmicrohttpd asks for: its callback has no argument, but the session leads to one. */
static int on_handshake(gnutls_session_t session, const struct gnutls_cert_retr_st *info,
                        gnutls_pcert_st **ret_chain, unsigned *ret_count,
                        gnutls_ocsp_data_st **ret_ocsp, unsigned *ret_ocsp_count,
                        gnutls_privkey_t *ret_key, unsigned *ret_flags)
{
    const struct http_connection *peer = gnutls_session_get_ptr(session);

    (void)info;
    if (!peer)
        return -1;
    *ret_ocsp = NULL;
    *ret_ocsp_count = 0;
    *ret_flags = 0; /* what is handed out stays ours */
    pthread_mutex_lock(&peer->server->mutex);
    const struct http_identity *now = peer->server->identity;
    pthread_mutex_unlock(&peer->server->mutex);
    *ret_chain = now->chain;
    *ret_count = now->chain_count;
    *ret_key = now->key;
    return 0;
}

ks_rc http_server_renew(struct http_server *s, struct view cert, struct view key)
{
    struct http_identity *made = NULL;

    ENSURE(s->identity, KS_E_USAGE, "this server has its certificate from a file");
    TRY(identity_new(cert, key, &made));
    pthread_mutex_lock(&s->mutex);
    made->older = s->identity;
    s->identity = made;
    pthread_mutex_unlock(&s->mutex);
    return KS_SUCCESS;
}

/* ---- what libmicrohttpd is told ---- */

static ks_rc load_identity(struct http_server *s, const struct http_server_conf *conf)
{
    if (conf->cert_pem.len > 0)
        return identity_new(conf->cert_pem, conf->key_pem, &s->identity);
    ENSURE(conf->key_file, KS_E_USAGE, "a certificate needs the file of its key");
    TRY(load(conf->cert_file, &s->tls_cert));
    return load(conf->key_file, &s->tls_key);
}

static ks_rc load_authority(struct http_server *s, const struct http_server_conf *conf)
{
    if (conf->client_ca_pem.len > 0)
        return copy_text(conf->client_ca_pem, &s->tls_ca);
    return conf->client_ca_file ? load(conf->client_ca_file, &s->tls_ca) : KS_SUCCESS;
}

/* Looks once, in the handshake, so that requests need not. Who showed none, or another, goes on and is told so in HTTP. */
static int on_client_certificate(gnutls_session_t session)
{
    char purpose[] = GNUTLS_KP_TLS_WWW_CLIENT;
    gnutls_typed_vdata_st demand = {GNUTLS_DT_KEY_PURPOSE_OID, (unsigned char *)purpose, 0};
    struct http_connection *peer = gnutls_session_get_ptr(session);
    unsigned status = 0;

    if (!peer)
        return -1;
    peer->is_verified =
        gnutls_certificate_verify_peers(session, &demand, 1, &status) == 0 && status == 0;
    return 0;
}

void http_tls_begin(struct MHD_Connection *connection, struct http_connection *c)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);

    if (!info || !info->tls_session)
        return;
    gnutls_session_set_ptr(info->tls_session, c);
    gnutls_session_set_verify_function(info->tls_session, on_client_certificate);
}

ks_rc http_tls_load(struct http_server *s, const struct http_server_conf *conf,
                    struct MHD_OptionItem ret[HTTP_TLS_OPTIONS])
{
    union {
        gnutls_certificate_retrieve_function3 *function;
        void *pointer;
    } handshake = {on_handshake};
    union {
        const char *text;
        void *pointer;
    } versions = {PRIORITIES};
    size_t n = 0;

    TRY(load_identity(s, conf));
    TRY(load_authority(s, conf));
    ret[n++] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_PRIORITIES, 0, versions.pointer};
    if (s->identity) {
        ret[n++] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_CERT_CALLBACK2, 0, handshake.pointer};
    } else {
        ret[n++] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_CERT, 0, s->tls_cert};
        ret[n++] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_KEY, 0, s->tls_key};
    }
    if (s->tls_ca)
        ret[n++] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_TRUST, 0, s->tls_ca};
    ret[n] = (struct MHD_OptionItem){MHD_OPTION_END, 0, NULL};
    return KS_SUCCESS;
}

void http_tls_done(struct http_server *s)
{
    while (s->identity) {
        struct http_identity *older = s->identity->older;
        identity_free(s->identity);
        s->identity = older;
    }
    if (s->tls_key)
        mem_wipe(s->tls_key, strlen(s->tls_key));
    mem_free(s->tls_key);
    mem_free(s->tls_cert);
    mem_free(s->tls_ca);
}

static gnutls_session_t session_of(const struct http_exchange *x)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(x->connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);

    return info ? info->tls_session : NULL;
}

bool http_is_tls(const struct http_exchange *x)
{
    return session_of(x) != NULL;
}

struct view http_peer_certificate(const struct http_exchange *x)
{
    const struct http_connection *peer = x->line;
    unsigned count = 0;

    if (!x->server->tls_ca || !peer || !peer->is_verified)
        return view_of(NULL, 0);
    const gnutls_datum_t *chain = gnutls_certificate_get_peers(session_of(x), &count);
    return chain && count > 0 ? view_of(chain[0].data, chain[0].size) : view_of(NULL, 0);
}

void http_send_raw(struct http_exchange *x, int fd)
{
    gnutls_session_t session = session_of(x);

    /* For tests of clients: what does not fit, or meets a closed connection, is not missed. */
    if (session)
        (void)gnutls_record_send(session, x->raw.bytes, x->raw.len);
    else
        (void)send(fd, x->raw.bytes, x->raw.len, MSG_NOSIGNAL | MSG_DONTWAIT);
}
