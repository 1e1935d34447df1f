#include "CLinuxNetwork.h"
#include <errno.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

// Apart from network.c: the C library's own description of tcp_info ends before the counters.

static int ask(int descriptor, struct tcp_info *info, size_t wanted) {
    socklen_t size = sizeof *info;
    if (getsockopt(descriptor, IPPROTO_TCP, TCP_INFO, info, &size)) return -errno;
    return size >= wanted ? 0 : -ENOTSUP;
}

int64_t clinux_receive_silence(int descriptor) {
    struct tcp_info info;
    int error = ask(descriptor, &info, offsetof(struct tcp_info, tcpi_last_ack_recv));
    return error ? error : info.tcpi_last_data_recv;
}

int64_t clinux_bytes_read(int descriptor, int is_most) {
    struct tcp_info info;
    int unread = 0;
    // What comes between the two questions makes the one bound higher or the other lower.
    if (is_most && ioctl(descriptor, SIOCINQ, &unread)) return -errno;
    int error = ask(descriptor, &info, offsetof(struct tcp_info, tcpi_bytes_received) + 8);
    if (error) return error;
    if (!is_most && ioctl(descriptor, SIOCINQ, &unread)) return -errno;
    return (int64_t)info.tcpi_bytes_received - unread;
}
