#pragma once
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <usrsctp.h>

// A connection's own number stands for its address: nothing in it is ever looked at as memory.
static inline struct sockaddr_conn csctp_address(uintptr_t connection, uint16_t port) {
    struct sockaddr_conn address;
    memset(&address, 0, sizeof address);
    address.sconn_family = AF_CONN;
    address.sconn_port = htons(port);
    address.sconn_addr = (void *)connection;
    return address;
}
static inline int csctp_bind(struct socket *socket, uintptr_t connection, uint16_t port) {
    struct sockaddr_conn address = csctp_address(connection, port);
    return usrsctp_bind(socket, (struct sockaddr *)&address, sizeof address);
}
static inline int csctp_connect(struct socket *socket, uintptr_t connection, uint16_t port) {
    struct sockaddr_conn address = csctp_address(connection, port);
    return usrsctp_connect(socket, (struct sockaddr *)&address, sizeof address);
}
static inline int csctp_subscribe(struct socket *socket, uint16_t type) {
    struct sctp_event event = {.se_assoc_id = SCTP_FUTURE_ASSOC, .se_type = type, .se_on = 1};
    return usrsctp_setsockopt(socket, IPPROTO_SCTP, SCTP_EVENT, &event, sizeof event);
}
// Closing is an ABORT at once: no socket lives on in the background.
static inline int csctp_close_aborts(struct socket *socket) {
    struct linger linger = {.l_onoff = 1, .l_linger = 0};
    return usrsctp_setsockopt(socket, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
}
static inline int csctp_set_flag(struct socket *socket, int option) {
    uint32_t on = 1;
    return usrsctp_setsockopt(socket, IPPROTO_SCTP, option, &on, sizeof on);
}
static inline int csctp_set_buffer(struct socket *socket, int option, int bytes) {
    return usrsctp_setsockopt(socket, SOL_SOCKET, option, &bytes, sizeof bytes);
}
static inline int csctp_allow_stream_reset(struct socket *socket) {
    struct sctp_assoc_value value = {
        .assoc_id = SCTP_FUTURE_ASSOC,
        .assoc_value = SCTP_ENABLE_RESET_STREAM_REQ | SCTP_ENABLE_CHANGE_ASSOC_REQ,
    };
    return usrsctp_setsockopt(socket, IPPROTO_SCTP, SCTP_ENABLE_STREAM_RESET, &value, sizeof value);
}
static inline int csctp_set_streams(struct socket *socket, uint16_t streams) {
    struct sctp_initmsg message = {.sinit_num_ostreams = streams, .sinit_max_instreams = streams};
    return usrsctp_setsockopt(socket, IPPROTO_SCTP, SCTP_INITMSG, &message, sizeof message);
}
// Fixed path MTU, no heartbeats: the layers below watch the path.
static inline int csctp_set_path(struct socket *socket, uint32_t mtu) {
    struct sctp_paddrparams path;
    memset(&path, 0, sizeof path);
    path.spp_address.ss_family = AF_CONN;
    path.spp_flags = SPP_PMTUD_DISABLE | SPP_HB_DISABLE;
    path.spp_pathmtu = mtu;
    return usrsctp_setsockopt(socket, IPPROTO_SCTP, SCTP_PEER_ADDR_PARAMS, &path, sizeof path);
}
// -1 with errno, or how many bytes were taken.
static inline ssize_t csctp_send(struct socket *socket, const void *bytes, size_t count, uint16_t stream, uint32_t ppid,
                                 int ordered, int ends, uint16_t policy, uint32_t value) {
    struct sctp_sendv_spa options;
    memset(&options, 0, sizeof options);
    options.sendv_flags = SCTP_SEND_SNDINFO_VALID;
    options.sendv_sndinfo.snd_sid = stream;
    options.sendv_sndinfo.snd_ppid = htonl(ppid);
    options.sendv_sndinfo.snd_flags = (uint16_t)((ordered ? 0 : SCTP_UNORDERED) | (ends ? SCTP_EOR : 0));
    if (policy != SCTP_PR_SCTP_NONE) {
        options.sendv_flags |= SCTP_SEND_PRINFO_VALID;
        options.sendv_prinfo.pr_policy = policy;
        options.sendv_prinfo.pr_value = value;
    }
    return usrsctp_sendv(socket, bytes, count, NULL, 0, &options, sizeof options, SCTP_SENDV_SPA, 0);
}
// Resets our direction of one stream (RFC 6525, section 4.1).
static inline int csctp_reset_stream(struct socket *socket, uint16_t stream) {
    struct {
        sctp_assoc_t association;
        uint16_t flags, count, stream;
    } request = {SCTP_CURRENT_ASSOC, SCTP_STREAM_RESET_OUTGOING, 1, stream};
    (void)sizeof(struct sctp_reset_streams);
    return usrsctp_setsockopt(socket, IPPROTO_SCTP, SCTP_RESET_STREAMS, &request, sizeof request);
}
// Chunks sent and not acknowledged, and chunks not yet sent; -1 without an association.
static inline int csctp_outstanding(struct socket *socket) {
    struct sctp_status status;
    socklen_t size = sizeof status;
    memset(&status, 0, sizeof status);
    if (usrsctp_getsockopt(socket, IPPROTO_SCTP, SCTP_STATUS, &status, &size) != 0) return -1;
    return status.sstat_unackdata + status.sstat_penddata;
}
static inline uint32_t csctp_ppid(uint32_t network_order) { return ntohl(network_order); }
static inline int csctp_errno(void) { return errno; }
static inline int csctp_would_block(void) { return errno == EAGAIN || errno == EWOULDBLOCK; }
static inline const void *csctp_stream_list(const struct sctp_stream_reset_event *event) {
    return (const char *)event + sizeof(struct sctp_stream_reset_event);
}
static const int csctp_SO_SNDBUF = SO_SNDBUF;
static const int csctp_SO_RCVBUF = SO_RCVBUF;
static const int csctp_MSG_EOR = MSG_EOR;
