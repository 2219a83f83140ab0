/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench/aws_call.c - what the AWS driver adds to a request: making, signing and reading it.
 *
 * Times unwraps through the driver and bare requests of the same size to the same scripted server on the loopback, in
 * turns, by the time of the processor, so that other work on the machine does not count. The difference of the medians is
 * the driver's. Run by `meson test --benchmark aws_call`.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "kms/driver.h"
#include "net/http_client.h"
#include "wire_server.h"

#define KEY_ARN "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
#define BODY                                                                                       \
    "{\"KeyId\":\"" KEY_ARN "\",\"Plaintext\":\"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=\"}"

enum { CALLS = 2000, BLOB_BYTES = 184 };

static struct wire_server *server;
static struct kms *kms;
static struct http_client *client;

static const char *env(void *arg, const char *name)
{
    (void)arg;
    if (strcmp(name, "AWS_ENDPOINT_URL") == 0)
        return wire_server_url(server);
    if (strcmp(name, "AWS_ACCESS_KEY_ID") == 0)
        return "AKIDEXAMPLE";
    return strcmp(name, "AWS_SECRET_ACCESS_KEY") == 0 ? "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
                                                      : NULL;
}

static double now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static ks_rc unwrap(void)
{
    static const uint8_t blob[BLOB_BYTES];
    const struct kms_call call = {0, clock_system(), NULL};
    const struct key_context context = {
        3, {{"cluster", "c-1"}, {"purpose", "canary"}, {"volume", "0123456789abcdef"}}};
    struct secret *plain = NULL;

    TRY(kms->driver->unwrap(kms, &call, &context, view_of(blob, sizeof blob), &plain));
    secret_free(plain);
    return KS_SUCCESS;
}

static ks_rc bare(void)
{
    static const char body[500];
    struct http_request request = {.method = "POST",
                                   .url = wire_server_url(server),
                                   .body = view_of(body, sizeof body),
                                   .header_count = 1,
                                   .headers = {{"Content-Type", "application/x-amz-json-1.1"}}};
    struct http_reply reply = {0};

    TRY(http_client_send(client, &request, &reply));
    http_reply_done(&reply);
    return KS_SUCCESS;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

static double median(double *us)
{
    qsort(us, CALLS, sizeof us[0], compare);
    return us[CALLS / 2];
}

static ks_rc start(void)
{
    static const char format[] = "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s";
    static char reply[1000];
    const struct key_spec spec = {"AWS_KMS", KEY_ARN, ""};
    const struct kms_conf conf = {.spec = &spec, .env = env};
    const struct http_client_conf http = {0};

    TRY(secret_init());
    TRY(wire_server_start(NULL, &server));
    snprintf(reply, sizeof reply, format, strlen(BODY), BODY);
    const struct wire_reply always = {view_text(reply), WIRE_KEEP, true};
    wire_server_push(server, &always);
    TRY(http_client_new(&http, &client));
    return kms_driver_aws.open(&conf, &kms);
}

static ks_rc run(void)
{
    static double driver_us[CALLS], bare_us[CALLS];

    for (int i = 0; i < CALLS; i++) {
        double begin = now_us();
        TRY(unwrap());
        double middle = now_us();
        TRY(bare());
        driver_us[i] = middle - begin;
        bare_us[i] = now_us() - middle;
    }
    double driver = median(driver_us), alone = median(bare_us);
    printf("unwrap %.1f us, bare request %.1f us, driver %.1f us (medians of %d)\n", driver, alone,
           driver - alone, CALLS);
    return KS_SUCCESS;
}

int main(void)
{
    ks_rc rc = start();

    if (ks_ok(rc))
        rc = run();
    if (!ks_ok(rc))
        printf("%s\n", ks_text(rc));
    kms_driver_aws.close(kms);
    http_client_free(client);
    wire_server_stop(server);
    return ks_ok(rc) ? 0 : 1;
}
