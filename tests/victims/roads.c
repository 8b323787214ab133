// Reads one file by many roads, each named on the command line and each with a file of its own,
// ROAD.dat in the working folder, and prints what came of it: `ROAD 0`, `ROAD ERRNO`, or `ROAD none`
// where the kernel has no such road.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/io_uring.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { NONE = -1 };

static char file[64];

static void make(const char *name) {
    int fd = open(name, O_CREAT | O_WRONLY | O_TRUNC, 0644);
    if (fd < 0 || write(fd, "content\n", 8) != 8) exit(9);
    close(fd);
}

static int outcome(long result) { return result < 0 ? errno : 0; }

static int plain(int fd) {
    char buffer[8];
    return fd < 0 ? errno : outcome(read(fd, buffer, sizeof buffer));
}

static int relative(void) { return plain(open(file, O_RDONLY)); }

static int dirfd_road(void) {
    mkdir("sub", 0755);
    char name[80];
    snprintf(name, sizeof name, "../%s", file);
    return plain(openat(open("sub", O_RDONLY | O_DIRECTORY), name, O_RDONLY));
}

static int symlink_road(void) {
    if (symlink(file, "link")) return errno;
    return plain(open("link", O_RDONLY));
}

static int procfd(void) {
    char name[64];
    snprintf(name, sizeof name, "/proc/self/fd/%d", open(file, O_PATH));
    return plain(open(name, O_RDONLY));
}

static int renamed(void) {
    if (rename(file, "before")) return errno;
    int fd = open("before", O_RDONLY);
    if (rename("before", file)) return errno;
    return plain(fd);
}

static int deleted(void) {
    int fd = open(file, O_RDONLY);
    if (unlink(file)) return errno;
    return plain(fd);
}

static int bind_road(void) {
    mkdir("from", 0755);
    mkdir("onto", 0755);
    char name[80];
    snprintf(name, sizeof name, "from/%s", file);
    if (unshare(CLONE_NEWNS) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL)) return NONE;
    make(name);
    if (mount("from", "onto", NULL, MS_BIND, NULL)) return NONE;
    snprintf(name, sizeof name, "onto/%s", file);
    return plain(open(name, O_RDONLY));
}

static int chroot_road(void) {
    char name[80];
    snprintf(name, sizeof name, "/%s", file);
    if (chroot(".")) return errno;
    return plain(open(name, O_RDONLY));
}

static int overlay(void) {
    const char *folders[] = {"lower", "upper", "work", "merged"};
    for (int i = 0; i < 4; i++) mkdir(folders[i], 0755);
    char name[80];
    snprintf(name, sizeof name, "lower/%s", file);
    make(name);
    if (unshare(CLONE_NEWNS) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL)) return NONE;
    if (mount("overlay", "merged", "overlay", 0, "lowerdir=lower,upperdir=upper,workdir=work")) return NONE;
    snprintf(name, sizeof name, "merged/%s", file);
    return plain(open(name, O_RDONLY));
}

static int sendfile_road(void) {
    int out = open("out", O_CREAT | O_WRONLY, 0644);
    return outcome(sendfile(out, open(file, O_RDONLY), NULL, 8));
}

static int splice_road(void) {
    int ends[2];
    if (pipe(ends)) return errno;
    return outcome(splice(open(file, O_RDONLY), NULL, ends[1], NULL, 8, 0));
}

static int aio(void) {
    aio_context_t context = 0;
    if (syscall(SYS_io_setup, 1, &context)) return NONE;
    char buffer[8];
    struct iocb block = {.aio_fildes = open(file, O_RDONLY), .aio_lio_opcode = IOCB_CMD_PREAD,
                         .aio_buf = (unsigned long)buffer, .aio_nbytes = sizeof buffer};
    struct iocb *blocks[] = {&block};
    if (syscall(SYS_io_submit, context, 1, blocks) != 1) return errno;
    struct io_event event;
    if (syscall(SYS_io_getevents, context, 1, 1, &event, NULL) != 1) return errno;
    return event.res < 0 ? (int)-event.res : 0;
}

static int map(void) {
    void *at = mmap(NULL, 8, PROT_READ, MAP_PRIVATE, open(file, O_RDONLY), 0);
    return at == MAP_FAILED ? errno : 0;
}

static int uring_with(unsigned flags) {
    struct io_uring_params p = {0};
    int ring = (int)syscall(SYS_io_uring_setup, 4, &p);
    if (ring < 0) return NONE;
    char *sq = mmap(NULL, p.sq_off.array + p.sq_entries * 4, PROT_READ | PROT_WRITE,
                    MAP_SHARED | MAP_POPULATE, ring, IORING_OFF_SQ_RING);
    char *cq = mmap(NULL, p.cq_off.cqes + p.cq_entries * sizeof(struct io_uring_cqe),
                    PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring, IORING_OFF_CQ_RING);
    struct io_uring_sqe *entries = mmap(NULL, p.sq_entries * sizeof *entries, PROT_READ | PROT_WRITE,
                                        MAP_SHARED | MAP_POPULATE, ring, IORING_OFF_SQES);
    if (sq == MAP_FAILED || cq == MAP_FAILED || entries == MAP_FAILED) return errno;
    static char buffer[8];
    entries[0] = (struct io_uring_sqe){.opcode = IORING_OP_READ, .flags = (unsigned char)flags,
                                       .fd = open(file, O_RDONLY), .addr = (unsigned long)buffer,
                                       .len = sizeof buffer};
    *(unsigned *)(sq + p.sq_off.array) = 0;
    __atomic_store_n((unsigned *)(sq + p.sq_off.tail), 1, __ATOMIC_RELEASE);
    if (syscall(SYS_io_uring_enter, ring, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) != 1) return errno;
    struct io_uring_cqe *done = (struct io_uring_cqe *)(cq + p.cq_off.cqes);
    return done->res < 0 ? -done->res : 0;
}

static int uring(void) { return uring_with(0); }
static int worker(void) { return uring_with(IOSQE_ASYNC); }

static const struct { const char *name; int (*take)(void); } roads[] = {
    {"relative", relative}, {"dirfd", dirfd_road}, {"symlink", symlink_road}, {"procfd", procfd},
    {"renamed", renamed}, {"deleted", deleted}, {"bind", bind_road}, {"chroot", chroot_road},
    {"overlay", overlay}, {"sendfile", sendfile_road}, {"splice", splice_road}, {"aio", aio},
    {"map", map}, {"uring", uring}, {"worker", worker},
};

int main(int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        snprintf(file, sizeof file, "%s.dat", argv[i]);
        for (unsigned road = 0; road < sizeof roads / sizeof *roads; road++) {
            if (strcmp(roads[road].name, argv[i])) continue;
            make(file);
            // In a child: some roads change its root or its mounts.
            pid_t child = fork();
            if (child == 0) {
                int result = roads[road].take();
                if (result == NONE) printf("%s none\n", argv[i]);
                else printf("%s %d\n", argv[i], result);
                fflush(stdout);
                _exit(0);
            }
            waitpid(child, NULL, 0);
        }
    }
    return 0;
}
