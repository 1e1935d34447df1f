// Sockets: what needs GNU's structures (recvmmsg, sendmmsg), control messages (macros), or too many casts in Swift.
#pragma once
#include <stdint.h>

/// An IP address and a port: the sixteen bytes as two numbers, IPv4 in its mapped form (RFC 4291, section 2.5.5.2).
typedef struct {
    uint64_t high, low;
    /// Interface index of a link-local IPv6 address; 0: none.
    uint32_t scope;
    uint16_t port;
} clinux_address;

/// What to set on a new socket; 0 leaves the system's choice.
typedef struct {
    int buffer_bytes;
    int dscp;
    /// Several sockets may have the port: the kernel spreads what comes by address (SO_REUSEPORT).
    int shares_port;
} clinux_socket_options;

/// A bound, non-blocking datagram socket that tells where datagrams were sent to; or a negative errno.
int clinux_open_datagram(const clinux_address *local, const clinux_socket_options *options);
/// A bound, non-blocking, listening stream socket; or a negative errno.
int clinux_open_listener(const clinux_address *local, int backlog);
/// A non-blocking stream socket that connects from a local address (any port); or a negative errno.
int clinux_open_connection(const clinux_address *local, const clinux_address *remote, const clinux_socket_options *options);
/// One instruction of the kernel's packet filter, as in `struct sock_filter`.
typedef struct {
    uint16_t code;
    uint8_t if_true, if_false;
    uint32_t value;
} clinux_instruction;
/// A second socket on the address that a datagram socket is bound to: the kernel spreads what comes over both until
/// `clinux_steer` says which. A negative errno where the system will not.
int clinux_open_twin(int descriptor, const clinux_socket_options *options);
/// A program says which of the two sockets a datagram goes to: 0 the first, 1 its twin (SO_ATTACH_REUSEPORT_CBPF). It
/// replaces the one before at once. 0, or a negative errno.
int clinux_steer(int descriptor, const clinux_instruction *program, uint16_t count);
/// From now on the kernel drops, and counts, what is neither STUN with its cookie, nor DTLS 1.0 to 1.2, nor RTP or RTCP
/// by its first bytes (RFC 7983). 0, or a negative errno.
int clinux_admit_only_peers(int descriptor);
/// The next accepted connection, non-blocking, options set; or a negative errno.
int clinux_accept(int listener, const clinux_socket_options *options);
/// The address a socket is bound to, and the one it is connected to; 0, or a negative errno.
int clinux_local_address(int descriptor, clinux_address *address);
int clinux_remote_address(int descriptor, clinux_address *address);
/// Datagrams that the kernel has dropped at this socket since it was made: its buffer was full, or a filter refused them;
/// negative: the system does not say.
int64_t clinux_socket_drops(int descriptor);
/// Milliseconds since the other end of a TCP connection last sent data, read or not; negative: the system does not say.
int64_t clinux_receive_silence(int descriptor);
/// Bytes that were read from a TCP connection so far, at most, or at least; negative: the system does not say.
int64_t clinux_bytes_read(int descriptor, int is_most);
/// The pending error of a socket, which it clears; 0 if there is none.
int clinux_socket_error(int descriptor);
/// Sends bytes without raising SIGPIPE; the count taken, or a negative errno.
int64_t clinux_send_stream(int descriptor, const void *bytes, uint64_t count);
/// Receives bytes; the count, 0 at the end, or a negative errno.
int64_t clinux_receive_stream(int descriptor, void *bytes, uint64_t count);

/// Slots that a batch of datagrams is received into. Allocated once, used for any number of sockets.
typedef struct clinux_slots clinux_slots;
/// One datagram in a slot.
typedef struct {
    uint8_t *bytes;
    uint32_t count;
    /// It was longer than the slot.
    int is_truncated;
    clinux_address remote;
    /// Where it was sent to; both 0 where the kernel did not say. Its port is the socket's.
    uint64_t local_high, local_low;
} clinux_received;

clinux_slots *clinux_slots_new(uint32_t count, uint32_t size);
void clinux_slots_free(clinux_slots *slots);
/// Receives what is there, up to the number of slots and `most`; the count, or a negative errno.
int clinux_receive_batch(int descriptor, clinux_slots *slots, uint32_t most);
/// Datagram `index` of the last batch.
const clinux_received *clinux_slot(clinux_slots *slots, uint32_t index);

/// One datagram to send.
typedef struct {
    const uint8_t *bytes;
    uint32_t count;
    clinux_address remote;
    /// The address to send from; both 0: the kernel's choice.
    uint64_t local_high, local_low;
    /// The datagram's mark (RFC 2474), 0 to 63; -1: the socket's.
    int16_t dscp;
} clinux_outgoing;

/// Sends datagrams with one system call, runs of equal size to one peer as one message for the kernel to cut
/// (UDP_SEGMENT) if `segments`. Returns how many went, at least one, or a negative errno, which is about the first
/// message; `*head` is how many datagrams that message held.
int clinux_send_batch(int descriptor, const clinux_outgoing *items, uint32_t count, int segments, uint32_t *head);

/// One address of one network interface that is up.
typedef struct {
    char name[16];
    clinux_address address;
    int is_loopback;
} clinux_interface;
/// Fills `interfaces` with up to `most` addresses; the count, or a negative errno.
int clinux_interface_addresses(clinux_interface *interfaces, int most);
/// Looks a host name up, blocking; the count of addresses, at most `most`; 0 if there is none.
int clinux_look_up(const char *name, clinux_address *addresses, int most);
