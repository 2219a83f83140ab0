/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/ask.c - asking the person at the terminal.
 *
 * The passphrase is read byte by byte with read(2) into guarded memory: stdio would keep a copy in its
 * buffer. Echo is off only while reading and is put back when a signal ends the program meanwhile.
 */
#include "cli/ask.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "cli/args.h"
#include "cli/output.h"

static void close_fd(const int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

/* Reads one line, without its end; what does not fit is an error, never cut off. */
static ks_rc read_line(int fd, const char *from, struct secret **ret)
{
    CLEANUP(secret_freep) struct secret *line = NULL;
    size_t len = 0;
    ssize_t n = 0;

    TRY(secret_new(ASK_PASSPHRASE_MAX + 1, &line));
    uint8_t *bytes = secret_bytes(line);
    while (len <= ASK_PASSPHRASE_MAX && (n = read(fd, bytes + len, 1)) == 1 && bytes[len] != '\n')
        len++;
    ENSURE(n >= 0, KS_E_CREDENTIAL, "cannot read the passphrase from %s: %s", from,
           strerror(errno));
    ENSURE(len <= ASK_PASSPHRASE_MAX, KS_E_USAGE, "the passphrase from %s is longer than %d bytes",
           from, ASK_PASSPHRASE_MAX);
    if (len > 0 && bytes[len - 1] == '\r')
        len--;
    ENSURE(len > 0, KS_E_CREDENTIAL, "no passphrase came from %s", from);
    return secret_copy(view_of(bytes, len), ret);
}

static ks_rc read_file(const char *path, struct secret **ret)
{
    CLEANUP(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;

    if (fd < 0)
        return ks_fail(KS_E_CREDENTIAL, "cannot open the passphrase file %s: %s", path,
                       strerror(errno));
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & 077) != 0)
        fprintf(stderr,
                "keystead: warning: the passphrase file can be read by others; chmod 600 it\n");
    return read_line(fd, path, ret);
}

/* What a signal handler needs to put the terminal back. */
static struct {
    int fd;
    struct termios saved;
} echo;

static void restore_echo(int signal_number)
{
    tcsetattr(echo.fd, TCSAFLUSH, &echo.saved);
    signal(signal_number, SIG_DFL);
    raise(signal_number);
}

static ks_rc read_terminal(int fd, const char *prompt, struct secret **ret)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
    struct sigaction mine = {.sa_handler = restore_echo}, old[4];
    struct termios quiet;

    echo.fd = fd;
    ENSURE(tcgetattr(fd, &echo.saved) == 0, KS_E_CREDENTIAL, "the terminal cannot be used: %s",
           strerror(errno));
    for (size_t i = 0; i < 4; i++)
        sigaction(signals[i], &mine, &old[i]);
    quiet = echo.saved;
    quiet.c_lflag &= ~(tcflag_t)ECHO;
    tcsetattr(fd, TCSAFLUSH, &quiet);
    dprintf(fd, "%s", prompt);
    ks_rc rc = read_line(fd, "the terminal", ret);
    tcsetattr(fd, TCSAFLUSH, &echo.saved);
    dprintf(fd, "\n");
    for (size_t i = 0; i < 4; i++)
        sigaction(signals[i], &old[i], NULL);
    return rc;
}

static ks_rc ask(const struct cli *cli, const char *before, const char *what, struct secret **ret)
{
    char prompt[512];

    if (args_has(cli, OPT_PASSPHRASE_FILE))
        return read_file(cli->texts[OPT_PASSPHRASE_FILE], ret);
    CLEANUP(close_fd) int fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
    ENSURE(
        fd >= 0, KS_E_CREDENTIAL,
        "there is no terminal to ask for the %s; use --passphrase-file, or a store with a key file",
        what);
    snprintf(prompt, sizeof prompt, "%s %.400s: ", before, what);
    return read_terminal(fd, prompt, ret);
}

ks_rc ask_passphrase(void *cli, const char *what, struct secret **ret)
{
    return ask(cli, "Type the", what, ret);
}

ks_rc ask_new_passphrase(void *cli, const char *what, struct secret **ret)
{
    CLEANUP(secret_freep) struct secret *first = NULL;
    CLEANUP(secret_freep) struct secret *second = NULL;

    TRY(ask(cli, "Type a new", what, &first));
    if (!args_has(cli, OPT_PASSPHRASE_FILE)) {
        TRY(ask(cli, "Again, the", what, &second));
        ENSURE(secret_is_equal(secret_view(first), secret_view(second)), KS_E_USAGE,
               "the two passphrases differ; nothing was made");
    }
    *ret = TAKE(first);
    return KS_SUCCESS;
}

ks_rc ask_confirmation(const struct cli *cli, const char *name, const char *warning)
{
    char typed[256];

    if (args_has(cli, OPT_YES))
        return KS_SUCCESS;
    ENSURE(isatty(STDIN_FILENO), KS_E_USAGE,
           "\"%s\" needs to be confirmed and there is no terminal; add --yes", cli->command->name);
    fprintf(stderr, "%s\nType ", warning);
    output_text(stderr, name);
    fprintf(stderr, " to go on: ");
    bool is_typed = fgets(typed, sizeof typed, stdin) != NULL;
    typed[is_typed ? strcspn(typed, "\n") : 0] = '\0';
    ENSURE(is_typed && strcmp(typed, name) == 0, KS_E_USAGE, "not confirmed; nothing changed");
    return KS_SUCCESS;
}
