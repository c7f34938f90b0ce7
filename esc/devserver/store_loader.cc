#include "esc/devserver/store_loader.h"

#include "esc/environment_ref.h"

namespace escagent::devserver {

Result<Secret> StoreLoader::Load(std::string_view name) {
  if (const auto found = overrides_.find(name); found != overrides_.end()) name = found->second;
  std::string text = organization_ + "/";
  if (!name.contains('/')) text += "default/";
  text += name;
  ESC_ASSIGN_OR_RETURN(const esc::EnvironmentRef ref, esc::EnvironmentRef::Parse(text));
  const std::string environment = ref.project + "/" + ref.environment;
  if (!identity_.May(Permission::kOpen, organization_, environment)) {
    return PermissionDenied("no permission to open environment \"" + environment + "\"");
  }
  ESC_ASSIGN_OR_RETURN(const Revision revision, store_.Get(ref));
  if (form_ == SecretForm::kStored) return revision.text->Clone();
  return RewriteSecrets(secrets_, revision.text->Reveal(), form_);
}

}  // namespace escagent::devserver
