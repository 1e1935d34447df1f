// The macros that Swift does not see, one named function each.
#pragma once
#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/kdf.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdint.h>
#include <sys/time.h>

// Defined by executables that run in virtual time: says what gettimeofday answers on this thread, in nanoseconds;
// negative: the system's own clock again. Not there in production.
extern void tessera_library_clock(int64_t nanoseconds) __attribute__((weak));

static inline void copenssl_set_library_clock(int64_t nanoseconds) {
    if (tessera_library_clock) tessera_library_clock(nanoseconds);
}

static inline EVP_PKEY *copenssl_generate_p256(void) { return EVP_EC_gen("P-256"); }
static inline EVP_PKEY *copenssl_generate_rsa(unsigned int bits) { return EVP_RSA_gen(bits); }

static inline long copenssl_mem_bytes(BIO *bio, char **bytes) { return BIO_get_mem_data(bio, bytes); }
// Reading from an empty memory BIO asks to try again, instead of an end.
static inline void copenssl_mem_retries(BIO *bio) { BIO_set_mem_eof_return(bio, -1); }
static inline void copenssl_set_retry_read(BIO *bio) { BIO_set_retry_read(bio); }
static inline void copenssl_clear_retry(BIO *bio) { BIO_clear_retry_flags(bio); }

static inline int copenssl_require_dtls_1_2(SSL_CTX *context) {
    return SSL_CTX_set_min_proto_version(context, DTLS1_2_VERSION)
        && SSL_CTX_set_max_proto_version(context, DTLS1_2_VERSION);
}
static inline int copenssl_require_tls_1_2(SSL_CTX *context) {
    return SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
}
// No tickets, no cache, no renegotiation, no compression, buffers given back between records.
static inline void copenssl_keep_small(SSL_CTX *context) {
    SSL_CTX_set_options(context, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION
                                     | SSL_OP_NO_QUERY_MTU | SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE
                                  | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_num_tickets(context, 0);
}
// Whole datagrams are read at once.
static inline void copenssl_read_ahead(SSL_CTX *context) { SSL_CTX_set_read_ahead(context, 1); }
// Nothing we write is longer than a datagram: a small write buffer is enough.
static inline long copenssl_write_at_most(SSL_CTX *context, long bytes) {
    return SSL_CTX_set_max_send_fragment(context, bytes);
}
static inline int copenssl_set_groups(SSL_CTX *context, const char *list) {
    return SSL_CTX_set1_groups_list(context, list);
}
static inline int copenssl_add_chain_certificate(SSL_CTX *context, X509 *certificate) {
    return SSL_CTX_add1_chain_cert(context, certificate);
}

static inline long copenssl_set_mtu(SSL *ssl, long bytes) { return SSL_set_mtu(ssl, bytes); }
static inline int copenssl_flight_timer_runs(SSL *ssl) {
    struct timeval left;
    return DTLSv1_get_timeout(ssl, &left) == 1;
}
// 1: sent again; 0: OpenSSL's clock says it is too early; -1: given up.
static inline int copenssl_handle_timeout(SSL *ssl) { return (int)DTLSv1_handle_timeout(ssl); }
static inline int copenssl_set_server_name(SSL *ssl, const char *name) { return (int)SSL_set_tlsext_host_name(ssl, name); }

static const int copenssl_BIO_TYPE_SOURCE_SINK = BIO_TYPE_SOURCE_SINK;
static const int copenssl_BIO_CTRL_FLUSH = BIO_CTRL_FLUSH;
