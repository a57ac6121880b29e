/* All routes of the server. Each file of routes has a table; a new one is named here once, and with
 * that it is routed, checked, counted, and described in /openapi.json and docs/API.md. */
#include "http/http.h"

extern const struct route routes_account[], routes_health[], routes_jobs[], routes_openai[];

const struct route *const route_tables[] = { routes_account, routes_health, routes_jobs,
                                             routes_openai, NULL };
