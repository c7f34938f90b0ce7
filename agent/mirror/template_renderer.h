#pragma once

#include <string>
#include <string_view>

#include "agent/mirror/secret_data.h"
#include "agent/mirror/secret_template.h"
#include "agent/mirror/target_secret.h"
#include "agent/template/render.h"
#include "base/result.h"

namespace escagent::mirror {

// Renders templates over fetched data into the data, labels and annotations of a Secret; what is
// rendered later wins. Borrows both. Errors hold no value; see BuildTarget().
class TemplateRenderer {
 public:
  TemplateRenderer(const SecretData& fetched, TargetSecret& target);

  // A templateFrom, with the texts of its ConfigMap or Secret in `sources`.
  Status AddFrom(const TemplateFrom& from, const TemplateSources& sources);
  // A map of keys to templates.
  Status AddValues(const StringMap& templates, TemplateTarget target);

 private:
  Status AddValue(const std::string& key, std::string_view text, TemplateTarget target,
                  DecodingStrategy decoding);
  // A template whose output is a YAML mapping. `name` stands in errors.
  Status AddMapping(const std::string& name, std::string_view text, const TemplateFrom& from);
  // Puts a rendered value where it belongs.
  Status Put(const std::string& key, Secret value, TemplateTarget target,
             DecodingStrategy decoding);

  gotemplate::Fields fields_;
  TargetSecret& target_;
};

}  // namespace escagent::mirror
