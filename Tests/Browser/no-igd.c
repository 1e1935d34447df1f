// Stands in for libgupnp-igd, which libnice asks for. The real one brings libsoup 3 along, and simple-whip-client, which
// is built with libsoup 2, ends as soon as it meets it. Port mapping is not what is tested.
#include <stddef.h>

size_t gupnp_simple_igd_get_type(void) { return 0; }
void *gupnp_simple_igd_thread_new(void) { return NULL; }
int gupnp_simple_igd_add_port(void) { return 0; }
int gupnp_simple_igd_remove_port_local(void) { return 0; }
