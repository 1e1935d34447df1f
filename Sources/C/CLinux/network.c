#define _GNU_SOURCE
#include "CLinuxNetwork.h"
#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <ifaddrs.h>
#include <linux/filter.h>
#include <linux/sock_diag.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif

// MARK: Addresses

static int is_v4(uint64_t high, uint64_t low) { return high == 0 && low >> 32 == 0xFFFF; }
static int is_any(uint64_t high, uint64_t low) { return high == 0 && (low == 0 || low == 0xFFFF00000000); }
static int is_link_local(uint64_t high) { return high >> 54 == 0x3FA; }

static struct in6_addr v6_of(uint64_t high, uint64_t low) {
    struct in6_addr address;
    high = htobe64(high);
    low = htobe64(low);
    memcpy(address.s6_addr, &high, 8);
    memcpy(address.s6_addr + 8, &low, 8);
    return address;
}

static void set_v6(uint64_t *high, uint64_t *low, const struct in6_addr *address) {
    memcpy(high, address->s6_addr, 8);
    memcpy(low, address->s6_addr + 8, 8);
    *high = be64toh(*high);
    *low = be64toh(*low);
}

static void set_v4(uint64_t *high, uint64_t *low, struct in_addr address) {
    *high = 0;
    *low = 0xFFFF00000000 | ntohl(address.s_addr);
}

static socklen_t to_sockaddr(const clinux_address *from, struct sockaddr_in6 *storage) {
    if (is_v4(from->high, from->low)) {
        struct sockaddr_in *v4 = (struct sockaddr_in *)storage;
        memset(v4, 0, sizeof *v4);
        v4->sin_family = AF_INET;
        v4->sin_port = htons(from->port);
        v4->sin_addr.s_addr = htonl((uint32_t)from->low);
        return sizeof *v4;
    }
    memset(storage, 0, sizeof *storage);
    storage->sin6_family = AF_INET6;
    storage->sin6_port = htons(from->port);
    storage->sin6_addr = v6_of(from->high, from->low);
    storage->sin6_scope_id = from->scope;
    return sizeof *storage;
}

static void from_sockaddr(clinux_address *to, const struct sockaddr_in6 *storage) {
    if (storage->sin6_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)storage;
        set_v4(&to->high, &to->low, v4->sin_addr);
        to->port = ntohs(v4->sin_port);
        to->scope = 0;
        return;
    }
    set_v6(&to->high, &to->low, &storage->sin6_addr);
    to->port = ntohs(storage->sin6_port);
    to->scope = storage->sin6_scope_id;
}

int clinux_local_address(int descriptor, clinux_address *address) {
    struct sockaddr_in6 storage;
    socklen_t size = sizeof storage;
    if (getsockname(descriptor, (struct sockaddr *)&storage, &size)) return -errno;
    from_sockaddr(address, &storage);
    return 0;
}

int clinux_remote_address(int descriptor, clinux_address *address) {
    struct sockaddr_in6 storage;
    socklen_t size = sizeof storage;
    if (getpeername(descriptor, (struct sockaddr *)&storage, &size)) return -errno;
    from_sockaddr(address, &storage);
    return 0;
}

int64_t clinux_socket_drops(int descriptor) {
    uint32_t memory[SK_MEMINFO_VARS] = {0};
    socklen_t size = sizeof memory;
    if (getsockopt(descriptor, SOL_SOCKET, SO_MEMINFO, memory, &size)) return -errno;
    return memory[SK_MEMINFO_DROPS];
}

// MARK: Opening

static void set_int(int descriptor, int level, int name, int value) {
    setsockopt(descriptor, level, name, &value, sizeof value);
}

static void apply(int descriptor, int v4, const clinux_socket_options *options) {
    if (options->buffer_bytes > 0) {
        // Beyond the system's limit where we may (CAP_NET_ADMIN), else up to it.
        int bytes = options->buffer_bytes;
        if (setsockopt(descriptor, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes))
            set_int(descriptor, SOL_SOCKET, SO_RCVBUF, bytes);
        if (setsockopt(descriptor, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof bytes))
            set_int(descriptor, SOL_SOCKET, SO_SNDBUF, bytes);
    }
    if (options->dscp > 0) {
        set_int(descriptor, v4 ? IPPROTO_IP : IPPROTO_IPV6, v4 ? IP_TOS : IPV6_TCLASS, options->dscp << 2);
    }
}

static int fail(int descriptor) {
    int error = errno;
    close(descriptor);
    return -error;
}

static int open_socket(int type, int v4) {
    int descriptor = socket(v4 ? AF_INET : AF_INET6, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (descriptor < 0) return -errno;
    if (!v4) set_int(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, 1);
    return descriptor;
}

static int bind_to(int descriptor, const clinux_address *local) {
    struct sockaddr_in6 storage;
    socklen_t size = to_sockaddr(local, &storage);
    return bind(descriptor, (struct sockaddr *)&storage, size);
}

int clinux_open_datagram(const clinux_address *local, const clinux_socket_options *options) {
    int v4 = is_v4(local->high, local->low);
    int descriptor = open_socket(SOCK_DGRAM, v4);
    if (descriptor < 0) return descriptor;
    apply(descriptor, v4, options);
    if (options->shares_port) set_int(descriptor, SOL_SOCKET, SO_REUSEPORT, 1);
    if (is_any(local->high, local->low)) {
        if (v4) set_int(descriptor, IPPROTO_IP, IP_PKTINFO, 1);
        else set_int(descriptor, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
    }
    return bind_to(descriptor, local) ? fail(descriptor) : descriptor;
}

int clinux_open_twin(int descriptor, const clinux_socket_options *options) {
    clinux_address local;
    int error = clinux_local_address(descriptor, &local);
    if (error) return error;
    // Only now may the port have a second socket: when the first was bound, somebody else's would have been an error.
    set_int(descriptor, SOL_SOCKET, SO_REUSEPORT, 1);
    clinux_socket_options shared = *options;
    shared.shares_port = 1;
    int twin = clinux_open_datagram(&local, &shared);
    if (twin < 0) set_int(descriptor, SOL_SOCKET, SO_REUSEPORT, 0);
    return twin;
}

_Static_assert(sizeof(clinux_instruction) == sizeof(struct sock_filter), "an instruction is one of the kernel's");

static int attach(int descriptor, int name, const clinux_instruction *program, uint16_t count) {
    struct sock_fprog whole = {count, (struct sock_filter *)program};
    return setsockopt(descriptor, SOL_SOCKET, name, &whole, sizeof whole) ? -errno : 0;
}

int clinux_steer(int descriptor, const clinux_instruction *program, uint16_t count) {
    return attach(descriptor, SO_ATTACH_REUSEPORT_CBPF, program, count);
}

int clinux_admit_only_peers(int descriptor) {
    // A socket's filter sees the UDP header first. What is too short for a load is dropped. `0xFFFF`: all of it.
    enum { payload = 8, keep = 0xFFFF };
    static const clinux_instruction program[] = {
        {BPF_LD | BPF_W | BPF_LEN, 0, 0, 0},
        // The shortest of all is STUN's header, 20 bytes; SRTCP with its tag is longer.
        {BPF_JMP | BPF_JGE | BPF_K, 0, 10, payload + 20},
        {BPF_LD | BPF_B | BPF_ABS, 0, 0, payload},
        // 128...191: RTP and RTCP.
        {BPF_JMP | BPF_JGE | BPF_K, 0, 1, 128},
        {BPF_JMP | BPF_JGE | BPF_K, 7, 8, 192},
        // 0...3: STUN, with its magic cookie.
        {BPF_JMP | BPF_JGE | BPF_K, 2, 0, 4},
        {BPF_LD | BPF_W | BPF_ABS, 0, 0, payload + 4},
        {BPF_JMP | BPF_JEQ | BPF_K, 5, 4, 0x2112A442},
        // 20...26: DTLS, whose version begins with 254.
        {BPF_JMP | BPF_JGE | BPF_K, 0, 3, 20},
        {BPF_JMP | BPF_JGE | BPF_K, 2, 0, 27},
        {BPF_LD | BPF_B | BPF_ABS, 0, 0, payload + 1},
        {BPF_JMP | BPF_JEQ | BPF_K, 1, 0, 254},
        {BPF_RET | BPF_K, 0, 0, 0},
        {BPF_RET | BPF_K, 0, 0, keep},
    };
    return attach(descriptor, SO_ATTACH_FILTER, program, sizeof program / sizeof *program);
}

int clinux_open_listener(const clinux_address *local, int backlog) {
    int descriptor = open_socket(SOCK_STREAM, is_v4(local->high, local->low));
    if (descriptor < 0) return descriptor;
    set_int(descriptor, SOL_SOCKET, SO_REUSEADDR, 1);
    return bind_to(descriptor, local) || listen(descriptor, backlog) ? fail(descriptor) : descriptor;
}

int clinux_open_connection(const clinux_address *local, const clinux_address *remote, const clinux_socket_options *options) {
    int v4 = is_v4(remote->high, remote->low);
    int descriptor = open_socket(SOCK_STREAM, v4);
    if (descriptor < 0) return descriptor;
    apply(descriptor, v4, options);
    set_int(descriptor, IPPROTO_TCP, TCP_NODELAY, 1);
    if (!is_any(local->high, local->low) && bind_to(descriptor, local)) return fail(descriptor);
    struct sockaddr_in6 storage;
    socklen_t size = to_sockaddr(remote, &storage);
    if (connect(descriptor, (struct sockaddr *)&storage, size) && errno != EINPROGRESS) return fail(descriptor);
    return descriptor;
}

int clinux_accept(int listener, const clinux_socket_options *options) {
    struct sockaddr_in6 storage;
    socklen_t size = sizeof storage;
    int descriptor = accept4(listener, (struct sockaddr *)&storage, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (descriptor < 0) return -errno;
    apply(descriptor, storage.sin6_family == AF_INET, options);
    set_int(descriptor, IPPROTO_TCP, TCP_NODELAY, 1);
    return descriptor;
}

int clinux_socket_error(int descriptor) {
    int error = 0;
    socklen_t size = sizeof error;
    return getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &size) ? errno : error;
}

int64_t clinux_send_stream(int descriptor, const void *bytes, uint64_t count) {
    ssize_t sent = send(descriptor, bytes, count, MSG_NOSIGNAL);
    return sent < 0 ? -errno : sent;
}

int64_t clinux_receive_stream(int descriptor, void *bytes, uint64_t count) {
    ssize_t received = recv(descriptor, bytes, count, 0);
    return received < 0 ? -errno : received;
}

// MARK: Receiving

// Room for one in6_pktinfo (the larger of the two) with its header.
enum { receive_control = 64 };

struct clinux_slots {
    uint32_t count, size, used;
    uint8_t *memory;
    struct mmsghdr *headers;
    struct iovec *vectors;
    struct sockaddr_in6 *names;
    uint8_t (*controls)[receive_control];
    clinux_received *received;
};

clinux_slots *clinux_slots_new(uint32_t count, uint32_t size) {
    clinux_slots *slots = calloc(1, sizeof *slots);
    slots->count = slots->used = count;
    slots->size = size;
    slots->memory = malloc((size_t)count * size);
    slots->headers = calloc(count, sizeof *slots->headers);
    slots->vectors = calloc(count, sizeof *slots->vectors);
    slots->names = calloc(count, sizeof *slots->names);
    slots->controls = calloc(count, receive_control);
    slots->received = calloc(count, sizeof *slots->received);
    for (uint32_t index = 0; index < count; index++) {
        slots->vectors[index] = (struct iovec){slots->memory + (size_t)index * size, size};
        slots->received[index].bytes = slots->vectors[index].iov_base;
        struct msghdr *header = &slots->headers[index].msg_hdr;
        header->msg_name = &slots->names[index];
        header->msg_iov = &slots->vectors[index];
        header->msg_iovlen = 1;
        header->msg_control = slots->controls[index];
    }
    return slots;
}

void clinux_slots_free(clinux_slots *slots) {
    free(slots->memory);
    free(slots->headers);
    free(slots->vectors);
    free(slots->names);
    free(slots->controls);
    free(slots->received);
    free(slots);
}

static void take_local(clinux_received *datagram, struct msghdr *header) {
    datagram->local_high = datagram->local_low = 0;
    for (struct cmsghdr *item = CMSG_FIRSTHDR(header); item; item = CMSG_NXTHDR(header, item)) {
        if (item->cmsg_level == IPPROTO_IP && item->cmsg_type == IP_PKTINFO) {
            struct in_pktinfo info;
            memcpy(&info, CMSG_DATA(item), sizeof info);
            set_v4(&datagram->local_high, &datagram->local_low, info.ipi_addr);
        } else if (item->cmsg_level == IPPROTO_IPV6 && item->cmsg_type == IPV6_PKTINFO) {
            struct in6_pktinfo info;
            memcpy(&info, CMSG_DATA(item), sizeof info);
            set_v6(&datagram->local_high, &datagram->local_low, &info.ipi6_addr);
        }
    }
}

int clinux_receive_batch(int descriptor, clinux_slots *slots, uint32_t most) {
    // Only what the last call has changed is set again.
    for (uint32_t index = 0; index < slots->used; index++) {
        struct msghdr *header = &slots->headers[index].msg_hdr;
        header->msg_namelen = sizeof slots->names[index];
        header->msg_controllen = receive_control;
        header->msg_flags = 0;
    }
    slots->used = 0;
    int count = recvmmsg(descriptor, slots->headers, most < slots->count ? most : slots->count, 0, NULL);
    if (count < 0) return -errno;
    slots->used = (uint32_t)count;
    for (int index = 0; index < count; index++) {
        clinux_received *datagram = &slots->received[index];
        struct msghdr *header = &slots->headers[index].msg_hdr;
        datagram->count = slots->headers[index].msg_len;
        datagram->is_truncated = (header->msg_flags & MSG_TRUNC) != 0;
        from_sockaddr(&datagram->remote, &slots->names[index]);
        take_local(datagram, header);
    }
    return count;
}

const clinux_received *clinux_slot(clinux_slots *slots, uint32_t index) { return &slots->received[index]; }

// MARK: Sending

enum {
    // Messages per system call: what fits the stack and gives the kernel long enough runs.
    send_messages = 64,
    send_vectors = 256,
    // UDP_MAX_SEGMENTS of kernels before 6.9, and the most a UDP datagram holds over IPv4.
    segments_max = 64,
    segmented_bytes_max = 65507,
    // One in6_pktinfo, one int and one uint16_t with their headers.
    send_control = CMSG_SPACE(sizeof(struct in6_pktinfo)) + CMSG_SPACE(sizeof(int)) + CMSG_SPACE(sizeof(uint16_t)),
};

static int is_same_flow(const clinux_outgoing *a, const clinux_outgoing *b) {
    return a->remote.low == b->remote.low && a->remote.port == b->remote.port && a->remote.high == b->remote.high
        && a->local_low == b->local_low && a->local_high == b->local_high && a->remote.scope == b->remote.scope
        && a->dscp == b->dscp;
}

// How many datagrams from the first on the kernel can cut out of one message: equal sizes, the last may be shorter.
static uint32_t run_length(const clinux_outgoing *items, uint32_t count) {
    uint32_t length = 1, bytes = items[0].count;
    if (count > segments_max) count = segments_max;
    while (length < count && bytes + items[length].count <= segmented_bytes_max
           && items[length].count <= items[0].count && items[length].count > 0
           && is_same_flow(&items[0], &items[length])) {
        bytes += items[length++].count;
        if (items[length - 1].count < items[0].count) break;
    }
    return length;
}

static size_t put(struct cmsghdr *item, int level, int type, const void *value, size_t size) {
    item->cmsg_level = level;
    item->cmsg_type = type;
    item->cmsg_len = CMSG_LEN(size);
    memcpy(CMSG_DATA(item), value, size);
    return CMSG_SPACE(size);
}

static size_t put_controls(uint8_t *control, const clinux_outgoing *item, uint32_t run) {
    size_t used = 0;
    if (item->local_high || item->local_low) {
        if (is_v4(item->local_high, item->local_low)) {
            struct in_pktinfo info = {.ipi_spec_dst.s_addr = htonl((uint32_t)item->local_low)};
            used += put((struct cmsghdr *)control, IPPROTO_IP, IP_PKTINFO, &info, sizeof info);
        } else {
            struct in6_pktinfo info = {.ipi6_addr = v6_of(item->local_high, item->local_low)};
            if (is_link_local(item->local_high)) info.ipi6_ifindex = item->remote.scope;
            used += put((struct cmsghdr *)control, IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof info);
        }
    }
    if (item->dscp >= 0) {
        int v4 = is_v4(item->remote.high, item->remote.low), value = item->dscp << 2;
        used += put((struct cmsghdr *)(control + used), v4 ? IPPROTO_IP : IPPROTO_IPV6, v4 ? IP_TOS : IPV6_TCLASS, &value,
                    sizeof value);
    }
    if (run > 1) {
        uint16_t size = (uint16_t)item->count;
        used += put((struct cmsghdr *)(control + used), IPPROTO_UDP, UDP_SEGMENT, &size, sizeof size);
    }
    return used;
}

int clinux_send_batch(int descriptor, const clinux_outgoing *items, uint32_t count, int segments, uint32_t *head) {
    struct mmsghdr headers[send_messages];
    struct iovec vectors[send_vectors];
    struct sockaddr_in6 names[send_messages];
    uint32_t runs[send_messages];
    _Alignas(struct cmsghdr) uint8_t controls[send_messages][send_control];
    uint32_t taken = 0;
    unsigned messages = 0;
    if (count > send_vectors) count = send_vectors;
    while (taken < count && messages < send_messages) {
        const clinux_outgoing *item = &items[taken];
        uint32_t run = segments ? run_length(item, count - taken) : 1;
        for (uint32_t index = 0; index < run; index++)
            vectors[taken + index] = (struct iovec){(void *)item[index].bytes, item[index].count};
        size_t used = put_controls(controls[messages], item, run);
        headers[messages] = (struct mmsghdr){.msg_hdr = {
            .msg_name = &names[messages],
            .msg_namelen = to_sockaddr(&item->remote, &names[messages]),
            .msg_iov = &vectors[taken],
            .msg_iovlen = run,
            .msg_control = used ? controls[messages] : NULL,
            .msg_controllen = used,
        }};
        runs[messages++] = run;
        taken += run;
    }
    *head = runs[0];
    int sent = sendmmsg(descriptor, headers, messages, MSG_NOSIGNAL);
    if (sent < 0) return -errno;
    int result = 0;
    for (int index = 0; index < sent; index++) result += (int)runs[index];
    return result;
}

// MARK: Names

int clinux_interface_addresses(clinux_interface *interfaces, int most) {
    struct ifaddrs *list = NULL;
    if (getifaddrs(&list)) return -errno;
    int count = 0;
    for (struct ifaddrs *item = list; item && count < most; item = item->ifa_next) {
        if (!item->ifa_addr || !(item->ifa_flags & IFF_UP)) continue;
        if (item->ifa_addr->sa_family != AF_INET && item->ifa_addr->sa_family != AF_INET6) continue;
        clinux_interface *found = &interfaces[count++];
        memset(found, 0, sizeof *found);
        strncpy(found->name, item->ifa_name, sizeof found->name - 1);
        from_sockaddr(&found->address, (const struct sockaddr_in6 *)item->ifa_addr);
        found->is_loopback = (item->ifa_flags & IFF_LOOPBACK) != 0;
    }
    freeifaddrs(list);
    return count;
}

int clinux_look_up(const char *name, clinux_address *addresses, int most) {
    struct addrinfo hints = {.ai_socktype = SOCK_DGRAM}, *list = NULL;
    if (getaddrinfo(name, NULL, &hints, &list)) return 0;
    int count = 0;
    for (struct addrinfo *item = list; item && count < most; item = item->ai_next) {
        if (item->ai_family == AF_INET || item->ai_family == AF_INET6)
            from_sockaddr(&addresses[count++], (const struct sockaddr_in6 *)item->ai_addr);
    }
    freeaddrinfo(list);
    return count;
}
