/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal of this test: policies as vendors publish them and as AWS documents them decide as AWS does, alone and together; a
 * document that is not understood in full is refused with AWS's words.
 */
#include "aws_ask.h"

#define STATEMENT(body) "{\"Version\":\"2012-10-17\",\"Statement\":[{" body "}]}"

/* The policy AWS gives to a key when nobody says otherwise. */
static const char KEY_PRESET[] =
    "{\"Version\":\"2012-10-17\",\"Id\":\"key-default-1\",\"Statement\":[{\"Sid\":\"Enable IAM "
    "User "
    "Permissions\",\"Effect\":\"Allow\",\"Principal\":{\"AWS\":\"arn:aws:iam::" CUSTOMER ":root\"},"
    "\"Action\":\"kms:*\",\"Resource\":\"*\"}]}";

/* What database vendors ask the owner of a key to put into its policy, for a role of the owner or of theirs. */
static const char KEY_VENDOR[] =
    "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Sid\":\"Enable IAM User "
    "Permissions\",\"Effect\":"
    "\"Allow\",\"Principal\":{\"AWS\":\"arn:aws:iam::" CUSTOMER ":root\"},\"Action\":\"kms:*\","
    "\"Resource\":\"*\"},{\"Sid\":\"Allow use of the key for "
    "CMEK\",\"Effect\":\"Allow\",\"Principal\":"
    "{\"AWS\":[\"arn:aws:iam::" CUSTOMER ":role/cmek\",\"arn:aws:iam::" PROVIDER
    ":role/agent\"]},\"Action\":[\"kms:Encrypt\",\"kms:Decrypt\",\"kms:GenerateDataKey*\","
    "\"kms:DescribeKey\",\"kms:ReEncrypt*\"],\"Resource\":\"*\"}]}";

static const char TRUST_VENDOR[] =
    "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":\"sts:"
    "AssumeRole\","
    "\"Principal\":{\"AWS\":\"" PROVIDER "\"},\"Condition\":{\"StringEquals\":{\"sts:ExternalId\":"
    "\"org-1234\"}}}]}";

static const char IDENTITY_VENDOR[] = STATEMENT(
    "\"Effect\":\"Allow\",\"Action\":[\"kms:Encrypt\",\"kms:Decrypt\",\"kms:GenerateDataKey*\","
    "\"kms:DescribeKey\"],\"Resource\":[\"" KEY_ARN "\"]");

/* d: denied, a: to the account, p: to the principal, s: to the session, -: nothing */
struct decision {
    const char *policy;
    enum policy_kind kind;
    struct ask ask;
    const char *want;
};

#define KEY_BY(principal)                                                                          \
    STATEMENT("\"Effect\":\"Allow\",\"Principal\":" principal                                      \
              ",\"Action\":\"kms:*\",\"Resource\":\"*\"")
#define DENY_BUT(principal)                                                                        \
    STATEMENT("\"Effect\":\"Deny\",\"NotPrincipal\":{\"AWS\":" principal                           \
              "},\"Action\":\"kms:*\",\"Resource\":\"*\"")

#define SIXTY_FOUR "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define LONG_VALUE SIXTY_FOUR SIXTY_FOUR SIXTY_FOUR SIXTY_FOUR
#define DENY_OF_ANOTHER                                                                            \
    "\"Effect\":\"Deny\",\"Principal\":\"*\",\"Action\":\"kms:*\",\"Resource\":\"*\","             \
    "\"Condition\":{\"StringEquals\":{\"kms:EncryptionContext:a\":\"${kms:EncryptionContext:b}\"}" \
    "}"

static const struct decision decisions[] = {
    /* the preset key policy: everything, to the account */
    {KEY_PRESET, POLICY_KEY, {'u', "kms:Decrypt"}, "a"},
    {KEY_PRESET, POLICY_KEY, {'r', "kms:ScheduleKeyDeletion"}, "a"},
    {KEY_PRESET, POLICY_KEY, {'R', "kms:Decrypt"}, "ap"},
    {KEY_PRESET, POLICY_KEY, {'p', "kms:Decrypt"}, "-"},
    {KEY_PRESET, POLICY_KEY, {'u', "iam:CreateUser"}, "-"},
    /* the vendors' statements */
    {KEY_VENDOR, POLICY_KEY, {'r', "kms:Encrypt"}, "ap"},
    {KEY_VENDOR, POLICY_KEY, {'r', "kms:Decrypt"}, "ap"},
    {KEY_VENDOR, POLICY_KEY, {'r', "kms:GenerateDataKey"}, "ap"},
    {KEY_VENDOR, POLICY_KEY, {'r', "kms:GenerateDataKeyWithoutPlaintext"}, "ap"},
    {KEY_VENDOR, POLICY_KEY, {'r', "kms:ReEncryptFrom"}, "ap"},
    {KEY_VENDOR, POLICY_KEY, {'r', "kms:DescribeKey"}, "ap"},
    {KEY_VENDOR, POLICY_KEY, {'r', "kms:PutKeyPolicy"}, "a"},
    {KEY_VENDOR, POLICY_KEY, {'q', "kms:Decrypt"}, "p"},
    {KEY_VENDOR, POLICY_KEY, {'q', "KMS:DECRYPT"}, "p"},
    {KEY_VENDOR, POLICY_KEY, {'q', "kms:CreateGrant"}, "-"},
    {KEY_VENDOR, POLICY_KEY, {'p', "kms:Decrypt"}, "-"},
    {IDENTITY_VENDOR, POLICY_IDENTITY, {'r', "kms:Decrypt"}, "p"},
    {IDENTITY_VENDOR, POLICY_IDENTITY, {'r', "kms:GenerateDataKeyPair"}, "p"},
    {IDENTITY_VENDOR, POLICY_IDENTITY, {'r', "kms:ReEncryptTo"}, "-"},
    {IDENTITY_VENDOR, POLICY_IDENTITY, {'r', "kms:Decrypt", KEY_ARN "x"}, "-"},
    {TRUST_VENDOR,
     POLICY_TRUST,
     {.who = 'p', .action = "sts:AssumeRole", .conditions = "{\"sts:ExternalId\":\"org-1234\"}"},
     "a"},
    {TRUST_VENDOR,
     POLICY_TRUST,
     {.who = 'p', .action = "sts:AssumeRole", .conditions = "{\"sts:ExternalId\":\"org-12345\"}"},
     "-"},
    {TRUST_VENDOR,
     POLICY_TRUST,
     {.who = 'p', .action = "sts:AssumeRole", .conditions = "{\"sts:ExternalId\":\"ORG-1234\"}"},
     "-"},
    {TRUST_VENDOR, POLICY_TRUST, {.who = 'p', .action = "sts:AssumeRole"}, "-"},
    {TRUST_VENDOR, POLICY_TRUST, {.who = 'p', .action = "sts:TagSession"}, "-"},
    {TRUST_VENDOR,
     POLICY_TRUST,
     {.who = 'u', .action = "sts:AssumeRole", .conditions = "{\"sts:ExternalId\":\"org-1234\"}"},
     "-"},
    /* principals */
    {KEY_BY("\"*\""), POLICY_KEY, {'p', "kms:Decrypt"}, "p"},
    {KEY_BY("{\"AWS\":\"*\"}"), POLICY_KEY, {'u', "kms:Decrypt"}, "p"},
    {KEY_BY("{\"AWS\":\"" PROVIDER "\"}"), POLICY_KEY, {'p', "kms:Decrypt"}, "a"},
    {KEY_BY("{\"AWS\":\"" PROVIDER "\"}"), POLICY_KEY, {'q', "kms:Decrypt"}, "a"},
    {KEY_BY("{\"AWS\":\"" PROVIDER "\"}"), POLICY_KEY, {'u', "kms:Decrypt"}, "-"},
    {KEY_BY("{\"AWS\":\"arn:aws:iam::" CUSTOMER ":user/alice\"}"),
     POLICY_KEY,
     {'u', "kms:Decrypt"},
     "p"},
    {KEY_BY("{\"AWS\":\"arn:aws:iam::" CUSTOMER ":user/bob\"}"),
     POLICY_KEY,
     {'u', "kms:Decrypt"},
     "-"},
    {KEY_BY("{\"AWS\":\"arn:aws:iam::" CUSTOMER ":user/alice\"}"),
     POLICY_KEY,
     {'R', "kms:Decrypt"},
     "-"},
    {KEY_BY("{\"AWS\":\"arn:aws:iam::" CUSTOMER ":role/cmek\"}"),
     POLICY_KEY,
     {'r', "kms:Decrypt"},
     "p"},
    {KEY_BY("{\"AWS\":\"arn:aws:sts::" CUSTOMER ":assumed-role/cmek/s1\"}"),
     POLICY_KEY,
     {'r', "kms:Decrypt"},
     "s"},
    {KEY_BY("{\"AWS\":\"arn:aws:sts::" CUSTOMER ":assumed-role/cmek/s2\"}"),
     POLICY_KEY,
     {'r', "kms:Decrypt"},
     "-"},
    {KEY_BY("{\"AWS\":\"AROACMEK00000000\"}"), POLICY_KEY, {'r', "kms:Decrypt"}, "-"},
    {KEY_BY("{\"Service\":\"ec2.amazonaws.com\"}"), POLICY_KEY, {'r', "kms:Decrypt"}, "-"},
    {KEY_BY("{\"Federated\":\"accounts.google.com\"}"), POLICY_KEY, {'R', "kms:Decrypt"}, "-"},
    {KEY_BY("{\"Service\":[\"a.amazonaws.com\"],\"AWS\":[\"" PROVIDER "\",\"" CUSTOMER "\"]}"),
     POLICY_KEY,
     {'u', "kms:Decrypt"},
     "a"},
    /* everybody but */
    {DENY_BUT("\"arn:aws:iam::" CUSTOMER ":user/alice\""), POLICY_KEY, {'u', "kms:Decrypt"}, "d"},
    {DENY_BUT("[\"arn:aws:iam::" CUSTOMER ":user/alice\",\"" CUSTOMER "\"]"),
     POLICY_KEY,
     {'u', "kms:Decrypt"},
     "-"},
    {DENY_BUT("[\"arn:aws:iam::" CUSTOMER ":user/alice\",\"" CUSTOMER "\"]"),
     POLICY_KEY,
     {'p', "kms:Decrypt"},
     "d"},
    {DENY_BUT("[\"arn:aws:iam::" CUSTOMER ":role/cmek\",\"" CUSTOMER "\"]"),
     POLICY_KEY,
     {'r', "kms:Decrypt"},
     "d"},
    {DENY_BUT("[\"arn:aws:iam::" CUSTOMER ":role/cmek\",\"" CUSTOMER "\",\"arn:aws:sts::" CUSTOMER
              ":assumed-role/cmek/s1\"]"),
     POLICY_KEY,
     {'r', "kms:Decrypt"},
     "-"},
    {DENY_BUT("\"*\""), POLICY_KEY, {'p', "kms:Decrypt"}, "-"},
    {STATEMENT("\"Effect\":\"Allow\",\"NotPrincipal\":{\"AWS\":\"" PROVIDER
               "\"},\"Action\":\"kms:*\",\"Resource\":\"*\""),
     POLICY_KEY,
     {'p', "kms:Decrypt"},
     "-"},
    {STATEMENT("\"Effect\":\"Allow\",\"NotPrincipal\":{\"AWS\":\"" PROVIDER
               "\"},\"Action\":\"kms:*\",\"Resource\":\"*\""),
     POLICY_KEY,
     {'u', "kms:Decrypt"},
     "p"},
    /* actions and resources */
    {STATEMENT("\"Effect\":\"Allow\",\"Action\":\"*\",\"Resource\":\"*\""),
     POLICY_IDENTITY,
     {'u', "iam:CreateUser", "*"},
     "p"},
    {STATEMENT("\"Effect\":\"Allow\",\"Action\":\"kms:?ecrypt\",\"Resource\":\"*\""),
     POLICY_IDENTITY,
     {'u', "kms:Decrypt"},
     "p"},
    {STATEMENT("\"Effect\":\"Allow\",\"Action\":\"kms:*crypt\",\"Resource\":\"*\""),
     POLICY_IDENTITY,
     {'u', "kms:GenerateDataKey"},
     "-"},
    {STATEMENT("\"Effect\":\"Allow\",\"NotAction\":\"iam:*\",\"Resource\":\"*\""),
     POLICY_IDENTITY,
     {'u', "kms:Decrypt"},
     "p"},
    {STATEMENT("\"Effect\":\"Allow\",\"NotAction\":\"iam:*\",\"Resource\":\"*\""),
     POLICY_IDENTITY,
     {'u', "iam:GetUser"},
     "-"},
    {STATEMENT("\"Effect\":\"Allow\",\"NotAction\":[\"iam:*\",\"kms:Put*\"],\"Resource\":\"*\""),
     POLICY_IDENTITY,
     {'u', "kms:PutKeyPolicy"},
     "-"},
    {STATEMENT("\"Effect\":\"Deny\",\"NotAction\":\"kms:DescribeKey\",\"Resource\":\"*\""),
     POLICY_IDENTITY,
     {'u', "kms:Decrypt"},
     "d"},
    {STATEMENT("\"Effect\":\"Allow\",\"Action\":\"kms:*\",\"Resource\":\"arn:aws:kms:*:" CUSTOMER
               ":key/*\""),
     POLICY_IDENTITY,
     {'u', "kms:Decrypt"},
     "p"},
    {STATEMENT("\"Effect\":\"Allow\",\"Action\":\"kms:*\",\"Resource\":\"arn:aws:kms:us-*:" CUSTOMER
               ":key/*\""),
     POLICY_IDENTITY,
     {'u', "kms:Decrypt"},
     "-"},
    {STATEMENT("\"Effect\":\"Allow\",\"Action\":\"kms:*\",\"Resource\":\"arn:aws:kms:*:*:KEY/*\""),
     POLICY_IDENTITY,
     {'u', "kms:Decrypt"},
     "-"},
    {STATEMENT("\"Effect\":\"Allow\",\"Action\":\"kms:*\",\"NotResource\":\"" KEY_ARN "\""),
     POLICY_IDENTITY,
     {'u', "kms:Decrypt"},
     "-"},
    {STATEMENT(
         "\"Effect\":\"Allow\",\"Action\":\"kms:*\",\"NotResource\":\"arn:aws:kms:*:*:alias/*\""),
     POLICY_IDENTITY,
     {'u', "kms:Decrypt"},
     "p"},
    {STATEMENT("\"Effect\":\"Allow\",\"Action\":\"iam:*\",\"Resource\":\"arn:aws:iam::*:user/"
               "${aws:username}\""),
     POLICY_IDENTITY,
     {'u', "iam:GetUser", "arn:aws:iam::1:user/alice"},
     "p"},
    {STATEMENT("\"Effect\":\"Allow\",\"Action\":\"iam:*\",\"Resource\":\"arn:aws:iam::*:user/"
               "${aws:username}\""),
     POLICY_IDENTITY,
     {'u', "iam:GetUser", "arn:aws:iam::1:user/bob"},
     "-"},
    {STATEMENT("\"Effect\":\"Allow\",\"Action\":\"iam:*\",\"Resource\":\"arn:aws:iam::*:user/"
               "${aws:username}\""),
     POLICY_IDENTITY,
     {'r', "iam:GetUser", "arn:aws:iam::1:user/"},
     "-"},
    {"{\"Version\":\"2008-10-17\",\"Statement\":{\"Effect\":\"Allow\",\"Action\":\"iam:*\","
     "\"Resource\":\"arn:aws:iam:::${aws:username}\"}}",
     POLICY_IDENTITY,
     {'u', "iam:GetUser", "arn:aws:iam:::alice"},
     "-"},
    {"{\"Statement\":{\"Effect\":\"Allow\",\"Action\":\"iam:*\",\"Resource\":\"arn:aws:iam:::${aws:"
     "username}\"}}",
     POLICY_IDENTITY,
     {'u', "iam:GetUser", "arn:aws:iam:::${aws:username}"},
     "p"},
    /* allow and deny together */
    {"{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":\"kms:*\","
     "\"Resource\":\"*\"},{\"Effect\":\"Deny\",\"Action\":\"kms:Decrypt\",\"Resource\":\"*\"}]}",
     POLICY_IDENTITY,
     {'u', "kms:Decrypt"},
     "dp"},
    {"{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":\"kms:*\","
     "\"Resource\":\"*\"},{\"Effect\":\"Deny\",\"Action\":\"kms:Decrypt\",\"Resource\":\"*\"}]}",
     POLICY_IDENTITY,
     {'u', "kms:Encrypt"},
     "p"},
    {STATEMENT("\"Effect\":\"Deny\",\"Principal\":{\"AWS\":\"" PROVIDER
               "\"},\"Action\":\"kms:*\",\"Resource\":\"*\""),
     POLICY_KEY,
     {'q', "kms:Decrypt"},
     "d"},
    {STATEMENT("\"Effect\":\"Deny\",\"Principal\":\"*\",\"Action\":\"kms:*\",\"Resource\":\"*\","
               "\"Condition\":{\"NotIpAddress\":{\"aws:SourceIp\":\"192.0.2.0/24\"}}"),
     POLICY_KEY,
     {'q', "kms:Decrypt"},
     "-"},
    {STATEMENT("\"Effect\":\"Deny\",\"Principal\":\"*\",\"Action\":\"kms:*\",\"Resource\":\"*\","
               "\"Condition\":{\"Bool\":{\"aws:SecureTransport\":\"false\"}}"),
     POLICY_KEY,
     {'q', "kms:Decrypt"},
     "d"},
    {STATEMENT("\"Effect\":\"Allow\",\"Principal\":\"*\",\"Action\":\"kms:*\",\"Resource\":\"*\","
               "\"Condition\":{\"StringEquals\":{\"kms:CallerAccount\":\"" CUSTOMER
               "\",\"kms:ViaService\":\"s3.eu-west-1.amazonaws.com\"}}"),
     POLICY_KEY,
     {'u', "kms:Decrypt"},
     "-"},
    {STATEMENT("\"Effect\":\"Allow\",\"Principal\":\"*\",\"Action\":\"kms:CreateGrant\","
               "\"Resource\":\"*\",\"Condition\":{\"ForAllValues:StringEquals\":{\"kms:"
               "GrantOperations\":[\"Encrypt\",\"Decrypt\"]}}"),
     POLICY_KEY,
     {.who = 'u',
      .action = "kms:CreateGrant",
      .conditions = "{\"kms:GrantOperations\":[\"Decrypt\"]}"},
     "p"},
    {STATEMENT("\"Effect\":\"Allow\",\"Principal\":\"*\",\"Action\":\"kms:CreateGrant\","
               "\"Resource\":\"*\",\"Condition\":{\"ForAllValues:StringEquals\":{\"kms:"
               "GrantOperations\":[\"Encrypt\",\"Decrypt\"]}}"),
     POLICY_KEY,
     {.who = 'u',
      .action = "kms:CreateGrant",
      .conditions = "{\"kms:GrantOperations\":[\"Decrypt\",\"CreateGrant\"]}"},
     "-"},
    /* a variable whose value cannot be filled in: nobody slips past a Deny that way */
    {STATEMENT(DENY_OF_ANOTHER),
     POLICY_KEY,
     {.who = 'u',
      .action = "kms:Decrypt",
      .context = "{\"a\":\"" LONG_VALUE "\",\"b\":\"" LONG_VALUE "\"}"},
     "d"},
    {STATEMENT(DENY_OF_ANOTHER),
     POLICY_KEY,
     {.who = 'u', .action = "kms:Decrypt", .context = "{\"a\":\"\\u0001\",\"b\":\"\\u0001\"}"},
     "d"},
    {STATEMENT(DENY_OF_ANOTHER),
     POLICY_KEY,
     {.who = 'u', .action = "kms:Decrypt", .context = "{\"a\":\"x\",\"b\":\"y\"}"},
     "-"},
};

static void flags(const struct policy_answer *a, char ret[5])
{
    char *p = ret;

    if (a->is_denied)
        *p++ = 'd';
    if (a->allows_account)
        *p++ = 'a';
    if (a->allows_principal)
        *p++ = 'p';
    if (a->allows_session)
        *p++ = 's';
    if (p == ret)
        *p++ = '-';
    *p = '\0';
}

static void documents__published_and_made_up__decide_as_aws(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof decisions / sizeof *decisions; i++) {
        const struct decision *d = &decisions[i];
        struct policy_answer answer = ask_policy(d->policy, d->kind, &d->ask);
        char got[5];
        flags(&answer, got);
        if (strcmp(got, d->want) != 0)
            fail_msg("%zu: %s by %c: %s, not %s: %s", i, d->ask.action, d->ask.who, got, d->want,
                     d->policy);
    }
}

/* A short form of what was answered: "identity resource session", each as flags or "." when there is no such policy;
 * o: own account, g: granted. */
static void together__each_combination__verdict(void **state)
{
    static const struct {
        const char *identity, *resource, *session, *more;
        enum policy_verdict want;
    } cases[] = {
        /* no policy of the resource: the identity alone, in its own account */
        {"p", ".", ".", "o", POLICY_ALLOWED},
        {"-", ".", ".", "o", POLICY_NO_IDENTITY},
        {"dp", ".", ".", "o", POLICY_DENIED_BY_IDENTITY},
        {"p", ".", ".", "", POLICY_NO_RESOURCE},
        {"p", ".", "p", "o", POLICY_ALLOWED},
        {"p", ".", "-", "o", POLICY_NO_SESSION},
        {"p", ".", "dp", "o", POLICY_DENIED_BY_SESSION},
        /* own account: the key policy names, or hands on */
        {"-", "p", ".", "o", POLICY_ALLOWED},
        {"-", "s", ".", "o", POLICY_ALLOWED},
        {"-", "a", ".", "o", POLICY_NO_IDENTITY},
        {"p", "a", ".", "o", POLICY_ALLOWED},
        {"p", "-", ".", "o", POLICY_NO_RESOURCE},
        {"p", "dp", ".", "o", POLICY_DENIED_BY_RESOURCE},
        {"dp", "p", ".", "o", POLICY_DENIED_BY_IDENTITY},
        {"-", "p", "-", "o", POLICY_NO_SESSION},
        {"-", "p", "p", "o", POLICY_ALLOWED},
        {"-", "s", "-", "o", POLICY_ALLOWED},
        {"p", "a", "-", "o", POLICY_NO_SESSION},
        {"p", "a", "p", "o", POLICY_ALLOWED},
        /* across accounts: both */
        {"p", "a", ".", "", POLICY_ALLOWED},
        {"p", "p", ".", "", POLICY_ALLOWED},
        {"p", "s", ".", "", POLICY_ALLOWED},
        {"-", "p", ".", "", POLICY_NO_IDENTITY},
        {"-", "s", ".", "", POLICY_NO_IDENTITY},
        {"p", "-", ".", "", POLICY_NO_RESOURCE},
        {"p", "s", "-", "", POLICY_NO_SESSION},
        {"p", "d", ".", "", POLICY_DENIED_BY_RESOURCE},
        /* grants */
        {"-", "-", ".", "og", POLICY_ALLOWED},
        {"-", "-", ".", "g", POLICY_ALLOWED},
        {"d", "-", ".", "g", POLICY_DENIED_BY_IDENTITY},
        {"-", "d", ".", "g", POLICY_DENIED_BY_RESOURCE},
        {"-", "-", "-", "g", POLICY_NO_SESSION},
        {"-", "-", "p", "g", POLICY_ALLOWED},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *texts[] = {cases[i].identity, cases[i].resource, cases[i].session};
        struct policy_answer answers[3];
        for (size_t j = 0; j < 3; j++)
            answers[j] = (struct policy_answer){
                strchr(texts[j], 'd') != NULL, strchr(texts[j], 'a') != NULL,
                strchr(texts[j], 'p') != NULL, strchr(texts[j], 's') != NULL};
        struct policy_answers all = {
            answers[0],
            answers[1],
            answers[2],
            strcmp(texts[1], ".") != 0,
            strcmp(texts[2], ".") != 0,
            strchr(cases[i].more, 'o') != NULL,
            strchr(cases[i].more, 'g') != NULL,
        };
        if (policy_decide(&all) != cases[i].want)
            fail_msg("%zu: %d, not %d", i, (int)policy_decide(&all), (int)cases[i].want);
    }
}

#define ALLOW "\"Effect\":\"Allow\",\"Action\":\"kms:*\""

static const struct {
    const char *document, *text;
    enum policy_kind kind;
} malformed[] = {
    {"", "This policy contains invalid Json", POLICY_IDENTITY},
    {"{", "This policy contains invalid Json", POLICY_KEY},
    {"{\"Statement\":[],\"Statement\":[]}", "This policy contains invalid Json", POLICY_KEY},
    {"[]", "Syntax errors in policy.", POLICY_IDENTITY},
    {"\"x\"", "Syntax errors in policy.", POLICY_IDENTITY},
    {"{}", "Syntax errors in policy.", POLICY_IDENTITY},
    {"{\"Statement\":[]}", "Syntax errors in policy.", POLICY_IDENTITY},
    {"{\"Statement\":\"x\"}", "Syntax errors in policy.", POLICY_IDENTITY},
    {"{\"Statement\":[1]}", "Syntax errors in policy.", POLICY_IDENTITY},
    {"{\"Statment\":[]}", "Syntax errors in policy.", POLICY_IDENTITY},
    {"{\"Id\":1,\"Statement\":{" ALLOW ",\"Resource\":\"*\"}}", "Syntax errors in policy.",
     POLICY_IDENTITY},
    {"{\"Version\":\"2013-01-01\",\"Statement\":{" ALLOW ",\"Resource\":\"*\"}}",
     "Policy document must be version 2012-10-17 or greater.", POLICY_IDENTITY},
    {"{\"Version\":2012,\"Statement\":{" ALLOW ",\"Resource\":\"*\"}}",
     "Policy document must be version 2012-10-17 or greater.", POLICY_IDENTITY},
    {STATEMENT(ALLOW), "Policy statement must contain resources.", POLICY_IDENTITY},
    {STATEMENT("\"Effect\":\"Allow\",\"Resource\":\"*\""), "Policy statement must contain actions.",
     POLICY_IDENTITY},
    {STATEMENT("\"Action\":\"kms:*\",\"Resource\":\"*\""), "Missing required field Effect",
     POLICY_IDENTITY},
    {STATEMENT("\"Effect\":\"allow\",\"Action\":\"kms:*\",\"Resource\":\"*\""),
     "Invalid effect: allow", POLICY_IDENTITY},
    {STATEMENT(ALLOW ",\"Resource\":\"*\",\"Principal\":\"*\""),
     "Policy document should not specify a principal.", POLICY_IDENTITY},
    {STATEMENT(ALLOW ",\"NotAction\":\"a:b\",\"Resource\":\"*\""), "Syntax errors in policy.",
     POLICY_IDENTITY},
    {STATEMENT(ALLOW ",\"Resource\":\"*\",\"NotResource\":\"*\""), "Syntax errors in policy.",
     POLICY_IDENTITY},
    {STATEMENT(ALLOW ",\"Resource\":\"key/x\""), "Resource key/x must be in ARN format or \"*\".",
     POLICY_IDENTITY},
    {STATEMENT(ALLOW ",\"Resource\":[]"), "Syntax errors in policy.", POLICY_IDENTITY},
    {STATEMENT(ALLOW ",\"Resource\":{}"), "Syntax errors in policy.", POLICY_IDENTITY},
    {STATEMENT(ALLOW ",\"Resource\":[1]"), "Syntax errors in policy.", POLICY_IDENTITY},
    {STATEMENT("\"Effect\":\"Allow\",\"Action\":\"Decrypt\",\"Resource\":\"*\""),
     "must be prefaced by a vendor", POLICY_IDENTITY},
    {STATEMENT("\"Effect\":\"Allow\",\"Action\":\":x\",\"Resource\":\"*\""),
     "must be prefaced by a vendor", POLICY_IDENTITY},
    {STATEMENT(ALLOW ",\"Resource\":\"*\",\"Extra\":1"), "Syntax errors in policy.",
     POLICY_IDENTITY},
    {STATEMENT(ALLOW ",\"Resource\":\"*\",\"Sid\":\"a b\""), "must be alpha-numeric",
     POLICY_IDENTITY},
    {STATEMENT(ALLOW ",\"Resource\":\"*\",\"Sid\":1"), "Syntax errors in policy.", POLICY_IDENTITY},
    {"{\"Statement\":[{\"Sid\":\"a\"," ALLOW ",\"Resource\":\"*\"},{\"Sid\":\"a\"," ALLOW
     ",\"Resource\":\"*\"}]}",
     "Statement IDs (SID) in a single policy must be unique.", POLICY_IDENTITY},
    {STATEMENT(ALLOW ",\"Resource\":\"*\",\"Condition\":[]"), "Syntax errors in policy.",
     POLICY_IDENTITY},
    {STATEMENT(ALLOW ",\"Resource\":\"*\",\"Condition\":{\"Bool\":{}}"), "Syntax errors in policy.",
     POLICY_IDENTITY},
    {STATEMENT(ALLOW ",\"Resource\":\"*\",\"Condition\":{\"Bool\":\"x\"}"),
     "Syntax errors in policy.", POLICY_IDENTITY},
    {STATEMENT(ALLOW ",\"Resource\":\"arn:aws:kms:::${aws:username\""), "Syntax errors in policy.",
     POLICY_IDENTITY},
    {STATEMENT(ALLOW ",\"Resource\":\"arn:\\u0001\""), "Syntax errors in policy.", POLICY_IDENTITY},
    {STATEMENT(ALLOW ",\"Resource\":\"*\""), "Missing required field Principal", POLICY_KEY},
    {KEY_BY("\"x\""), "Policy contains a statement with one or more invalid principals.",
     POLICY_KEY},
    {KEY_BY("{}"), "Syntax errors in policy.", POLICY_KEY},
    {KEY_BY("[\"*\"]"), "Syntax errors in policy.", POLICY_KEY},
    {KEY_BY("{\"AWS\":[]}"), "Syntax errors in policy.", POLICY_KEY},
    {KEY_BY("{\"AWS\":[\"\"]}"), "Syntax errors in policy.", POLICY_KEY},
    {KEY_BY("{\"Aws\":\"*\"}"), "Syntax errors in policy.", POLICY_KEY},
    {KEY_BY("{\"AWS\":\"12345678901\"}"), "invalid principals", POLICY_KEY},
    {KEY_BY("{\"AWS\":\"arn:aws:iam::1234567890123:root\"}"), "invalid principals", POLICY_KEY},
    {KEY_BY("{\"AWS\":\"arn:aws:iam::123456789012:role/*\"}"), "invalid principals", POLICY_KEY},
    {KEY_BY("{\"AWS\":\"arn:aws:iam::123456789012:role/\"}"), "invalid principals", POLICY_KEY},
    {KEY_BY("{\"AWS\":\"arn:aws:iam::123456789012:group/x\"}"), "invalid principals", POLICY_KEY},
    {KEY_BY("{\"AWS\":\"arn:aws:sts::123456789012:assumed-role/x\"}"), "invalid principals",
     POLICY_KEY},
    {KEY_BY("{\"AWS\":\"alice\"}"), "invalid principals", POLICY_KEY},
    {STATEMENT("\"Effect\":\"Allow\",\"Principal\":\"*\",\"Action\":\"sts:AssumeRole\","
               "\"Resource\":\"*\""),
     "Has prohibited field Resource", POLICY_TRUST},
    {STATEMENT("\"Effect\":\"Allow\",\"NotPrincipal\":\"*\",\"Action\":\"sts:AssumeRole\""),
     "Has prohibited field NotPrincipal", POLICY_TRUST},
    {STATEMENT("\"Effect\":\"Allow\",\"Principal\":\"*\",\"Action\":\"kms:Decrypt\""),
     "AssumeRole policy may only specify STS AssumeRole actions.", POLICY_TRUST},
    {STATEMENT(
         "\"Effect\":\"Allow\",\"Principal\":{\"AWS\":\"bob\"},\"Action\":\"sts:AssumeRole\""),
     "Invalid principal in policy: \"AWS\":\"bob\"", POLICY_TRUST},
};

static void parse__malformed__words_of_aws(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof malformed / sizeof *malformed; i++) {
        struct aws_policy *p = NULL;
        ks_rc rc = policy_parse(view_text(malformed[i].document), malformed[i].kind, &p);
        if (ks_ok(rc))
            fail_msg("accepted: %s", malformed[i].document);
        check_rc(rc, USAGE);
        check_text(rc, malformed[i].text);
        assert_null(p);
    }
}

static void parse__too_long_or_deep__limit(void **state)
{
    static char text[POLICY_BYTES_MAX + 2];
    struct aws_policy *p = NULL;

    (void)state;
    memset(text, ' ', sizeof text - 1);
    check_rc(policy_parse(view_text(text), POLICY_KEY, &p), LIMIT);
    check_rc(policy_parse(view_text("[[[[[[[[[1]]]]]]]]]"), POLICY_KEY, &p), LIMIT);
}

static ks_rc collect(void *arg, const char *text)
{
    return buf_printf(arg, "%s ", text);
}

static ks_rc fail_each(void *arg, const char *text)
{
    (void)arg;
    return ks_fail(KS_E_NOT_FOUND, "%s", text);
}

static void principals__listed__each_once(void **state)
{
    struct aws_policy *p = NULL;
    CLEANUP(buf_done) struct buf all = buf_init(512);

    (void)state;
    check_ok(policy_parse(view_text(KEY_VENDOR), POLICY_KEY, &p));
    check_ok(policy_each_principal(p, collect, &all));
    assert_string_equal(buf_text(&all),
                        CUSTOMER " arn:aws:iam::" CUSTOMER ":role/cmek arn:aws:iam::" PROVIDER
                                 ":role/agent ");
    check_rc(policy_each_principal(p, fail_each, NULL), NOT_FOUND);
    assert_string_equal(policy_text(p), KEY_VENDOR);
    policy_free(p);
    policy_free(NULL);
}

static void write__parsed_again__same_answers(void **state)
{
    CLEANUP(buf_done) struct buf text = buf_init(POLICY_BYTES_MAX), small = buf_init(10);
    struct ask ask = {'q', "kms:Decrypt"};
    struct aws_policy *p = NULL;

    (void)state;
    check_ok(policy_parse(view_text(KEY_VENDOR), POLICY_KEY, &p));
    check_ok(policy_write(p, &text));
    check_rc(policy_write(p, &small), LIMIT);
    policy_free(p);
    assert_true(ask_policy(buf_text(&text), POLICY_KEY, &ask).allows_principal);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(documents__published_and_made_up__decide_as_aws),
        cmocka_unit_test(together__each_combination__verdict),
        cmocka_unit_test(parse__malformed__words_of_aws),
        cmocka_unit_test(parse__too_long_or_deep__limit),
        cmocka_unit_test(principals__listed__each_once),
        cmocka_unit_test(write__parsed_again__same_answers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
