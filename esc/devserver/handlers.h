#pragma once

#include "esc/devserver/router.h"

// The routes, a file for each kind of resource. Tags, webhooks, drafts, rotation, creating and
// deleting of ESC's API (reference/esc-api.md (a)) would each get a file of their own.
namespace escagent::devserver {

// environment_handlers.cc: list, HEAD, definitions, revisions.
void AddEnvironmentRoutes(Router& router);
// update_handlers.cc: new revisions.
void AddUpdateRoutes(Router& router);
// open_handlers.cc: open, sessions, properties; check and open of a text.
void AddOpenRoutes(Router& router);
// user_handlers.cc: who the token belongs to.
void AddUserRoutes(Router& router);
// oauth_handlers.cc: access tokens for OIDC tokens. They ask for no token.
void AddOauthRoutes(Router& router);
// debug_handlers.cc: /debug/requests, /debug/faults and /debug/tokens. No token: this server is for
// development.
void AddDebugRoutes(Router& router);

}  // namespace escagent::devserver
