#pragma once
#include <libwebsockets.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <string.h>

/// Bytes that `lws_write` may use before what it is given.
static const size_t cwebsockets_pre = LWS_PRE;

/// Options of a context that makes its hosts itself, with TLS, without opinions about messages' text.
static const uint64_t cwebsockets_context_options =
    LWS_SERVER_OPTION_EXPLICIT_VHOSTS | LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT | LWS_SERVER_OPTION_VALIDATE_UTF8;
/// Options of a host; without it no certificate is looked at.
static const uint64_t cwebsockets_host_options = LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT;
static const int cwebsockets_port_none = CONTEXT_PORT_NO_LISTEN_SERVER;
static const int cwebsockets_log_levels = LLL_ERR | LLL_WARN;

/// Takes an accepted connection for a host, with TLS where the host has it; the descriptor is closed on failure.
static inline struct lws *cwebsockets_adopt_connection(struct lws_vhost *host, int descriptor) {
    lws_sock_file_fd_type fd;
    memset(&fd, 0, sizeof fd);
    fd.sockfd = descriptor;
    return lws_adopt_descriptor_vhost(
        host, (lws_adoption_type)(LWS_ADOPT_HTTP | LWS_ADOPT_SOCKET | LWS_ADOPT_ALLOW_SSL), fd, NULL, NULL);
}

/// Has a descriptor watched: LWS_CALLBACK_RAW_RX_FILE comes whenever it can be read.
static inline struct lws *cwebsockets_adopt_file(struct lws_vhost *host, int descriptor, const char *protocol) {
    lws_sock_file_fd_type fd;
    memset(&fd, 0, sizeof fd);
    fd.filefd = descriptor;
    return lws_adopt_descriptor_vhost(host, LWS_ADOPT_RAW_FILE_DESC, fd, protocol, NULL);
}

/// A time at which a context's wait ends. All zero but for the context before its first use; stays where it is.
typedef struct {
    lws_sorted_usec_list_t entry;  // first: the library hands back its address
    struct lws_context *context;
} cwebsockets_alarm;

/// The library serves what is due, then waits for what comes next, without an end where nothing does: an alarm that
/// falls due in between would be slept over. So it interrupts the wait that follows.
static inline void cwebsockets_ring(lws_sorted_usec_list_t *entry) {
    lws_cancel_service(((cwebsockets_alarm *)entry)->context);
}

/// Ends a wait of the alarm's context in so many microseconds. To be called on the context's thread.
static inline void cwebsockets_set_alarm(cwebsockets_alarm *alarm, int64_t microseconds) {
    lws_sul_schedule(alarm->context, 0, &alarm->entry, cwebsockets_ring, microseconds);
}

static inline void cwebsockets_cancel_alarm(cwebsockets_alarm *alarm) { lws_sul_cancel(&alarm->entry); }

static inline int cwebsockets_pem_out(BIO *bio, char *out, int size) {
    int count = BIO_read(bio, out, size - 1);
    BIO_free(bio);
    if (count <= 0) return -1;
    out[count] = 0;
    return count;
}

/// Makes an ECDSA P-256 key and a certificate for it, signed with it, for ten years, as PEM; 0, or -1 on failure.
/// `names` is a list as in an X.509 extension: `DNS:localhost,IP:127.0.0.1`.
static inline int cwebsockets_self_signed(
    const char *common_name, const char *names, char *certificate, char *key, int size) {
    EVP_PKEY *pair = EVP_EC_gen("P-256");
    X509 *x509 = X509_new();
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, names);
    unsigned char serial[8];
    int result = -1;
    if (pair && x509 && extension && RAND_bytes(serial, sizeof serial) == 1) {
        X509_NAME *name = X509_get_subject_name(x509);
        long number = 0;
        memcpy(&number, serial, 4);
        X509_set_version(x509, 2);
        ASN1_INTEGER_set(X509_get_serialNumber(x509), number & 0x7FFFFFFF);
        X509_gmtime_adj(X509_getm_notBefore(x509), -86400);
        X509_time_adj_ex(X509_getm_notAfter(x509), 3650, 0, NULL);
        X509_set_pubkey(x509, pair);
        X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)common_name, -1, -1, 0);
        X509_set_issuer_name(x509, name);
        X509_add_ext(x509, extension, -1);
        BIO *first = BIO_new(BIO_s_mem()), *second = BIO_new(BIO_s_mem());
        if (X509_sign(x509, pair, EVP_sha256()) && PEM_write_bio_X509(first, x509)
            && PEM_write_bio_PrivateKey(second, pair, NULL, NULL, 0, NULL, NULL)) {
            int written = cwebsockets_pem_out(first, certificate, size);
            int kept = cwebsockets_pem_out(second, key, size);
            result = written > 0 && kept > 0 ? 0 : -1;
        } else {
            BIO_free(first);
            BIO_free(second);
        }
    }
    X509_EXTENSION_free(extension);
    X509_free(x509);
    EVP_PKEY_free(pair);
    return result;
}
