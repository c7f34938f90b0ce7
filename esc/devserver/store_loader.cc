#include "esc/devserver/store_loader.h"

#include "esc/environment_ref.h"

namespace escagent::devserver {

Result<Secret> StoreLoader::Load(std::string_view name) {
  std::string text = organization_ + "/";
  if (!name.contains('/')) text += "default/";
  text += name;
  ESC_ASSIGN_OR_RETURN(const esc::EnvironmentRef ref, esc::EnvironmentRef::Parse(text));
  const std::string environment = ref.project + "/" + ref.environment;
  if (!identity_.May(Permission::kOpen, organization_, environment)) {
    return PermissionDenied("no permission to open environment \"" + environment + "\"");
  }
  ESC_ASSIGN_OR_RETURN(const Revision revision, store_.Get(ref));
  return revision.text->Clone();
}

}  // namespace escagent::devserver
