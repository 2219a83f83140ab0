/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kms/aws_chain.c - where the credentials of this process come from: the order, the environment and web identity.
 */
#include "kms/aws_chain.h"

#include <string.h>

#include "kms/secret_file.h"

enum { TOKEN_FILE_MAX = 64 * 1024 };

ks_rc aws_chain_environment(struct aws_chain *chain, const struct kms_call *call,
                            struct aws_credentials **ret)
{
    const char *access_key = aws_env_get(&chain->env, "AWS_ACCESS_KEY_ID");
    const char *secret_key = aws_env_get(&chain->env, "AWS_SECRET_ACCESS_KEY");
    const char *token = aws_env_get(&chain->env, "AWS_SESSION_TOKEN");

    (void)call;
    ENSURE(access_key || secret_key, KS_E_NOT_FOUND, "not in the environment");
    ENSURE(access_key && secret_key, KS_E_CREDENTIAL,
           "only one of AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY is set");
    const struct aws_credentials_parts parts = {view_text(access_key), view_text(secret_key),
                                                view_text(token ? token : ""), NULL};
    return aws_credentials_new(&parts, ret);
}

ks_rc aws_chain_web_role(struct aws_chain *chain, const struct kms_call *call,
                         const struct aws_role *role, const char *token_file,
                         struct aws_credentials **ret)
{
    const struct secret_file_bounds bounds = {1, TOKEN_FILE_MAX, "a web identity token"};
    CLEANUP(secret_freep) struct secret *token = NULL;

    ks_rc rc = secret_file_read(io_posix(), token_file, bounds, &token);
    ENSURE(ks_ok(rc), KS_E_CREDENTIAL, "the web identity token in %.200s cannot be read: %s",
           token_file, ks_text(rc));
    return ks_wrap(aws_sts_web_identity(&chain->sts, call, role, token, ret),
                   "role %.200s by web identity", role->arn);
}

ks_rc aws_chain_web_identity(struct aws_chain *chain, const struct kms_call *call,
                             struct aws_credentials **ret)
{
    const char *file = aws_env_get(&chain->env, "AWS_WEB_IDENTITY_TOKEN_FILE");
    const char *session = aws_env_get(&chain->env, "AWS_ROLE_SESSION_NAME");
    const struct aws_role role = {.arn = aws_env_get(&chain->env, "AWS_ROLE_ARN"),
                                  .session_name = session ? session : AWS_SESSION_NAME};

    ENSURE(file, KS_E_NOT_FOUND, "no web identity");
    ENSURE(role.arn, KS_E_CREDENTIAL, "AWS_WEB_IDENTITY_TOKEN_FILE is set but AWS_ROLE_ARN is not");
    return aws_chain_web_role(chain, call, &role, file, ret);
}

ks_rc aws_chain_get(struct aws_chain *chain, const struct http_request *request,
                    struct http_reply *ret)
{
    CLEANUP(http_reply_done) struct http_reply reply = {0};

    TRY(http_client_send(chain->sts.http->direct, request, &reply));
    if (reply.status >= 500 || reply.status == 429)
        return ks_fail(KS_E_UNREACHABLE, "%s answers with HTTP status %d", request->url,
                       reply.status);
    *ret = reply;
    reply = (struct http_reply){0};
    return KS_SUCCESS;
}

/* What the reasons of sources mean for the caller: no credentials, or nobody there who could give them. */
static ks_rc as_credential(ks_rc rc, const char *source)
{
    if (ks_ok(rc) || rc.cls == KS_CLASS_BUG || (rc.cls == KS_CLASS_LIMIT && !ks_is(rc, KS_E_LIMIT)))
        return rc;
    enum ks_code code = rc.cls == KS_CLASS_UNREACHABLE ? (enum ks_code)rc.code : KS_E_CREDENTIAL;
    return ks_fail(code, "AWS credentials (%s): %s", source, ks_text(rc));
}

ks_rc aws_chain_fetch(struct aws_chain *chain, const struct kms_call *call,
                      struct aws_credentials **ret)
{
    static const struct {
        const char *name;
        aws_chain_source *fetch;
    } sources[] = {{"environment", aws_chain_environment},
                   {"profile", aws_chain_profile},
                   {"web identity", aws_chain_web_identity},
                   {"container", aws_chain_container},
                   {"instance metadata", aws_chain_instance}};

    for (size_t i = 0; i < sizeof sources / sizeof sources[0]; i++) {
        ks_rc rc = sources[i].fetch(chain, call, ret);
        if (!ks_is(rc, KS_E_NOT_FOUND))
            return as_credential(rc, sources[i].name);
    }
    return ks_fail(
        KS_E_CREDENTIAL,
        "there are no AWS credentials: none in the environment (AWS_ACCESS_KEY_ID), in a "
        "profile, by web identity, of a container or of the instance");
}
