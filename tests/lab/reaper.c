/* The parent that a host's QEMUs fall to: libvirtd starts them detached, and libvirt waits for the end of one until its process is
 * gone from the table. On a real host the init system reaps at once; in a container the first process may take
 * seconds, and every move would seem to end that much later.
 *
 * reaper PIDFILE COMMAND...   runs COMMAND, writes its pid, and reaps until no descendant is left. */
#include <errno.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    FILE *file;
    pid_t child;

    if (argc < 3 || prctl(PR_SET_CHILD_SUBREAPER, 1) != 0)
        return 64;
    child = fork();
    if (child == 0) {
        execvp(argv[2], argv + 2);
        _exit(127);
    }
    file = fopen(argv[1], "w");
    if (child < 0 || file == NULL || fprintf(file, "%ld\n", (long)child) < 0 || fclose(file) != 0)
        return 1;
    while (wait(NULL) > 0 || errno == EINTR)
        ;
    return 0;
}
