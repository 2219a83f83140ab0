/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/dev_say.c - "serve --dev": what runs now, and what to try next, ready to paste.
 *
 * API keys are named by the files that hold them, also for curl.
 */
#include <stdio.h>

#include "cli/dev_int.h"

static void say_what_runs(const struct dev *d)
{
    printf("A fleet runs on this machine, all of it in %s:\n", d->dir);
    printf("  key service    %s    account 111122223333 is the customer's\n", d->kms_url);
    printf("  control plane  %s\n", d->url);
    for (size_t i = 0; i < d->region_count; i++)
        printf("  node           %s\n", d->regions[i]);
    printf("Logs are in %s/logs. Ctrl-C ends it and unmounts everything.\n", d->dir);
}

static void say_commands(const struct dev *d)
{
    printf("\nA cluster in every region, under a key of the customer's in each:\n"
           "  keystead profile set dev --server %s --key-file %s/control/admin.key\n",
           d->url, d->dir);
    printf("  keystead cluster create orders --regions ");
    for (size_t i = 0; i < d->region_count; i++)
        printf("%s%s", i ? "," : "", d->regions[i]);
    printf(" --wait\n"
           "  keystead cmek enable orders -f %s/cmek_config.yml --wait\n"
           "  keystead cmek status orders\n"
           "  keystead cluster connection orders\n",
           d->dir);
    printf("\nTake one region's key away, as its owner; only that region locks, within 15 s. Then "
           "give it back:\n"
           "  keystead kms key disable %s --region %s --dir %s/kms\n"
           "  keystead cmek status orders\n"
           "  keystead kms key enable %s --region %s --dir %s/kms\n",
           d->regions[0], d->regions[0], d->dir, d->regions[0], d->regions[0], d->dir);
    printf("\nRevoke all of it, with signed receipts, and restore it:\n"
           "  keystead cmek revoke orders --wait\n"
           "  keystead receipt list orders\n"
           "  keystead cmek restore orders --wait\n");
}

void dev_say(const struct dev *d)
{
    say_what_runs(d);
    say_commands(d);
    printf("\nThe same with curl, in the API of CockroachDB Cloud and in ours:\n"
           "  curl -H @%s/curl-header %s/api/v1/clusters\n"
           "  curl -H @%s/curl-header %s/v1/clusters\n"
           "  curl %s/v1/openapi.json\n",
           d->dir, d->url, d->dir, d->url, d->url);
}
