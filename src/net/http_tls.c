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

ks_rc http_tls_load(struct http_server *s, const struct http_server_conf *conf,
                    struct MHD_OptionItem ret[4])
{
    ENSURE(conf->key_file, KS_E_USAGE, "a certificate needs the file of its key");
    TRY(load(conf->cert_file, &s->tls_cert));
    TRY(load(conf->key_file, &s->tls_key));
    if (conf->client_ca_file)
        TRY(load(conf->client_ca_file, &s->tls_ca));
    ret[0] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_CERT, 0, s->tls_cert};
    ret[1] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_KEY, 0, s->tls_key};
    ret[2] = ret[3] = (struct MHD_OptionItem){MHD_OPTION_END, 0, NULL};
    if (s->tls_ca)
        ret[2] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_TRUST, 0, s->tls_ca};
    return KS_SUCCESS;
}

void http_tls_done(struct http_server *s)
{
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
    gnutls_session_t session = session_of(x);
    unsigned count = 0, status = 0;
    char purpose[] = GNUTLS_KP_TLS_WWW_CLIENT;
    gnutls_typed_vdata_st demand = {GNUTLS_DT_KEY_PURPOSE_OID, (unsigned char *)purpose, 0};

    if (!session || !x->server->tls_ca)
        return view_of(NULL, 0);
    const gnutls_datum_t *chain = gnutls_certificate_get_peers(session, &count);
    if (!chain || count == 0 ||
        gnutls_certificate_verify_peers(session, &demand, 1, &status) != 0 || status != 0)
        return view_of(NULL, 0);
    return view_of(chain[0].data, chain[0].size);
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
