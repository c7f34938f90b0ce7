#pragma once

#include "esc/devserver/router.h"

// The routes, a file for each kind of resource (reference/esc-api.md (a)).
namespace escagent::devserver {

// environment_handlers.cc: list, HEAD, definitions, referrers.
void AddEnvironmentRoutes(Router& router);
// lifecycle_handlers.cc: create, clone, delete, settings. After the routes for texts, which look
// like environments of a project "yaml".
void AddLifecycleRoutes(Router& router);
// revision_handlers.cc: revisions and their tags.
void AddRevisionRoutes(Router& router);
// tag_handlers.cc: tags of environments.
void AddTagRoutes(Router& router);
// webhook_handlers.cc: webhooks of environments and of organizations, and their deliveries.
void AddWebhookRoutes(Router& router);
// refusal_handlers.cc: what is refused: drafts, requests to open, schedules.
void AddRefusalRoutes(Router& router);
// update_handlers.cc: new revisions.
void AddUpdateRoutes(Router& router);
// check_handlers.cc: what is known of a definition, or of a text, without opening anything.
void AddCheckRoutes(Router& router);
// open_handlers.cc: open, of a text too; sessions, properties.
void AddOpenRoutes(Router& router);
// rotation_handlers.cc: rotation of secrets and its history.
void AddRotationRoutes(Router& router);
// user_handlers.cc: who the token belongs to.
void AddUserRoutes(Router& router);
// oauth_handlers.cc: access tokens for OIDC tokens. They ask for no token.
void AddOauthRoutes(Router& router);
// debug_handlers.cc: /debug/requests, /debug/faults and /debug/tokens. No token: this server is for
// development.
void AddDebugRoutes(Router& router);

}  // namespace escagent::devserver
