/* All routes of the server. Each file of routes has a table; a new one is named here once, and with
 * that it is routed, checked, counted, and described in /openapi.json and docs/API.md. */
#include "http/http.h"

extern const struct route routes_account[], routes_export[], routes_health[], routes_jobs[],
    routes_legacy[], routes_openai[], routes_people[], routes_persona[], routes_prompt[],
    routes_share[], routes_source[];

const struct route *const route_tables[] = {
    routes_account, routes_legacy, routes_persona, routes_people, routes_source, routes_prompt,
    routes_share,   routes_export, routes_jobs,    routes_openai, routes_health, NULL,
};
